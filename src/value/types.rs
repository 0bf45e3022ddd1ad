//! Types of the language, as `variable { type = … }` writes them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::Value;

/// A type constraint or the type of an unknown value.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    /// `any`.
    Any,
    /// `bool`.
    Bool,
    /// `number`.
    Number,
    /// `string`.
    String,
    /// `list(T)`.
    List(Arc<Type>),
    /// `set(T)`.
    Set(Arc<Type>),
    /// `map(T)`.
    Map(Arc<Type>),
    /// `tuple([A, B])`.
    Tuple(Arc<[Type]>),
    /// `object({ a = A, b = optional(B, default) })`.
    Object(Arc<BTreeMap<Arc<str>, Field>>),
}

/// One attribute of an object type.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Its type.
    pub ty: Type,
    /// Where it is optional, what it is when it is absent or `null`: a value of its type, or `null`.
    pub optional: Option<Value>,
}

impl Field {
    /// An attribute that must be there.
    pub fn required(ty: Type) -> Self {
        Self { ty, optional: None }
    }

    /// An attribute that is `null` when it is absent.
    pub fn optional(ty: Type) -> Self {
        Self { ty, optional: Some(Value::NULL) }
    }

    /// An attribute that is `default`, a value of type `ty`, when it is absent or `null`.
    pub fn with_default(ty: Type, default: Value) -> Self {
        Self { ty, optional: Some(default) }
    }
}

impl Type {
    /// Whether `any` stands somewhere in it.
    pub fn contains_any(&self) -> bool {
        match self {
            Self::Any => true,
            Self::Bool | Self::Number | Self::String => false,
            Self::List(element) | Self::Set(element) | Self::Map(element) => element.contains_any(),
            Self::Tuple(elements) => elements.iter().any(Self::contains_any),
            Self::Object(fields) => fields.values().any(|field| field.ty.contains_any()),
        }
    }

    /// The type of the values that it leads to: no attribute is optional any more.
    #[must_use]
    pub fn without_optional(&self) -> Self {
        match self {
            Self::Any | Self::Bool | Self::Number | Self::String => self.clone(),
            Self::List(element) => Self::List(Arc::new(element.without_optional())),
            Self::Set(element) => Self::Set(Arc::new(element.without_optional())),
            Self::Map(element) => Self::Map(Arc::new(element.without_optional())),
            Self::Tuple(elements) => Self::Tuple(elements.iter().map(Self::without_optional).collect()),
            Self::Object(fields) => {
                let required = |field: &Field| Field::required(field.ty.without_optional());
                Self::Object(Arc::new(
                    fields.iter().map(|(name, field)| (Arc::clone(name), required(field))).collect(),
                ))
            }
        }
    }

    /// A word for its values, as in `a list of string`.
    pub fn article(&self) -> String {
        match self {
            Self::Any => "any value".to_owned(),
            Self::Bool => "a bool".to_owned(),
            Self::Number => "a number".to_owned(),
            Self::String => "a string".to_owned(),
            Self::List(element) if **element == Self::Any => "a list".to_owned(),
            Self::Set(element) if **element == Self::Any => "a set".to_owned(),
            Self::Map(element) if **element == Self::Any => "a map".to_owned(),
            Self::List(element) => format!("a list of {}", element.noun()),
            Self::Set(element) => format!("a set of {}", element.noun()),
            Self::Map(element) => format!("a map of {}", element.noun()),
            Self::Tuple(_) => "a tuple".to_owned(),
            Self::Object(_) => "an object".to_owned(),
        }
    }

    fn noun(&self) -> String {
        match self {
            Self::Tuple(_) => "tuple".to_owned(),
            Self::Object(_) => "object".to_owned(),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Bool => f.write_str("bool"),
            Self::Number => f.write_str("number"),
            Self::String => f.write_str("string"),
            Self::List(element) => write!(f, "list({element})"),
            Self::Set(element) => write!(f, "set({element})"),
            Self::Map(element) => write!(f, "map({element})"),
            Self::Tuple(elements) => {
                f.write_str("tuple([")?;
                for (index, element) in elements.iter().enumerate() {
                    write!(f, "{}{element}", if index == 0 { "" } else { ", " })?;
                }
                f.write_str("])")
            }
            Self::Object(attributes) => {
                f.write_str("object({")?;
                for (index, (name, Field { ty, optional })) in attributes.iter().enumerate() {
                    let separator = if index == 0 { "" } else { ", " };
                    if optional.is_some() {
                        write!(f, "{separator}{name} = optional({ty})")?;
                    } else {
                        write!(f, "{separator}{name} = {ty}")?;
                    }
                }
                f.write_str("})")
            }
        }
    }
}
