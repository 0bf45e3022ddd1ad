//! Types of the language, as `variable { type = … }` writes them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A type constraint or the type of an unknown value.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// `object({ a = A, b = optional(B) })`; `true` marks an optional attribute.
    Object(Arc<BTreeMap<Arc<str>, (Type, bool)>>),
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
                for (index, (name, (ty, optional))) in attributes.iter().enumerate() {
                    let separator = if index == 0 { "" } else { ", " };
                    if *optional {
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
