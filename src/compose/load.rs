//! Loading: entry files, what they include and extend, merged into one tree.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::canonical::canonical;
use super::environment::{self, Environment};
use super::interpolate::{Scope, secrets, telling};
use super::merge::{conflict, merge, settle, unify};
use super::node::{Entry, Map, Node, Text, Value};
use super::path::{find, is_remote, join, normal, parent};
use super::{Input, yaml};
use crate::diag::{self, Diagnostic, Diagnostics, FileId, Span};

/// The most values that loading goes through, over all files, includes and extensions.
const MOST: usize = 1_000_000;
/// What one use of a file costs besides its values, so that small files cannot include each other without end.
const EACH: usize = 1_000;
/// The longest chain of `extends`, and the deepest `include`.
const DEEPEST: usize = 32;

/// A file as it was read, before interpolation.
struct Parsed {
    node: Node,
    file: FileId,
    text: Arc<str>,
}

pub(super) struct Loader<'a> {
    pub(super) input: &'a Input,
    pub(super) sources: &'a mut diag::Sources,
    pub(super) said: Diagnostics,
    parsed: BTreeMap<String, Option<Arc<Parsed>>>,
    /// What no diagnostic may show.
    pub(super) hidden: Vec<Arc<str>>,
    spent: usize,
}

/// Where the files of one model are read: their directory, their variables, and what led there.
struct Setting<'s> {
    directory: &'s str,
    environment: &'s Environment,
    included: &'s [String],
}

impl<'a> Loader<'a> {
    pub(super) fn new(input: &'a Input, sources: &'a mut diag::Sources) -> Self {
        let hidden = telling(&input.environment);
        Self { input, sources, said: Diagnostics::new(), parsed: BTreeMap::new(), hidden, spent: 0 }
    }

    /// The merged tree of the entry files; none where something kept it from being read.
    pub(super) fn root(&mut self) -> Option<Node> {
        if self.input.entries.is_empty() {
            self.said.push(Diagnostic::error("there is no compose file").code("compose_no_file"));
        }
        let input = self.input;
        let entries: Vec<_> = input.entries.iter().map(|entry| (entry.clone(), None)).collect();
        let environment = input.environment.clone();
        let directory = input.entries.first().map_or("", |entry| parent(entry));
        let setting = Setting { directory, environment: &environment, included: &[] };
        let mut root = self.model(&entries, &setting)?;
        settle(&mut root);
        Some(root)
    }

    fn spend(&mut self, nodes: usize, at: impl Into<Option<Span>>) -> Option<()> {
        self.spent += nodes;
        if self.spent <= MOST {
            return Some(());
        }
        let told =
            Diagnostic::error("the compose files have too many values").code("compose_too_large").at(at);
        self.said.push(
            told.detail(format!("with includes and extensions written out they have more than {MOST}")),
        );
        None
    }

    /// A file by its path from the project's directory, read once.
    fn file(&mut self, path: &str, named: Option<&Text>, what: &str) -> Option<Arc<Parsed>> {
        if let Some(parsed) = self.parsed.get(path) {
            return parsed.clone();
        }
        let input = self.input;
        let Some((path, text)) = find(&input.files, &input.directories, path) else {
            self.said.push(missing(path, named, what));
            return None;
        };
        let file = self.sources.add(input.shown.join(path), Arc::clone(text));
        let hidden = secrets(text, &self.hidden);
        self.sources.redact(hidden.into_iter().map(|range| Span::new(file, range)));
        let parsed = match yaml::parse(text, file) {
            Ok(node) if node.map().is_some() => {
                self.spend(node.weight(), node.span)?;
                Some(Arc::new(Parsed { node, file, text: Arc::clone(text) }))
            }
            Ok(node) => {
                let told =
                    Diagnostic::error(format!("a compose file is a mapping, and this is {}", node.kind()));
                self.said.push(told.code("compose_yaml").at(node.span).help("it begins with `services:`"));
                None
            }
            Err(diagnostic) => {
                self.said.push(diagnostic);
                None
            }
        };
        self.parsed.insert(path.to_owned(), parsed.clone());
        parsed
    }

    /// A file with its variables filled in, in the canonical form.
    fn filled(&mut self, parsed: &Parsed, directory: &str, environment: &Environment) -> Option<Node> {
        self.spend(parsed.node.weight() + EACH, parsed.node.span)?;
        let source = (parsed.file, &*parsed.text);
        let hidden = &self.hidden;
        let scope = Scope { environment, hidden, directory: directory.into(), source };
        let mut node = scope.fill(&parsed.node, &mut self.said);
        canonical(&mut node);
        Some(node)
    }

    fn model(&mut self, files: &[(String, Option<Text>)], setting: &Setting<'_>) -> Option<Node> {
        let mut whole: Option<Node> = None;
        for (path, named) in files {
            let at = named.as_ref().map(|text| text.span);
            if setting.included.contains(path) {
                self.said
                    .push(Diagnostic::error("the files include each other").code("compose_include").at(at));
                return None;
            }
            let what = if setting.included.is_empty() { "compose file" } else { "included file" };
            let parsed = self.file(path, named.as_ref(), what)?;
            let mut node = self.filled(&parsed, setting.directory, setting.environment)?;
            let mut included = setting.included.to_vec();
            included.push(path.clone());
            self.include(&mut node, &Setting { included: &included, ..*setting })?;
            self.extend_all(&mut node, path, setting)?;
            let mut merged = match whole {
                None => node,
                Some(before) => match merge(before, node, &mut Vec::new()) {
                    Ok(merged) => merged,
                    Err(told) => {
                        self.said.push(told);
                        return None;
                    }
                },
            };
            unify(&mut merged);
            self.spend(merged.weight(), merged.span)?;
            whole = Some(merged);
        }
        whole
    }

    // --- include ---

    /// Brings in what the `include` of a file names.
    fn include(&mut self, node: &mut Node, setting: &Setting<'_>) -> Option<()> {
        let Value::Map(root) = &mut node.value else { return Some(()) };
        let Some(entry) = root.remove("include") else { return Some(()) };
        let entries = match &entry.node.value {
            Value::Null => return Some(()),
            Value::List(list) => list.as_slice(),
            _ => {
                self.said.push(
                    Diagnostic::error("`include` is a sequence").code("compose_include").at(entry.node.span),
                );
                return None;
            }
        };
        if setting.included.len() > DEEPEST {
            self.said.push(
                Diagnostic::error("files include files too deeply").code("compose_include").at(entry.key),
            );
            return None;
        }
        for entry in entries {
            let Some(brought) = self.included(entry, setting) else { continue };
            self.bring(root, brought);
        }
        Some(())
    }

    /// The model of one entry of `include`.
    fn included(&mut self, entry: &Node, setting: &Setting<'_>) -> Option<Node> {
        let paths = match entry.get("path") {
            Some(node) => texts(node),
            None => texts(entry),
        };
        if paths.is_empty() {
            self.said.push(
                Diagnostic::error("an entry of `include` names a file")
                    .code("compose_include")
                    .at(entry.span),
            );
            return None;
        }
        let mut files = Vec::new();
        for path in &paths {
            files.push((self.reference(path, "included file")?, Some(path.clone())));
        }
        let directory = match entry.text_of("project_directory") {
            Some(text) => self.reference(text, "project directory")?,
            None => parent(&files[0].0).to_owned(),
        };
        let mut environment = setting.environment.clone();
        let named: Vec<Text> = entry.get("env_file").map(texts).unwrap_or_default();
        let mut env_files = Vec::new();
        for text in &named {
            env_files.push((self.reference(text, "file of variables")?, Some(text)));
        }
        if named.is_empty() {
            env_files.push((normal(&directory, ".env"), None));
        }
        for (path, named) in env_files {
            let found =
                find(&self.input.files, &self.input.directories, &path).map(|(_, text)| Arc::clone(text));
            match (found, named) {
                (Some(text), named) => match environment::read(&text, &environment) {
                    // What is known from outside goes before what a file says.
                    Ok(read) => read.into_iter().for_each(|(name, value)| {
                        environment.entry(name).or_insert(value);
                    }),
                    Err((line, why)) => self.said.push(
                        Diagnostic::error(format!("line {line} of the file of variables {why}"))
                            .code("compose_env_file")
                            .at(named.map(|text| text.span)),
                    ),
                },
                (None, Some(_)) => self.said.push(missing(&path, named, "file of variables")),
                (None, None) => {}
            }
        }
        self.model(&files, &Setting { directory: &directory, environment: &environment, ..*setting })
    }

    /// Adds the resources of an included model; one that is there already must be the same.
    fn bring(&mut self, root: &mut Map, brought: Node) {
        let span = brought.span;
        let Value::Map(brought) = brought.value else { return };
        for (section, Entry { key, node }) in brought {
            if !matches!(&*section, "services" | "networks" | "volumes" | "secrets" | "configs" | "models") {
                continue;
            }
            let Value::Map(resources) = node.value else { continue };
            let here = root
                .entry(Arc::clone(&section))
                .or_insert_with(|| Entry { key, node: Node::new(Value::Map(Map::new()), span) });
            if let Value::Null = here.node.value {
                here.node.value = Value::Map(Map::new());
            }
            let Value::Map(here) = &mut here.node.value else { continue };
            for (name, resource) in resources {
                match here.get(&name) {
                    None => {
                        here.insert(name, resource);
                    }
                    Some(other) if other.node.same(&resource.node) => {}
                    Some(other) => self.said.push(conflict(&section, &name, other.key, resource.key)),
                }
            }
        }
    }

    /// The path of another file, as a compose file names it, from the project's directory.
    fn reference(&mut self, text: &Text, what: &str) -> Option<String> {
        let path = normal("", &join(&text.directory, &text.text));
        let known = find(&self.input.files, &self.input.directories, &path).is_some();
        if !known && is_remote(&text.text) {
            self.said.push(
                Diagnostic::error(format!("the {what} would be fetched from elsewhere"))
                    .code("compose_remote")
                    .label(text.span, text.shown())
                    .help("what a stack is made of stands in its directory: copy the file there"),
            );
            return None;
        }
        if text.text.starts_with('~') {
            self.said.push(missing(&text.text, Some(text), what));
            return None;
        }
        Some(path)
    }

    // --- extends ---

    fn extend_all(&mut self, node: &mut Node, path: &str, setting: &Setting<'_>) -> Option<()> {
        let Some(services) = node.get("services").and_then(Node::map).cloned() else { return Some(()) };
        let mut extended = BTreeMap::new();
        for name in services.keys() {
            let mut chain = Vec::new();
            self.extend(name, path, &services, setting, &mut chain, &mut extended)?;
        }
        let Value::Map(root) = &mut node.value else { return Some(()) };
        let Some(Entry { node: Node { value: Value::Map(services), .. }, .. }) = root.get_mut("services")
        else {
            return Some(());
        };
        for (name, entry) in services {
            if let Some(node) = extended.remove(name) {
                entry.node = node;
            }
        }
        Some(())
    }

    /// A service with what it extends. `done` holds those of this same file.
    fn extend(
        &mut self,
        name: &Arc<str>,
        path: &str,
        services: &Map,
        setting: &Setting<'_>,
        chain: &mut Vec<(String, Arc<str>)>,
        done: &mut BTreeMap<Arc<str>, Node>,
    ) -> Option<Node> {
        if let Some(node) = done.get(name) {
            return Some(node.clone());
        }
        let mut node = services.get(name)?.node.clone();
        self.spend(node.weight(), node.span)?;
        let extends = match &mut node.value {
            Value::Map(map) => map.remove("extends"),
            _ => None,
        };
        let Some(extends) = extends.filter(|entry| !matches!(entry.node.value, Value::Null)) else {
            done.insert(Arc::clone(name), node.clone());
            return Some(node);
        };
        let link = (path.to_owned(), Arc::clone(name));
        if chain.contains(&link) || chain.len() >= DEEPEST {
            let why = if chain.contains(&link) {
                "services extend each other"
            } else {
                "the chain of `extends` is too long"
            };
            self.said.push(Diagnostic::error(why).code("compose_extends").at(extends.node.span));
            return None;
        }
        chain.push(link);
        let base = self.base(&extends.node, path, services, setting, chain, done);
        chain.pop();
        let mut at: Vec<Arc<str>> = vec!["services".into(), Arc::clone(name)];
        let merged = match merge(base?, node, &mut at) {
            Ok(merged) => merged,
            Err(told) => {
                self.said.push(told.also(extends.key, "by this `extends`"));
                return None;
            }
        };
        done.insert(Arc::clone(name), merged.clone());
        Some(merged)
    }

    /// The service that an `extends` names.
    fn base(
        &mut self,
        extends: &Node,
        path: &str,
        services: &Map,
        setting: &Setting<'_>,
        chain: &mut Vec<(String, Arc<str>)>,
        done: &mut BTreeMap<Arc<str>, Node>,
    ) -> Option<Node> {
        let Some(service) = extends.text().or_else(|| extends.text_of("service")) else {
            self.said.push(
                Diagnostic::error("`extends` names a `service`").code("compose_extends").at(extends.span),
            );
            return None;
        };
        let name = &service.text;
        let unknown = |services: &Map| {
            let told = Diagnostic::error(format!("there is no service `{}` to extend", service.shown()))
                .code("compose_extends")
                .at(service.span);
            match diag::nearest(name, services.keys().map(|name| &**name)) {
                Some(near) => told.help(format!("did you mean `{near}`?")),
                None => told,
            }
        };
        let Some(file) = extends.text_of("file") else {
            if !services.contains_key(name) {
                self.said.push(unknown(services));
                return None;
            }
            return self.extend(name, path, services, setting, chain, done);
        };
        let path = self.reference(file, "extended file")?;
        let parsed = self.file(&path, Some(file), "extended file")?;
        let directory = parent(&path).to_owned();
        let node = self.filled(&parsed, &directory, setting.environment)?;
        let none = Map::new();
        let services = node.get("services").and_then(Node::map).unwrap_or(&none);
        if !services.contains_key(name) {
            self.said.push(unknown(services));
            return None;
        }
        self.extend(name, &path, services, setting, chain, &mut BTreeMap::new())
    }
}

/// A text, or a sequence of them.
fn texts(node: &Node) -> Vec<Text> {
    match &node.value {
        Value::Text(text) => vec![text.clone()],
        Value::List(list) => list.iter().filter_map(Node::text).cloned().collect(),
        _ => Vec::new(),
    }
}

fn missing(path: &str, named: Option<&Text>, what: &str) -> Diagnostic {
    let shown = named.map_or_else(|| path.to_owned(), Text::shown);
    let at = named.map(|text| text.span);
    let outside = path.starts_with(['/', '~']) || path.split('/').any(|segment| segment == "..");
    if outside {
        return Diagnostic::error(format!("the {what} `{shown}` is not of the stack's directory"))
            .code("compose_foreign_file")
            .at(at)
            .help("what a stack is made of stands in its directory: copy the file there");
    }
    Diagnostic::error(format!("there is no {what} `{shown}`")).code("compose_no_file").at(at)
}

/// The names of profiles that are on: those given, and those that the variables of Compose itself name.
pub(super) fn profiles(input: &Input) -> BTreeSet<Arc<str>> {
    let named = input.environment.get("COMPOSE_PROFILES").map(|value| Arc::clone(&value.text));
    let named = named.iter().flat_map(|text| text.split(',')).map(str::trim).filter(|name| !name.is_empty());
    input.profiles.iter().cloned().chain(named.map(Arc::from)).collect()
}
