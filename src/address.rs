//! Addresses: `stack.shop`, `domain["shop.example.com"]`, `module.blog.domain.site["a.example.com"]`.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::diag::steers;

/// The instance of a resource or module made by `count` or `for_each`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// `[0]`, from `count`.
    Index(u64),
    /// `["name"]`, from `for_each`.
    Name(Arc<str>),
}

/// One step into a module: its name, and its key where it was called with `count` or `for_each`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleStep {
    /// The label of the `module` block.
    pub name: Arc<str>,
    /// The instance.
    pub key: Option<Key>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Parts {
    module: Vec<ModuleStep>,
    kind: Arc<str>,
    name: Arc<str>,
    key: Option<Key>,
}

/// What a resource is known by; unique in a configuration and in a state. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Address(Arc<Parts>);

impl Address {
    /// The address of a resource in the root module.
    pub fn new(kind: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self::in_module(Vec::new(), kind, name, None)
    }

    /// The address of a resource in a module (empty: the root module).
    pub fn in_module(
        module: Vec<ModuleStep>,
        kind: impl Into<Arc<str>>,
        name: impl Into<Arc<str>>,
        key: Option<Key>,
    ) -> Self {
        Self(Arc::new(Parts { module, kind: kind.into(), name: name.into(), key }))
    }

    /// The same resource block's instance with another key.
    #[must_use]
    pub fn with_key(&self, key: Option<Key>) -> Self {
        Self::in_module(self.0.module.clone(), Arc::clone(&self.0.kind), Arc::clone(&self.0.name), key)
    }

    /// The modules on the way from the root.
    pub fn module(&self) -> &[ModuleStep] {
        &self.0.module
    }

    /// The kind: `stack`, `domain`, ….
    pub fn kind(&self) -> &str {
        &self.0.kind
    }

    /// The label.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The instance of a `for_each` or `count`.
    pub fn key(&self) -> Option<&Key> {
        self.0.key.as_ref()
    }

    /// The name of a resource that is given no other: its label, the key of a `for_each`, or the label with the index of
    /// a `count`.
    pub fn own_name(&self) -> Cow<'_, str> {
        match self.key() {
            None => Cow::Borrowed(self.name()),
            Some(Key::Name(key)) => Cow::Borrowed(key),
            Some(Key::Index(index)) => Cow::Owned(format!("{}-{index}", self.name())),
        }
    }
}

impl PartialOrd for Address {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Address {
    fn cmp(&self, other: &Self) -> Ordering {
        if Arc::ptr_eq(&self.0, &other.0) { Ordering::Equal } else { self.0.cmp(&other.0) }
    }
}

/// Whether `text` is an HCL identifier, which may stand after a dot.
pub fn is_identifier(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|first| first.is_alphabetic() || first == '_')
        && chars.all(|next| next.is_alphanumeric() || next == '_' || next == '-')
}

/// A text as an HCL string literal, on one line.
pub struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        quoted(f, self.0)
    }
}

fn quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    for char in text.chars() {
        match char {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            control if steers(control) => write!(f, "\\u{:04x}", control as u32)?,
            other => write!(f, "{other}")?,
        }
    }
    f.write_str("\"")
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => write!(f, "[{index}]"),
            Self::Name(name) => {
                f.write_str("[")?;
                quoted(f, name)?;
                f.write_str("]")
            }
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.0.module {
            write!(f, "module.{}", step.name)?;
            if let Some(key) = &step.key {
                write!(f, "{key}")?;
            }
            f.write_str(".")?;
        }
        f.write_str(&self.0.kind)?;
        if is_identifier(&self.0.name) {
            write!(f, ".{}", self.0.name)?;
        } else {
            f.write_str("[")?;
            quoted(f, &self.0.name)?;
            f.write_str("]")?;
        }
        match &self.0.key {
            Some(key) => write!(f, "{key}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not an address, with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidAddress(String);

impl fmt::Display for InvalidAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidAddress {}

enum Token<'a> {
    Word(&'a str),
    Key(Key),
}

/// A quoted text at the start of `text`, and what follows it.
fn literal(text: &str) -> Option<(Arc<str>, &str)> {
    let inner = text.strip_prefix('"')?;
    let end = inner.find(|char: char| matches!(char, '"' | '\\') || char.is_control())?;
    if let Some(after) = inner[end..].strip_prefix('"') {
        return Some((inner[..end].into(), after));
    }
    let mut literals = serde_json::Deserializer::from_str(text).into_iter::<String>();
    let name = literals.next()?.ok()?;
    Some((name.into(), &text[literals.byte_offset()..]))
}

fn tokens(text: &str) -> Option<Vec<Token<'_>>> {
    let mut tokens = Vec::with_capacity(2);
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('[') {
            if after.starts_with('"') {
                let (name, after) = literal(after)?;
                rest = after.strip_prefix(']')?;
                tokens.push(Token::Key(Key::Name(name)));
            } else {
                let (digits, after) = after.split_once(']')?;
                tokens.push(Token::Key(Key::Index(digits.parse().ok()?)));
                rest = after;
            }
        } else {
            let word = if tokens.is_empty() { rest } else { rest.strip_prefix('.')? };
            let end = word.find(['.', '[']).unwrap_or(word.len());
            let (word, after) = word.split_at(end);
            if !is_identifier(word) {
                return None;
            }
            tokens.push(Token::Word(word));
            rest = after;
        }
    }
    Some(tokens)
}

fn from_tokens(tokens: Vec<Token<'_>>) -> Option<Address> {
    let mut tokens = tokens.into_iter().peekable();
    let mut module = Vec::new();
    let key_after = |tokens: &mut std::iter::Peekable<std::vec::IntoIter<Token<'_>>>| {
        tokens.next_if(|token| matches!(token, Token::Key(_))).and_then(|token| match token {
            Token::Key(key) => Some(key),
            Token::Word(_) => None,
        })
    };
    let kind = loop {
        match tokens.next()? {
            Token::Word("module") => {
                let Some(Token::Word(name)) = tokens.next() else { return None };
                module.push(ModuleStep { name: name.into(), key: key_after(&mut tokens) });
            }
            Token::Word(kind) => break kind,
            Token::Key(_) => return None,
        }
    };
    let name: Arc<str> = match tokens.next()? {
        Token::Word(name) => name.into(),
        Token::Key(Key::Name(name)) => name,
        Token::Key(Key::Index(_)) => return None,
    };
    let key = key_after(&mut tokens);
    tokens.next().is_none().then(|| Address::in_module(module, kind, name, key))
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        tokens(text).and_then(from_tokens).ok_or_else(|| {
            InvalidAddress(format!("`{text}` is not an address such as `domain[\"shop.example.com\"]`"))
        })
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Parsed)
    }
}

struct Parsed;

impl serde::de::Visitor<'_> for Parsed {
    type Value = Address;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an address")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Address, E> {
        text.parse().map_err(E::custom)
    }
}
