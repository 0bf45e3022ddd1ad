//! Encodings: JSON, Base64, URLs.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::value::{Type, Value};

use super::function::{Function, FunctionError, function, parameter};

pub(super) fn functions() -> Vec<Function> {
    let text = || parameter("str", Type::String);
    vec![
        function("jsonencode", "The value as JSON.")
            .takes(parameter("val", Type::Any).nullable())
            .gives(Type::String, |args| Ok(args.value(0).to_json_text().into())),
        function("jsondecode", "The value of a JSON text.").takes(text()).gives(Type::Any, |args| {
            Value::from_json_text(args.text(0))
                .map_err(|error| FunctionError::argument(0, format!("this is not JSON: {error}")))
        }),
        function("base64encode", "The text in Base64.")
            .takes(text())
            .gives(Type::String, |args| Ok(STANDARD.encode(args.text(0)).into())),
        function("base64decode", "The text that is given in Base64.").takes(text()).gives(
            Type::String,
            |args| {
                let bytes = STANDARD
                    .decode(args.text(0))
                    .map_err(|error| FunctionError::argument(0, format!("this is not Base64: {error}")))?;
                String::from_utf8(bytes)
                    .map(Value::from)
                    .map_err(|_| FunctionError::argument(0, "what is encoded is not UTF-8 text"))
            },
        ),
        function(
            "urlencode",
            "The text with all but letters, digits, `-`, `_`, `.` and `~` escaped; a space is `+`.",
        )
        .takes(text())
        .gives(Type::String, |args| Ok(url_encode(args.text(0)).into())),
    ]
}

fn url_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                encoded.push(char::from(byte));
            }
            b' ' => encoded.push('+'),
            // Writing to a string cannot fail.
            other => _ = write!(encoded, "%{other:02X}"),
        }
    }
    encoded
}
