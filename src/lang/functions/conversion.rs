//! Types and marks.

use crate::value::{Type, Value};

use super::function::{Arguments, Body, Function, function, parameter};

pub(super) fn functions() -> Vec<Function> {
    let any = || parameter("v", Type::Any).nullable();
    let same = |args: &Arguments<'_>| Ok(args.value(0).clone());
    let to = |name, doc, ty: Type| {
        let parameter = match ty {
            // A set hides what is sensitive in it in its order: the conversion itself marks it.
            Type::Set(_) => parameter("v", ty.clone()).nullable(),
            _ => parameter("v", ty.clone()).nullable().shallow(),
        };
        function(name, doc).takes(parameter).gives(ty, same)
    };
    vec![
        to("tostring", "Makes a string of a number or a boolean.", Type::String),
        to("tonumber", "Makes a number of a string.", Type::Number),
        to("tobool", "Makes a boolean of a string.", Type::Bool),
        to("tolist", "Makes a list of a set or tuple.", Type::List(Type::Any.into())),
        to(
            "toset",
            "Makes a set of a list or tuple: sorted, without duplicates.",
            Type::Set(Type::Any.into()),
        ),
        to("tomap", "Makes a map of an object.", Type::Map(Type::Any.into())),
        function("try", "The first of the expressions that can be evaluated without an error.")
            .takes_more(any())
            .with_body(Type::Any, Body::Try),
        function("can", "Whether an expression can be evaluated without an error.")
            .takes(any())
            .with_body(Type::Bool, Body::Can),
        function("sensitive", "The value, marked sensitive: it is shown nowhere.")
            .takes(parameter("value", Type::Any).nullable().raw())
            .gives(Type::Any, |args| Ok(args.value(0).clone().with_sensitive(true))),
        function("nonsensitive", "The value without the mark sensitive, for what tells no secret.")
            .takes(parameter("value", Type::Any).nullable().raw())
            .gives(Type::Any, |args| Ok(args.value(0).clone().with_sensitive(false))),
        function("issensitive", "Whether a value is marked sensitive.")
            .takes(parameter("value", Type::Any).nullable().raw())
            .gives(Type::Bool, |args| Ok(is_sensitive(args.value(0)))),
    ]
}

fn is_sensitive(value: &Value) -> Value {
    match (value.is_sensitive(), value.is_unknown()) {
        (true, _) => true.into(),
        (false, true) => Value::unknown(Type::Bool),
        (false, false) => false.into(),
    }
}
