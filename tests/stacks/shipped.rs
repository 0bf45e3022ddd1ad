//! A shipped stack: its files, read.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;
use serde_json::Value;

/// A stack of `stacks/`.
pub struct Shipped {
    /// Its path below `stacks/`.
    pub name: String,
    /// Its directory.
    pub directory: PathBuf,
    /// Its compose file, aliases and merges resolved.
    pub compose: Value,
}

/// All of them.
pub fn every() -> Vec<Shipped> {
    let stacks = Path::new(env!("CARGO_MANIFEST_DIR")).join("stacks");
    let mut found = Vec::new();
    for below in [stacks.clone(), stacks.join("templates")] {
        for entry in fs::read_dir(below).unwrap().flatten() {
            if entry.path().join("compose.yml").exists() {
                let directory = entry.path();
                let name = directory.strip_prefix(&stacks).unwrap().to_str().unwrap().to_owned();
                found.push(Shipped::read(&name, &directory));
            }
        }
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    assert!(found.len() >= 10, "{}", found.len());
    found
}

/// A YAML file.
pub fn yaml(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap();
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A variable of a compose file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Absent {
    /// Compose stops.
    Refused,
    /// It has this value.
    Default(String),
}

impl Shipped {
    /// The stack of a directory.
    pub fn read(name: &str, directory: &Path) -> Self {
        let compose = yaml(&directory.join("compose.yml"));
        Self { name: name.to_owned(), directory: directory.to_owned(), compose }
    }

    /// A text file of it.
    pub fn text(&self, name: &str) -> String {
        let path = self.directory.join(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Its services by name.
    pub fn services(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.compose["services"].as_object().unwrap().iter()
    }

    /// The compose file's variables, and what happens without each.
    pub fn variables(&self) -> BTreeMap<String, Absent> {
        let pattern = Regex::new(r"(\$\$)|\$\{([A-Z0-9_]+)(?:(:[-?])([^}]*))?\}").unwrap();
        let mut variables = BTreeMap::new();
        for found in pattern.captures_iter(&self.text("compose.yml")) {
            let Some(name) = found.get(2) else { continue };
            let absent = match found.get(3).map(|operator| operator.as_str()) {
                Some(":?") => Absent::Refused,
                Some(_) => Absent::Default(found[4].to_owned()),
                // Said elsewhere in the file.
                None => continue,
            };
            let before = variables.insert(name.as_str().to_owned(), absent.clone());
            assert!(before.is_none_or(|before| before == absent), "{}: {}", self.name, name.as_str());
        }
        let bare = Regex::new(r"\$\{([A-Z0-9_]+)\}").unwrap();
        for found in bare.captures_iter(&self.text("compose.yml").replace("$$", "")) {
            assert!(variables.contains_key(&found[1]), "{}: nothing says what {} is", self.name, &found[1]);
        }
        variables
    }

    /// The variables of `.env.example` with their values, and the comment above each.
    pub fn examples(&self) -> BTreeMap<String, (String, String)> {
        let mut examples = BTreeMap::new();
        let mut comment = String::new();
        for line in self.text(".env.example").lines() {
            if let Some(words) = line.strip_prefix('#') {
                comment.push_str(words);
            } else if let Some((name, value)) = line.split_once('=') {
                let explained = std::mem::take(&mut comment);
                let before = examples.insert(name.to_owned(), (value.to_owned(), explained));
                assert!(before.is_none(), "{}: {name} twice", self.name);
            } else {
                assert!(line.is_empty(), "{}: {line}", self.name);
                comment.clear();
            }
        }
        examples
    }
}
