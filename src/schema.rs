//! Schemas of kinds: the one source of validation, defaults, `vsa schema -json` and the reference pages.

use std::sync::Arc;

use crate::names::TextType;
use crate::resource::{Implied, Resource};
use crate::value::{Object, Value};

/// What a kind's block may hold.
#[derive(Debug)]
pub struct Schema {
    /// The kind: `domain`, `tenant`, ….
    pub kind: &'static str,
    /// What it is, in Markdown; the first line is its summary.
    pub doc: &'static str,
    /// What its label must be.
    pub label: &'static TextType,
    /// With `for_each` or `count`, the attribute that names each instance, its key otherwise (a domain's `name`).
    pub instance_name: Option<&'static str>,
    /// The label of the instance that exists where none is declared.
    pub implied_label: Option<&'static str>,
    /// Attributes and nested blocks.
    pub body: Block,
    /// What other resources may refer to, beside `name`.
    pub exports: Vec<Export>,
}

/// One exported value.
#[derive(Debug)]
pub struct Export {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub doc: &'static str,
}

/// Attributes and nested blocks of a block.
#[derive(Debug, Default)]
pub struct Block {
    /// In the order of the reference page.
    pub attributes: Vec<Attribute>,
    /// In the order of the reference page.
    pub blocks: Vec<Nested>,
}

/// One attribute.
#[derive(Debug)]
pub struct Attribute {
    /// Its name.
    pub name: Arc<str>,
    /// What it takes.
    pub ty: Ty,
    /// What it means, in Markdown; the first line is its summary.
    pub doc: &'static str,
    /// What it is when it is absent or `null`.
    pub default: Default,
    /// What it does about sensitive values.
    pub sensitivity: Sensitivity,
    /// Names a directory of the configuration, whose files the resource gets ([`Resource::trees`]).
    pub is_tree: bool,
    /// A change of it replaces the resource.
    pub forces_replacement: bool,
}

/// What an attribute does about sensitive values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sensitivity {
    /// It takes none: plans and the state show it.
    Refused,
    /// It takes them beside others; they are kept as fingerprints.
    Possible,
    /// It is always treated as sensitive: kept as a fingerprint only.
    Always,
}

/// What an attribute is when it is absent or `null`.
#[derive(Clone, Debug)]
pub enum Default {
    /// An error.
    Required,
    /// `null`.
    Null,
    /// This value, in canonical form.
    Value(Value),
    /// A reference to the only resource of the kind; an error where there are several.
    OnlyOne,
}

/// What an attribute takes.
#[derive(Clone, Debug)]
pub enum Ty {
    /// `true` or `false`.
    Bool,
    /// A whole number in this range.
    Integer(std::ops::RangeInclusive<i64>),
    /// A text of this type, kept in canonical form.
    Text(&'static TextType),
    /// One of these texts, each with its meaning.
    Enum(&'static [(&'static str, &'static str)]),
    /// A list.
    List(Box<Ty>),
    /// A map from texts of a type.
    Map(&'static TextType, Box<Ty>),
    /// A reference to a resource of this kind.
    Ref(&'static str),
}

/// A nested block.
#[derive(Debug)]
pub struct Nested {
    /// Its name.
    pub name: Arc<str>,
    /// What it is, in Markdown; the first line is its summary.
    pub doc: &'static str,
    /// How often it may stand, and with which label.
    pub nesting: Nesting,
    /// What it holds.
    pub body: Block,
}

/// How often a nested block may stand.
#[derive(Clone, Copy, Debug)]
pub enum Nesting {
    /// At most once: an object, or `null`.
    Optional,
    /// At most once: an object, of defaults where the block is absent.
    Defaulted,
    /// Exactly once: an object.
    Required,
    /// Any number of times: a list of objects.
    List,
    /// Any number of times, each with a label that is unique among them: a map from the labels to objects.
    Labelled(&'static TextType),
}

/// What the language has to know of the kinds; implemented by their registry.
pub trait Vocabulary: Send + Sync {
    /// The schema of a kind.
    fn schema(&self, kind: &str) -> Option<&Schema>;
    /// All schemas, in the order of the reference.
    fn schemas(&self) -> Vec<&Schema>;
    /// What other resources see of a resource: values that follow from its attributes alone.
    fn exports(&self, resource: &Resource) -> Object;
    /// The resources that a resource brings with it, unless they are declared.
    fn implied(&self, resource: &Resource) -> Vec<Implied>;
}

/// Builds an attribute; optional, `null` by default.
pub fn attribute(name: &str, ty: Ty, doc: &'static str) -> Attribute {
    Attribute {
        name: name.into(),
        ty,
        doc,
        default: Default::Null,
        sensitivity: Sensitivity::Refused,
        is_tree: false,
        forces_replacement: false,
    }
}

impl Attribute {
    /// Whether it is always treated as sensitive.
    pub fn is_sensitive(&self) -> bool {
        self.sensitivity == Sensitivity::Always
    }

    /// Makes it required.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.default = Default::Required;
        self
    }

    /// Gives it a default, in canonical form.
    #[must_use]
    pub fn default(mut self, value: impl Into<Value>) -> Self {
        self.default = Default::Value(value.into());
        self
    }

    /// Makes it refer to the only resource of its kind by default.
    #[must_use]
    pub fn only_one(mut self) -> Self {
        self.default = Default::OnlyOne;
        self
    }

    /// Makes it sensitive.
    #[must_use]
    pub fn sensitive(mut self) -> Self {
        self.sensitivity = Sensitivity::Always;
        self
    }

    /// Lets it hold sensitive values beside others.
    #[must_use]
    pub fn may_be_sensitive(mut self) -> Self {
        self.sensitivity = Sensitivity::Possible;
        self
    }

    /// Makes it name a directory of the configuration, whose files the resource gets.
    #[must_use]
    pub fn tree(mut self) -> Self {
        self.is_tree = true;
        self
    }

    /// Makes a change of it replace the resource.
    #[must_use]
    pub fn forces_replacement(mut self) -> Self {
        self.forces_replacement = true;
        self
    }
}

/// Builds a nested block.
pub fn nested(name: &str, nesting: Nesting, doc: &'static str, body: Block) -> Nested {
    Nested { name: name.into(), doc, nesting, body }
}
