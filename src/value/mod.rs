//! Values of the language: cheap to clone, with unknown and sensitive marks.

mod convert;
mod decode;
mod display;
mod json;
mod number;
mod object;
mod order;
mod secret;
mod types;

pub use convert::{ConvertError, convert, unify};
pub use decode::DecodeError;
pub use display::Display;
pub use json::JsonError;
pub use number::Number;
pub use object::Object;
pub use secret::Secret;
pub use types::{Field, Type};

use std::fmt;
use std::sync::Arc;

/// What a value is, beside its marks.
#[derive(Clone, PartialEq)]
pub enum Repr {
    /// `null`, of any type.
    Null,
    /// A value that is known only after an apply, of this type.
    Unknown(Type),
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    String(Arc<str>),
    /// A list: elements of one type.
    List(Type, Arc<[Value]>),
    /// A set: elements of one type, sorted, without duplicates.
    Set(Type, Arc<[Value]>),
    /// A map: values of one type.
    Map(Type, Arc<Object>),
    /// A tuple: elements of any types, as `[…]` makes it.
    Tuple(Arc<[Value]>),
    /// An object: attributes of any types, as `{…}` makes it.
    Object(Arc<Object>),
}

/// A value of the language.
///
/// `Debug` shows a sensitive value as `(sensitive value)`; there is no `Display`.
#[derive(Clone, PartialEq)]
pub struct Value {
    repr: Repr,
    depth: u16,
    sensitive: bool,
    size: u32,
}

/// The size of a value that has no parts and no text, in bytes: about what it takes in memory.
const NODE: u32 = 32;

impl Value {
    /// `null`.
    pub const NULL: Self = Self { repr: Repr::Null, depth: 0, sensitive: false, size: NODE };

    /// How many levels of lists, maps and objects inside each other the language takes: what goes down into a value
    /// needs a bounded stack.
    pub const MAX_DEPTH: u16 = 64;

    /// How large a value the language takes, in bytes; see [`Value::size`].
    pub const MAX_SIZE: usize = 64 << 20;

    /// A value that is not sensitive.
    pub fn new(repr: Repr) -> Self {
        let (mut depth, mut size) = (0, NODE);
        let mut add = |part: &Self| {
            depth = depth.max(part.depth.saturating_add(1));
            size = size.saturating_add(part.size);
        };
        let text = |text: &str| u32::try_from(text.len()).unwrap_or(u32::MAX);
        match &repr {
            Repr::List(_, elements) | Repr::Set(_, elements) | Repr::Tuple(elements) => {
                elements.iter().for_each(add);
                depth = depth.max(1);
            }
            Repr::Map(_, object) | Repr::Object(object) => {
                let mut names = 0u32;
                for (name, part) in object.iter() {
                    names = names.saturating_add(text(name));
                    add(part);
                }
                size = size.saturating_add(names);
                depth = depth.max(1);
            }
            Repr::String(string) => size = size.saturating_add(text(string)),
            Repr::Null | Repr::Unknown(_) | Repr::Bool(_) | Repr::Number(_) => {}
        }
        Self { repr, depth, sensitive: false, size }
    }

    /// A value that is known only after an apply.
    pub fn unknown(ty: Type) -> Self {
        Self::new(Repr::Unknown(ty))
    }

    /// A string.
    pub fn string(text: impl Into<Arc<str>>) -> Self {
        Self::new(Repr::String(text.into()))
    }

    /// A tuple of these elements.
    pub fn tuple(elements: impl IntoIterator<Item = Self>) -> Self {
        Self::new(Repr::Tuple(elements.into_iter().collect()))
    }

    /// An object with these attributes.
    pub fn object(attributes: Object) -> Self {
        Self::new(Repr::Object(Arc::new(attributes)))
    }

    /// How many levels of lists, maps and objects it has inside each other; see [`Value::MAX_DEPTH`].
    pub fn depth(&self) -> u16 {
        self.depth
    }

    /// How large it is, in bytes, written out whole: what several of its parts share counts for each. A part is 32
    /// bytes and its text.
    pub fn size(&self) -> usize {
        usize::try_from(self.size).unwrap_or(usize::MAX)
    }

    /// What it is, beside its marks. Look at [`Value::is_sensitive`] before anything of it is shown.
    pub fn repr(&self) -> &Repr {
        &self.repr
    }

    /// Whether this value itself is marked sensitive (its elements carry their own marks).
    pub fn is_sensitive(&self) -> bool {
        self.sensitive
    }

    /// Whether this value or anything inside it is marked sensitive.
    pub fn contains_sensitive(&self) -> bool {
        self.sensitive || self.children().any(Self::contains_sensitive)
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self.repr, Repr::Null)
    }

    /// Whether this value itself is unknown.
    pub fn is_unknown(&self) -> bool {
        matches!(self.repr, Repr::Unknown(_))
    }

    /// Whether it is a boolean, a number or a string.
    pub fn is_scalar(&self) -> bool {
        matches!(self.repr, Repr::Bool(_) | Repr::Number(_) | Repr::String(_))
    }

    /// Whether nothing inside it is unknown.
    pub fn is_wholly_known(&self) -> bool {
        !self.is_unknown() && self.children().all(Self::is_wholly_known)
    }

    /// The same value with the sensitive mark set to `sensitive`.
    #[must_use]
    pub fn with_sensitive(mut self, sensitive: bool) -> Self {
        self.sensitive = sensitive;
        self
    }

    /// The same value, marked sensitive where any of `sources` is; for results of operations.
    #[must_use]
    pub fn marked_like<'a>(mut self, sources: impl IntoIterator<Item = &'a Self>) -> Self {
        self.sensitive = self.sensitive || sources.into_iter().any(|source| source.sensitive);
        self
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match &self.repr {
            Repr::String(text) => Some(text),
            _ => None,
        }
    }

    /// A boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self.repr {
            Repr::Bool(bool) => Some(bool),
            _ => None,
        }
    }

    /// A number.
    pub fn as_number(&self) -> Option<&Number> {
        match &self.repr {
            Repr::Number(number) => Some(number),
            _ => None,
        }
    }

    /// The elements of a list, set or tuple.
    pub fn as_elements(&self) -> Option<&[Self]> {
        match &self.repr {
            Repr::List(_, elements) | Repr::Set(_, elements) | Repr::Tuple(elements) => Some(elements),
            _ => None,
        }
    }

    /// The attributes of an object or the entries of a map.
    pub fn as_object(&self) -> Option<&Object> {
        match &self.repr {
            Repr::Map(_, object) | Repr::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The value of an attribute or entry.
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.as_object().and_then(|object| object.get(name))
    }

    /// Its type; `any` for `null`.
    pub fn ty(&self) -> Type {
        match &self.repr {
            Repr::Null => Type::Any,
            Repr::Unknown(ty) => ty.clone(),
            Repr::Bool(_) => Type::Bool,
            Repr::Number(_) => Type::Number,
            Repr::String(_) => Type::String,
            Repr::List(element, _) => Type::List(Arc::new(element.clone())),
            Repr::Set(element, _) => Type::Set(Arc::new(element.clone())),
            Repr::Map(element, _) => Type::Map(Arc::new(element.clone())),
            Repr::Tuple(elements) => Type::Tuple(elements.iter().map(Self::ty).collect()),
            Repr::Object(object) => Type::Object(Arc::new(
                object.iter().map(|(name, value)| (Arc::clone(name), Field::required(value.ty()))).collect(),
            )),
        }
    }

    /// The same value without any sensitive mark, on itself or inside.
    #[must_use]
    pub fn without_sensitive(self) -> Self {
        if !self.contains_sensitive() {
            return self;
        }
        let elements = |elements: &[Self]| elements.iter().cloned().map(Self::without_sensitive).collect();
        let object = |object: &Object| {
            let entries =
                object.iter().map(|(name, value)| (Arc::clone(name), value.clone().without_sensitive()));
            let plain: Object = entries.collect();
            Arc::new(match object.resource() {
                Some(resource) => plain.of_resource(resource.clone()),
                None => plain,
            })
        };
        Self::new(match &self.repr {
            Repr::List(ty, parts) => Repr::List(ty.clone(), elements(parts)),
            Repr::Set(ty, parts) => Repr::Set(ty.clone(), elements(parts)),
            Repr::Tuple(parts) => Repr::Tuple(elements(parts)),
            Repr::Map(ty, entries) => Repr::Map(ty.clone(), object(entries)),
            Repr::Object(attributes) => Repr::Object(object(attributes)),
            scalar => scalar.clone(),
        })
    }

    fn children(&self) -> impl Iterator<Item = &Self> {
        let elements = self.as_elements().unwrap_or_default().iter();
        elements.chain(self.as_object().into_iter().flat_map(Object::values))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::string(text)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::string(text)
    }
}

impl From<bool> for Value {
    fn from(bool: bool) -> Self {
        Self::new(Repr::Bool(bool))
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::new(Repr::Number(Number::from(number)))
    }
}

impl From<Number> for Value {
    fn from(number: Number) -> Self {
        Self::new(Repr::Number(number))
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Self::object(object)
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(option: Option<T>) -> Self {
        option.map_or(Self::NULL, Into::into)
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.sensitive {
            return f.write_str("(sensitive value)");
        }
        match &self.repr {
            Repr::Null => f.write_str("null"),
            Repr::Unknown(_) => f.write_str("(known after apply)"),
            Repr::Bool(bool) => write!(f, "{bool}"),
            Repr::Number(number) => write!(f, "{number}"),
            Repr::String(text) => write!(f, "{text:?}"),
            Repr::List(_, elements) | Repr::Set(_, elements) | Repr::Tuple(elements) => {
                f.debug_list().entries(elements.iter()).finish()
            }
            Repr::Map(_, object) | Repr::Object(object) => f.debug_map().entries(object.iter()).finish(),
        }
    }
}
