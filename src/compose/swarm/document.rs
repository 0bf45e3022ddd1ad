//! The text of a deployment: YAML that every reader takes alike, with its secrets apart.

use super::Deployment;
use crate::compose::node::{Map, Node, Text, Value};
use crate::compose::scalar::Scalar;
use crate::template::Written as _;
use crate::value::Secret;

/// A part of the text.
#[derive(Clone, Debug)]
pub enum Part {
    /// It may be shown.
    Shown(String),
    /// It may not.
    Hidden(Secret),
}

/// What a value is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Text,
    Number,
    Switch,
}

/// Where numbers and switches stand, below a service or another entry of a section; all else is text (Docker's command
/// line, schema of version 3.9).
const READ: [(&[&str], Reading); 24] = [
    (&["services", "*", "deploy", "replicas"], Reading::Number),
    (&["services", "*", "deploy", "update_config", "parallelism"], Reading::Number),
    (&["services", "*", "deploy", "update_config", "max_failure_ratio"], Reading::Number),
    (&["services", "*", "deploy", "rollback_config", "parallelism"], Reading::Number),
    (&["services", "*", "deploy", "rollback_config", "max_failure_ratio"], Reading::Number),
    (&["services", "*", "deploy", "restart_policy", "max_attempts"], Reading::Number),
    (&["services", "*", "deploy", "placement", "max_replicas_per_node"], Reading::Number),
    (&["services", "*", "deploy", "resources", "limits", "pids"], Reading::Number),
    (&["services", "*", "healthcheck", "retries"], Reading::Number),
    (&["services", "*", "healthcheck", "disable"], Reading::Switch),
    (&["services", "*", "init"], Reading::Switch),
    (&["services", "*", "read_only"], Reading::Switch),
    (&["services", "*", "stdin_open"], Reading::Switch),
    (&["services", "*", "tty"], Reading::Switch),
    (&["services", "*", "ports", "[]", "target"], Reading::Number),
    (&["services", "*", "ports", "[]", "published"], Reading::Number),
    (&["services", "*", "ulimits", "*"], Reading::Number),
    (&["services", "*", "ulimits", "*", "*"], Reading::Number),
    (&["services", "*", "*", "[]", "mode"], Reading::Number),
    (&["services", "*", "volumes", "[]", "read_only"], Reading::Switch),
    (&["services", "*", "volumes", "[]", "volume", "nocopy"], Reading::Switch),
    (&["services", "*", "volumes", "[]", "tmpfs", "size"], Reading::Number),
    (
        &["services", "*", "deploy", "resources", "reservations", "generic_resources", "[]", "*", "value"],
        Reading::Number,
    ),
    (&["*", "*", "external"], Reading::Switch),
];

/// As of [`READ`], of networks alone.
const OF_NETWORKS: [&str; 2] = ["attachable", "internal"];

fn reading(path: &[&str]) -> Reading {
    if let ["services", _, "ports", _, "mode"] = path {
        return Reading::Text;
    }
    if let ["networks", _, key] = path
        && OF_NETWORKS.contains(key)
    {
        return Reading::Switch;
    }
    let fits = |pattern: &[&str]| {
        pattern.len() == path.len()
            && pattern.iter().zip(path).all(|(pattern, key)| *pattern == "*" || pattern == key)
    };
    READ.iter().find(|(pattern, _)| fits(pattern)).map_or(Reading::Text, |(_, reading)| *reading)
}

impl Deployment {
    /// The text, part by part.
    ///
    /// # Errors
    /// A value that YAML cannot take.
    pub fn document(&self) -> Result<Vec<Part>, String> {
        let mut writer = Writer { parts: Vec::new(), shown: String::new() };
        writer.shown.push_str("# Written by vsa, from the stack's own files. A change made here is drift.\n");
        let order = ["version", "services", "networks", "volumes", "secrets", "configs"];
        for key in order {
            if let Some(entry) = self.root.get(key) {
                writer.shown.push_str(key);
                writer.shown.push(':');
                writer.value(&entry.node, &mut vec![key], 1)?;
            }
        }
        writer.flush();
        Ok(writer.parts)
    }
}

struct Writer {
    parts: Vec<Part>,
    shown: String,
}

impl Writer {
    fn flush(&mut self) {
        if !self.shown.is_empty() {
            self.parts.push(Part::Shown(std::mem::take(&mut self.shown)));
        }
    }

    fn indent(&mut self, depth: usize) {
        self.shown.extend(std::iter::repeat_n("  ", depth));
    }

    /// What stands after a key or a dash, with the end of its line.
    fn value<'a>(&mut self, node: &'a Node, path: &mut Vec<&'a str>, depth: usize) -> Result<(), String> {
        match &node.value {
            Value::Null => self.shown.push_str(" null\n"),
            Value::Text(text) => {
                self.shown.push(' ');
                self.text(text, reading(path))?;
                self.shown.push('\n');
            }
            Value::List(list) if list.is_empty() => self.shown.push_str(" []\n"),
            Value::List(list) => {
                self.shown.push('\n');
                for item in list {
                    self.indent(depth);
                    self.shown.push('-');
                    path.push("[]");
                    self.value(item, path, depth + 1)?;
                    path.pop();
                }
            }
            Value::Map(map) if map.is_empty() => self.shown.push_str(" {}\n"),
            Value::Map(map) => {
                self.shown.push('\n');
                self.map(map, path, depth)?;
            }
        }
        Ok(())
    }

    fn map<'a>(&mut self, map: &'a Map, path: &mut Vec<&'a str>, depth: usize) -> Result<(), String> {
        for (key, entry) in map {
            self.indent(depth);
            // No `$` of a key is filled in.
            if is_plain(key) {
                self.shown.push_str(key);
            } else {
                self.shown.push_str(&serde_json::to_string(&**key).map_err(|error| error.to_string())?);
            }
            self.shown.push(':');
            path.push(key);
            self.value(&entry.node, path, depth + 1)?;
            path.pop();
        }
        Ok(())
    }

    fn text(&mut self, text: &Text, reading: Reading) -> Result<(), String> {
        let mut written = String::new();
        match reading {
            Reading::Number if is_number(&text.text) => written.push_str(&text.text),
            Reading::Switch => written.push_str(if text.is_on() { "true" } else { "false" }),
            Reading::Number | Reading::Text => Scalar::Text(text.text.clone()).write(&mut written)?,
        }
        if text.sensitive {
            self.flush();
            self.parts.push(Part::Hidden(Secret::new(written)));
        } else {
            self.shown.push_str(&written);
        }
        Ok(())
    }
}

/// Whether every reader of YAML takes a key without quotes for a text.
fn is_plain(key: &str) -> bool {
    const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    key.starts_with(|char: char| char.is_ascii_lowercase())
        && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte))
        && !WORDS.contains(&key)
}

fn is_number(text: &str) -> bool {
    let (whole, rest) = text.split_once('.').unwrap_or((text, "0"));
    [whole, rest].iter().all(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}
