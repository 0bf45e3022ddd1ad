//! What a stack's files on the node come to, before and after a change: vsa's own file over them too.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::attributes::{COMPOSE_FILES, OVERRIDE, Stack};
use super::wanted::{ENV_FILE, directories};
use crate::compose::{Environment, Input, Project, read_variables};
use crate::diag::Sources;
use crate::plan::{Answer, PlacedBody, PlacedFile, Query, Subject};
use crate::state::attributes::{self, Tree};
use crate::value::Value;

/// Questions for the files of before.
pub(super) fn queries(subject: Subject<'_>) -> Vec<Query> {
    let known = subject.prior.into_iter().flat_map(|prior| prior.placed.keys());
    known.cloned().map(Query::Read).collect()
}

/// What the files that are there come to; `None` where they cannot be read.
pub(super) fn before(subject: Subject<'_>, stack: &Stack) -> Option<Project> {
    let prior = subject.prior?;
    let known = attributes::decode(&prior.attributes).ok()?;
    let text = |path: &PathBuf| match subject.observed.get(&Query::Read(path.clone())) {
        Some(Answer::Bytes(bytes)) => {
            Some((path.clone(), Cow::Owned(String::from_utf8(bytes.clone()).ok()?)))
        }
        _ => None,
    };
    let texts: BTreeMap<PathBuf, Cow<'_, str>> = prior.placed.keys().filter_map(text).collect();
    let mut environment = read_variables(texts.get(&stack.project.env_file)?, &Environment::new()).ok()?;
    let secret = secret_names(subject, known.get("env"));
    for (name, value) in &mut environment {
        value.sensitive = secret.as_ref().is_none_or(|names| names.contains(&**name));
    }
    let profiles = match known.get("profiles") {
        Some(Tree::List(names)) => names
            .iter()
            .filter_map(|name| if let Tree::String(name) = name { Some(Arc::clone(name)) } else { None })
            .collect(),
        _ => Vec::new(),
    };
    let tenant = match known.get("tenant") {
        Some(Tree::Reference(tenant)) => tenant.own_name(),
        _ => return None,
    };
    project(subject, stack, &tenant, &texts, environment, profiles)
}

/// The variables that are secret before or after; `None` where all are.
fn secret_names(subject: Subject<'_>, before: Option<&Tree>) -> Option<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    match before {
        Some(Tree::Object(variables)) => {
            let secret = variables.iter().filter(|(_, value)| matches!(value, Tree::Sensitive(_)));
            names.extend(secret.map(|(name, _)| name.to_string()));
        }
        None => {}
        Some(_) => return None,
    }
    let after = subject.desired.and_then(|resource| resource.get("env").as_object());
    let secret = after.into_iter().flatten().filter(|(_, value)| value.is_sensitive());
    names.extend(secret.map(|(name, _)| name.to_string()));
    Some(names)
}

/// What the files that shall be there come to.
pub(super) fn after(
    subject: Subject<'_>,
    stack: &Stack,
    files: &BTreeMap<PathBuf, PlacedFile>,
) -> Option<Project> {
    let resource = subject.desired?;
    let text = |(path, file): (&PathBuf, &PlacedFile)| match &file.body {
        PlacedBody::Text(content) => Some((path.clone(), Cow::Owned(content.exposed()?.expose().to_owned()))),
        PlacedBody::Bytes(_) => None,
    };
    let texts = files.iter().filter_map(text).collect();
    let tenant = resource.get("tenant").get("name").and_then(Value::as_str)?;
    let profiles = stack.project.profiles.iter().map(|profile| profile.as_str().into()).collect();
    project(subject, stack, tenant, &texts, super::wanted::environment(resource), profiles)
}

fn project(
    subject: Subject<'_>,
    stack: &Stack,
    tenant: &str,
    texts: &BTreeMap<PathBuf, Cow<'_, str>>,
    environment: Environment,
    profiles: Vec<Arc<str>>,
) -> Option<Project> {
    let compose = stack.layout.compose();
    // What a swarm is given lies beside them, and is none of them.
    let name = |path: &Path| match path.strip_prefix(&compose) {
        Ok(path) => Some(path.to_string_lossy().into_owned()),
        Err(_) => (*path == *stack.project.env_file).then(|| ENV_FILE.to_owned()),
    };
    let files: BTreeMap<String, Arc<str>> =
        texts.iter().filter_map(|(path, text)| Some((name(path)?, Arc::from(&**text)))).collect();
    let entry = COMPOSE_FILES.into_iter().find(|name| files.contains_key(*name))?;
    let entries = [entry, OVERRIDE].into_iter().filter(|name| files.contains_key(*name));
    let input = Input {
        entries: entries.map(str::to_owned).collect(),
        files,
        environment,
        profiles,
        directories: directories(&subject.node.spec, tenant, stack),
        name: stack.project.name.as_str().into(),
        ..Input::default()
    };
    Project::load(&input, &mut Sources::new()).ok().map(|(project, _)| project)
}
