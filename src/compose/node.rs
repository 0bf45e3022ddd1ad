//! The tree of a compose file: every value with the place that it stands at.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diag::{Span, visible};

/// A text of a compose file after interpolation. Numbers and booleans are texts too: what they mean, the key says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The text.
    pub text: Arc<str>,
    /// Where it stands.
    pub span: Span,
    /// Whether it holds a value that must not be shown.
    pub sensitive: bool,
    /// Whether it stands without quotes, so that YAML may read it as a number.
    pub plain: bool,
    /// The directory that a relative path in it begins at, relative to the project's.
    pub directory: Arc<str>,
}

impl Text {
    /// As a diagnostic may show it: nothing of a sensitive one, and no character that steers a terminal.
    pub fn shown(&self) -> String {
        const LONGEST: usize = 80;
        if self.sensitive {
            return "(sensitive value)".to_owned();
        }
        let text = visible(&self.text);
        match text.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text.into_owned(),
        }
    }

    /// The same text with another content, such as a part of it.
    #[must_use]
    pub fn with(&self, text: impl Into<Arc<str>>) -> Self {
        Self { text: text.into(), ..self.clone() }
    }

    /// Whether a switch is on. What no version of Compose reads as "off" counts as on.
    pub fn is_on(&self) -> bool {
        let text = self.text.trim().to_ascii_lowercase();
        !matches!(text.as_str(), "" | "false" | "no" | "off" | "n" | "f" | "0" | "null" | "~")
    }
}

/// What `!reset` and `!override` say about the files before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Layer {
    /// It is merged with what stands there.
    #[default]
    Merged,
    /// `!override`: it takes the place of what stands there.
    Override,
    /// `!reset`: what stands there goes.
    Reset,
}

/// A value and its place.
#[derive(Clone, Debug)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where it stands; of an alias, where its anchor stands.
    pub span: Span,
    pub(super) layer: Layer,
}

/// What a value is.
#[derive(Clone, Debug)]
pub enum Value {
    /// Nothing.
    Null,
    /// A text, number or boolean.
    Text(Text),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping.
    Map(Map),
}

/// A mapping, by key.
pub type Map = BTreeMap<Arc<str>, Entry>;

/// A value of a mapping.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Where the key stands.
    pub key: Span,
    /// The value.
    pub node: Node,
}

impl Node {
    pub(super) fn new(value: Value, span: Span) -> Self {
        Self { value, span, layer: Layer::Merged }
    }

    /// The mapping, if it is one.
    pub fn map(&self) -> Option<&Map> {
        if let Value::Map(map) = &self.value { Some(map) } else { None }
    }

    /// The sequence, if it is one.
    pub fn list(&self) -> Option<&[Self]> {
        if let Value::List(list) = &self.value { Some(list) } else { None }
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&Text> {
        if let Value::Text(text) = &self.value { Some(text) } else { None }
    }

    /// The value of a key, if it is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.map()?.get(key).map(|entry| &entry.node)
    }

    /// The text of a key, if it is a mapping that has one there.
    pub fn text_of(&self, key: &str) -> Option<&Text> {
        self.get(key)?.text()
    }

    /// What it is, for a sentence.
    pub(super) fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Text(_) => "a text",
            Value::List(_) => "a sequence",
            Value::Map(_) => "a mapping",
        }
    }

    /// Whether it says the same, wherever it stands.
    pub(super) fn same(&self, other: &Self) -> bool {
        match (&self.value, &other.value) {
            (Value::Null, Value::Null) => true,
            (Value::Text(one), Value::Text(two)) => one.text == two.text && one.directory == two.directory,
            (Value::List(one), Value::List(two)) => {
                one.len() == two.len() && one.iter().zip(two).all(|(one, two)| one.same(two))
            }
            (Value::Map(one), Value::Map(two)) => {
                let same = |(name, entry): (&Arc<str>, &Entry)| {
                    two.get(name).is_some_and(|other| entry.node.same(&other.node))
                };
                one.len() == two.len() && one.iter().all(same)
            }
            _ => false,
        }
    }

    /// How many nodes it has, itself included.
    pub(super) fn weight(&self) -> usize {
        match &self.value {
            Value::Null | Value::Text(_) => 1,
            Value::List(list) => 1 + list.iter().map(Self::weight).sum::<usize>(),
            Value::Map(map) => 1 + map.values().map(|entry| entry.node.weight()).sum::<usize>(),
        }
    }
}
