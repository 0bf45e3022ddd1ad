//! How values and types are called in diagnostics.

use crate::names::TextType;
use crate::schema::Ty;
use crate::value::{Repr, Value};

/// A text as it may stand in a message: quoted, escaped, not longer than a line.
pub(in crate::config) fn quoted(text: &str) -> String {
    const SHOWN: usize = 60;
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}

/// `a host name`, `an address`, `an ACME directory`.
pub(in crate::config) fn with_article(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'e', 'i', 'o', 'u', 'A', 'E', 'I', 'O']) { "an" } else { "a" };
    format!("{article} {noun}")
}

/// What is said of a block without the one label that it takes.
pub(in crate::config) fn one_label(block: &str, label: &TextType) -> String {
    match label.name {
        "label" => format!("`{block}` takes one label"),
        name => format!("`{block}` takes one label, {}", with_article(name)),
    }
}

/// `` `a`, `b` or `c` ``.
pub(in crate::config) fn alternatives<S: AsRef<str>>(names: &[S]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{}`", name.as_ref())).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// What a type takes: `a whole number from 1 to 65535`.
pub(in crate::config) fn takes(ty: &Ty) -> String {
    match ty {
        Ty::Bool => "`true` or `false`".to_owned(),
        Ty::Integer(range) => match (*range.start(), *range.end()) {
            (i64::MIN, i64::MAX) => "a whole number".to_owned(),
            (start, i64::MAX) => format!("a whole number of at least {start}"),
            (i64::MIN, end) => format!("a whole number of at most {end}"),
            (start, end) => format!("a whole number from {start} to {end}"),
        },
        Ty::Text(text) => with_article(text.name),
        Ty::Enum(names) => {
            alternatives(&names.iter().map(|(name, _)| format!("\"{name}\"")).collect::<Vec<_>>())
        }
        Ty::List(_) => "a list".to_owned(),
        Ty::Map(..) => "a map".to_owned(),
        Ty::Ref(kind) => format!("a reference to {}", with_article(kind)),
    }
}

/// What a value is, for `this is …`; says nothing of a sensitive one but its type.
pub(in crate::config) fn is(value: &Value) -> String {
    let sensitive = value.is_sensitive();
    match value.repr() {
        Repr::Null => "`null`".to_owned(),
        Repr::Unknown(_) => "known only after an apply".to_owned(),
        Repr::Bool(_) if sensitive => "a sensitive bool".to_owned(),
        Repr::Number(_) if sensitive => "a sensitive number".to_owned(),
        Repr::String(_) if sensitive => "a sensitive string".to_owned(),
        Repr::Bool(bool) => format!("`{bool}`"),
        Repr::Number(number) => number.to_string(),
        Repr::String(text) => quoted(text),
        Repr::List(..) | Repr::Tuple(_) => "a list".to_owned(),
        Repr::Set(..) => "a set".to_owned(),
        Repr::Map(..) => "a map".to_owned(),
        Repr::Object(object) => match object.resource() {
            Some(address) => format!("`{address}`"),
            None => "an object".to_owned(),
        },
    }
}
