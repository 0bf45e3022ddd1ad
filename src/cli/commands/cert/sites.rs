//! What needs a certificate.

use std::collections::{BTreeMap, BTreeSet};

use super::KIND;
use crate::address::Address;
use crate::config::Declared;

/// What needs each certificate: the sites of one that was never issued change with it.
pub(super) struct Sites<'a>(BTreeMap<&'a Address, BTreeSet<&'a Address>>);

impl<'a> Sites<'a> {
    /// Of all certificates that are declared or implied.
    pub(super) fn of(declared: &'a Declared) -> Self {
        let mut sites: BTreeMap<&Address, BTreeSet<&Address>> = BTreeMap::new();
        for resource in declared.resources.values() {
            let needed = resource.depends_on.iter().filter(|address| address.kind() == KIND);
            for certificate in needed {
                sites.entry(certificate).or_default().insert(&resource.address);
            }
        }
        Self(sites)
    }

    /// What needs one.
    pub(super) fn needing(&self, certificate: &Address) -> impl Iterator<Item = Address> {
        self.0.get(certificate).into_iter().flatten().map(|site| (*site).clone())
    }
}
