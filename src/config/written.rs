//! Blocks as they are written: their headers, and the places of their parts.

use std::sync::Arc;

use hcl_edit::expr::{Expression, ObjectKey};
use hcl_edit::structure::{Block, Body, Structure};

use crate::diag::Span;
use crate::lang::Source;
use crate::lang::syntax::TopLevel;
use crate::resource::{Locate, Path, Step};

/// From a block's name to its last label.
pub(super) fn header(block: &Block, source: Source) -> Span {
    let name = source.span(&block.ident);
    block.labels.last().map_or(name, |label| name.to(source.span(label)))
}

/// One top-level block of a parsed file.
#[derive(Clone)]
pub(super) struct Written {
    file: Arc<Vec<TopLevel>>,
    index: usize,
}

impl Written {
    /// The structure of this index.
    pub(super) fn new(file: &Arc<Vec<TopLevel>>, index: usize) -> Self {
        Self { file: Arc::clone(file), index }
    }
}

impl Locate for Written {
    fn locate(&self, path: &Path) -> Option<Span> {
        let TopLevel { structure, source } = self.file.get(self.index)?;
        match structure {
            Structure::Block(block) => Some(in_block(block, &path.0, *source, Entry::Value)),
            Structure::Attribute(attribute) => Some(source.span(&attribute.value)),
        }
    }

    fn locate_key(&self, path: &Path) -> Option<Span> {
        let TopLevel { structure, source } = self.file.get(self.index)?;
        match structure {
            Structure::Block(block) => Some(in_block(block, &path.0, *source, Entry::Key)),
            Structure::Attribute(attribute) => Some(source.span(&attribute.value)),
        }
    }
}

/// Which part of a map's entry is meant.
#[derive(Clone, Copy)]
enum Entry {
    Key,
    Value,
}

fn in_block(block: &Block, steps: &[Step], source: Source, entry: Entry) -> Span {
    in_body(&block.body, steps, source, entry).unwrap_or_else(|| header(block, source))
}

fn in_body(body: &Body, steps: &[Step], source: Source, entry: Entry) -> Option<Span> {
    let (Step::Name(name), rest) = steps.split_first()? else { return None };
    if let Some(attribute) = body.get_attribute(name) {
        return Some(in_expression(&attribute.value, rest, source, entry));
    }
    let mut blocks = body.get_blocks(name);
    match rest.split_first() {
        Some((Step::Index(index), rest)) => {
            blocks.nth(*index).map(|block| in_block(block, rest, source, entry))
        }
        Some((Step::Name(label), after)) => {
            let first = blocks.next()?;
            if first.labels.is_empty() {
                return Some(in_block(first, rest, source, entry));
            }
            let mut all = std::iter::once(first).chain(blocks);
            all.find(|block| block.has_labels(&[label])).map(|block| in_block(block, after, source, entry))
        }
        None => blocks.next().map(|block| header(block, source)),
    }
}

fn in_expression(expr: &Expression, steps: &[Step], source: Source, entry: Entry) -> Span {
    let inner = match (expr, steps.split_first()) {
        (Expression::Parenthesis(inner), Some(_)) => Some((inner.inner(), steps)),
        (Expression::Array(array), Some((Step::Index(index), rest))) => {
            array.get(*index).map(|element| (element, rest))
        }
        (Expression::Object(object), Some((Step::Name(name), rest))) => {
            let found = object.iter().find(|(key, _)| match key {
                ObjectKey::Ident(key) => key.as_str() == &**name,
                ObjectKey::Expression(key) => key.as_str().is_some_and(|key| key == &**name),
            });
            match (found, entry) {
                (Some((key, _)), Entry::Key) if rest.is_empty() => return source.span(key),
                (found, _) => found.map(|(_, value)| (value.expr(), rest)),
            }
        }
        _ => None,
    };
    inner.map_or_else(|| source.span(expr), |(expr, steps)| in_expression(expr, steps, source, entry))
}
