//! The blocks of a module, sorted by what they declare; looks at names, labels and nesting, and at no value but
//! constants.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use hcl_edit::expr::Expression;
use hcl_edit::structure::{Attribute, Block, Structure};

use crate::address::is_identifier;
use crate::diag::{Diagnostic, Diagnostics, Span};
use crate::lang::syntax::TopLevel;
use crate::lang::{Reference, Source, references};
use crate::schema::{Schema, Vocabulary};

use super::builtin;
use super::decode::{Bound, Shape, bind, one_label, quoted};
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

/// How a block makes several resources.
#[derive(Clone, Copy)]
pub(super) enum Repeat<'a> {
    /// `for_each = …`
    ForEach(Located<'a>),
    /// `count = …`
    Count(Located<'a>),
}

impl<'a> Repeat<'a> {
    /// The expression.
    pub(super) fn located(self) -> Located<'a> {
        match self {
            Self::ForEach(located) | Self::Count(located) => located,
        }
    }
}

/// A block of a kind.
pub(super) struct ResourceBlock<'a> {
    /// Its kind.
    pub(super) kind: &'a Kind<'a>,
    /// Its label, in canonical form.
    pub(super) name: Arc<str>,
    /// Its header.
    pub(super) span: Span,
    /// How it makes several resources; `None` where it makes one.
    pub(super) repeat: Option<Repeat<'a>>,
    /// What `depends_on` names.
    pub(super) depends_on: Vec<Reference>,
    /// What it holds.
    pub(super) bound: Bound<'a>,
    /// Where it stands.
    pub(super) written: Written,
    /// Whether something in it is wrong already.
    pub(super) failed: bool,
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

/// Attributes and blocks of a resource that are not its schema's.
const META: [&str; 4] = ["for_each", "count", "depends_on", "lifecycle"];

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
    let mut sorter = Sorter {
        kinds,
        vocabulary,
        settings: None,
        places: BTreeMap::new(),
        declared: Declarations::default(),
        diagnostics,
    };
    // Nearly all blocks are resources.
    sorter.declared.resources.reserve_exact(files.iter().map(|file| file.len()).sum());
    for file in files {
        for (index, TopLevel { structure, source }) in file.iter().enumerate() {
            match structure {
                Structure::Attribute(attribute) => sorter.attribute(attribute, *source),
                Structure::Block(block) => sorter.block(block, &Written::new(file, index), *source),
            }
        }
    }
    sorter.declared
}

struct Sorter<'a, 'd> {
    kinds: &'a BTreeMap<&'a str, Kind<'a>>,
    vocabulary: &'d dyn Vocabulary,
    settings: Option<Span>,
    places: BTreeMap<(&'a str, Arc<str>), Span>,
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
            name => match self.kinds.get(name) {
                Some(kind) => self.resource(kind, block, written, source),
                None if LATER.contains(&name) => self.diagnostics.push(
                    Diagnostic::error(format!("`{name}` blocks are not supported yet"))
                        .at(header(block, source)),
                ),
                None => self.unknown(block, source),
            },
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
        if self.taken(what, label.as_str().into(), span, &format!("`{what}` `{}`", label.as_str())) {
            return None;
        }
        Some((label.as_str(), span))
    }

    /// Whether something is declared already; says so.
    fn taken(&mut self, what: &'a str, name: Arc<str>, span: Span, title: &str) -> bool {
        let place = self.places.entry((what, name));
        let Entry::Occupied(first) = place else {
            place.or_insert(span);
            return false;
        };
        self.diagnostics.push(
            Diagnostic::error(format!("{title} is declared twice"))
                .label(span, "again here")
                .also(*first.get(), "first here"),
        );
        true
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
                    if !self.taken("locals", name.into(), span, &format!("`local.{name}`")) {
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
            depends_on: self.depends_on(depends_on),
        };
        self.declared.outputs.insert(name, output);
    }

    fn resource(&mut self, kind: &'a Kind<'a>, block: &'a Block, written: &Written, source: Source) {
        let schema = kind.schema;
        let before = self.diagnostics.len();
        let span = header(block, source);
        let attribute = |name: &str| {
            let known = kind.shape.entry(name).is_none();
            block.body.get_attribute(name).filter(|_| known).map(|attribute| Located::of(attribute, source))
        };
        let repeat = match (attribute("for_each"), attribute("count")) {
            (Some(for_each), Some(count)) => {
                self.diagnostics.push(
                    Diagnostic::error(format!(
                        "`for_each` and `count` cannot both stand in one `{}`",
                        schema.kind
                    ))
                    .at(count.span())
                    .also(for_each.span(), ""),
                );
                Some(Repeat::ForEach(for_each))
            }
            (Some(for_each), None) => Some(Repeat::ForEach(for_each)),
            (None, Some(count)) => Some(Repeat::Count(count)),
            (None, None) => None,
        };
        let depends_on = self.depends_on(attribute("depends_on"));
        if kind.shape.entry("lifecycle").is_none()
            && let Some(lifecycle) = block.body.get_blocks("lifecycle").next()
        {
            self.diagnostics.push(
                Diagnostic::error("`lifecycle` blocks are not supported yet").at(header(lifecycle, source)),
            );
        }
        let title = (schema.kind, span);
        let bound = bind(&block.body, &kind.shape, title, &META, source, self.diagnostics);
        let Some(name) = self.label(schema, block, repeat.is_some(), source) else { return };
        let address = crate::address::Address::new(schema.kind, Arc::clone(&name));
        if self.taken(schema.kind, Arc::clone(&name), span, &format!("`{address}`")) {
            return;
        }
        let failed = self.diagnostics.len() > before;
        let written = written.clone();
        let resource = ResourceBlock { kind, name, span, repeat, depends_on, bound, written, failed };
        self.declared.resources.push(resource);
    }

    /// The label of a resource, in canonical form.
    fn label(&mut self, schema: &Schema, block: &Block, repeated: bool, source: Source) -> Option<Arc<str>> {
        let kind = schema.kind;
        let [label] = block.labels.as_slice() else {
            let remark = if block.labels.is_empty() { "this has none" } else { "this has several" };
            let example = schema.label.examples.first().copied().unwrap_or("main");
            self.diagnostics.push(
                Diagnostic::error(one_label(kind, schema.label))
                    .label(header(block, source), remark)
                    .help(format!("write `{kind} \"{example}\" {{ … }}`")),
            );
            return None;
        };
        match (schema.label.canonical)(label.as_str()) {
            Ok(canonical) => Some(canonical.into()),
            // Its instances are named by their keys: the label only stands in addresses.
            Err(_) if repeated && is_identifier(label.as_str()) => Some(label.as_str().into()),
            Err(invalid) => {
                let title = format!("invalid label for `{kind}`");
                let remark = format!("{} {}", quoted(label.as_str()), invalid.reason);
                let mut diagnostic = Diagnostic::error(title).label(source.span(label), remark);
                diagnostic.help.extend(invalid.help);
                self.diagnostics.push(diagnostic);
                None
            }
        }
    }

    /// The references that `depends_on` lists.
    fn depends_on(&mut self, list: Option<Located<'a>>) -> Vec<Reference> {
        let Some(Located { expr, source }) = list else { return Vec::new() };
        let Expression::Array(elements) = expr else {
            self.diagnostics.push(
                Diagnostic::error("`depends_on` takes a list of resources")
                    .at(source.span(expr))
                    .help("write `depends_on = [tenant.acme]`"),
            );
            return Vec::new();
        };
        let mut found = Vec::new();
        for element in elements {
            let mut references = references(element, source);
            let plain = matches!(element, Expression::Traversal(_));
            let kinds = self.kinds;
            match (references.pop(), references.is_empty()) {
                (Some(reference), true) if plain && kinds.contains_key(&*reference.root) => {
                    found.push(reference);
                }
                _ => self.diagnostics.push(
                    Diagnostic::error("`depends_on` takes resources")
                        .label(source.span(element), "this is not the address of a resource")
                        .help("write it without quotes: `depends_on = [tenant.acme]`"),
                ),
            }
        }
        found
    }
}
