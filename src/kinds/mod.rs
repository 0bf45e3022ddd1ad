//! The kinds of things that vsa manages, and their registry.

pub mod auth;
pub mod certificate;
pub mod domain;
pub mod network;
pub mod node;
pub mod reference;
pub mod stack;
pub mod tenant;

use std::sync::LazyLock;

use crate::plan::Kind;
use crate::resource::{Implied, Resource};
use crate::schema::{Schema, Vocabulary};
use crate::value::Object;

/// All kinds, in the order of the reference.
pub struct Registry {
    kinds: Vec<Box<dyn Kind>>,
}

impl Registry {
    /// The kind of this name.
    pub fn get(&self, name: &str) -> Option<&dyn Kind> {
        self.iter().find(|kind| kind.schema().kind == name)
    }

    /// In the order of the reference.
    pub fn iter(&self) -> impl Iterator<Item = &dyn Kind> {
        self.kinds.iter().map(AsRef::as_ref)
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter().map(|kind| kind.schema().kind)).finish()
    }
}

impl crate::plan::Kinds for Registry {
    fn kind(&self, name: &str) -> Option<&dyn Kind> {
        self.get(name)
    }
}

impl Vocabulary for Registry {
    fn schema(&self, kind: &str) -> Option<&Schema> {
        self.get(kind).map(Kind::schema)
    }

    fn schemas(&self) -> Vec<&Schema> {
        self.iter().map(Kind::schema).collect()
    }

    fn exports(&self, resource: &Resource) -> Object {
        self.get(resource.address.kind()).map(|kind| kind.exports(resource)).unwrap_or_default()
    }

    fn implied(&self, resource: &Resource) -> Vec<Implied> {
        self.get(resource.address.kind()).map(|kind| kind.implied(resource)).unwrap_or_default()
    }
}

/// The registry of this vsa.
pub fn registry() -> &'static Registry {
    static REGISTRY: LazyLock<Registry> = LazyLock::new(|| Registry {
        kinds: vec![
            Box::new(node::Node::new()),
            Box::new(tenant::Tenant::new()),
            Box::new(network::Network::new()),
            Box::new(stack::StackKind::new()),
            Box::new(domain::Domain::new()),
            Box::new(auth::Auth::new()),
            Box::new(certificate::Certificate::new()),
        ],
    });
    &REGISTRY
}
