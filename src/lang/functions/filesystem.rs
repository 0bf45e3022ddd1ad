//! Files, through the environment.

use std::path::Path;

use crate::value::Type;

use super::function::{Function, FunctionError, function, parameter};

pub(super) fn functions() -> Vec<Function> {
    vec![
        function(
            "file",
            "The text of a file; a relative path is relative to the directory of the configuration.",
        )
        .takes(parameter("path", Type::String))
        .gives(Type::String, |args| {
            let path = args.text(0);
            let bytes = args
                .environment()
                .read(Path::new(path))
                .map_err(|reason| FunctionError::argument(0, format!("cannot read `{path}`: {reason}")))?;
            let text = String::from_utf8(bytes)
                .map_err(|_| FunctionError::argument(0, format!("`{path}` is not UTF-8 text")))?;
            Ok(text.into())
        }),
    ]
}
