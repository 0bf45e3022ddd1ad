//! From what nginx says about a generation back to the configuration.

use std::collections::BTreeMap;

use crate::address::Address;
use crate::diag::Diagnostic;
use crate::nginx::{NginxMessage, origin};
use crate::resource::{Path, Resource};
use crate::state::State;

use super::build::NodeWork;
use super::file::FileBody;
use super::kind::{Kinds, Memo, Subject};

/// What a message of nginx's is about: the files that were tested, and what they were made from.
pub struct Explanation<'a> {
    /// The node whose next generation was tested.
    pub work: &'a NodeWork,
    /// What the configuration wants.
    pub resources: &'a BTreeMap<Address, Resource>,
    /// The state that the plan started from.
    pub state: &'a State,
    /// The kinds.
    pub kinds: &'a dyn Kinds,
    /// Seconds since 1970.
    pub now: i64,
}

impl Explanation<'_> {
    /// A message of nginx's as a diagnostic at the place of the configuration that caused it; `file` is relative to
    /// the generation.
    pub fn diagnostic(&self, message: &NginxMessage) -> Diagnostic {
        let summary = format!("nginx: {}", message.text);
        let diagnostic =
            if message.is_warning() { Diagnostic::warning(summary) } else { Diagnostic::error(summary) };
        let diagnostic = diagnostic.code("nginx");
        let (Some(path), Some(line)) = (&message.file, message.line) else { return diagnostic };
        let diagnostic = diagnostic.detail(format!("line {line} of {path}"));
        let Some(owner) = self.work.files.files.get(path.as_str()).map(|rendered| &rendered.resource) else {
            return diagnostic;
        };
        let (place, text) = self.trace(owner, path, line);
        let span = self.resources.get(owner).and_then(|resource| resource.span(&place));
        let diagnostic = match text {
            Some(text) => diagnostic.detail(format!("line {line} of {path} is `{text}`")),
            None => diagnostic,
        };
        diagnostic.at(span).on(owner)
    }

    /// The place in the owner that wrote a line, and the line.
    fn trace(&self, owner: &Address, path: &str, line: u32) -> (Path, Option<String>) {
        let memo = Memo::default();
        let (known, node) = (self.state.resources.get(owner), &self.work.node.spec.address);
        let subject = Subject {
            address: owner,
            desired: self.resources.get(owner),
            prior: known.and_then(|known| known.everywhere().find(|stored| stored.node == *node)),
            node: &self.work.node,
            moves_from: None,
            observed: &self.work.observed,
            endpoints: &self.work.endpoints,
            destroy_data: false,
            attempt: super::Attempt::Usual,
            now: self.now,
            memo: &memo,
        };
        let files =
            self.kinds.kind(owner.kind()).and_then(|kind| kind.files(subject, true).ok()).unwrap_or_default();
        let Some(file) = files.iter().find(|file| *file.path == *path) else { return (Path::root(), None) };
        let text = match &file.body {
            FileBody::Text(content) => content.as_text(),
            FileBody::Link { .. } => None,
        };
        let index = usize::try_from(line).ok().and_then(|line| line.checked_sub(1));
        let text = text.zip(index).and_then(|(text, index)| text.lines().nth(index));
        (origin(file, line), text.map(|line| line.trim().to_owned()))
    }
}
