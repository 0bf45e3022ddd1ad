//! Attributes and elements of values.

use crate::diag::Diagnostic;
use crate::value::{Number, Repr, Type, Value, convert};

use super::Evaluator;

impl Evaluator<'_> {
    /// The attribute `name` of a value; the error is without its place.
    pub(super) fn attribute(&self, value: &Value, name: &str) -> Result<Value, Box<Diagnostic>> {
        let found = match value.repr() {
            Repr::Null => {
                return Err(Diagnostic::error(format!("`null` has no attribute `{name}`"))
                    .help("guard it, as in `x == null ? \"\" : x.name`, or use `try`")
                    .into());
            }
            Repr::Unknown(ty) => Value::unknown(match ty {
                Type::Object(fields) => match fields.get(name) {
                    Some(field) => field.ty.clone(),
                    None => return Err(self.no_attribute(name, fields.keys().map(|name| &**name))),
                },
                Type::Map(element) => (**element).clone(),
                Type::Any => Type::Any,
                other => return Err(no_attributes(other, name)),
            }),
            Repr::Map(_, object) | Repr::Object(object) => match object.get(name) {
                Some(value) => value.clone(),
                None if value.is_sensitive() => {
                    return Err(Diagnostic::error(format!("there is no attribute `{name}` here")).into());
                }
                None => return Err(self.no_attribute(name, object.iter().map(|(name, _)| &**name))),
            },
            _ => return Err(no_attributes(&value.ty(), name)),
        };
        Ok(found.marked_like([value]))
    }

    /// The element or attribute of a value under a key; the error is without its place.
    pub(super) fn index(&self, value: &Value, key: &Value) -> Result<Value, Box<Diagnostic>> {
        if key.is_null() {
            return Err(Diagnostic::error("an index is `null`").into());
        }
        let found = match value.repr() {
            Repr::Unknown(ty) => Value::unknown(match ty {
                Type::List(element) | Type::Map(element) => (**element).clone(),
                _ => Type::Any,
            }),
            Repr::List(_, elements) | Repr::Tuple(elements) => {
                let position = convert(key, &Type::Number).map_err(|error| {
                    Diagnostic::error(format!("the index of a list is a number: {error}"))
                })?;
                match position.as_number() {
                    Some(position) => element(elements, position, key)?,
                    None => Value::unknown(match value.repr() {
                        Repr::List(element, _) => element.clone(),
                        _ => Type::Any,
                    }),
                }
            }
            Repr::Map(_, object) | Repr::Object(object) => {
                let name = convert(key, &Type::String)
                    .map_err(|error| Diagnostic::error(format!("the key of a map is a string: {error}")))?;
                match name.as_str() {
                    None => Value::unknown(match value.repr() {
                        Repr::Map(element, _) => element.clone(),
                        _ => Type::Any,
                    }),
                    Some(name) => match object.get(name) {
                        Some(value) => value.clone(),
                        None if value.is_sensitive() || key.is_sensitive() => {
                            return Err(Diagnostic::error("there is no element with this key").into());
                        }
                        None => return Err(self.no_attribute(name, object.iter().map(|(name, _)| &**name))),
                    },
                }
            }
            Repr::Set(..) => {
                return Err(Diagnostic::error("the elements of a set have no index")
                    .help("make it a list with `tolist(…)`, or take all with `[for x in … : x]`")
                    .into());
            }
            Repr::Null => {
                return Err(Diagnostic::error("`null` has no elements")
                    .help("give it a default, or use `try`")
                    .into());
            }
            Repr::Bool(_) | Repr::Number(_) | Repr::String(_) => {
                return Err(Diagnostic::error(format!("{} has no elements", value.ty().article())).into());
            }
        };
        Ok(found.marked_like([value, key]))
    }

    fn no_attribute<'a>(&self, name: &str, known: impl Iterator<Item = &'a str> + Clone) -> Box<Diagnostic> {
        let error = Diagnostic::error(format!("there is no attribute or key `{name}`"));
        if self.unheard {
            return error.into();
        }
        let error = error.did_you_mean(name, known.clone(), |error| {
            let names: Vec<_> = known.take(11).map(|name| format!("`{name}`")).collect();
            match names.len() {
                0 => error.help("it is empty"),
                1..=10 => error.help(format!("there are {}", names.join(", "))),
                _ => error,
            }
        });
        error.into()
    }
}

fn element(elements: &[Value], position: &Number, key: &Value) -> Result<Value, Box<Diagnostic>> {
    let found = position.as_usize().and_then(|position| elements.get(position));
    found.cloned().ok_or_else(|| {
        if key.is_sensitive() {
            return Diagnostic::error("there is no element with this index").into();
        }
        let error = Diagnostic::error(format!("there is no element {position}"));
        let help = match elements.len() {
            0 => "it has no elements".to_owned(),
            1 => "it has one element, 0".to_owned(),
            many => format!("it has the elements 0 to {}", many - 1),
        };
        error.help(help).into()
    })
}

fn no_attributes(ty: &Type, name: &str) -> Box<Diagnostic> {
    let error = Diagnostic::error(format!("{} has no attribute `{name}`", ty.article()));
    match ty {
        Type::List(_) | Type::Set(_) | Type::Tuple(_) => {
            error.help(format!("`[*].{name}` takes it of every element, `[0].{name}` of the first")).into()
        }
        _ => error.into(),
    }
}
