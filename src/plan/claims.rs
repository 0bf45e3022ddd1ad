//! Names that only one resource may hold.

use std::collections::HashMap;
use std::sync::Arc;

use crate::address::Address;
use crate::diag::{Diagnostic, Diagnostics};
use crate::resource::{Path, Resource};

use super::kind::{Claim, ClaimScope, Held};

/// Who holds which name.
pub(super) struct Claims<'a>(HashMap<(ClaimScope, &'static str, Arc<str>), (&'a Resource, Path)>);

impl<'a> Claims<'a> {
    /// Of these resources; reports every name that two of them hold, with both places.
    pub(super) fn of(resources: Vec<(&'a Resource, Vec<Claim>)>, diagnostics: &mut Diagnostics) -> Self {
        let count = resources.iter().map(|(_, claims)| claims.len()).sum();
        let mut holders: HashMap<(ClaimScope, &'static str, Arc<str>), (&Resource, Path)> =
            HashMap::with_capacity(count);
        for (resource, claims) in resources {
            for claim in claims {
                let name = claim.name.clone();
                let key = (claim.scope, claim.what, claim.name);
                match holders.get(&key) {
                    None => {
                        holders.insert(key, (resource, claim.path));
                    }
                    Some((holder, path)) => {
                        diagnostics.push(conflict(resource, &claim.path, holder, path, claim.what, &name));
                    }
                }
            }
        }
        Self(holders)
    }

    /// Reports the names among these that something which is not vsa's holds on a node.
    pub(super) fn against(&self, held: Vec<Held>, node: &Address, diagnostics: &mut Diagnostics) {
        for Held { what, name, place } in held {
            if let Some((holder, path)) =
                self.0.get(&(ClaimScope::Node(node.clone()), what, Arc::clone(&name)))
            {
                diagnostics.push(
                    Diagnostic::error(format!("the {what} `{name}` is taken on `{node}` by somebody else"))
                        .code("foreign_claim")
                        .label(holder.span(path), "claimed here")
                        .detail(format!("it stands in {place}"))
                        .help("remove it there, or here")
                        .on(&holder.address),
                );
            }
        }
    }
}

fn conflict(
    resource: &Resource,
    path: &Path,
    holder: &Resource,
    held: &Path,
    what: &str,
    name: &str,
) -> Diagnostic {
    let summary = if resource.address == holder.address {
        format!("the {what} `{name}` stands twice in `{}`", resource.address)
    } else {
        format!("the {what} `{name}` is held by `{}` and `{}`", holder.address, resource.address)
    };
    Diagnostic::error(summary)
        .code("duplicate_claim")
        .label(resource.span(path), "claimed again here")
        .also(holder.span(held), "first claimed here")
        .help(format!("only one resource may hold a {what}; remove or rename one of the two"))
        .on(&resource.address)
}
