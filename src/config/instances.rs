//! The resources that one block makes, and how many: `for_each` and `count`.

use std::sync::{Arc, OnceLock};

use crate::address::{Address, Key};
use crate::diag::{Diagnostic, Diagnostics};
use crate::lang::{Scope, eval};
use crate::resource::Resource;
use crate::value::{Object, Repr, Type, Value, convert};

use super::decode::is;
use super::resource_block::Repeat;

/// More than this is a slip, not a wish.
const MOST: usize = 100_000;

/// The resources of one block.
pub(super) struct Instances {
    /// The address without a key.
    pub(super) address: Address,
    /// How the block makes several resources.
    pub(super) sort: Sort,
    /// In the order of the keys of their addresses. A list: nearly all blocks make one, and a tree's first node has room
    /// for eleven.
    pub(super) resources: Vec<Resource>,
    whole: OnceLock<Value>,
}

/// How a block makes resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// One.
    Single,
    /// One for each key.
    ForEach,
    /// So many.
    Count,
}

impl Instances {
    /// The resources of the block of this address.
    pub(super) fn new(address: Address, sort: Sort, mut resources: Vec<Resource>) -> Self {
        resources.sort_unstable_by(|a, b| a.address.key().cmp(&b.address.key()));
        Self { address, sort, resources, whole: OnceLock::new() }
    }

    /// The instance of a key.
    pub(super) fn get(&self, key: Option<&Key>) -> Option<&Resource> {
        let found = self.resources.binary_search_by(|resource| resource.address.key().cmp(&key));
        found.ok().map(|index| &self.resources[index])
    }

    /// What an expression sees of the block: the exports of its resource, or a list or object of those of each.
    pub(super) fn whole(&self) -> Value {
        let whole = self.whole.get_or_init(|| match self.sort {
            Sort::Single => self.resources.first().map_or(Value::NULL, exports),
            Sort::Count => Value::tuple(self.resources.iter().map(exports)),
            Sort::ForEach => {
                let entries = self.resources.iter().filter_map(|resource| match resource.address.key() {
                    Some(Key::Name(name)) => Some((Arc::clone(name), exports(resource))),
                    _ => None,
                });
                Value::object(entries.collect::<Object>())
            }
        });
        whole.clone()
    }
}

/// What an expression sees of a resource.
pub(super) fn exports(resource: &Resource) -> Value {
    Value::new(Repr::Object(Arc::clone(&resource.exports)))
}

/// The instances that a block's `for_each` or `count` asks for, each with its `each.value`.
pub(super) fn instances(repeat: Repeat<'_>, scope: &dyn Scope) -> Result<Vec<(Key, Value)>, Diagnostics> {
    let located = repeat.located();
    let value = eval(located.expr, located.source, scope)?;
    let found = match repeat {
        Repeat::ForEach(_) => for_each(&value),
        Repeat::Count(_) => count(&value),
    };
    found.map_err(|problem| {
        let diagnostic = Diagnostic::error(problem.summary).label(located.span(), problem.label);
        match problem.help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        }
        .into()
    })
}

struct Problem {
    summary: &'static str,
    label: String,
    help: Option<&'static str>,
}

fn for_each(value: &Value) -> Result<Vec<(Key, Value)>, Problem> {
    let problem =
        |label: String, help| Problem { summary: "`for_each` takes a map, or a set of strings", label, help };
    if value.is_sensitive() || (matches!(value.repr(), Repr::Set(..)) && value.contains_sensitive()) {
        return Err(Problem {
            summary: "`for_each` takes no sensitive value",
            label: "this comes from a sensitive value".to_owned(),
            help: Some(
                "its keys stand in addresses, which are shown; `nonsensitive(…)` says that they may be",
            ),
        });
    }
    let length = value.as_object().map(Object::len).or_else(|| value.as_elements().map(<[_]>::len));
    if length.is_some_and(|length| length > MOST) {
        return Err(Problem {
            summary: "`for_each` takes at most 100000 elements",
            label: format!("these are {}", length.unwrap_or_default()),
            help: None,
        });
    }
    match value.repr() {
        Repr::Unknown(_) => Err(Problem {
            summary: "`for_each` must be known before an apply",
            label: "this is known only after an apply".to_owned(),
            help: None,
        }),
        Repr::Map(_, object) | Repr::Object(object) => {
            let entries = object.iter();
            Ok(entries.map(|(key, value)| (Key::Name(Arc::clone(key)), value.clone())).collect())
        }
        Repr::Set(_, elements) => elements
            .iter()
            .map(|element| match element.repr() {
                Repr::String(text) => Ok((Key::Name(Arc::clone(text)), element.clone())),
                _ => Err(problem(format!("this set holds {}", is(element)), None)),
            })
            .collect(),
        Repr::Tuple(_) | Repr::List(..) => {
            Err(problem("this is a list".to_owned(), Some("make a set of it with `toset(…)`")))
        }
        _ => Err(problem(format!("this is {}", is(value)), None)),
    }
}

fn count(value: &Value) -> Result<Vec<(Key, Value)>, Problem> {
    let problem = |label: String| Problem {
        summary: "`count` takes a whole number from 0 to 100000",
        label,
        help: None,
    };
    if value.is_sensitive() {
        return Err(Problem {
            summary: "`count` takes no sensitive value",
            label: "this comes from a sensitive value".to_owned(),
            help: Some("`nonsensitive(…)` says that it may be seen"),
        });
    }
    if value.is_unknown() {
        return Err(Problem {
            summary: "`count` must be known before an apply",
            label: "this is known only after an apply".to_owned(),
            help: None,
        });
    }
    let number = convert(value, &Type::Number).ok();
    match number.and_then(|number| number.as_number()?.as_usize()) {
        Some(count) if count <= MOST => {
            let indexes = 0..u64::try_from(count).unwrap_or(0);
            Ok(indexes.map(|index| (Key::Index(index), Value::NULL)).collect())
        }
        _ => Err(problem(format!("this is {}", is(value)))),
    }
}
