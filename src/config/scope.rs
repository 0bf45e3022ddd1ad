//! What the names in the expressions of a module mean.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::address::{Address, Key};
use crate::diag::{Diagnostic, Diagnostics, nearest};
use crate::lang::{Access, Environment, Meter, Reference, Resolved, Scope, Step};
use crate::value::{Number, Object, Type, Value};

use super::evaluate::{Evaluation, Outcome};
use super::graph::Target;
use super::instances::{Instances, Sort, exports};

/// The scope of one item, or of one instance of a block.
pub(super) struct ModuleScope<'a> {
    evaluation: &'a Evaluation<'a>,
    each: Option<(Key, Value)>,
    own: Option<(&'a str, Value)>,
    /// The resources whose exports were asked for.
    pub(super) seen: RefCell<BTreeSet<Address>>,
    meter: Meter<'a>,
}

impl<'a> ModuleScope<'a> {
    /// The scope of everything that has no instances.
    pub(super) fn new(evaluation: &'a Evaluation<'a>) -> Self {
        Self {
            evaluation,
            each: None,
            own: None,
            seen: RefCell::default(),
            meter: Meter::of(&evaluation.work),
        }
    }

    /// The scope of an instance of a block, with its key and `each.value`.
    pub(super) fn of_instance(evaluation: &'a Evaluation<'a>, key: Key, value: Value) -> Self {
        Self { each: Some((key, value)), ..Self::new(evaluation) }
    }

    /// The scope of a variable's own validations.
    pub(super) fn of_variable(evaluation: &'a Evaluation<'a>, name: &'a str, value: Value) -> Self {
        Self { own: Some((name, value)), ..Self::new(evaluation) }
    }

    fn item(&self, index: usize, reference: &Reference) -> Result<Resolved, Diagnostics> {
        match self.evaluation.outcome(index) {
            Some(Outcome::Value(value)) => Ok(Resolved { value: value.clone(), steps: 1 }),
            Some(Outcome::Resources(instances)) => self.resource(instances, reference),
            // The label is not known yet.
            Some(Outcome::Only(_)) => Ok(Resolved { value: Value::unknown(Type::Any), steps: 1 }),
            _ => {
                Err(Diagnostic::error(format!("`{reference}` is not known here")).at(reference.span()).into())
            }
        }
    }

    fn resource(&self, instances: &Instances, reference: &Reference) -> Result<Resolved, Diagnostics> {
        let step = reference.steps.get(1);
        let key = match instances.sort {
            Sort::Single => None,
            Sort::ForEach => step.and_then(Step::name).map(|name| Key::Name(name.into())),
            Sort::Count => step.and_then(index).map(Key::Index),
        };
        if key.is_none() && instances.sort != Sort::Single {
            // A splat, a for-expression, or an index that is not known.
            self.seen
                .borrow_mut()
                .extend(instances.resources.iter().map(|resource| resource.address.clone()));
            return Ok(Resolved { value: instances.whole(), steps: 1 });
        }
        if let Some(resource) = instances.get(key.as_ref()) {
            self.seen.borrow_mut().insert(resource.address.clone());
            return Ok(Resolved { value: exports(resource), steps: 1 + usize::from(key.is_some()) });
        }
        let missing = instances.address.with_key(key.clone());
        let span = reference.span_of(2);
        let keys = || instances.resources.iter().filter_map(|resource| resource.address.key());
        Err(if let Some(Access::Attribute(name)) = step.map(|step| &step.access) {
            let diagnostic = Diagnostic::error(format!("`{}` has several instances", instances.address))
                .label(span, format!("`{name}` is of one of them"));
            match keys().next() {
                Some(key) => diagnostic.help(format!("choose one: `{}{key}.{name}`", instances.address)),
                None => diagnostic,
            }
        } else {
            let diagnostic = Diagnostic::error(format!("there is no `{missing}`")).at(span);
            let names = keys().filter_map(|key| match key {
                Key::Name(name) => Some(&**name),
                Key::Index(_) => None,
            });
            let typed = match &key {
                Some(Key::Name(name)) => nearest(name, names),
                _ => None,
            };
            match typed {
                Some(likely) => {
                    let likely = instances.address.with_key(Some(Key::Name(likely.into())));
                    diagnostic.help(format!("did you mean `{likely}`?"))
                }
                None => diagnostic.help(match instances.resources.len() {
                    0 => format!("`{}` has no instances", instances.address),
                    1 => format!("`{}` has 1 instance", instances.address),
                    count => format!("`{}` has {count} instances", instances.address),
                }),
            }
        }
        .into())
    }

    /// `each`, `count` and `path`: objects of few names.
    fn object(&self, root: &str) -> Option<Object> {
        match (root, &self.each) {
            ("each", Some((Key::Name(key), value))) => {
                Some([("key", Value::from(&**key)), ("value", value.clone())].into_iter().collect())
            }
            ("count", Some((Key::Index(index), _))) => {
                let index = Value::from(Number::from(*index));
                Some([("index", index)].into_iter().collect())
            }
            ("path", _) => {
                let working = self.evaluation.working_directory.to_string_lossy().into_owned();
                let paths = [("module", Value::from(".")), ("root", ".".into()), ("cwd", working.into())];
                Some(paths.into_iter().collect())
            }
            _ => None,
        }
    }
}

fn index(step: &Step) -> Option<u64> {
    match &step.access {
        Access::Index(value) if !value.is_sensitive() => {
            value.as_number().and_then(Number::as_i64).and_then(|index| u64::try_from(index).ok())
        }
        _ => None,
    }
}

impl Scope for ModuleScope<'_> {
    fn resolve(&self, reference: &Reference) -> Option<Result<Resolved, Diagnostics>> {
        if let Some((name, value)) = &self.own
            && &*reference.root == "var"
            && reference.steps.first().and_then(Step::name) == Some(*name)
        {
            return Some(Ok(Resolved { value: value.clone(), steps: 1 }));
        }
        match self.evaluation.graph.target(reference) {
            Ok(Target::Item(index)) => Some(self.item(index, reference)),
            Err(diagnostics) => Some(Err(diagnostics)),
            Ok(Target::Scope) => {
                match (&*reference.root, &self.each, reference.steps.first().and_then(Step::name)) {
                    // The usual ones, without an object around them.
                    ("each", Some((Key::Name(key), _)), Some("key")) => {
                        Some(Ok(Resolved { value: Value::string(Arc::clone(key)), steps: 1 }))
                    }
                    ("each", Some((Key::Name(_), value)), Some("value")) => {
                        Some(Ok(Resolved { value: value.clone(), steps: 1 }))
                    }
                    (root, ..) => {
                        self.object(root).map(|object| Ok(Resolved { value: object.into(), steps: 0 }))
                    }
                }
            }
        }
    }

    fn roots(&self) -> Vec<Arc<str>> {
        let own = match &self.each {
            Some((Key::Name(_), _)) => Some("each"),
            Some((Key::Index(_), _)) => Some("count"),
            None => None,
        };
        self.evaluation.graph.roots().chain(own).map(Arc::from).collect()
    }

    fn environment(&self) -> &dyn Environment {
        self.evaluation.environment
    }

    fn meter(&self) -> Option<&Meter<'_>> {
        Some(&self.meter)
    }
}
