//! Resources as the configuration declares them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::address::{Address, is_identifier};
use crate::diag::Span;
use crate::value::{DecodeError, Object, Value};

/// One step of a [`Path`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// An attribute, a block or a key of a map.
    Name(Arc<str>),
    /// An element of a list.
    Index(usize),
}

/// A place inside a resource: `location["/admin/"].headers["X-Robots-Tag"]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(pub Vec<Step>);

impl Path {
    /// The resource itself.
    pub fn root() -> Self {
        Self::default()
    }

    /// An attribute, block or key inside this place.
    #[must_use]
    pub fn name(&self, name: impl Into<Arc<str>>) -> Self {
        let mut steps = self.0.clone();
        steps.push(Step::Name(name.into()));
        Self(steps)
    }

    /// An element inside this place.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        let mut steps = self.0.clone();
        steps.push(Step::Index(index));
        Self(steps)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Name(name) if is_identifier(name) && position == 0 => write!(f, "{name}")?,
                Step::Name(name) if is_identifier(name) => write!(f, ".{name}")?,
                Step::Name(name) => write!(f, "[{name:?}]")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// Where the parts of a resource stand in the configuration.
pub trait Locate: Send + Sync {
    /// The place of `path`, or of the nearest thing around it that is written down; the header of the block for
    /// [`Path::root`].
    fn locate(&self, path: &Path) -> Option<Span>;

    /// The place of the key itself where `path` is an entry of a map, else that of `path`.
    fn locate_key(&self, path: &Path) -> Option<Span>;
}

/// A declared (or implied) resource: what the configuration wants.
#[derive(Clone)]
pub struct Resource {
    /// Its address.
    pub address: Address,
    /// What the kind knows it by: the label, a domain's `name`, or the instance's key.
    pub name: Arc<str>,
    /// The attributes and blocks of the schema, in canonical form; references are the exports of what they refer to.
    /// What is `null` is left away.
    pub attributes: Object,
    /// What it refers to, and what `depends_on` names.
    pub depends_on: BTreeSet<Address>,
    /// Where its parts stand in the configuration; `None` for an implied one.
    pub source: Option<Arc<dyn Locate>>,
    /// The resource that brought it along.
    pub implied_by: Option<Address>,
    /// What others see of it.
    pub exports: Arc<Object>,
    /// The files below the directories that top-level attributes name, by attribute.
    pub trees: BTreeMap<Arc<str>, Arc<Tree>>,
}

/// Files of the configuration below a directory, by their path inside it, with `/` between names.
pub type Tree = BTreeMap<Arc<str>, Leaf>;

/// A file of a [`Tree`]. No `Debug`: it may hold secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Leaf {
    /// What it holds.
    pub bytes: Arc<[u8]>,
    /// Whether its owner may execute it.
    pub executable: bool,
}

impl Resource {
    /// Where `path` stands in the configuration.
    pub fn span(&self, path: &Path) -> Option<Span> {
        self.source.as_ref().and_then(|source| source.locate(path))
    }

    /// Where the key of a map's entry stands in the configuration.
    pub fn key_span(&self, path: &Path) -> Option<Span> {
        self.source.as_ref().and_then(|source| source.locate_key(path))
    }

    /// The value of a top-level attribute; `null` where there is none.
    pub fn get(&self, name: &str) -> &Value {
        self.attributes.get(name).unwrap_or(&Value::NULL)
    }

    /// The address that a top-level attribute refers to.
    pub fn reference(&self, name: &str) -> Option<&Address> {
        self.get(name).as_object().and_then(Object::resource)
    }

    /// With what others see of it: these values, and its name unless they say another one.
    #[must_use]
    pub fn with_exports(mut self, mut exports: Object) -> Self {
        if !exports.contains("name") {
            exports.insert("name", Value::string(Arc::clone(&self.name)));
        }
        self.exports = Arc::new(exports.of_resource(self.address.clone()));
        self
    }

    /// Decodes the attributes into the kind's own structure.
    pub fn decode<T: serde::de::DeserializeOwned>(&self) -> Result<T, DecodeError> {
        self.attributes.decode()
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resource")
            .field("address", &self.address)
            .field("attributes", &self.attributes)
            .finish_non_exhaustive()
    }
}

/// A resource that another one brings along; its attributes are completed by the schema's defaults.
#[derive(Clone, Debug)]
pub struct Implied {
    /// Its kind.
    pub kind: &'static str,
    /// Its label.
    pub name: Arc<str>,
    /// Attributes that differ from the defaults.
    pub attributes: Object,
}
