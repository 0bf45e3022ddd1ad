//! From one type to another, by Terraform's rules.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::resource::Path;

use super::{Field, Number, Object, Repr, Type, Value};

/// Why a value cannot be had as a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConvertError {
    /// The part of the value that does not fit.
    pub path: Path,
    /// Why, as in `a number is required, not a string`; shows nothing of the value.
    pub reason: String,
}

impl ConvertError {
    fn new(path: &Path, reason: impl Into<String>) -> Self {
        Self { path: path.clone(), reason: reason.into() }
    }
}

impl fmt::Display for ConvertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.0.is_empty() {
            f.write_str(&self.reason)
        } else {
            write!(f, "`{}`: {}", self.path, self.reason)
        }
    }
}

impl std::error::Error for ConvertError {}

/// The value as type `ty`; marks stay where they are.
///
/// Numbers and booleans become strings and back, tuples lists and sets, objects maps and back; attributes that an
/// object type does not name are dropped, optional ones are filled in; `any` inside takes the type that all elements
/// can be had as.
pub fn convert(value: &Value, ty: &Type) -> Result<Value, ConvertError> {
    convert_at(value, ty, &Path::root())
}

fn convert_at(value: &Value, ty: &Type, path: &Path) -> Result<Value, ConvertError> {
    let mismatch = || Err(ConvertError::new(path, mismatch(value, ty)));
    let repr = match (value.repr(), ty) {
        (Repr::Null, _) | (_, Type::Any) => return Ok(value.clone()),
        (Repr::Unknown(from), _) => {
            if !may_convert(from, ty) {
                return mismatch();
            }
            Repr::Unknown(ty.without_optional())
        }
        (Repr::Bool(_), Type::Bool) | (Repr::Number(_), Type::Number) | (Repr::String(_), Type::String) => {
            return Ok(value.clone());
        }
        (Repr::Bool(bool), Type::String) => Repr::String(if *bool { "true" } else { "false" }.into()),
        (Repr::Number(number), Type::String) => Repr::String(number.to_string().into()),
        (Repr::String(text), Type::Number) => match Number::parse(text) {
            Some(number) => Repr::Number(number),
            None => return mismatch(),
        },
        (Repr::String(text), Type::Bool) => match &**text {
            "true" | "1" => Repr::Bool(true),
            "false" | "0" => Repr::Bool(false),
            _ => return mismatch(),
        },
        (Repr::List(from, _), Type::List(to))
        | (Repr::Set(from, _), Type::Set(to))
        | (Repr::Map(from, _), Type::Map(to))
            if *from == **to =>
        {
            return Ok(value.clone());
        }
        (Repr::List(_, elements) | Repr::Set(_, elements) | Repr::Tuple(elements), Type::List(element)) => {
            let (element, elements) = convert_elements(elements, element, path)?;
            Repr::List(element, elements.into())
        }
        (Repr::List(_, elements) | Repr::Set(_, elements) | Repr::Tuple(elements), Type::Set(element)) => {
            let (element, elements) = convert_elements(elements, element, path)?;
            return Ok(Value::set(element, elements).marked_like([value]));
        }
        (Repr::Tuple(elements), Type::Tuple(types)) if elements.len() == types.len() => {
            let elements = elements.iter().zip(types.iter()).enumerate();
            let elements: Result<Arc<[_]>, _> =
                elements.map(|(index, (element, ty))| convert_at(element, ty, &path.index(index))).collect();
            Repr::Tuple(elements?)
        }
        (Repr::Map(_, object) | Repr::Object(object), Type::Map(element)) => {
            let values: Result<Vec<_>, _> = object
                .iter()
                .map(|(name, value)| convert_at(value, element, &path.name(Arc::clone(name))))
                .collect();
            let (element, values) = unify_elements(values?, element, path)?;
            let object = object.keys().cloned().zip(values).collect();
            Repr::Map(element, Arc::new(object))
        }
        (Repr::Map(_, object) | Repr::Object(object), Type::Object(fields)) => {
            return convert_object(value, object, fields, path);
        }
        _ => return mismatch(),
    };
    Ok(Value::new(repr).marked_like([value]))
}

fn convert_elements(
    elements: &[Value],
    element: &Type,
    path: &Path,
) -> Result<(Type, Vec<Value>), ConvertError> {
    let elements: Result<Vec<_>, _> = elements
        .iter()
        .enumerate()
        .map(|(index, value)| convert_at(value, element, &path.index(index)))
        .collect();
    unify_elements(elements?, element, path)
}

/// Where `element` leaves the type of the elements open, the one that all of them can be had as.
fn unify_elements(
    elements: Vec<Value>,
    element: &Type,
    path: &Path,
) -> Result<(Type, Vec<Value>), ConvertError> {
    if !element.contains_any() {
        return Ok((element.without_optional(), elements));
    }
    let types: Vec<_> = elements.iter().map(Value::ty).collect();
    let Some(common) = unify(&types) else {
        return Err(ConvertError::new(path, "all elements must be of one type"));
    };
    let elements: Result<Vec<_>, _> = elements
        .iter()
        .enumerate()
        .map(|(index, value)| convert_at(value, &common, &path.index(index)))
        .collect();
    Ok((common, elements?))
}

fn convert_object(
    value: &Value,
    object: &Arc<Object>,
    fields: &BTreeMap<Arc<str>, Field>,
    path: &Path,
) -> Result<Value, ConvertError> {
    let mut converted = Object::new();
    let mut missing = Vec::new();
    for (name, field) in fields {
        let value = match (object.get(name), &field.optional) {
            (Some(value), Some(default)) if value.is_null() => default.clone().marked_like([value]),
            (Some(value), _) => convert_at(value, &field.ty, &path.name(Arc::clone(name)))?,
            (None, Some(default)) => default.clone(),
            (None, None) => {
                missing.push(format!("`{name}`"));
                continue;
            }
        };
        converted.insert(Arc::clone(name), value);
    }
    if !missing.is_empty() {
        let (noun, verb) = if missing.len() == 1 { ("attribute", "is") } else { ("attributes", "are") };
        return Err(ConvertError::new(path, format!("the {noun} {} {verb} missing", missing.join(", "))));
    }
    if let Some(resource) = object.resource() {
        converted = converted.of_resource(resource.clone());
    }
    Ok(Value::object(converted).marked_like([value]))
}

/// Whether some value of type `from` can be had as `to`.
fn may_convert(from: &Type, to: &Type) -> bool {
    match (from, to) {
        (Type::Bool, Type::Number) | (Type::Number, Type::Bool) => false,
        (Type::Any, _)
        | (_, Type::Any)
        | (Type::Bool | Type::Number | Type::String, Type::Bool | Type::Number | Type::String) => true,
        (Type::List(from) | Type::Set(from), Type::List(to) | Type::Set(to))
        | (Type::Map(from), Type::Map(to)) => may_convert(from, to),
        (Type::Tuple(from), Type::List(to) | Type::Set(to)) => from.iter().all(|from| may_convert(from, to)),
        (Type::Tuple(from), Type::Tuple(to)) => {
            from.len() == to.len() && from.iter().zip(to.iter()).all(|(from, to)| may_convert(from, to))
        }
        (Type::Object(from), Type::Map(to)) => from.values().all(|from| may_convert(&from.ty, to)),
        (Type::Map(from), Type::Object(to)) => to.values().all(|to| may_convert(from, &to.ty)),
        (Type::Object(from), Type::Object(to)) => to.iter().all(|(name, to)| match from.get(name) {
            Some(from) => may_convert(&from.ty, &to.ty),
            None => to.optional.is_some(),
        }),
        _ => false,
    }
}

fn mismatch(value: &Value, ty: &Type) -> String {
    let wanted = ty.article();
    match (value.repr(), ty) {
        (Repr::String(_), Type::Number) => format!("{wanted} is required, and this text is not one"),
        (Repr::String(text), Type::Bool) if !value.is_sensitive() => match text.to_lowercase().as_str() {
            "true" | "false" | "yes" | "no" | "on" | "off" => {
                format!("{wanted} is required: `true` or `false`")
            }
            _ => format!("{wanted} is required, not {}", value.ty().article()),
        },
        (Repr::Tuple(elements), Type::Tuple(types)) => {
            format!("{} elements are required, not {}", types.len(), elements.len())
        }
        _ => format!("{wanted} is required, not {}", value.ty().article()),
    }
}

/// The type that values of all of these types can be had as without loss; `None` where there is none.
///
/// `any`, the type of `null`, gives way to every other type.
pub fn unify<'a>(types: impl IntoIterator<Item = &'a Type>) -> Option<Type> {
    let mut types = types.into_iter();
    let first = types.next().cloned().unwrap_or(Type::Any);
    types.try_fold(first, |common, ty| unify_two(&common, ty))
}

fn unify_two(a: &Type, b: &Type) -> Option<Type> {
    Some(match (a, b) {
        (a, b) if a == b => a.clone(),
        (Type::Any, other) | (other, Type::Any) => other.clone(),
        (Type::String, Type::Bool | Type::Number) | (Type::Bool | Type::Number, Type::String) => Type::String,
        (Type::List(a), Type::List(b)) => Type::List(Arc::new(unify_two(a, b)?)),
        (Type::Set(a), Type::Set(b)) => Type::Set(Arc::new(unify_two(a, b)?)),
        (Type::Set(a), Type::List(b)) | (Type::List(a), Type::Set(b)) => {
            Type::List(Arc::new(unify_two(a, b)?))
        }
        (Type::Map(a), Type::Map(b)) => Type::Map(Arc::new(unify_two(a, b)?)),
        (Type::Tuple(a), Type::Tuple(b)) if a.len() == b.len() => {
            let elements: Option<Arc<[_]>> = a.iter().zip(b.iter()).map(|(a, b)| unify_two(a, b)).collect();
            Type::Tuple(elements?)
        }
        (Type::Tuple(a), Type::Tuple(b)) => Type::List(Arc::new(unify(a.iter().chain(b.iter()))?)),
        (Type::Tuple(elements), Type::List(element)) | (Type::List(element), Type::Tuple(elements)) => {
            Type::List(Arc::new(unify(elements.iter().chain([&**element]))?))
        }
        (Type::Tuple(elements), Type::Set(element)) | (Type::Set(element), Type::Tuple(elements)) => {
            Type::Set(Arc::new(unify(elements.iter().chain([&**element]))?))
        }
        (Type::Object(a), Type::Object(b)) if a.keys().eq(b.keys()) => {
            let fields: Option<BTreeMap<_, _>> = a
                .iter()
                .zip(b.values())
                .map(|((name, a), b)| Some((Arc::clone(name), Field::required(unify_two(&a.ty, &b.ty)?))))
                .collect();
            Type::Object(Arc::new(fields?))
        }
        (Type::Object(a), Type::Object(b)) => {
            Type::Map(Arc::new(unify(a.values().chain(b.values()).map(|field| &field.ty))?))
        }
        (Type::Object(fields), Type::Map(element)) | (Type::Map(element), Type::Object(fields)) => {
            Type::Map(Arc::new(unify(fields.values().map(|field| &field.ty).chain([&**element]))?))
        }
        _ => return None,
    })
}
