//! Resources as they were applied last: what a plan of some resources leaves as it is, whatever was edited since.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::kind::Kinds;
use crate::address::Address;
use crate::resource::Resource;
use crate::schema::{Block, Default, Nested, Nesting};
use crate::state::attributes::{self, Tree};
use crate::state::{Key, State};
use crate::value::{Number, Object, Value};

/// The resources of a configuration, some of them as they were applied last.
#[derive(Debug)]
pub struct Applied<'a> {
    /// All resources.
    pub resources: Cow<'a, BTreeMap<Address, Resource>>,
    /// Those that the configuration says something else of by now.
    pub edited: BTreeSet<Address>,
}

/// These resources, those that `keeps` says as the state knows them. Secrets, which the state does not hold, are those of the
/// configuration; a block with one that is there no more is as the configuration says, as is what was never applied.
pub fn as_applied<'a>(
    resources: &'a BTreeMap<Address, Resource>,
    state: &State,
    (kinds, key): (&dyn Kinds, Option<&Key>),
    keeps: impl Fn(&Resource) -> bool,
) -> Applied<'a> {
    let edited = resources.values().filter(|resource| keeps(resource) && is_another(resource, state, key));
    let edited: BTreeSet<Address> = edited.map(|resource| resource.address.clone()).collect();
    if edited.is_empty() {
        return Applied { resources: Cow::Borrowed(resources), edited };
    }
    let mut restoring =
        Restoring { state, kinds, pending: edited, edited: BTreeSet::new(), resources: resources.clone() };
    while let Some(address) = restoring.pending.pop_first() {
        restoring.restore(&address);
    }
    let Restoring { edited, mut resources, .. } = restoring;
    let exports = |address: &Address| Value::object(Object::clone(&resources[address].exports));
    let exports: BTreeMap<Address, Value> =
        edited.iter().map(|address| (address.clone(), exports(address))).collect();
    if !exports.is_empty() {
        for resource in resources.values_mut() {
            if let Some(repointed) = repoint(&resource.attributes, &exports) {
                resource.attributes = repointed;
            }
        }
    }
    Applied { resources: Cow::Owned(resources), edited }
}

/// A value in which references to what was restored see what that exports; `None` where there are none.
fn repointed(value: &Value, exports: &BTreeMap<Address, Value>) -> Option<Value> {
    if value.is_sensitive() {
        return None;
    }
    if let Some(object) = value.as_object() {
        return match object.resource() {
            Some(address) => exports.get(address).cloned(),
            None => repoint(object, exports).map(Value::object),
        };
    }
    let elements = value.as_elements()?;
    let new: Vec<Option<Value>> = elements.iter().map(|element| repointed(element, exports)).collect();
    let is_new = new.iter().any(Option::is_some);
    let all = new.into_iter().zip(elements).map(|(new, old)| new.unwrap_or_else(|| old.clone()));
    is_new.then(|| Value::tuple(all))
}

/// As [`repointed`], of an object.
fn repoint(object: &Object, exports: &BTreeMap<Address, Value>) -> Option<Object> {
    let new: Vec<(&Arc<str>, Value)> =
        object.iter().filter_map(|(name, value)| Some((name, repointed(value, exports)?))).collect();
    if new.is_empty() {
        return None;
    }
    let mut repointed = object.clone();
    for (name, value) in new {
        repointed.insert(Arc::clone(name), value);
    }
    Some(repointed)
}

/// Whether the configuration says something else of a resource than was applied last.
fn is_another(resource: &Resource, state: &State, key: Option<&Key>) -> bool {
    let stored = state.resources.get(&resource.address);
    stored.is_some_and(|stored| !attributes::same(&stored.attributes, &attributes::encode(resource, key)))
}

struct Restoring<'a> {
    state: &'a State,
    kinds: &'a dyn Kinds,
    /// Those that were not looked at yet.
    pending: BTreeSet<Address>,
    /// Those that are as they were by now.
    edited: BTreeSet<Address>,
    resources: BTreeMap<Address, Resource>,
}

impl Restoring<'_> {
    /// Makes one what it was, where that is possible.
    fn restore(&mut self, address: &Address) -> Option<()> {
        let kind = self.kinds.kind(address.kind())?;
        let resource = self.resources.get(address)?.clone();
        let Tree::Object(stored) = attributes::decode(&self.state.resources.get(address)?.attributes).ok()?
        else {
            return None;
        };
        let attributes = self.whole(&kind.schema().body, &stored, &resource.attributes)?;
        // It may be another secret alone.
        if attributes::same(
            &attributes::encode_object(address, &attributes, None),
            &attributes::encode(&resource, None),
        ) {
            return None;
        }
        let restored = Resource { attributes, ..resource };
        let exports = kind.exports(&restored);
        self.resources.insert(address.clone(), restored.with_exports(exports));
        self.edited.insert(address.clone());
        Some(())
    }

    /// The attributes of a resource, each as it was; where that cannot be known, as it is declared.
    fn whole(
        &mut self,
        schema: &Block,
        stored: &BTreeMap<Arc<str>, Tree>,
        declared: &Object,
    ) -> Option<Object> {
        let mut object = self.block(schema, &BTreeMap::new(), None)?;
        for (name, tree) in stored {
            let declared = declared.get(name);
            let value = self.entry(schema, name, tree, declared);
            if let Some(value) = value.or_else(|| declared.cloned()) {
                object.insert(Arc::clone(name), value);
            }
        }
        Some(object)
    }

    /// What is stored under a name; `None` where it cannot be what it was.
    fn entry(
        &mut self,
        schema: &Block,
        name: &Arc<str>,
        stored: &Tree,
        declared: Option<&Value>,
    ) -> Option<Value> {
        match schema.blocks.iter().find(|nested| nested.name == *name) {
            Some(nested) => self.nested(nested, stored, declared),
            // What a former vsa knew, and this one does not, is nothing any more.
            None if !schema.attributes.iter().any(|attribute| attribute.name == *name) => Some(Value::NULL),
            None => self.value(stored, declared),
        }
    }

    fn block(
        &mut self,
        schema: &Block,
        stored: &BTreeMap<Arc<str>, Tree>,
        declared: Option<&Object>,
    ) -> Option<Object> {
        let mut object = Object::new();
        for (name, tree) in stored {
            let declared = declared.and_then(|declared| declared.get(name));
            object.insert(Arc::clone(name), self.entry(schema, name, tree, declared)?);
        }
        // What a later vsa knows beside is as it is where nothing is said of it.
        for attribute in &schema.attributes {
            if let Default::Value(value) = &attribute.default
                && !object.contains(&attribute.name)
            {
                object.insert(Arc::clone(&attribute.name), value.clone());
            }
        }
        for nested in schema.blocks.iter().filter(|nested| matches!(nested.nesting, Nesting::Defaulted)) {
            if !object.contains(&nested.name) {
                let defaults = self.block(&nested.body, &BTreeMap::new(), None)?;
                object.insert(Arc::clone(&nested.name), Value::object(defaults));
            }
        }
        Some(object)
    }

    fn nested(&mut self, nested: &Nested, stored: &Tree, declared: Option<&Value>) -> Option<Value> {
        let body = &nested.body;
        match (nested.nesting, stored) {
            (Nesting::Labelled(_), Tree::Object(entries)) => {
                let entry = |(label, entry): (&Arc<str>, &Tree)| {
                    let Tree::Object(entry) = entry else { return None };
                    let declared = declared.and_then(|all| all.get(label)).and_then(Value::as_object);
                    Some((Arc::clone(label), Value::object(self.block(body, entry, declared)?)))
                };
                Some(Value::object(entries.iter().map(entry).collect::<Option<_>>()?))
            }
            (Nesting::List, Tree::List(elements)) => {
                let declared = declared.and_then(Value::as_elements).unwrap_or_default();
                let element = |(index, element): (usize, &Tree)| {
                    let Tree::Object(element) = element else { return None };
                    let declared = declared.get(index).and_then(Value::as_object);
                    Some(Value::object(self.block(body, element, declared)?))
                };
                Some(Value::tuple(elements.iter().enumerate().map(element).collect::<Option<Vec<_>>>()?))
            }
            (_, Tree::Object(stored)) => {
                Some(Value::object(self.block(body, stored, declared.and_then(Value::as_object))?))
            }
            _ => None,
        }
    }

    fn value(&mut self, stored: &Tree, declared: Option<&Value>) -> Option<Value> {
        Some(match stored {
            Tree::Null => Value::NULL,
            Tree::Bool(bool) => Value::from(*bool),
            Tree::Number(text) => Value::from(Number::parse(text)?),
            Tree::String(text) => Value::string(Arc::clone(text)),
            Tree::List(elements) => {
                let declared = declared.and_then(Value::as_elements).unwrap_or_default();
                let element = |(index, element)| self.value(element, declared.get(index));
                Value::tuple(elements.iter().enumerate().map(element).collect::<Option<Vec<_>>>()?)
            }
            Tree::Object(entries) => {
                let entry = |(name, entry): (&Arc<str>, &Tree)| {
                    Some((Arc::clone(name), self.value(entry, declared.and_then(|all| all.get(name)))?))
                };
                Value::object(entries.iter().map(entry).collect::<Option<_>>()?)
            }
            Tree::Reference(address) => {
                if self.pending.remove(address) {
                    self.restore(address);
                }
                Value::object(Object::clone(&self.resources.get(address)?.exports))
            }
            Tree::Sensitive(_) => declared.filter(|value| value.is_sensitive())?.clone(),
            Tree::Unknown => return None,
        })
    }
}
