//! Evaluation: each item after those that it depends on, as many at once as there are cores.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path as FilePath;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rayon::prelude::*;

use crate::address::{Address, Key};
use crate::diag::{Diagnostic, Diagnostics, Span};
use crate::lang::{Environment, Reference, Scope as _, TOO_MUCH_WORK, Work, eval, too_much_work};
use crate::resource::{Locate, Path, Resource};
use crate::schema::Vocabulary;
use crate::shipped;
use crate::value::{Object, Value};

use super::declarations::{Kind, OutputBlock};
use super::decode::{Decoder, Given, Only, Surroundings, Trail, quoted};
use super::graph::{Graph, Item};
use super::instances::{Instances, Sort, exports, instances};
use super::resource_block::{Repeat, ResourceBlock};
use super::scope::ModuleScope;
use super::values::Values;
use super::variable::Variable;

/// What became of an item.
pub(super) enum Outcome {
    /// It is wrong, or depends on something that is.
    Failed,
    /// Its value.
    Value(Value),
    /// Its resources.
    Resources(Instances),
    /// The only resource of a kind, if there is one.
    Only(Only),
}

/// The items of a module and what became of those that have been evaluated.
pub(super) struct Evaluation<'a> {
    /// The items.
    pub(super) graph: &'a Graph<'a>,
    /// For `path.cwd`.
    pub(super) working_directory: &'a FilePath,
    /// What functions may know of the outside.
    pub(super) environment: &'a dyn Environment,
    vocabulary: &'a dyn Vocabulary,
    values: &'a Values,
    outcomes: Vec<OnceLock<Outcome>>,
    diagnostics: Mutex<Diagnostics>,
    /// How much has been done for all of it.
    pub(super) work: Work,
}

impl<'a> Evaluation<'a> {
    /// Evaluates everything.
    pub(super) fn run(
        graph: &'a Graph<'a>,
        values: &'a Values,
        vocabulary: &'a dyn Vocabulary,
        environment: &'a dyn Environment,
        working_directory: &'a FilePath,
    ) -> Self {
        let outcomes = graph.items.iter().map(|_| OnceLock::new()).collect();
        let diagnostics = Mutex::default();
        let work = Work::default();
        let run =
            Self { graph, working_directory, environment, vocabulary, values, outcomes, diagnostics, work };
        for level in &graph.levels {
            level.par_iter().with_min_len(16).for_each(|index| run.item(*index));
        }
        run
    }

    /// What became of an item; `None` where it has not been evaluated yet.
    pub(super) fn outcome(&self, index: usize) -> Option<&Outcome> {
        self.outcomes.get(index)?.get()
    }

    /// What became of each item, and what was wrong.
    pub(super) fn finish(self) -> (Vec<Outcome>, Diagnostics) {
        let outcomes =
            self.outcomes.into_iter().map(|outcome| outcome.into_inner().unwrap_or(Outcome::Failed));
        let found = self.diagnostics.into_inner().unwrap_or_else(PoisonError::into_inner);
        if !self.work.is_exceeded() {
            return (outcomes.collect(), found);
        }
        // Each thread comes to the bound by itself; what they left out is not to be taken for what there is.
        let is_bound = |diagnostic: &Diagnostic| diagnostic.code == Some(TOO_MUCH_WORK);
        let bound = found.iter().find(|diagnostic| is_bound(diagnostic)).cloned();
        let mut diagnostics: Diagnostics =
            found.into_iter().filter(|diagnostic| !is_bound(diagnostic)).collect();
        diagnostics.push(bound.unwrap_or_else(too_much_work));
        (outcomes.collect(), diagnostics)
    }

    fn item(&self, index: usize) {
        let failed = |index: usize| matches!(self.outcome(index), Some(Outcome::Failed) | None);
        let skipped =
            self.work.is_exceeded() || self.graph.dependencies[index].iter().any(|before| failed(*before));
        let mut diagnostics = Diagnostics::new();
        let outcome = if skipped {
            None
        } else {
            // What is known to be wrong already is evaluated all the same, for the errors of its other parts.
            match self.graph.items[index] {
                Item::Variable(variable) => self.variable(variable, &mut diagnostics),
                Item::Local(local) => {
                    let scope = ModuleScope::new(self);
                    value_or(eval(local.value.expr, local.value.source, &scope), &mut diagnostics)
                }
                Item::Output(output) => self.output(output, &mut diagnostics),
                Item::All(kind) => Some(Outcome::Only(self.only_of(kind))),
                Item::Standing(kind, label) => {
                    let address = Address::new(kind.schema.kind, label);
                    let made = Object::new();
                    let resource = self.made(address.clone(), kind, &made, None, &mut diagnostics);
                    resource.map(|resource| {
                        Outcome::Resources(Instances::new(address, Sort::Single, vec![resource]))
                    })
                }
                Item::Resource(block) => self.resources(block, &mut diagnostics).map(Outcome::Resources),
            }
        };
        if !diagnostics.is_empty() {
            self.diagnostics.lock().unwrap_or_else(PoisonError::into_inner).extend(diagnostics);
        }
        let outcome = outcome.filter(|_| !self.graph.failed[index]);
        // Each item is evaluated once.
        let _ = self.outcomes[index].set(outcome.unwrap_or(Outcome::Failed));
    }

    fn variable(&self, variable: &Variable<'a>, diagnostics: &mut Diagnostics) -> Option<Outcome> {
        if variable.failed || self.values.failed.contains(variable.name) {
            return None;
        }
        let assigned = self.values.assigned.get(variable.name);
        match variable.value(assigned) {
            Ok(value) => {
                let scope = ModuleScope::of_variable(self, variable.name, value.clone());
                let refused = variable.validate(&scope, assigned.and_then(|assigned| assigned.span));
                let valid = refused.is_empty();
                diagnostics.extend(refused);
                valid.then_some(Outcome::Value(value))
            }
            Err(errors) => {
                diagnostics.extend(errors);
                None
            }
        }
    }

    fn output(&self, output: &OutputBlock<'a>, diagnostics: &mut Diagnostics) -> Option<Outcome> {
        let located = output.value?;
        let scope = ModuleScope::new(self);
        match eval(located.expr, located.source, &scope) {
            Ok(value) if value.contains_sensitive() && !output.sensitive => {
                diagnostics.push(
                    Diagnostic::error(format!("output `{}` would show a sensitive value", output.name))
                        .label(located.span(), "this comes from a sensitive value")
                        .help("add `sensitive = true` to the output, or say with `nonsensitive(…)` that it may be seen"),
                );
                None
            }
            Ok(value) if !value.is_json() => {
                diagnostics.push(
                    Diagnostic::error(format!("output `{}` holds a number that is too large", output.name))
                        .label(located.span(), "the state keeps numbers of a magnitude below about 1.8e308")
                        .help("make a text of it, as in `tostring(…)`"),
                );
                None
            }
            Ok(value) => {
                let sensitive = output.sensitive || value.is_sensitive();
                Some(Outcome::Value(value.with_sensitive(sensitive)))
            }
            Err(errors) => {
                diagnostics.extend(errors);
                None
            }
        }
    }

    fn resources(&self, block: &ResourceBlock<'a>, diagnostics: &mut Diagnostics) -> Option<Instances> {
        let address = block.address();
        let depends_on = self.depends_on(&block.depends_on, diagnostics)?;
        let (sort, keys) = match block.repeat {
            None => {
                let scope = ModuleScope::new(self);
                let (resource, errors) = self.instance(block, address.clone(), scope, &depends_on);
                diagnostics.extend(errors);
                return Some(Instances::new(address, Sort::Single, vec![resource?]));
            }
            Some(repeat) => {
                let sort = match repeat {
                    Repeat::ForEach(_) => Sort::ForEach,
                    Repeat::Count(_) => Sort::Count,
                };
                match instances(repeat, &ModuleScope::new(self)) {
                    Ok(keys) => (sort, keys),
                    Err(errors) => {
                        diagnostics.extend(errors);
                        return None;
                    }
                }
            }
        };
        let made: Vec<_> = keys
            .into_par_iter()
            .with_min_len(16)
            .map(|(key, value)| {
                let address = address.with_key(Some(key.clone()));
                let scope = ModuleScope::of_instance(self, key, value);
                self.instance(block, address, scope, &depends_on)
            })
            .collect();
        let mut resources = Some(Vec::with_capacity(made.len()));
        let mut errors = Diagnostics::new();
        for (resource, found) in made {
            errors.extend(found);
            resources = resources.zip(resource).map(|(mut resources, resource)| {
                resources.push(resource);
                resources
            });
        }
        diagnostics.extend(once_each(errors));
        Some(Instances::new(address, sort, resources?))
    }

    fn depends_on(&self, named: &[Reference], diagnostics: &mut Diagnostics) -> Option<BTreeSet<Address>> {
        let scope = ModuleScope::new(self);
        let mut known = true;
        for reference in named {
            if let Some(Err(errors)) = scope.resolve(reference) {
                diagnostics.extend(errors);
                known = false;
            }
        }
        known.then(|| scope.seen.into_inner())
    }

    fn instance(
        &self,
        block: &ResourceBlock<'a>,
        address: Address,
        scope: ModuleScope<'_>,
        depends_on: &BTreeSet<Address>,
    ) -> (Option<Resource>, Diagnostics) {
        let kind = block.kind;
        let mut decoder = Decoder::new(&address, Some(&block.written), self);
        let given = Given::Written(&block.bound, &scope);
        let attributes = decoder.block(&kind.shape, given, kind.schema.kind, &Trail::Root);
        let Decoder { mut diagnostics, depends_on: referred, .. } = decoder;
        let Some(attributes) = attributes else { return (None, diagnostics) };
        let name = match name(kind, &address, &attributes) {
            Ok(name) => name,
            Err(problem) => {
                let named = kind.schema.instance_name.and_then(|name| block.bound.get(name));
                let place = match named {
                    Some(_) => block
                        .written
                        .locate(&Path::root().name(kind.schema.instance_name.unwrap_or_default())),
                    None => block.repeat.map(|repeat| repeat.located().span()),
                };
                diagnostics.push(problem.at(place).on(&address));
                return (None, diagnostics);
            }
        };
        let mut all = referred;
        all.extend(scope.seen.into_inner());
        all.extend(depends_on.iter().cloned());
        let resource = Resource {
            address,
            name,
            attributes,
            depends_on: all,
            source: Some(Arc::new(block.written.clone())),
            implied_by: None,
            exports: Arc::default(),
            trees: BTreeMap::new(),
        };
        let resource = self.with_trees(resource, kind, &mut diagnostics);
        (resource.map(|resource| self.with_exports(resource)), diagnostics)
    }

    /// A resource that is not written, made of these values and the defaults.
    pub(super) fn made(
        &self,
        address: Address,
        kind: &Kind<'_>,
        values: &Object,
        implied_by: Option<&Resource>,
        diagnostics: &mut Diagnostics,
    ) -> Option<Resource> {
        let source = implied_by.and_then(|resource| resource.source.as_deref());
        let place = source.map(Header);
        let place = place.as_ref().map(|header| header as &dyn Locate);
        let mut decoder = Decoder::new(&address, place, self);
        let attributes = decoder.block(&kind.shape, Given::Made(values), kind.schema.kind, &Trail::Root);
        let Decoder { diagnostics: errors, mut depends_on, .. } = decoder;
        diagnostics.extend(errors);
        depends_on.remove(&address);
        let resource = Resource {
            name: address.name().into(),
            attributes: attributes?,
            depends_on,
            source: None,
            implied_by: implied_by.map(|resource| resource.address.clone()),
            exports: Arc::default(),
            trees: BTreeMap::new(),
            address,
        };
        Some(self.with_exports(resource))
    }

    /// With the files below the directories that its attributes name; `None` where they cannot be read.
    fn with_trees(
        &self,
        mut resource: Resource,
        kind: &Kind<'_>,
        diagnostics: &mut Diagnostics,
    ) -> Option<Resource> {
        for attribute in kind.schema.body.attributes.iter().filter(|attribute| attribute.is_tree) {
            let Some(path) = resource.get(&attribute.name).as_str() else { continue };
            let found = match path.strip_prefix(shipped::SCHEME) {
                Some(name) => shipped::stack(name).ok_or_else(|| not_shipped(name)),
                None => self.environment.tree(FilePath::new(path)).map_err(|reason| {
                    Diagnostic::error(format!("the directory `{path}` cannot be read: {reason}"))
                        .help("a relative path is relative to the configuration's directory")
                }),
            };
            match found {
                Ok(tree) => {
                    resource.trees.insert(Arc::clone(&attribute.name), Arc::new(tree));
                }
                Err(error) => {
                    let place = resource.span(&Path::root().name(Arc::clone(&attribute.name)));
                    diagnostics.push(error.at(place).on(&resource.address));
                    return None;
                }
            }
        }
        Some(resource)
    }

    fn with_exports(&self, resource: Resource) -> Resource {
        let exports = self.vocabulary.exports(&resource);
        resource.with_exports(exports)
    }

    fn only_of(&self, kind: &str) -> Only {
        let mut only = None;
        let mut several = Vec::new();
        for index in self.graph.of_kind(kind) {
            match self.outcome(index) {
                Some(Outcome::Resources(instances)) => {
                    for resource in &instances.resources {
                        if let Some(first) = only.replace(resource) {
                            several.push(first.address.clone());
                        }
                    }
                }
                _ => return Only::Failed,
            }
        }
        match only {
            None => Only::None,
            Some(resource) if several.is_empty() => Only::One(exports(resource)),
            Some(last) => {
                several.push(last.address.clone());
                Only::Several(several)
            }
        }
    }
}

/// Where an implied resource is said to stand: at the header of the block that brings it along.
struct Header<'a>(&'a dyn Locate);

impl Locate for Header<'_> {
    fn locate_key(&self, path: &Path) -> Option<Span> {
        self.locate(path)
    }

    fn locate(&self, _: &Path) -> Option<Span> {
        self.0.locate(&Path::root())
    }
}

impl Surroundings for Evaluation<'_> {
    fn only(&self, kind: &str) -> Only {
        match self.graph.all(kind).and_then(|all| self.outcome(all)) {
            Some(Outcome::Only(only)) => only.clone(),
            Some(_) => Only::Failed,
            None => self.only_of(kind),
        }
    }

    fn resembling(&self, kind: &str, label: &str) -> Option<Address> {
        self.graph.resembling(kind, label)
    }
}

/// What a kind knows a resource by.
fn name(kind: &Kind<'_>, address: &Address, attributes: &Object) -> Result<Arc<str>, Box<Diagnostic>> {
    let attribute = kind.schema.instance_name;
    let given = attribute.and_then(|name| attributes.get(name)).and_then(Value::as_str);
    let name = match (address.key(), given, attribute) {
        (None, None, _) => return Ok(address.name().into()),
        (None, Some(_), _) => {
            let attribute = attribute.unwrap_or_default();
            let summary = format!("`{attribute}` is for the instances of a `for_each`");
            let help = format!("remove it: without `for_each` the label is the name, `{}`", address.name());
            return Err(Box::new(Diagnostic::error(summary).help(help)));
        }
        (Some(_), Some(name), _) => Cow::Borrowed(name),
        (Some(Key::Index(_)), None, Some(attribute)) => {
            let summary = format!("each `{}` of a `count` needs a `{attribute}`", address.kind());
            return Err(Box::new(
                Diagnostic::error(summary).help(format!("add `{attribute} = \"….${{count.index}}…\"`")),
            ));
        }
        (Some(_), None, _) => address.own_name(),
    };
    (kind.schema.label.canonical)(&name).map(Arc::from).map_err(|invalid| {
        let summary = format!("invalid name for `{address}`");
        let mut diagnostic =
            Diagnostic::error(summary).detail(format!("{} {}", quoted(&name), invalid.reason));
        diagnostic.help.extend(invalid.help);
        Box::new(diagnostic)
    })
}

/// Says that no such stack comes with vsa.
fn not_shipped(name: &str) -> Diagnostic {
    let known: Vec<_> = shipped::stacks().collect();
    Diagnostic::error(format!("no stack `{name}` comes with vsa")).did_you_mean(
        name,
        known.iter().copied(),
        |error| {
            let error = error.help(format!("those that do: {}", known.join(", ")));
            if shipped::templates().any(|template| template == name) {
                return error
                    .help(format!("`{name}` is a template: `vsa stack new NAME -from {name}` begins one"));
            }
            error
        },
    )
}

fn value_or(result: Result<Value, Diagnostics>, diagnostics: &mut Diagnostics) -> Option<Outcome> {
    match result {
        Ok(value) => Some(Outcome::Value(value)),
        Err(errors) => {
            diagnostics.extend(errors);
            None
        }
    }
}

/// Each problem once, though many instances have it.
fn once_each(diagnostics: Diagnostics) -> Diagnostics {
    let mut first: HashMap<(String, Option<Span>), usize> = HashMap::new();
    let mut kept: Vec<(Diagnostic, usize)> = Vec::new();
    for diagnostic in diagnostics {
        let place = diagnostic.primary.as_ref().map(|label| label.span);
        let index = *first.entry((diagnostic.summary.clone(), place)).or_insert(kept.len());
        match kept.get_mut(index) {
            Some((_, more)) => *more += 1,
            None => kept.push((diagnostic, 0)),
        }
    }
    let counted = kept.into_iter().map(|(diagnostic, more)| match more {
        0 => diagnostic,
        1 => diagnostic.help("one more instance has the same problem"),
        more => diagnostic.help(format!("{more} more instances have the same problem")),
    });
    counted.collect()
}
