//! Source files and places in them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file among [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(u32);

/// A byte range of one file; cheap to copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// A byte range of `file`. Files are limited to 4 GiB, so offsets fit; larger ones saturate.
    pub fn new(file: FileId, range: std::ops::Range<usize>) -> Self {
        let clamp = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self { file, start: clamp(range.start), end: clamp(range.end) }
    }

    /// The byte range.
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }

    /// From the start of this one to the end of `other`, which is in the same file.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self { end: other.end.max(self.end), ..self }
    }
}

/// One-based line and column; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// A source file's name and text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// As shown in diagnostics: relative to the configuration's directory where it is inside.
    pub path: PathBuf,
    /// The text.
    pub text: Arc<str>,
}

impl SourceFile {
    /// Line and column of a byte.
    pub fn position(&self, byte: usize) -> Position {
        let before = &self.text[..self.text.floor_char_boundary(byte.min(self.text.len()))];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Position {
            line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

/// All the source files of a run, so that a [`Span`] can be shown.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<Arc<SourceFile>>,
}

impl Sources {
    /// No files yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file.
    pub fn add(&mut self, path: impl Into<PathBuf>, text: impl Into<Arc<str>>) -> FileId {
        let id = FileId(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
        self.files.push(Arc::new(SourceFile { path: path.into(), text: text.into() }));
        id
    }

    /// The file of an id that these sources gave out.
    pub fn get(&self, id: FileId) -> Option<&Arc<SourceFile>> {
        self.files.get(id.0 as usize)
    }

    /// The path of the file that a span is in.
    pub fn path(&self, span: Span) -> &Path {
        self.get(span.file).map_or_else(|| Path::new("?"), |file| &file.path)
    }

    /// The text that a span covers; empty where the span is not of these sources.
    pub fn text(&self, span: Span) -> &str {
        self.get(span.file).and_then(|file| file.text.get(span.range())).unwrap_or("")
    }

    /// Line and column of a span's first byte.
    pub fn position(&self, span: Span) -> Position {
        let nothing = Position { line: 1, column: 1 };
        self.get(span.file).map_or(nothing, |file| file.position(span.range().start))
    }

    /// Masks what the spans cover, so that no later snippet shows it. Line breaks and byte offsets stay.
    pub fn redact(&mut self, spans: impl IntoIterator<Item = Span>) {
        let mut by_file: BTreeMap<FileId, Vec<std::ops::Range<usize>>> = BTreeMap::new();
        for span in spans {
            by_file.entry(span.file).or_default().push(span.range());
        }
        for (file, mut ranges) in by_file {
            let Some(file) = self.files.get_mut(file.0 as usize).map(Arc::make_mut) else { continue };
            ranges.sort_unstable_by_key(|range| range.start);
            let mut masked = String::with_capacity(file.text.len());
            let mut done = 0;
            for range in ranges {
                let Some((shown, hidden)) = file
                    .text
                    .get(done..range.start.max(done))
                    .zip(file.text.get(range.start.max(done)..range.end))
                else {
                    continue;
                };
                masked.push_str(shown);
                masked.extend(hidden.bytes().map(|byte| if byte == b'\n' { '\n' } else { '*' }));
                done = range.end;
            }
            masked.push_str(&file.text[done..]);
            file.text = masked.into();
        }
    }

    /// All files, in the order they were added.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &SourceFile)> {
        (0u32..).map(FileId).zip(self.files.iter().map(|file| &**file))
    }
}

#[cfg(test)]
mod tests {
    use super::{Sources, Span};

    #[test]
    fn a_redacted_text_keeps_lines_and_offsets() {
        let mut sources = Sources::new();
        let file = sources.add("a.hcl", "a = \"grün\"\nb = <<X\n1\n2\nX\n");
        sources.redact([Span::new(file, 16..23), Span::new(file, 4..11), Span::new(file, 5..9)]);
        let text = sources.get(file).map(|file| &*file.text);
        assert_eq!(text, Some("a = *******\nb = ***\n*\n*\nX\n"));
    }
}
