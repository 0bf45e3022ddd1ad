//! From bytes to text.

use std::path::PathBuf;

use crate::diag::{Diagnostic, FileId, Sources, Span};

/// Adds the bytes of a file to `sources`.
///
/// Bytes that are not UTF-8 are a diagnostic at the first of them; the file is then among `sources` with replacement
/// characters, so that the diagnostic can be shown, and must not be parsed.
pub fn read(
    sources: &mut Sources,
    path: impl Into<PathBuf>,
    bytes: Vec<u8>,
) -> Result<FileId, Box<Diagnostic>> {
    let path = path.into();
    match String::from_utf8(bytes) {
        Ok(text) => Ok(sources.add(path, text)),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let byte = error.as_bytes().get(at).copied().unwrap_or_default();
            let file = sources.add(path, String::from_utf8_lossy(error.as_bytes()));
            Err(Box::new(
                Diagnostic::error("the file is not UTF-8 text")
                    .label(Span::new(file, at..at + '\u{fffd}'.len_utf8()), format!("byte 0x{byte:02x}"))
                    .help("save the file in the encoding UTF-8"),
            ))
        }
    }
}
