//! Where a piece of syntax comes from.

use std::ops::Range;

use hcl_edit::Decorated;
use hcl_edit::expr::TraversalOperator;

use crate::diag::{FileId, Span};

/// The file, and the place in it, that a syntax tree was parsed from: turns the tree's ranges into [`Span`]s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    file: FileId,
    offset: usize,
}

impl Source {
    /// A tree that was parsed from the text of `file` that begins at byte `offset`.
    pub fn new(file: FileId, offset: usize) -> Self {
        Self { file, offset }
    }

    /// The file.
    pub fn file(self) -> FileId {
        self.file
    }

    /// The place of a node of the tree.
    pub fn span(self, node: &(impl hcl_edit::Span + ?Sized)) -> Span {
        self.range(node.span().unwrap_or(0..0))
    }

    /// The place of a range of the parsed text.
    pub fn range(self, range: Range<usize>) -> Span {
        Span::new(self.file, range.start + self.offset..range.end + self.offset)
    }

    /// The place of a step of a traversal, with its dot or brackets.
    pub(in crate::lang) fn operator(self, operator: &Decorated<TraversalOperator>) -> Span {
        self.span(operator)
    }
}
