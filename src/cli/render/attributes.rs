//! Attribute diffs in Terraform's notation.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use crate::address::{Quoted, is_identifier};
use crate::schema::{Block, Nesting};
use crate::state::attributes::Tree;

use super::paint::Paint;

/// Writes the difference between two sets of attributes.
pub(super) struct AttributeDiff<'a> {
    /// Colours.
    pub(super) paint: Paint,
    /// Names of top-level attributes whose change forces a replacement.
    pub(super) forced_by: &'a [String],
}

type Entries = BTreeMap<Arc<str>, Tree>;

/// How one entry of a body is written.
#[derive(Clone, Copy)]
enum Form<'a> {
    /// `name = value`.
    Attribute,
    /// `name { … }`, once or several times.
    Block(&'a Block, Nesting),
}

fn entries(tree: Option<&Tree>) -> Option<&Entries> {
    match tree {
        Some(Tree::Object(entries)) => Some(entries),
        _ => None,
    }
}

/// Whether there is anything to show: a `null` and an empty list or block are the same as nothing.
fn present(tree: &Tree) -> bool {
    match tree {
        Tree::Null => false,
        Tree::List(elements) => !elements.is_empty(),
        Tree::Object(entries) => !entries.is_empty(),
        _ => true,
    }
}

fn sign(before: bool, after: bool) -> &'static str {
    match (before, after) {
        (false, _) => "+",
        (true, false) => "-",
        (true, true) => "~",
    }
}

/// A text in quotes, on one line.
pub(super) fn quoted(text: &str) -> String {
    Quoted(text).to_string()
}

fn scalar(tree: &Tree) -> String {
    match tree {
        Tree::Null => "null".to_owned(),
        Tree::Bool(bool) => bool.to_string(),
        Tree::Number(number) => number.to_string(),
        Tree::String(text) => quoted(text),
        Tree::List(elements) => format!("[{}]", elements.iter().map(scalar).collect::<Vec<_>>().join(", ")),
        Tree::Object(entries) if entries.is_empty() => "{}".to_owned(),
        Tree::Object(entries) => {
            let entry = |(name, tree): (&Arc<str>, &Tree)| format!("{} = {}", key(name, false), scalar(tree));
            format!("{{ {} }}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        Tree::Reference(address) => address.to_string(),
        Tree::Sensitive(_) => "(sensitive value)".to_owned(),
        Tree::Unknown => "(known after apply)".to_owned(),
    }
}

impl AttributeDiff<'_> {
    /// The lines inside a resource's braces.
    pub(super) fn body(&self, schema: &Block, before: Option<&Tree>, after: Option<&Tree>) -> String {
        let mut out = String::new();
        self.block(&mut out, 6, Some(schema), entries(before), entries(after), true);
        out
    }

    /// The lines of a resource that is shown as it is, without signs.
    pub(super) fn listing(schema: &Block, tree: Option<&Tree>) -> String {
        let body = AttributeDiff { paint: Paint::default(), forced_by: &[] }.body(schema, None, tree);
        // Six columns of margin and the sign `+` with its space become a margin of four.
        let line = |line: &str| {
            let at = line.find("+ ").filter(|at| line[..*at].trim().is_empty());
            let text = at.map_or_else(|| line.to_owned(), |at| format!("{}{}", &line[..at], &line[at + 2..]));
            format!("{}\n", text.strip_prefix(if at.is_some() { "  " } else { "    " }).unwrap_or(&text))
        };
        body.lines().map(line).collect()
    }

    /// The lines of an output.
    pub(super) fn output(&self, name: &str, before: Option<&Tree>, after: Option<&Tree>) -> String {
        let mut out = String::new();
        self.attribute(&mut out, 2, name, before, after, false);
        out
    }

    fn line(&self, out: &mut String, indent: usize, sign: &str, text: &str) {
        let _ = writeln!(out, "{:indent$}{} {text}", "", self.paint.sign(sign), indent = indent);
    }

    fn block(
        &self,
        out: &mut String,
        indent: usize,
        schema: Option<&Block>,
        before: Option<&Entries>,
        after: Option<&Entries>,
        top: bool,
    ) {
        let none = Entries::new();
        let (old, new) = (before.unwrap_or(&none), after.unwrap_or(&none));
        let names: BTreeSet<&Arc<str>> = old.keys().chain(new.keys()).collect();
        let form = |name: &str| {
            let nested = schema.and_then(|schema| schema.blocks.iter().find(|nested| &*nested.name == name));
            nested.map_or(Form::Attribute, |nested| Form::Block(&nested.body, nested.nesting))
        };
        let changed: Vec<_> = names
            .into_iter()
            .map(|name| {
                (name, old.get(name).filter(|tree| present(tree)), new.get(name).filter(|tree| present(tree)))
            })
            .filter(|(_, old, new)| old.is_some() || new.is_some())
            .collect();
        let same = |old: Option<&Tree>, new: Option<&Tree>| matches!((old, new), (Some(old), Some(new)) if old.same(new));
        let shown: Vec<_> = changed.iter().filter(|(_, old, new)| !same(*old, *new)).collect();
        let attribute = |name: &str| matches!(form(name), Form::Attribute);
        let width =
            shown.iter().filter(|(name, ..)| attribute(name)).map(|(name, ..)| name.chars().count()).max();
        for (name, old, new) in &shown {
            if attribute(name) {
                let name = format!("{:width$}", key(name, schema.is_some()), width = width.unwrap_or(0));
                self.attribute(out, indent, &name, *old, *new, top);
            }
        }
        let hidden = changed.len() - shown.len();
        for (name, old, new) in &shown {
            if let Form::Block(body, nesting) = form(name) {
                self.nested(out, indent, name, body, nesting, *old, *new);
            }
        }
        if hidden > 0 && before.is_some() && after.is_some() {
            let plural = if hidden == 1 { "" } else { "s" };
            let remark = self.paint.dim(&format!("# ({hidden} unchanged attribute{plural} hidden)"));
            let _ = writeln!(out, "{:indent$}  {remark}", "", indent = indent);
        }
    }

    fn attribute(
        &self,
        out: &mut String,
        indent: usize,
        name: &str,
        before: Option<&Tree>,
        after: Option<&Tree>,
        top: bool,
    ) {
        let forced = top && self.forced_by.iter().any(|forced| forced == name.trim_end());
        let suffix = if forced { self.paint.red(" # forces replacement") } else { String::new() };
        let sign = sign(before.is_some(), after.is_some());
        let list = |tree: Option<&Tree>| matches!(tree, None | Some(Tree::List(_)));
        let map = |tree: Option<&Tree>| matches!(tree, None | Some(Tree::Object(_)));
        if list(before) && list(after) {
            self.line(out, indent, sign, &format!("{name} = [{suffix}"));
            self.elements(out, indent + 4, before, after);
            let _ = writeln!(out, "{:indent$}  ]", "", indent = indent);
        } else if map(before) && map(after) {
            self.line(out, indent, sign, &format!("{name} = {{{suffix}"));
            self.block(out, indent + 4, None, entries(before), entries(after), false);
            let _ = writeln!(out, "{:indent$}  }}", "", indent = indent);
        } else {
            let text = match (before, after) {
                (Some(before), Some(after)) => {
                    format!("{name} = {} -> {}{suffix}", scalar(before), scalar(after))
                }
                (Some(before), None) => format!("{name} = {} -> null{suffix}", scalar(before)),
                (None, after) => format!("{name} = {}{suffix}", after.map(scalar).unwrap_or_default()),
            };
            self.line(out, indent, sign, &text);
        }
    }

    /// The elements of a list that come and go, in the order of the new list.
    fn elements(&self, out: &mut String, indent: usize, before: Option<&Tree>, after: Option<&Tree>) {
        let texts = |tree: Option<&Tree>| match tree {
            Some(Tree::List(elements)) => elements.iter().map(scalar).collect::<Vec<_>>(),
            _ => Vec::new(),
        };
        let (before, after) = (texts(before), texts(after));
        for change in similar::capture_diff_slices(similar::Algorithm::Myers, &before, &after)
            .iter()
            .flat_map(|op| op.iter_changes(&before, &after))
        {
            let sign = match change.tag() {
                similar::ChangeTag::Equal => " ",
                similar::ChangeTag::Delete => "-",
                similar::ChangeTag::Insert => "+",
            };
            self.line(out, indent, sign, &format!("{},", change.value()));
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one line of a table: where, what, before and after")]
    fn nested(
        &self,
        out: &mut String,
        indent: usize,
        name: &str,
        body: &Block,
        nesting: Nesting,
        before: Option<&Tree>,
        after: Option<&Tree>,
    ) {
        let mut one = |label: &str, before: Option<&Tree>, after: Option<&Tree>| {
            if matches!((before, after), (Some(before), Some(after)) if before.same(after)) {
                return;
            }
            let sign = sign(before.is_some(), after.is_some());
            self.line(out, indent, sign, &format!("{name}{label} {{"));
            self.block(out, indent + 4, Some(body), entries(before), entries(after), false);
            let _ = writeln!(out, "{:indent$}  }}", "", indent = indent);
        };
        match nesting {
            Nesting::Labelled(_) => {
                let none = Entries::new();
                let (old, new) = (entries(before).unwrap_or(&none), entries(after).unwrap_or(&none));
                let labels: BTreeSet<&Arc<str>> = old.keys().chain(new.keys()).collect();
                for label in labels {
                    one(&format!(" {}", quoted(label)), old.get(label), new.get(label));
                }
            }
            Nesting::List => {
                let list = |tree: Option<&Tree>| match tree {
                    Some(Tree::List(elements)) => elements.clone(),
                    _ => Vec::new(),
                };
                let (old, new) = (list(before), list(after));
                for index in 0..old.len().max(new.len()) {
                    one("", old.get(index), new.get(index));
                }
            }
            _ => one("", before, after),
        }
    }
}

/// A name before `=`: as it is in a block, in quotes where a map's key needs them.
fn key(name: &str, block: bool) -> String {
    if block || is_identifier(name) { name.to_owned() } else { quoted(name) }
}
