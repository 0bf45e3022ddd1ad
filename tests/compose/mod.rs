//! Compose projects: what files come to, and what the rules say of them.

mod changes;
mod fuzz;
mod hostile;
mod loading;
mod shipped;
mod swarm;
mod tool;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use vsa::compose::rules::{Allow, Purpose, check};
use vsa::compose::{Directories, EnvValue, Input, Node, Project, Value};
use vsa::diag::{Diagnostics, Sources, Style, render_all};

/// A stack's files and what they are read with.
#[derive(Clone)]
pub struct Stack(pub Input);

/// What came of loading.
pub struct Loaded {
    pub project: Option<Project>,
    pub said: Diagnostics,
    pub sources: Sources,
}

/// Files by path; `compose.yml` and `compose.override.yml` are the entries.
pub fn stack<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Stack {
    let files: BTreeMap<String, Arc<str>> =
        files.into_iter().map(|(path, text)| (path.to_owned(), text.into())).collect();
    let entry = |path: &&String| ["compose.yml", "compose.override.yml"].contains(&path.as_str());
    let mut entries: Vec<_> = files.keys().filter(entry).cloned().collect();
    entries.sort_by_key(|path| (path.len(), path.clone()));
    let directories = Directories {
        project: "/srv/acme/shop/compose".into(),
        stack: "/srv/acme/shop".into(),
        tenant: "/srv/acme".into(),
    };
    Stack(Input { files, entries, directories, name: "acme-shop".into(), ..Input::default() })
}

impl Stack {
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.0.environment.insert(name.into(), EnvValue::plain(value));
        self
    }

    pub fn secret(mut self, name: &str, value: &str) -> Self {
        self.0.environment.insert(name.into(), EnvValue::sensitive(value));
        self
    }

    pub fn profile(mut self, name: &str) -> Self {
        self.0.profiles.push(name.into());
        self
    }

    pub fn load(&self) -> Loaded {
        let mut sources = Sources::new();
        match Project::load(&self.0, &mut sources) {
            Ok((project, said)) => Loaded { project: Some(project), said, sources },
            Err(said) => Loaded { project: None, said, sources },
        }
    }

    /// The project; what was said is the failure.
    pub fn project(&self) -> Project {
        let loaded = self.load();
        let told = loaded.told();
        loaded.project.unwrap_or_else(|| panic!("{told}"))
    }

    /// What loading and the rules say: code and place of each.
    pub fn findings(&self, allowed: &[&str], purpose: Purpose) -> (Vec<(String, String)>, String) {
        let mut loaded = self.load();
        if let Some(project) = &loaded.project {
            let allowed: Vec<_> = allowed.iter().map(|text| Allow::parse(text, None).unwrap()).collect();
            loaded.said.extend(check(project, &allowed, purpose));
        }
        let place = |span| {
            let line = loaded.sources.position(span).line;
            format!("{}:{line}", loaded.sources.path(span).display())
        };
        let found = loaded.said.iter().map(|told| {
            let at = told.primary.as_ref().map_or("-".to_owned(), |label| place(label.span));
            (told.code.unwrap_or("").to_owned(), at)
        });
        (found.collect(), loaded.told())
    }
}

impl Loaded {
    /// All diagnostics, drawn.
    pub fn told(&self) -> String {
        render_all(self.said.iter(), &self.sources, Style::default())
    }
}

/// A tree as JSON: all scalars are texts.
pub fn json(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Text(text) => json!(&*text.text),
        Value::List(list) => list.iter().map(json).collect(),
        Value::Map(map) => map.iter().map(|(name, entry)| (name.to_string(), json(&entry.node))).collect(),
    }
}
