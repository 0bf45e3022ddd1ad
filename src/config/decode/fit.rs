//! Values against the types of a schema: conversions, canonical forms, and what is said when one does not fit.

use std::borrow::Cow;
use std::sync::Arc;

use crate::diag::{Diagnostic, nearest};
use crate::names::TextType;
use crate::schema::Ty;
use crate::value::{Object, Repr, Type, Value, convert};

use super::trail::Trail;
use super::words::{is, quoted, takes, with_article};
use super::{Decoder, Slot};

impl Decoder<'_> {
    /// `value` in the canonical form of an attribute's type; `None` where it does not fit, which has been said then.
    /// Lists become tuples and maps become objects, as their types are the schema's.
    pub(super) fn fit(&mut self, value: &Value, ty: &Ty, slot: Slot<'_>, trail: &Trail<'_>) -> Option<Value> {
        let slot = Slot { sensitive: slot.sensitive || value.is_sensitive(), ..slot };
        if value.is_null() {
            self.misfit(slot, trail, ty, "this is `null`");
            return None;
        }
        if value.is_unknown() {
            self.report(
                slot,
                trail,
                Diagnostic::error(format!("{} is not known before an apply", slot.subject(trail))),
                "the value depends on something that an apply has still to make",
                Some("attributes of resources must follow from the configuration alone".to_owned()),
            );
            return None;
        }
        let fitted = match ty {
            Ty::Bool => self.bool(value, ty, slot, trail),
            Ty::Integer(range) => self.integer(value, range, ty, slot, trail),
            Ty::Text(text) => self.text(value, text, ty, slot, trail),
            Ty::Enum(names) => self.choice(value, names, ty, slot, trail),
            Ty::List(element) => self.list(value, element, ty, slot, trail),
            Ty::Map(keys, element) => self.map(value, keys, element, ty, slot, trail),
            Ty::Ref(kind) => self.reference(value, kind, ty, slot, trail),
        }?;
        let leaf = !matches!(ty, Ty::List(_) | Ty::Map(..) | Ty::Ref(_));
        Some(if leaf && slot.sensitive { fitted.with_sensitive(true) } else { fitted })
    }

    fn bool(&mut self, value: &Value, ty: &Ty, slot: Slot<'_>, trail: &Trail<'_>) -> Option<Value> {
        match value.repr() {
            Repr::Bool(bool) => return Some((*bool).into()),
            Repr::String(text) if &**text == "true" => return Some(true.into()),
            Repr::String(text) if &**text == "false" => return Some(false.into()),
            _ => {}
        }
        self.misfit(slot, trail, ty, &this_is(value, slot));
        None
    }

    fn integer(
        &mut self,
        value: &Value,
        range: &std::ops::RangeInclusive<i64>,
        ty: &Ty,
        slot: Slot<'_>,
        trail: &Trail<'_>,
    ) -> Option<Value> {
        let number = match value.repr() {
            Repr::Number(number) => Some(Cow::Borrowed(number)),
            Repr::String(_) => convert(value, &Type::Number)
                .ok()
                .and_then(|number| number.as_number().cloned())
                .map(Cow::Owned),
            _ => None,
        };
        match number.and_then(|number| number.as_i64()) {
            Some(whole) if range.contains(&whole) => Some(whole.into()),
            _ => {
                self.misfit(slot, trail, ty, &this_is(value, slot));
                None
            }
        }
    }

    fn text(
        &mut self,
        value: &Value,
        text_type: &TextType,
        ty: &Ty,
        slot: Slot<'_>,
        trail: &Trail<'_>,
    ) -> Option<Value> {
        let Some(text) = as_text(value) else {
            self.misfit(slot, trail, ty, &this_is(value, slot));
            return None;
        };
        match (text_type.canonical)(&text) {
            Ok(canonical) => Some(Value::string(reuse(canonical, text))),
            Err(_) if slot.sensitive => {
                let summary = format!("{} is not {}", slot.subject(trail), with_article(text_type.name));
                let help = format!("{} is {}", with_article(text_type.name), text_type.doc);
                self.report(slot, trail, Diagnostic::error(summary), "", Some(help));
                None
            }
            Err(invalid) => {
                let summary = format!("{} takes {}", slot.subject(trail), with_article(text_type.name));
                let label = format!("{} {}", quoted(&text), invalid.reason);
                self.report(slot, trail, Diagnostic::error(summary), &label, invalid.help);
                None
            }
        }
    }

    fn choice(
        &mut self,
        value: &Value,
        names: &[(&'static str, &'static str)],
        ty: &Ty,
        slot: Slot<'_>,
        trail: &Trail<'_>,
    ) -> Option<Value> {
        let text = as_text(value);
        if let Some(text) = &text
            && names.iter().any(|(name, _)| *name == &**text)
        {
            return Some(Value::string(Arc::clone(text)));
        }
        let likely = text.filter(|_| !slot.sensitive);
        let likely = likely.and_then(|text| nearest(&text, names.iter().map(|(name, _)| *name)));
        let summary = format!("{} takes {}", slot.subject(trail), takes(ty));
        let help = likely.map(|name| format!("did you mean `\"{name}\"`?"));
        self.report(slot, trail, Diagnostic::error(summary), &this_is(value, slot), help);
        None
    }

    fn list(
        &mut self,
        value: &Value,
        element: &Ty,
        ty: &Ty,
        slot: Slot<'_>,
        trail: &Trail<'_>,
    ) -> Option<Value> {
        let Some(elements) = value.as_elements() else {
            let help = (value.as_str().is_some() && !slot.sensitive)
                .then(|| "put brackets around it: `[…]`".to_owned());
            let summary = format!("{} takes {}", slot.subject(trail), takes(ty));
            self.report(slot, trail, Diagnostic::error(summary), &this_is(value, slot), help);
            return None;
        };
        let mut fitted = Vec::with_capacity(elements.len());
        for (index, value) in elements.iter().enumerate() {
            fitted.push(self.fit(value, element, slot, &trail.index(index)));
        }
        let fitted: Option<Vec<_>> = fitted.into_iter().collect();
        fitted.map(Value::tuple)
    }

    fn map(
        &mut self,
        value: &Value,
        keys: &TextType,
        element: &Ty,
        ty: &Ty,
        slot: Slot<'_>,
        trail: &Trail<'_>,
    ) -> Option<Value> {
        let Some(entries) = value.as_object().filter(|object| object.resource().is_none()) else {
            self.misfit(slot, trail, ty, &this_is(value, slot));
            return None;
        };
        let mut fitted = Object::new();
        let mut complete = true;
        for (key, value) in entries {
            let trail = trail.name(key);
            match (keys.canonical)(key) {
                Ok(canonical) => {
                    let value = self.fit(value, element, slot, &trail);
                    complete &= value.is_some();
                    let canonical = reuse(canonical, Arc::clone(key));
                    if fitted.insert(Arc::clone(&canonical), value).is_some() {
                        complete = false;
                        let summary = format!("duplicate key in `{}` of `{}`", slot.attribute, slot.block);
                        let label = format!("{} stands for the same key as another one", quoted(key));
                        self.report_key(slot, &trail, Diagnostic::error(summary), &label, None);
                    }
                }
                Err(invalid) => {
                    complete = false;
                    let name = with_article(keys.name);
                    let summary = format!("each key in `{}` of `{}` is {name}", slot.attribute, slot.block);
                    let label = format!("{} {}", quoted(key), invalid.reason);
                    self.report_key(slot, &trail, Diagnostic::error(summary), &label, invalid.help);
                }
            }
        }
        complete.then(|| Value::object(fitted))
    }

    fn reference(
        &mut self,
        value: &Value,
        kind: &str,
        ty: &Ty,
        slot: Slot<'_>,
        trail: &Trail<'_>,
    ) -> Option<Value> {
        let object = value.as_object();
        if let Some(address) = object.and_then(Object::resource).filter(|address| address.kind() == kind) {
            self.depends_on.insert(address.clone());
            return Some(value.clone());
        }
        let summary = format!("{} takes {}", slot.subject(trail), takes(ty));
        let instance = object
            .and_then(|object| object.values().next())
            .or_else(|| value.as_elements().and_then(<[Value]>::first))
            .and_then(Value::as_object)
            .and_then(Object::resource);
        let (label, help) = match (value.as_str(), instance) {
            (Some(text), _) if !slot.sensitive => {
                let help = match self.surroundings.resembling(kind, text) {
                    Some(address) if address.name() == text => format!("write `{address}` without quotes"),
                    Some(address) => format!("did you mean `{address}`? write it without quotes"),
                    None => format!("write a reference, without quotes: `{kind}.NAME`"),
                };
                (format!("{} is a string", quoted(text)), help)
            }
            (_, Some(instance)) if instance.kind() == kind => {
                let label = format!("this is all instances of `{}`", instance.with_key(None));
                (label, format!("choose one of them, such as `{instance}`"))
            }
            _ => (this_is(value, slot), format!("write `{kind}.NAME`")),
        };
        self.report(slot, trail, Diagnostic::error(summary), &label, Some(help));
        None
    }

    /// Says that a value is not of its attribute's type.
    fn misfit(&mut self, slot: Slot<'_>, trail: &Trail<'_>, ty: &Ty, label: &str) {
        let summary = format!("{} takes {}", slot.subject(trail), takes(ty));
        self.report(slot, trail, Diagnostic::error(summary), label, None);
    }

    fn report(
        &mut self,
        slot: Slot<'_>,
        trail: &Trail<'_>,
        diagnostic: Diagnostic,
        label: &str,
        help: Option<String>,
    ) {
        let span = self.span(trail);
        self.report_at(slot, diagnostic.label(span, label), help);
    }

    /// Reports what is wrong with the key that `trail` ends in.
    fn report_key(
        &mut self,
        slot: Slot<'_>,
        trail: &Trail<'_>,
        diagnostic: Diagnostic,
        label: &str,
        help: Option<String>,
    ) {
        let span = self.key_span(trail);
        self.report_at(slot, diagnostic.label(span, label), help);
    }

    fn report_at(&mut self, slot: Slot<'_>, mut diagnostic: Diagnostic, help: Option<String>) {
        if let Some(help) = help {
            diagnostic = diagnostic.help(help);
        }
        if slot.sensitive && diagnostic.primary.is_none() {
            diagnostic = diagnostic.detail(format!("the value of `{}` is sensitive", slot.attribute));
        }
        self.push(diagnostic);
    }
}

fn this_is(value: &Value, slot: Slot<'_>) -> String {
    if slot.sensitive {
        format!("this is {}", is(&value.clone().with_sensitive(true)))
    } else {
        format!("this is {}", is(value))
    }
}

/// A string, or a number or bool as the string that it converts to.
fn as_text(value: &Value) -> Option<Arc<str>> {
    match value.repr() {
        Repr::String(text) => Some(Arc::clone(text)),
        Repr::Number(number) => Some(number.to_string().into()),
        Repr::Bool(bool) => Some(bool.to_string().into()),
        _ => None,
    }
}

/// The former allocation where the canonical form is what was written.
fn reuse(canonical: String, written: Arc<str>) -> Arc<str> {
    if *canonical == *written { written } else { canonical.into() }
}
