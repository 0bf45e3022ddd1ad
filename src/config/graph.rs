//! What depends on what, and the order that follows from it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;

use crate::address::{Address, is_identifier};
use crate::diag::{Diagnostic, Diagnostics, Span, nearest};
use crate::lang::{Access, Reference};
use crate::schema::{Default, Nesting, Ty};

use super::declarations::{Declarations, Kind, Local, OutputBlock};
use super::decode::Shape;
use super::resource_block::{Repeat, ResourceBlock};
use super::variable::Variable;

/// Something that is evaluated as a whole.
#[derive(Clone, Copy)]
pub(super) enum Item<'a> {
    /// A variable with its validations.
    Variable(&'a Variable<'a>),
    /// An entry of `locals`.
    Local(&'a Local<'a>),
    /// A block of a kind.
    Resource(&'a ResourceBlock<'a>),
    /// The resource that a kind has where none is declared.
    Standing(&'a Kind<'a>, &'a str),
    /// All resources of a kind.
    All(&'a str),
    /// An output.
    Output(&'a OutputBlock<'a>),
}

impl Item<'_> {
    fn name(self) -> String {
        match self {
            Self::Variable(variable) => format!("var.{}", variable.name),
            Self::Local(local) => format!("local.{}", local.name),
            Self::Resource(block) => block.address().to_string(),
            Self::Standing(kind, label) => Address::new(kind.schema.kind, label).to_string(),
            Self::All(kind) => format!("every {kind}"),
            Self::Output(output) => format!("output.{}", output.name),
        }
    }

    fn span(self) -> Option<Span> {
        match self {
            Self::Variable(variable) => Some(variable.span),
            Self::Local(local) => Some(local.span),
            Self::Resource(block) => Some(block.span),
            Self::Output(output) => Some(output.span),
            Self::Standing(..) | Self::All(_) => None,
        }
    }
}

/// The items, known by their index, and what they depend on.
pub(super) struct Graph<'a> {
    /// All items.
    pub(super) items: Vec<Item<'a>>,
    /// What each depends on.
    pub(super) dependencies: Vec<Vec<usize>>,
    /// Whether something in each is known to be wrong before it is evaluated.
    pub(super) failed: Vec<bool>,
    /// Items that can be evaluated together, after those before them.
    pub(super) levels: Vec<Vec<usize>>,
    kinds: &'a BTreeMap<&'a str, Kind<'a>>,
    variables: HashMap<&'a str, usize>,
    locals: HashMap<&'a str, usize>,
    resources: HashMap<&'a str, BTreeMap<Arc<str>, usize>>,
    all: HashMap<&'a str, usize>,
}

/// What a reference names, as far as that can be said before evaluation.
pub(super) enum Target {
    /// This item.
    Item(usize),
    /// Something that comes with the scope: `each.key`, `path.root`.
    Scope,
}

impl<'a> Graph<'a> {
    /// Finds what depends on what; names that are not declared and cycles are among the diagnostics.
    pub(super) fn new(
        declared: &'a Declarations<'a>,
        kinds: &'a BTreeMap<&'a str, Kind<'a>>,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let Declarations { variables, locals, outputs, resources, .. } = declared;
        let count = variables.len() + locals.len() + outputs.len() + resources.len() + 2 * kinds.len();
        let mut graph = Self {
            items: Vec::with_capacity(count),
            dependencies: Vec::with_capacity(count),
            failed: Vec::with_capacity(count),
            levels: Vec::new(),
            kinds,
            variables: HashMap::new(),
            locals: HashMap::new(),
            resources: HashMap::new(),
            all: HashMap::new(),
        };
        for variable in variables.values() {
            let index = graph.add(Item::Variable(variable), variable.failed);
            graph.variables.insert(variable.name, index);
        }
        for local in locals.values() {
            let index = graph.add(Item::Local(local), false);
            graph.locals.insert(local.name, index);
        }
        for block in resources {
            let index = graph.add(Item::Resource(block), block.failed);
            let labels = graph.resources.entry(block.kind.schema.kind).or_default();
            labels.insert(Arc::clone(&block.name), index);
        }
        for (name, kind) in kinds {
            if let Some(label) = kind.schema.implied_label
                && !graph.resources.contains_key(name)
            {
                let index = graph.add(Item::Standing(kind, label), false);
                graph.resources.entry(name).or_default().insert(label.into(), index);
            }
            let index = graph.add(Item::All(name), false);
            graph.all.insert(name, index);
        }
        for output in outputs.values() {
            graph.add(Item::Output(output), output.value.is_none());
        }
        let mut edges = DiGraph::with_capacity(graph.items.len(), 2 * graph.items.len());
        for _ in &graph.items {
            edges.add_node(());
        }
        for index in 0..graph.items.len() {
            let mut found = Vec::new();
            let mut edge = |span: Option<Span>, target: usize| {
                found.push(target);
                edges.add_edge(NodeIndex::new(index), NodeIndex::new(target), span);
            };
            let before = diagnostics.len();
            graph.connect(index, &mut edge, diagnostics);
            found.sort_unstable();
            found.dedup();
            graph.dependencies[index] = found;
            graph.failed[index] |= diagnostics.len() > before;
        }
        graph.order(&edges, diagnostics);
        graph
    }

    fn add(&mut self, item: Item<'a>, failed: bool) -> usize {
        self.items.push(item);
        self.dependencies.push(Vec::new());
        self.failed.push(failed);
        self.items.len() - 1
    }

    fn connect(
        &self,
        index: usize,
        edge: &mut dyn FnMut(Option<Span>, usize),
        diagnostics: &mut Diagnostics,
    ) {
        let mut references = Vec::new();
        match self.items[index] {
            Item::Variable(variable) => {
                for validation in &variable.validations {
                    references.extend(validation.condition.references());
                    references.extend(validation.message.references());
                }
                references.retain(|reference| !names_variable(reference, variable.name));
                Self::no_instances(&references, None, "", diagnostics);
            }
            Item::Local(local) => {
                references = local.value.references();
                Self::no_instances(&references, None, "", diagnostics);
            }
            Item::Output(output) => {
                references.extend(output.value.iter().flat_map(|value| value.references()));
                references.extend(output.depends_on.iter().cloned());
                Self::no_instances(&references, None, "", diagnostics);
            }
            Item::All(kind) => {
                for target in self.of_kind(kind) {
                    edge(None, target);
                }
            }
            Item::Standing(kind, _) => self.connect_only_ones(&kind.shape, None, edge),
            Item::Resource(block) => {
                let repeat = block.repeat.map(|repeat| repeat.located().references()).unwrap_or_default();
                Self::no_instances(&repeat, None, "", diagnostics);
                block.bound.each_expression(&mut |expression, source| {
                    references.extend(crate::lang::references(expression, source));
                });
                Self::no_instances(&references, block.repeat, block.kind.schema.kind, diagnostics);
                references.extend(repeat);
                references.extend(block.depends_on.iter().cloned());
                self.connect_only_ones(&block.kind.shape, Some(&references), edge);
            }
        }
        for reference in &references {
            match self.target(reference) {
                Ok(Target::Item(target)) => edge(Some(reference.span()), target),
                Ok(Target::Scope) => {}
                Err(unknown) => diagnostics.extend(unknown),
            }
        }
    }

    /// Refuses `each` and `count` where nothing gives them a meaning.
    fn no_instances(
        references: &[Reference],
        repeat: Option<Repeat<'_>>,
        kind: &str,
        diagnostics: &mut Diagnostics,
    ) {
        for reference in references {
            let (allowed, argument) = match &*reference.root {
                "each" => (matches!(repeat, Some(Repeat::ForEach(_))), "for_each"),
                "count" => (matches!(repeat, Some(Repeat::Count(_))), "count"),
                _ => continue,
            };
            if !allowed {
                let place = if kind.is_empty() { String::new() } else { format!("; this `{kind}` has none") };
                diagnostics.push(
                    Diagnostic::error(format!("`{}` means nothing here", reference.root))
                        .label(reference.root_span, "")
                        .help(format!("it stands in blocks with `{argument}`{place}")),
                );
            }
        }
    }

    /// Resources whose references may be left away depend on all that could be meant.
    fn connect_only_ones(
        &self,
        shape: &Shape<'_>,
        written: Option<&[Reference]>,
        edge: &mut dyn FnMut(Option<Span>, usize),
    ) {
        for attribute in &shape.schema.attributes {
            if let (Default::OnlyOne, Ty::Ref(kind)) = (&attribute.default, &attribute.ty)
                && !written.unwrap_or_default().iter().any(|reference| *reference.root == **kind)
                && let Some(all) = self.all.get(kind)
            {
                edge(None, *all);
            }
        }
        for (nested, shape) in shape.schema.blocks.iter().zip(shape.nested()) {
            if !matches!(nested.nesting, Nesting::Optional) || written.is_some() {
                self.connect_only_ones(shape, written, edge);
            }
        }
    }

    /// What a reference names.
    pub(super) fn target(&self, reference: &Reference) -> Result<Target, Diagnostics> {
        let root = &*reference.root;
        let (named, sort) = match root {
            "var" => (&self.variables, "variable"),
            "local" => (&self.locals, "local value"),
            _ => match self.kinds.get(root) {
                Some(kind) => return self.resource(reference, kind),
                None => return Ok(Target::Scope),
            },
        };
        let Some(name) = reference.steps.first().and_then(|step| match &step.access {
            Access::Attribute(name) => Some(name),
            Access::Index(_) => None,
        }) else {
            return Err(Diagnostic::error(format!("`{root}` is followed by a dot and a name"))
                .at(reference.root_span)
                .help(format!("write `{root}.NAME`"))
                .into());
        };
        named.get(&**name).map(|index| Target::Item(*index)).ok_or_else(|| {
            let diagnostic = Diagnostic::error(format!("unknown {sort} `{name}`")).at(reference.span_of(1));
            match (nearest(name, named.keys().copied()), root) {
                (Some(likely), _) => diagnostic.help(format!("did you mean `{root}.{likely}`?")),
                (None, "var") => diagnostic.help(format!("declare it: `variable \"{name}\" {{}}`")),
                (None, _) => diagnostic.help(format!("declare it: `locals {{ {name} = … }}`")),
            }
            .into()
        })
    }

    fn resource(&self, reference: &Reference, kind: &Kind<'_>) -> Result<Target, Diagnostics> {
        let kind_name = kind.schema.kind;
        let Some(step) = reference.steps.first() else {
            return Err(Diagnostic::error(format!("`{kind_name}` is followed by a label"))
                .at(reference.root_span)
                .help(format!("write `{}`", example(kind)))
                .into());
        };
        let Some(label) = step.name() else {
            return match (&step.access, self.all.get(kind_name)) {
                (Access::Index(value), Some(all)) if value.is_unknown() => Ok(Target::Item(*all)),
                _ => Err(Diagnostic::error(format!("a label of `{kind_name}` is a string"))
                    .at(step.span)
                    .into()),
            };
        };
        if let Some(index) = self.labelled(kind_name, label) {
            return Ok(Target::Item(index));
        }
        let diagnostic = Diagnostic::error(format!("there is no `{}`", Address::new(kind_name, label)))
            .at(reference.span_of(1));
        Err(match self.resembling(kind_name, label) {
            Some(likely) => diagnostic.help(format!("did you mean `{likely}`?")),
            None => diagnostic.help(format!("declare it: `{kind_name} \"{label}\" {{ … }}`")),
        }
        .into())
    }

    /// The block of a kind with this label.
    pub(super) fn labelled(&self, kind: &str, label: &str) -> Option<usize> {
        let labels = self.resources.get(kind)?;
        labels.get(label).copied().or_else(|| {
            let canonical =
                self.kinds.get(kind).and_then(|kind| (kind.schema.label.canonical)(label).ok())?;
            labels.get(&*canonical).copied()
        })
    }

    /// All blocks of a kind.
    pub(super) fn of_kind(&self, kind: &str) -> impl Iterator<Item = usize> {
        self.resources.get(kind).into_iter().flat_map(BTreeMap::values).copied()
    }

    /// The item that stands for all resources of a kind.
    pub(super) fn all(&self, kind: &str) -> Option<usize> {
        self.all.get(kind).copied()
    }

    /// The names that an expression may begin with, beside `each` and `count`.
    pub(super) fn roots(&self) -> impl Iterator<Item = &str> {
        self.kinds.keys().copied().chain(["var", "local", "path"])
    }

    /// The address of a kind with this label, or with the nearest one.
    pub(super) fn resembling(&self, kind: &str, label: &str) -> Option<Address> {
        let labels = self.resources.get(kind)?;
        let likely = if labels.contains_key(label) {
            label
        } else {
            nearest(label, labels.keys().map(|label| &**label))?
        };
        Some(Address::new(kind, likely))
    }

    /// Groups the items into levels, and reports cycles.
    fn order(&mut self, edges: &DiGraph<(), Option<Span>>, diagnostics: &mut Diagnostics) {
        let mut level = vec![0; self.items.len()];
        // Components come in an order in which each depends only on those before it.
        for component in kosaraju_scc(edges) {
            let cyclic = match component[..] {
                [only] => edges.contains_edge(only, only),
                _ => true,
            };
            if cyclic {
                for node in &component {
                    self.failed[node.index()] = true;
                }
                diagnostics.push(self.cycle(edges, &component));
            }
            for node in component {
                let index = node.index();
                let deepest = self.dependencies[index].iter().map(|before| level[*before] + 1).max();
                level[index] = deepest.unwrap_or(0);
                if level[index] >= self.levels.len() {
                    self.levels.resize_with(level[index] + 1, Vec::new);
                }
                self.levels[level[index]].push(index);
            }
        }
    }

    /// A shortest cycle of a component.
    fn cycle(&self, edges: &DiGraph<(), Option<Span>>, component: &[NodeIndex]) -> Diagnostic {
        // The one that is written first begins it.
        let place =
            |node: &NodeIndex| (self.items[node.index()].span().is_none(), self.items[node.index()].span());
        let start = component.iter().copied().min_by_key(place).unwrap_or_default();
        let mut came_from: HashMap<NodeIndex, (NodeIndex, Option<Span>)> = HashMap::new();
        let mut queue = std::collections::VecDeque::from([start]);
        'search: while let Some(node) = queue.pop_front() {
            let mut next: Vec<_> = edges.edges(node).collect();
            next.sort_by_key(|edge| edge.weight().map_or((true, None), |span| (false, Some(span))));
            for edge in next {
                let target = edge.target();
                if component.contains(&target) && !came_from.contains_key(&target) {
                    came_from.insert(target, (node, *edge.weight()));
                    if target == start {
                        break 'search;
                    }
                    queue.push_back(target);
                }
            }
        }
        let mut steps = Vec::new();
        let mut here = start;
        while let Some((before, span)) = came_from.get(&here) {
            steps.push((*before, *span, here));
            here = *before;
            if here == start {
                break;
            }
        }
        steps.reverse();
        let names: Vec<_> =
            steps.iter().map(|(from, ..)| format!("`{}`", self.items[from.index()].name())).collect();
        let title = match names.as_slice() {
            [only] => format!("{only} depends on itself"),
            names => format!("{} depend on each other", and(names)),
        };
        let mut diagnostic = Diagnostic::error(title);
        for (from, span, to) in steps {
            let (from, to) = (self.items[from.index()], self.items[to.index()]);
            let place = span.or_else(|| from.span());
            let remark = format!("`{}` needs `{}`", from.name(), to.name());
            diagnostic = if diagnostic.primary.is_none() {
                diagnostic.label(place, remark)
            } else {
                diagnostic.also(place, remark)
            };
        }
        diagnostic
    }
}

fn names_variable(reference: &Reference, name: &str) -> bool {
    &*reference.root == "var" && reference.steps.first().and_then(|step| step.name()) == Some(name)
}

fn and(names: &[String]) -> String {
    const SHOWN: usize = 5;
    match names {
        [rest @ .., last] if names.len() <= SHOWN => format!("{} and {last}", rest.join(", ")),
        _ => format!("{} and {} more", names[..SHOWN - 1].join(", "), names.len() - SHOWN + 1),
    }
}

fn example(kind: &Kind<'_>) -> String {
    let name = kind.schema.kind;
    match kind.schema.label.examples.first() {
        Some(label) if is_identifier(label) => format!("{name}.{label}"),
        Some(label) => format!("{name}[\"{label}\"]"),
        None => format!("{name}.NAME"),
    }
}
