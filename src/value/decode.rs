//! From values to the typed structures of the kinds, through serde.
//!
//! A sensitive value decodes into a [`super::Secret`] only: anything else is an error, so that no kind can
//! take a secret for a plain text by accident.

use std::fmt;
use std::sync::Arc;

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Deserializer, Error as _, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::secret::SECRET;
use super::{Object, Repr, Value};

/// Why a value does not have the shape that was asked for; a defect of a schema, not of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError(String);

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for DecodeError {}

impl serde::de::Error for DecodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl Value {
    /// Decodes into a typed structure.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        T::deserialize(self)
    }
}

impl Object {
    /// Decodes into a typed structure.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        T::deserialize(Entire(self))
    }
}

impl<'a> IntoDeserializer<'a, DecodeError> for &'a Value {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

type Entry<'a> = fn((&'a Arc<str>, &'a Value)) -> (&'a str, &'a Value);
type Entries<'a> = std::iter::Map<super::object::Iter<'a>, Entry<'a>>;

/// An object on its own, to decode.
struct Entire<'a>(&'a Object);

impl<'de> Deserializer<'de> for Entire<'de> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let entry: Entry<'de> = |(name, value)| (name, value);
        let mut entries: MapDeserializer<'de, Entries<'de>, DecodeError> =
            MapDeserializer::new(self.0.iter().map(entry));
        let value = visitor.visit_map(&mut entries)?;
        entries.end()?;
        Ok(value)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> Deserializer<'de> for &'de Value {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.is_sensitive() {
            return Err(DecodeError::custom("a sensitive value where a plain one was expected"));
        }
        match self.repr() {
            Repr::Null => visitor.visit_unit(),
            Repr::Unknown(_) => Err(DecodeError::custom("a value that is known only after an apply")),
            Repr::Bool(bool) => visitor.visit_bool(*bool),
            Repr::Number(number) => match number.as_i64() {
                Some(whole) => visitor.visit_i64(whole),
                None => visitor.visit_string(number.to_string()),
            },
            Repr::String(text) => visitor.visit_str(text),
            Repr::List(_, elements) | Repr::Set(_, elements) | Repr::Tuple(elements) => {
                SeqDeserializer::new(elements.iter()).deserialize_any(visitor)
            }
            Repr::Map(_, object) | Repr::Object(object) => Entire(object).deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match (name, self.as_str()) {
            (SECRET, Some(text)) => visitor.visit_str(text),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match self.as_str() {
            Some(text) if !self.is_sensitive() => {
                text.into_deserializer().deserialize_enum(name, variants, visitor)
            }
            _ => Err(DecodeError::custom(format!("expected one of {variants:?}"))),
        }
    }

    /// What is not looked at may be sensitive, or not known yet.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map struct identifier
    }
}
