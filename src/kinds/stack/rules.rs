//! A tenant's Compose file is untrusted: what it may not do is found before anything is made.

use std::collections::BTreeMap;
use std::path::Path as FilePath;
use std::sync::Arc;

use super::attributes::{Attributes, Stack, entry, stays};
use super::files;
use crate::compose::rules::{Allow, Purpose, check};
use crate::compose::{Directories, EnvValue, Input, Project};
use crate::diag::{Diagnostic, Diagnostics, Sources};
use crate::plan::Subject;
use crate::resource::{Path, Resource};
use crate::value::Value;

/// What is wrong with a stack's Compose files, or forbidden in them and not allowed by name.
pub(super) fn errors(
    subject: Subject<'_>,
    resource: &Resource,
    attributes: &Attributes,
    stack: &Stack,
) -> Diagnostics {
    let mut found = Diagnostics::new();
    let mut allowed = Vec::new();
    for (index, text) in attributes.allow.iter().enumerate() {
        match Allow::parse(text, None) {
            Ok(allow) => allowed.push(allow),
            Err(error) => {
                let place = resource.span(&Path::root().name("allow").index(index));
                found.push(error.at(place).on(&resource.address));
            }
        }
    }
    let mut sources = Sources::new();
    let judged = match Project::load(&input(subject, resource, attributes, stack), &mut sources) {
        Ok((project, _)) => check(&project, &allowed, Purpose::Safety),
        Err(errors) => errors,
    };
    let attribute = if attributes.compose.is_some() { "compose" } else { "source" };
    let place = resource.span(&Path::root().name(attribute));
    for error in judged.into_iter().filter(Diagnostic::is_error) {
        found.push(located(error, &sources).at(place).on(&resource.address));
    }
    found
}

/// A remark whose places are named in words: the plan's own sources do not have the Compose files.
fn located(mut diagnostic: Diagnostic, sources: &Sources) -> Diagnostic {
    let labels = diagnostic.primary.take().into_iter().chain(std::mem::take(&mut diagnostic.secondary));
    let places: Vec<String> = labels
        .map(|label| {
            let position = sources.position(label.span);
            let path = sources.path(label.span).display();
            let text = if label.text.is_empty() { String::new() } else { format!(": {}", label.text) };
            format!("at {path}:{}:{}{text}", position.line, position.column)
        })
        .collect();
    let said = std::mem::take(&mut diagnostic.detail);
    let detail = std::iter::once(said).filter(|said| !said.is_empty()).chain(places);
    diagnostic.detail = detail.collect::<Vec<_>>().join("\n");
    diagnostic
}

fn input(subject: Subject<'_>, resource: &Resource, attributes: &Attributes, stack: &Stack) -> Input {
    let entry = entry(resource).unwrap_or_default();
    let mut texts: BTreeMap<String, Arc<str>> = BTreeMap::new();
    for (path, leaf) in resource.trees.get("source").into_iter().flat_map(|tree| tree.iter()) {
        if let (false, Ok(text)) = (stays(path), std::str::from_utf8(&leaf.bytes)) {
            texts.insert(path.to_string(), text.into());
        }
    }
    if let Some(text) = &attributes.compose {
        texts.insert(entry.clone(), text.as_str().into());
    }
    for (path, value) in resource.get("files").as_object().into_iter().flatten() {
        texts.insert(path.to_string(), value.as_str().unwrap_or_default().into());
    }
    if let Some(text) = files::environment(resource).exposed() {
        texts.insert("../env/.env".to_owned(), text.expose().into());
    }
    let variable = |(name, value): (&Arc<str>, &Value)| {
        let text = value.as_str().unwrap_or_default();
        let value = if value.is_sensitive() { EnvValue::sensitive(text) } else { EnvValue::plain(text) };
        (Arc::clone(name), value)
    };
    let text = |path: &FilePath| path.to_string_lossy().into_owned();
    Input {
        files: texts,
        entries: vec![entry],
        environment: resource.get("env").as_object().into_iter().flatten().map(variable).collect(),
        profiles: attributes.profiles.iter().map(|profile| profile.as_str().into()).collect(),
        directories: Directories {
            project: text(&stack.layout.compose()),
            stack: text(&stack.layout.root),
            tenant: text(&subject.node.spec.tenant(&attributes.tenant.name)),
        },
        name: stack.project.name.as_str().into(),
        owned: Vec::new(),
        shown: attributes.source.as_deref().unwrap_or_default().into(),
    }
}
