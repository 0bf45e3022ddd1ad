//! Parsing, one top-level structure at a time.

use std::collections::HashMap;
use std::ops::Range;

use hcl_edit::expr::Expression;
use hcl_edit::parser::{self, Error};
use hcl_edit::structure::{Body, Structure};
use hcl_edit::template::Template;
use rayon::prelude::*;

use crate::diag::{Diagnostic, Diagnostics, FileId};

use super::twice::twice;
use super::{Source, carriage, split};

/// One block or attribute at the top level of a file.
#[derive(Clone, Debug)]
pub struct TopLevel {
    /// The block or attribute.
    pub structure: Structure,
    /// Where its ranges are ranges of.
    pub source: Source,
}

/// A parsed file.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    /// What could be parsed, in the order of the file.
    pub structures: Vec<TopLevel>,
    /// The first syntax error of each top-level structure that could not.
    pub diagnostics: Diagnostics,
}

/// How many bytes are parsed at a time: enough to outweigh the cost of a task, few enough for every core to get some.
const CHUNK: usize = 64 * 1024;

/// Parses a file; large ones on all cores.
pub fn parse(file: FileId, text: &str) -> Parsed {
    let start = text.len() - text.strip_prefix('\u{feff}').unwrap_or(text).len();
    let pieces = split::top_level(text, start);
    let chunks = group(&pieces);
    let parsed: Vec<Parsed> = chunks.par_iter().map(|pieces| parse_chunk(file, text, &pieces[..])).collect();
    let mut whole = Parsed::default();
    for part in parsed {
        whole.structures.extend(part.structures);
        whole.diagnostics.extend(part.diagnostics);
    }
    // Where a nested block begins at the first column, a part may end inside of a right block.
    if chunks.len() > 1
        && whole.diagnostics.has_errors()
        && let Ok(body) = parser::parse_body(&text[start..])
    {
        whole = Parsed::of_body(body, Source::new(file, start));
    }
    carriage::put_back(&mut whole.structures, text);
    whole.diagnostics.extend(redefined(&whole.structures));
    whole
}

/// Neighbouring pieces together, about [`CHUNK`] bytes each.
fn group(pieces: &[Range<usize>]) -> Vec<&[Range<usize>]> {
    let mut groups = Vec::new();
    let mut first = 0;
    for (index, piece) in pieces.iter().enumerate() {
        if piece.end - pieces[first].start >= CHUNK {
            groups.push(&pieces[first..=index]);
            first = index + 1;
        }
    }
    if first < pieces.len() {
        groups.push(&pieces[first..]);
    }
    groups
}

fn parse_chunk(file: FileId, text: &str, pieces: &[Range<usize>]) -> Parsed {
    let [first, .., last] = pieces else {
        return pieces.first().map_or_else(Parsed::default, |piece| parse_piece(file, text, piece));
    };
    if let Ok(body) = parser::parse_body(&text[first.start..last.end]) {
        return Parsed::of_body(body, Source::new(file, first.start));
    }
    let mut parsed = Parsed::default();
    for piece in pieces {
        let piece = parse_piece(file, text, piece);
        parsed.structures.extend(piece.structures);
        parsed.diagnostics.extend(piece.diagnostics);
    }
    parsed
}

fn parse_piece(file: FileId, text: &str, piece: &Range<usize>) -> Parsed {
    let source = Source::new(file, piece.start);
    let text = &text[piece.clone()];
    match parser::parse_body(text) {
        Ok(body) => Parsed::of_body(body, source),
        Err(error) => Parsed { structures: Vec::new(), diagnostics: diagnostic(&error, text, source).into() },
    }
}

impl Parsed {
    fn of_body(body: Body, source: Source) -> Self {
        let structures = body.into_iter().map(|structure| TopLevel { structure, source }).collect();
        Self { structures, diagnostics: Diagnostics::new() }
    }
}

/// Attributes that stand twice; the parser sees only those of one chunk.
fn redefined(structures: &[TopLevel]) -> Vec<Diagnostic> {
    let mut first = HashMap::new();
    let mut diagnostics = Vec::new();
    for TopLevel { structure, source } in structures {
        let Structure::Attribute(attribute) = structure else { continue };
        let span = source.span(&attribute.key);
        if let Some(earlier) = first.insert(attribute.key.as_str(), span) {
            diagnostics.push(
                Diagnostic::error(format!("`{}` is set twice", attribute.key.as_str()))
                    .at(span)
                    .also(earlier, "first set here"),
            );
        }
    }
    diagnostics
}

/// Parses a text that is one expression: an argument of `-var`, a line of the console.
pub fn expression(file: FileId, text: &str) -> Result<(Expression, Source), Diagnostics> {
    let source = Source::new(file, text.len() - text.trim_start().len());
    let text = text.trim();
    let parsed = parser::parse_expr(text);
    parsed.map(|expr| (expr, source)).map_err(|error| diagnostic(&error, text, source).into())
}

/// Parses a text that is a template as a whole.
pub fn template(file: FileId, text: &str) -> Result<(Template, Source), Diagnostics> {
    let source = Source::new(file, 0);
    let parsed = parser::parse_template(text);
    parsed.map(|template| (template, source)).map_err(|error| diagnostic(&error, text, source).into())
}

fn diagnostic(error: &Error, text: &str, source: Source) -> Diagnostic {
    let mut start = error.location().offset().min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    if error.message().contains("redefined attribute")
        && let Some(diagnostic) = twice(text, start, source)
    {
        return diagnostic;
    }
    // What is missing at a line's end is shown there, not as a range that spans two lines.
    let length =
        text[start..].chars().next().filter(|char| !matches!(char, '\r' | '\n')).map_or(0, char::len_utf8);
    Diagnostic::error("this is not valid HCL").label(source.range(start..start + length), error.message())
}

#[cfg(test)]
mod tests {
    use super::{CHUNK, parse};
    use crate::diag::Sources;

    #[test]
    fn a_long_file_needs_no_indentation() {
        let count = CHUNK / 4;
        let text = "a {\nb {\nc = 1\n}\n}\n".repeat(count);
        let file = Sources::new().add("main.hcl", text.as_str());
        let parsed = parse(file, &text);
        assert!(!parsed.diagnostics.has_errors());
        assert_eq!(parsed.structures.len(), count);
    }
}
