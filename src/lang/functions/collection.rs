//! Maps, objects, and what is said of all collections.

use std::collections::BTreeMap;
use std::sync::Arc;

use unicode_segmentation::UnicodeSegmentation;

use crate::lang::eval::equal;
use crate::value::{Number, Object, Repr, Type, Value, convert, unify};

use super::function::{Arguments, Function, FunctionError, function, parameter};
use super::sequence::list;

type Outcome = Result<Value, FunctionError>;

pub(super) fn functions() -> Vec<Function> {
    let any = |name| parameter(name, Type::Any).shallow();
    let key = |name| parameter(name, Type::String);
    vec![
        function("length", "How many elements a collection has, or characters a string.")
            .takes(any("value"))
            .gives(Type::Number, length),
        function("keys", "The keys of a map, in order.")
            .takes(any("inputMap"))
            .gives(Type::List(Type::String.into()), keys),
        function("values", "The values of a map, in the order of their keys.")
            .takes(any("mapping"))
            .gives(Type::Any, values),
        function("merge", "All entries of maps; of entries with the same key, the last.")
            .takes_more(any("maps").nullable())
            .gives(Type::Any, merge),
        function("lookup", "The value of a key, or a default where the map has none.")
            .takes(any("inputMap"))
            .takes(key("key"))
            .takes_more(parameter("default", Type::Any).nullable().raw())
            .gives(Type::Any, lookup),
        function("contains", "Whether a value is among the elements of a list or set.")
            .takes(parameter("list", Type::Any))
            .takes(parameter("value", Type::Any))
            .gives(Type::Bool, contains),
        function("coalesce", "The first value that is neither `null` nor an empty string.")
            .takes_more(parameter("vals", Type::Any).nullable().raw())
            .gives(Type::Any, coalesce),
        function("zipmap", "A map of a list of keys and a list of their values.")
            .takes(parameter("keys", Type::List(Type::String.into())))
            .takes(any("values"))
            .gives(Type::Any, zip),
        function(
            "transpose",
            "A map from the values to lists of their keys, of a map from keys to lists of values.",
        )
        .takes(parameter("values", Type::Map(Type::List(Type::String.into()).into())))
        .gives(Type::Map(Type::List(Type::String.into()).into()), transpose),
    ]
}

fn length(args: &Arguments<'_>) -> Outcome {
    let value = args.value(0);
    let length = match (value.as_elements(), value.as_object(), value.as_str()) {
        (Some(elements), ..) => elements.len(),
        (_, Some(object), _) => object.len(),
        (.., Some(text)) => text.graphemes(true).count(),
        _ => {
            let reason = format!("a collection or a string is required, not {}", value.ty().article());
            return Err(FunctionError::argument(0, reason));
        }
    };
    // Which elements of a set are the same may depend on what is unknown among them.
    if matches!(value.repr(), Repr::Set(..)) && length > 1 && !value.is_wholly_known() {
        return Ok(Value::unknown(Type::Number));
    }
    Ok(Number::from(length).into())
}

fn keys(args: &Arguments<'_>) -> Outcome {
    let names: Vec<_> = args.object(0)?.keys().cloned().map(Value::string).collect();
    Ok(match args.value(0).repr() {
        Repr::Map(..) => list(Type::String, names),
        _ => Value::tuple(names),
    })
}

fn values(args: &Arguments<'_>) -> Outcome {
    let values: Vec<_> = args.object(0)?.values().cloned().collect();
    Ok(match args.value(0).repr() {
        Repr::Map(element, _) => list(element.clone(), values),
        _ => Value::tuple(values),
    })
}

fn merge(args: &Arguments<'_>) -> Outcome {
    let mut merged: Vec<(Arc<str>, Value)> = Vec::new();
    let mut elements = Vec::new();
    let given: Vec<_> = args.values().iter().enumerate().filter(|(_, value)| !value.is_null()).collect();
    let mut all_maps = true;
    for (index, value) in &given {
        merged.extend(args.object(*index)?.iter().map(|(name, value)| (Arc::clone(name), value.clone())));
        match value.repr() {
            Repr::Map(element, _) => elements.push(element.clone()),
            _ => all_maps = false,
        }
    }
    // Of several of one name the last counts.
    let merged: Object = merged.into_iter().collect();
    let same = elements.windows(2).all(|pair| pair[0] == pair[1]);
    Ok(match elements.into_iter().next() {
        Some(element) if all_maps && same => Value::new(Repr::Map(element, Arc::new(merged))),
        _ => merged.into(),
    })
}

fn lookup(args: &Arguments<'_>) -> Outcome {
    let object = args.object(0)?;
    if args.values().len() > 3 {
        return Err(FunctionError::call("there is only one default"));
    }
    let default = args.values().get(2);
    if let Some(value) = object.get(args.text(1)) {
        return Ok(value.clone());
    }
    match (default, args.value(0).repr()) {
        (None, _) => {
            Err(FunctionError::argument(1, format!("there is no key `{}`, and no default", args.text(1))))
        }
        (Some(default), Repr::Map(element, _)) => {
            convert(default, element).map_err(|error| FunctionError::argument(2, error.to_string()))
        }
        (Some(default), _) => Ok(default.clone()),
    }
}

fn contains(args: &Arguments<'_>) -> Outcome {
    let wanted = args.value(1);
    let found = args.collection(0)?.iter().any(|element| equal(element, wanted) == Some(true));
    Ok(found.into())
}

fn coalesce(args: &Arguments<'_>) -> Outcome {
    let types: Vec<_> = args.values().iter().map(Value::ty).collect();
    let common = unify(&types).ok_or_else(|| FunctionError::call("all arguments must be of one type"))?;
    let mut sensitive = false;
    for value in args.values() {
        sensitive |= value.is_sensitive();
        if value.is_unknown() {
            return Ok(Value::unknown(common).with_sensitive(sensitive));
        }
        if value.is_null() {
            continue;
        }
        let value = convert(value, &common).map_err(|error| FunctionError::call(error.to_string()))?;
        if value.as_str() != Some("") {
            return Ok(value.with_sensitive(sensitive));
        }
    }
    Err(FunctionError::call("all arguments are `null` or empty strings"))
}

fn zip(args: &Arguments<'_>) -> Outcome {
    let (keys, values) = (args.elements(0), args.collection(1)?);
    if keys.len() != values.len() {
        return Err(FunctionError::argument(1, format!("{} values for {} keys", values.len(), keys.len())));
    }
    let entries: Option<Vec<_>> =
        keys.iter().zip(values).map(|(key, value)| Some((key.as_str()?, value.clone()))).collect();
    let entries: Object =
        entries.ok_or_else(|| FunctionError::argument(0, "a key is `null`"))?.into_iter().collect();
    Ok(match args.value(1).repr() {
        Repr::List(element, _) => Value::new(Repr::Map(element.clone(), Arc::new(entries))),
        Repr::Set(..) => return Err(FunctionError::argument(1, "the elements of a set have no order")),
        _ => entries.into(),
    })
}

fn transpose(args: &Arguments<'_>) -> Outcome {
    let mut transposed: BTreeMap<Arc<str>, Vec<Value>> = BTreeMap::new();
    for (key, values) in args.object(0)? {
        if values.is_null() {
            return Err(FunctionError::argument(0, format!("the list of `{key}` is `null`")));
        }
        for value in values.as_elements().unwrap_or_default() {
            let Some(text) = value.as_str() else {
                return Err(FunctionError::argument(0, "a value is `null`"));
            };
            transposed.entry(text.into()).or_default().push(Value::string(Arc::clone(key)));
        }
    }
    let entries: Object =
        transposed.into_iter().map(|(name, keys)| (name, list(Type::String, keys))).collect();
    Ok(Value::new(Repr::Map(Type::List(Type::String.into()), Arc::new(entries))))
}
