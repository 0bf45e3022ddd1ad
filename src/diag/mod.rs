//! Diagnostics: what was wrong, where, and what to do. Plain values; `render` draws them at the edge.

mod diagnostics;
mod moment;
mod render;
mod said;
mod source;
mod suggest;
mod visible;

pub use diagnostics::Diagnostics;
pub use moment::{day, moment, rfc3339};
pub use render::{Style, render, render_all};
pub use said::{said, said_lines};
pub use source::{FileId, Position, SourceFile, Sources, Span};
pub use suggest::nearest;
pub use visible::{coloured, steers, visible};

use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;

use crate::address::Address;

/// How grave a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// A remark that needs no action.
    Info,
    /// Something that works and is likely not meant.
    Warning,
    /// Something that stops the command.
    Error,
}

/// A place in a source file with a short remark on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// The remark beside the underlined text; may be empty.
    pub text: String,
}

/// A place in a file that is not of the configuration; it brings the file along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The file.
    pub file: Arc<SourceFile>,
    /// The place, in bytes.
    pub range: Range<usize>,
    /// The remark beside the underlined text; may be empty.
    pub text: String,
}

/// One remark about the configuration, the plan or the host.
///
/// Texts are lower case without a full stop, names in backticks. Built with [`Diagnostic::error`] and the
/// methods that follow it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How grave it is.
    pub severity: Severity,
    /// The rule's code, such as `foreign_default_server`, where a rule has one.
    pub code: Option<&'static str>,
    /// What was wrong, in one line.
    pub summary: String,
    /// More lines of explanation; may be empty.
    pub detail: String,
    /// The place, where there is one.
    pub primary: Option<Label>,
    /// Other places that matter.
    pub secondary: Vec<Label>,
    /// Places in files that are not of the configuration. Where there are some, the first is the place itself, and
    /// `primary` is what led there.
    pub quotes: Vec<Quote>,
    /// What to do, each a sentence.
    pub help: Vec<String>,
    /// The resource that it is about.
    pub address: Option<Address>,
}

impl Diagnostic {
    fn new(severity: Severity, summary: impl Into<String>) -> Self {
        Self {
            severity,
            code: None,
            summary: summary.into(),
            detail: String::new(),
            primary: None,
            secondary: Vec::new(),
            quotes: Vec::new(),
            help: Vec::new(),
            address: None,
        }
    }

    /// An error with this summary.
    pub fn error(summary: impl Into<String>) -> Self {
        Self::new(Severity::Error, summary)
    }

    /// A warning with this summary.
    pub fn warning(summary: impl Into<String>) -> Self {
        Self::new(Severity::Warning, summary)
    }

    /// An information with this summary.
    pub fn info(summary: impl Into<String>) -> Self {
        Self::new(Severity::Info, summary)
    }

    /// Sets the rule's code.
    #[must_use]
    pub fn code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    /// Sets the explanation.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// Sets the place, without a remark on it.
    #[must_use]
    pub fn at(self, span: impl Into<Option<Span>>) -> Self {
        self.label(span, "")
    }

    /// Sets the place, with a remark on it; `None` leaves it without a place.
    #[must_use]
    pub fn label(mut self, span: impl Into<Option<Span>>, text: impl Into<String>) -> Self {
        self.primary = span.into().map(|span| Label { span, text: text.into() });
        self
    }

    /// Adds another place; `None` adds nothing.
    #[must_use]
    pub fn also(mut self, span: impl Into<Option<Span>>, text: impl Into<String>) -> Self {
        if let Some(span) = span.into() {
            self.secondary.push(Label { span, text: text.into() });
        }
        self
    }

    /// Quotes its places from files that those who show it do not have; it has none of its own then.
    #[must_use]
    pub fn quoting(mut self, sources: &Sources) -> Self {
        let places = self.primary.take().into_iter().chain(std::mem::take(&mut self.secondary));
        let quote = |Label { span, text }: Label| {
            Some(Quote { file: Arc::clone(sources.get(span.file)?), range: span.range(), text })
        };
        self.quotes.extend(places.filter_map(quote));
        self
    }

    /// Adds a line that says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Adds, of the names that are known, the one that a misspelt one was probably meant to be; where none is near,
    /// what `otherwise` adds.
    #[must_use]
    pub fn did_you_mean<'a>(
        self,
        name: &str,
        known: impl IntoIterator<Item = &'a str>,
        otherwise: impl FnOnce(Self) -> Self,
    ) -> Self {
        match nearest(name, known) {
            Some(near) => self.help(format!("did you mean `{near}`?")),
            None => otherwise(self),
        }
    }

    /// Names the resource that it is about.
    #[must_use]
    pub fn on(mut self, address: &Address) -> Self {
        self.address = Some(address.clone());
        self
    }

    /// Whether it stops the command.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}
