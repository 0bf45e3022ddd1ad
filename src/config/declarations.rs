//! The blocks of a module, sorted by what they declare; looks at names, labels and nesting, and at no value but
//! constants.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use hcl_edit::expr::Expression;
use hcl_edit::structure::{Attribute, Block, Structure};
use rayon::prelude::*;

use crate::address::is_identifier;
use crate::diag::{Diagnostic, Diagnostics, Span};
use crate::lang::syntax::TopLevel;
use crate::lang::{Reference, Source, references};
use crate::schema::{Schema, Vocabulary};

use super::builtin;
use super::decode::{Shape, bind, quoted};
use super::resource_block::{self, Read, ResourceBlock};
use super::settings::{Settings, settings};
use super::variable::{Variable, variable};
use super::written::{Written, header};

/// An expression and where it stands.
#[derive(Clone, Copy)]
pub(super) struct Located<'a> {
    /// The expression.
    pub(super) expr: &'a Expression,
    /// Where its ranges are ranges of.
    pub(super) source: Source,
}

impl<'a> Located<'a> {
    /// The value of an attribute.
    pub(super) fn of(attribute: &'a Attribute, source: Source) -> Self {
        Self { expr: &attribute.value, source }
    }

    /// Its place.
    pub(super) fn span(self) -> Span {
        self.source.span(self.expr)
    }

    /// What it refers to.
    pub(super) fn references(self) -> Vec<Reference> {
        references(self.expr, self.source)
    }
}

/// A kind as its blocks are decoded.
pub(super) struct Kind<'a> {
    /// Its schema.
    pub(super) schema: &'a Schema,
    /// Its schema, laid out.
    pub(super) shape: Shape<'a>,
}

/// One entry of a `locals` block.
pub(super) struct Local<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// The place of its name.
    pub(super) span: Span,
    /// Its value.
    pub(super) value: Located<'a>,
}

/// An `output` block.
pub(super) struct OutputBlock<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// Its header.
    pub(super) span: Span,
    /// Its value; `None` where it is missing.
    pub(super) value: Option<Located<'a>>,
    /// What it is.
    pub(super) description: Option<Arc<str>>,
    /// Whether its value must not be seen.
    pub(super) sensitive: bool,
    /// What `depends_on` names.
    pub(super) depends_on: Vec<Reference>,
}

/// What a module declares.
#[derive(Default)]
pub(super) struct Declarations<'a> {
    /// Variables by name.
    pub(super) variables: BTreeMap<&'a str, Variable<'a>>,
    /// Locals by name.
    pub(super) locals: BTreeMap<&'a str, Local<'a>>,
    /// Outputs by name.
    pub(super) outputs: BTreeMap<&'a str, OutputBlock<'a>>,
    /// Resources, in the order they are written.
    pub(super) resources: Vec<ResourceBlock<'a>>,
    /// The `vsa` block.
    pub(super) settings: Settings,
}

/// Blocks of the language that are not there yet.
const LATER: [&str; 5] = ["module", "moved", "removed", "import", "check"];

/// Blocks of the language.
const LANGUAGE: [&str; 4] = ["variable", "locals", "output", "vsa"];

/// Sorts the structures of all files of a module.
pub(super) fn declarations<'a>(
    files: &'a [Arc<Vec<TopLevel>>],
    kinds: &'a BTreeMap<&'a str, Kind<'a>>,
    vocabulary: &dyn Vocabulary,
    diagnostics: &mut Diagnostics,
) -> Declarations<'a> {
    // Nearly all blocks are resources, and each is read by itself.
    let read = |file: &'a Arc<Vec<TopLevel>>| -> Vec<Option<Read<'a>>> {
        let structures = file.par_iter().enumerate().with_min_len(16);
        structures.map(|(index, _)| resource_block::read(file, index, kinds)).collect()
    };
    let read: Vec<_> = files.par_iter().map(read).collect();
    let count = files.iter().map(|file| file.len()).sum();
    let mut sorter = Sorter {
        kinds,
        vocabulary,
        settings: None,
        places: HashMap::with_capacity(count),
        declared: Declarations::default(),
        diagnostics,
    };
    sorter.declared.resources.reserve_exact(count);
    for (file, read) in files.iter().zip(read) {
        for ((index, TopLevel { structure, source }), read) in file.iter().enumerate().zip(read) {
            match (structure, read) {
                (Structure::Block(block), Some(read)) => sorter.resource(block, read),
                (Structure::Block(block), None) => {
                    sorter.block(block, &Written::new(file, index), *source);
                }
                (Structure::Attribute(attribute), _) => sorter.attribute(attribute, *source),
            }
        }
    }
    sorter.declared
}

struct Sorter<'a, 'd> {
    kinds: &'a BTreeMap<&'a str, Kind<'a>>,
    vocabulary: &'d dyn Vocabulary,
    settings: Option<Span>,
    places: HashMap<(&'a str, Arc<str>), Span>,
    declared: Declarations<'a>,
    diagnostics: &'d mut Diagnostics,
}

impl<'a> Sorter<'a, '_> {
    fn attribute(&mut self, attribute: &Attribute, source: Source) {
        let name = attribute.key.as_str();
        self.diagnostics.push(
            Diagnostic::error(format!("`{name}` stands outside any block"))
                .at(source.span(&attribute.key))
                .help(format!(
                    "a named value is `locals {{ {name} = … }}`; values of variables stand in `vsa.vsavars.hcl`"
                )),
        );
    }

    fn block(&mut self, block: &'a Block, written: &Written, source: Source) {
        match block.ident.as_str() {
            "variable" => {
                if let Some((name, span)) = self.named(block, "variable", source) {
                    let variable = variable(name, span, block, source, self.diagnostics);
                    self.declared.variables.insert(name, variable);
                }
            }
            "output" => self.output(block, source),
            "locals" => self.locals(block, source),
            "vsa" => {
                let span = header(block, source);
                if let Some(first) = self.settings {
                    self.diagnostics.push(
                        Diagnostic::error("there is more than one `vsa` block")
                            .label(span, "again here")
                            .also(first, "first here"),
                    );
                } else {
                    self.settings = Some(span);
                    self.declared.settings = settings(block, written, source, self.diagnostics);
                }
            }
            name if LATER.contains(&name) => self.diagnostics.push(
                Diagnostic::error(format!("`{name}` blocks are not supported yet")).at(header(block, source)),
            ),
            _ => self.unknown(block, source),
        }
    }

    fn unknown(&mut self, block: &Block, source: Source) {
        let name = block.ident.as_str();
        let mut diagnostic =
            Diagnostic::error(format!("unknown block `{name}`")).at(source.span(&block.ident));
        let kinds = self.vocabulary.schemas();
        let kinds: Vec<&str> = kinds.iter().map(|schema| schema.kind).collect();
        let known = kinds.iter().copied().chain(LANGUAGE).chain(LATER);
        diagnostic = match (name, block.labels.as_slice()) {
            ("terraform", _) => diagnostic.help("settings stand in `vsa { … }`"),
            ("resource", [kind, label, ..]) if kinds.contains(&kind.as_str()) => {
                diagnostic.help(format!("write `{} {} {{ … }}`", kind.as_str(), quoted(label.as_str())))
            }
            _ => diagnostic.did_you_mean(name, known, |diagnostic| {
                diagnostic.help(format!("the kinds are `{}`", kinds.join("`, `")))
            }),
        };
        self.diagnostics.push(diagnostic);
    }

    /// The only label of a block, an identifier that no other block of this sort has.
    fn named(&mut self, block: &'a Block, what: &'static str, source: Source) -> Option<(&'a str, Span)> {
        let span = header(block, source);
        let [label] = block.labels.as_slice() else {
            let remark = if block.labels.is_empty() { "this has none" } else { "this has several" };
            self.diagnostics.push(
                Diagnostic::error(format!("`{what}` takes one label, its name"))
                    .label(span, remark)
                    .help(format!("write `{what} \"name\" {{ … }}`")),
            );
            return None;
        };
        if !is_identifier(label.as_str()) {
            let summary = format!("the name of `{what}` is not a name");
            let remark = format!("{} cannot stand in an expression", quoted(label.as_str()));
            self.diagnostics.push(
                Diagnostic::error(summary)
                    .label(source.span(label), remark)
                    .help("a name is a letter or `_`, then letters, digits, `_` and `-`"),
            );
            return None;
        }
        if self.taken(what, label.as_str().into(), span, || format!("`{what}` `{}`", label.as_str())) {
            return None;
        }
        Some((label.as_str(), span))
    }

    /// Whether something is declared already; says so.
    fn taken(&mut self, what: &'a str, name: Arc<str>, span: Span, title: impl FnOnce() -> String) -> bool {
        let place = self.places.entry((what, name));
        let Entry::Occupied(first) = place else {
            place.or_insert(span);
            return false;
        };
        self.diagnostics.push(
            Diagnostic::error(format!("{} is declared twice", title()))
                .label(span, "again here")
                .also(*first.get(), "first here"),
        );
        true
    }

    fn resource(&mut self, block: &'a Block, read: Read<'a>) {
        self.diagnostics.extend(read.diagnostics);
        let Some(resource) = read.resource else { return };
        let (kind, name) = (block.ident.as_str(), Arc::clone(&resource.name));
        if !self.taken(kind, name, resource.span, || format!("`{}`", resource.address())) {
            self.declared.resources.push(resource);
        }
    }

    fn locals(&mut self, block: &'a Block, source: Source) {
        if let Some(label) = block.labels.first() {
            self.diagnostics.push(Diagnostic::error("`locals` takes no label").at(source.span(label)));
        }
        for structure in &block.body {
            match structure {
                Structure::Attribute(attribute) => {
                    let name = attribute.key.as_str();
                    let span = source.span(&attribute.key);
                    if !self.taken("locals", name.into(), span, || format!("`local.{name}`")) {
                        let local = Local { name, span, value: Located::of(attribute, source) };
                        self.declared.locals.insert(name, local);
                    }
                }
                Structure::Block(inner) => {
                    let name = inner.ident.as_str();
                    self.diagnostics.push(
                        Diagnostic::error("`locals` holds attributes, not blocks")
                            .at(header(inner, source))
                            .help(format!("write `{name} = {{ … }}`")),
                    );
                }
            }
        }
    }

    fn output(&mut self, block: &'a Block, source: Source) {
        let Some((name, span)) = self.named(block, "output", source) else { return };
        let bound = bind(&block.body, &builtin::OUTPUT, ("output", span), &[], source, self.diagnostics);
        let value = bound.get("value").map(|attribute| Located::of(attribute, source));
        let depends_on = bound.get("depends_on").map(|attribute| Located::of(attribute, source));
        let output = OutputBlock {
            name,
            span,
            value,
            description: bound.constant_text("description", self.diagnostics),
            sensitive: bound.constant_bool("sensitive", self.diagnostics).unwrap_or(false),
            depends_on: resource_block::depends_on(depends_on, self.kinds, self.diagnostics),
        };
        self.declared.outputs.insert(name, output);
    }
}
