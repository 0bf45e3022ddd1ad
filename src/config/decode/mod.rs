//! Blocks against schemas: from what is written to objects that hold every attribute and block.
//!
//! `bind` looks at names and nesting once for each block that is written; a [`Decoder`] then makes an object of it
//! for each instance.

mod bind;
mod fit;
mod shape;
mod trail;
mod words;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::address::Address;
use crate::diag::{Diagnostic, Diagnostics, Span};
use crate::lang;
use crate::resource::Locate;
use crate::schema::{Attribute, Default, Nested, Nesting, Sensitivity};
use crate::value::{Object, Value};

use super::secrets::holds_text;

pub(super) use bind::{Bound, bind};
pub(super) use shape::Shape;
pub(super) use trail::Trail;
pub(super) use words::{is, one_label, quoted};

/// The resource that is meant where a reference is left away.
#[derive(Clone)]
pub(super) enum Only {
    /// There is one: its exports.
    One(Value),
    /// There is none.
    None,
    /// There are several.
    Several(Vec<Address>),
    /// There may be one, but it has errors of its own.
    Failed,
}

/// What a decoder asks about the other resources.
pub(super) trait Surroundings: Sync {
    /// The only resource of a kind.
    fn only(&self, kind: &str) -> Only;
    /// The resource of a kind with this label, or with the nearest one.
    fn resembling(&self, kind: &str, label: &str) -> Option<Address>;
}

/// What an object is made of.
#[derive(Clone, Copy)]
pub(super) enum Given<'a> {
    /// A block of the configuration, its expressions evaluated in a scope.
    Written(&'a Bound<'a>, &'a dyn lang::Scope),
    /// Values of an implied resource.
    Made(&'a Object),
}

/// The attribute that a value is for.
#[derive(Clone, Copy)]
struct Slot<'a> {
    attribute: &'a str,
    block: &'a str,
    sensitive: bool,
}

impl Slot<'_> {
    /// How a diagnostic calls the value at `trail`: the attribute, or the part of it.
    fn subject(&self, trail: &Trail<'_>) -> String {
        let mut part = String::new();
        let mut here = trail;
        loop {
            match here {
                Trail::Index(before, index) => {
                    part.insert_str(0, &format!("[{index}]"));
                    here = before;
                }
                Trail::Name(before, name) if *name != self.attribute => {
                    part.insert_str(0, &format!("[{}]", quoted(name)));
                    here = before;
                }
                Trail::Name(..) | Trail::Root => break,
            }
        }
        format!("`{}{part}` of `{}`", self.attribute, self.block)
    }
}

/// Makes one resource's attributes.
pub(super) struct Decoder<'a> {
    address: &'a Address,
    source: Option<&'a dyn Locate>,
    surroundings: &'a dyn Surroundings,
    /// What was wrong so far.
    pub(super) diagnostics: Diagnostics,
    /// The resources that were referred to so far.
    pub(super) depends_on: BTreeSet<Address>,
}

impl<'a> Decoder<'a> {
    /// For the resource of this address.
    pub(super) fn new(
        address: &'a Address,
        source: Option<&'a dyn Locate>,
        surroundings: &'a dyn Surroundings,
    ) -> Self {
        Self { address, source, surroundings, diagnostics: Diagnostics::new(), depends_on: BTreeSet::new() }
    }

    /// The object of a block; `None` where something was wrong, which has been said then. `name` is how diagnostics
    /// call the block.
    pub(super) fn block(
        &mut self,
        shape: &Shape<'_>,
        given: Given<'_>,
        name: &str,
        trail: &Trail<'_>,
    ) -> Option<Object> {
        let more = match given {
            Given::Written(bound, _) => bound.attributes.len() + bound.blocks.len(),
            Given::Made(values) => values.len(),
        };
        let mut object = shape.defaults.with_room(more + usize::from(!shape.constant));
        let mut failed = Vec::new();
        let complete = match given {
            Given::Written(bound, scope) => {
                for (attribute, written) in &bound.attributes {
                    match lang::eval(&written.value, bound.source, scope) {
                        Ok(value) => {
                            if !self.attribute(attribute, &value, name, trail, &mut object) {
                                failed.push(&*attribute.name);
                            }
                        }
                        Err(errors) => {
                            self.failed_to_evaluate(attribute, &written.value, errors, name);
                            failed.push(&*attribute.name);
                        }
                    }
                }
                self.written_blocks(shape, bound, scope, trail, &mut object)
            }
            Given::Made(values) => self.made(shape, values, name, trail, &mut object, &mut failed),
        };
        for attribute in &shape.schema.attributes {
            if let Default::OnlyOne = attribute.default
                && !failed.contains(&&*attribute.name)
                && object.get(&attribute.name).is_none_or(Value::is_null)
                && !self.only_one(attribute, name, trail, &mut object)
            {
                failed.push(&attribute.name);
            }
        }
        (complete && failed.is_empty()).then_some(object)
    }

    /// Passes the errors of an expression on; in words that quote nothing where it may spell a secret out.
    fn failed_to_evaluate(
        &mut self,
        attribute: &Attribute,
        expr: &hcl_edit::expr::Expression,
        errors: Diagnostics,
        block: &str,
    ) {
        for mut error in errors {
            if attribute.is_sensitive() && holds_text(expr) {
                let summary = format!("`{}` of `{block}` cannot be evaluated", attribute.name);
                error = Diagnostic::error(summary)
                    .at(error.primary.map(|label| label.span))
                    .detail("the attribute is sensitive: no more is said of its value");
            }
            self.push(error);
        }
    }

    /// Sets an attribute to a value; `null` leaves the default.
    fn attribute(
        &mut self,
        attribute: &Attribute,
        value: &Value,
        block: &str,
        trail: &Trail<'_>,
        object: &mut Object,
    ) -> bool {
        let slot = Slot { attribute: &attribute.name, block, sensitive: attribute.is_sensitive() };
        let trail = trail.name(&attribute.name);
        // Of a resource that is referred to, plans and the state show the address alone.
        let is_secret = match attribute.ty {
            crate::schema::Ty::Ref(_) => value.is_sensitive(),
            _ => value.contains_sensitive(),
        };
        if attribute.sensitivity == Sensitivity::Refused && is_secret {
            let summary = format!("{} takes no sensitive value", slot.subject(&trail));
            let diagnostic = Diagnostic::error(summary)
                .label(self.span(&trail), "this comes from a sensitive value")
                .help(
                    "plans and the state show this attribute; `nonsensitive(…)` says that this may be seen",
                );
            self.push(diagnostic);
            return false;
        }
        if value.is_null() {
            if let Default::Required = attribute.default {
                let summary = format!("{} is required", slot.subject(&trail));
                self.push(Diagnostic::error(summary).label(self.span(&trail), "this is `null`"));
                return false;
            }
            return true;
        }
        match self.fit(value, &attribute.ty, slot, &trail) {
            Some(value) => {
                object.insert(Arc::clone(&attribute.name), value);
                true
            }
            None => false,
        }
    }

    fn written_blocks(
        &mut self,
        shape: &Shape<'_>,
        bound: &Bound<'_>,
        scope: &dyn lang::Scope,
        trail: &Trail<'_>,
        object: &mut Object,
    ) -> bool {
        let mut complete = true;
        for (index, (nested, shape)) in shape.schema.blocks.iter().zip(&shape.blocks).enumerate() {
            let mut written = bound.blocks.iter().filter(|block| block.nested == index).peekable();
            let outer = trail.name(&nested.name);
            if written.peek().is_none() {
                complete &= self.absent(shape, nested, &outer, object);
                continue;
            }
            let name: &str = &nested.name;
            let value = match nested.nesting {
                Nesting::Optional | Nesting::Defaulted | Nesting::Required => written
                    .next()
                    .and_then(|block| self.block(shape, Given::Written(&block.bound, scope), name, &outer))
                    .map(Value::object),
                Nesting::List => {
                    let mut elements = Some(Vec::new());
                    for (position, block) in written.enumerate() {
                        let given = Given::Written(&block.bound, scope);
                        let element = self.block(shape, given, name, &outer.index(position));
                        elements = elements.zip(element).map(|(mut elements, element)| {
                            elements.push(Value::object(element));
                            elements
                        });
                    }
                    elements.map(Value::tuple)
                }
                Nesting::Labelled(_) => {
                    let mut entries = Some(Object::new());
                    for block in written {
                        let given = Given::Written(&block.bound, scope);
                        let entry = self.block(shape, given, name, &outer.name(&block.label));
                        entries = entries.zip(entry).map(|(mut entries, entry)| {
                            entries.insert(Arc::clone(&block.label), entry);
                            entries
                        });
                    }
                    entries.map(Value::object)
                }
            };
            match value {
                Some(value) => {
                    object.insert(Arc::clone(&nested.name), value);
                }
                None => complete = false,
            }
        }
        complete
    }

    /// Completes a block that is not written, where its defaults alone do not.
    fn absent(&mut self, shape: &Shape<'_>, nested: &Nested, trail: &Trail<'_>, object: &mut Object) -> bool {
        if shape.constant || !matches!(nested.nesting, Nesting::Defaulted) {
            return true;
        }
        match self.block(shape, Given::Made(&Object::new()), &nested.name, trail) {
            Some(default) => {
                object.insert(Arc::clone(&nested.name), default);
                true
            }
            None => false,
        }
    }

    fn made<'s>(
        &mut self,
        shape: &Shape<'s>,
        values: &Object,
        name: &str,
        trail: &Trail<'_>,
        object: &mut Object,
        failed: &mut Vec<&'s str>,
    ) -> bool {
        for attribute in &shape.schema.attributes {
            let value = values.get(&attribute.name).unwrap_or(&Value::NULL);
            if !self.attribute(attribute, value, name, trail, object) {
                failed.push(&attribute.name);
            }
        }
        let mut complete = true;
        for (nested, shape) in shape.schema.blocks.iter().zip(&shape.blocks) {
            let name: &str = &nested.name;
            let outer = trail.name(name);
            let Some(value) = values.get(name).filter(|value| !value.is_null()) else {
                complete &= self.absent(shape, nested, &outer, object);
                continue;
            };
            let mut inner = |value: &Value, trail: &Trail<'_>| {
                let values = value.as_object()?;
                self.block(shape, Given::Made(values), name, trail).map(Value::object)
            };
            let value = match nested.nesting {
                Nesting::Optional | Nesting::Defaulted | Nesting::Required => inner(value, &outer),
                Nesting::List => {
                    let elements = value.as_elements().unwrap_or_default().iter().enumerate();
                    let elements: Option<Vec<_>> =
                        elements.map(|(index, element)| inner(element, &outer.index(index))).collect();
                    elements.map(Value::tuple)
                }
                Nesting::Labelled(_) => {
                    let entries = value.as_object().into_iter().flatten();
                    let entries: Option<Vec<_>> = entries
                        .map(|(label, entry)| Some((Arc::clone(label), inner(entry, &outer.name(label))?)))
                        .collect();
                    entries.map(|entries| Value::object(entries.into_iter().collect()))
                }
            };
            match value {
                Some(value) => {
                    object.insert(Arc::clone(&nested.name), value);
                }
                None => complete = false,
            }
        }
        complete
    }

    /// Sets a reference that was left away to the only resource that it can mean.
    fn only_one(
        &mut self,
        attribute: &Attribute,
        block: &str,
        trail: &Trail<'_>,
        object: &mut Object,
    ) -> bool {
        let crate::schema::Ty::Ref(kind) = attribute.ty else { return true };
        let name = &attribute.name;
        let problem = match self.surroundings.only(kind) {
            Only::One(value) => {
                if let Some(address) = value.as_object().and_then(Object::resource) {
                    self.depends_on.insert(address.clone());
                }
                object.insert(Arc::clone(name), value);
                return true;
            }
            Only::Failed => return false,
            Only::None => {
                Diagnostic::error(format!("missing `{name}` in `{block}`: no `{kind}` is declared"))
                    .label(self.span(trail), "")
                    .help(format!("declare one, such as `{kind} \"main\" {{}}`"))
            }
            Only::Several(addresses) => {
                const SHOWN: usize = 6;
                let mut shown: Vec<_> =
                    addresses.iter().take(SHOWN).map(|address| format!("`{address}`")).collect();
                if addresses.len() > SHOWN {
                    shown.push(format!("{} more", addresses.len() - SHOWN));
                }
                let example = addresses.first().map_or_else(String::new, ToString::to_string);
                Diagnostic::error(format!(
                    "missing `{name}` in `{block}`: there are several of kind `{kind}`"
                ))
                .label(self.span(trail), format!("which {kind} is meant?"))
                .detail(format!("there are {}", shown.join(", ")))
                .help(format!("name one of them: `{name} = {example}`"))
            }
        };
        self.push(problem);
        false
    }

    /// Where a part stands in the configuration.
    fn span(&self, trail: &Trail<'_>) -> Option<Span> {
        self.source.and_then(|source| source.locate(&trail.path()))
    }

    /// Where the key of a map's entry stands in the configuration.
    fn key_span(&self, trail: &Trail<'_>) -> Option<Span> {
        self.source.and_then(|source| source.locate_key(&trail.path()))
    }

    fn push(&mut self, mut diagnostic: Diagnostic) {
        if self.address.key().is_some() && diagnostic.detail.is_empty() {
            diagnostic = diagnostic.detail(format!("in `{}`", self.address));
        }
        self.diagnostics.push(diagnostic.on(self.address));
    }
}
