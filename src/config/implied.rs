//! Resources that others bring along.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use rayon::prelude::*;

use crate::address::Address;
use crate::diag::{Diagnostic, Diagnostics};
use crate::resource::{Implied, Path, Resource};
use crate::schema::Vocabulary;

use super::declarations::Kind;
use super::evaluate::{Evaluation, Outcome};

/// What is brought along.
pub(super) struct Along {
    /// The resources that are not declared.
    pub(super) resources: Vec<Resource>,
    /// What brings something along, and what: that may be declared in the place of what would be made.
    pub(super) needs: Vec<(Address, Address)>,
}

/// Makes the resources that are brought along and not declared, and those that these bring along. Of two that bring the
/// same along, the first does.
pub(super) fn implied(
    evaluation: &Evaluation<'_>,
    kinds: &BTreeMap<&str, Kind<'_>>,
    vocabulary: &dyn Vocabulary,
    diagnostics: &mut Diagnostics,
) -> Along {
    let outcomes = (0..evaluation.graph.items.len()).filter_map(|index| evaluation.outcome(index));
    let declared = outcomes.flat_map(|outcome| match outcome {
        Outcome::Resources(instances) => instances.resources.as_slice(),
        _ => &[],
    });
    let bringing = Bringing { evaluation, kinds, vocabulary };
    let mut known = HashSet::new();
    let mut along = Along { resources: Vec::new(), needs: Vec::new() };
    let mut new = bringing.all(&declared.collect::<Vec<_>>(), (&mut known, &mut along.needs), diagnostics);
    while !new.is_empty() {
        let all: Vec<&Resource> = new.iter().collect();
        let next = bringing.all(&all, (&mut known, &mut along.needs), diagnostics);
        along.resources.append(&mut new);
        new = next;
    }
    along
}

struct Bringing<'a> {
    evaluation: &'a Evaluation<'a>,
    kinds: &'a BTreeMap<&'a str, Kind<'a>>,
    vocabulary: &'a dyn Vocabulary,
}

/// A resource that another one brings along, and what was wrong with it; none where it is declared.
struct Brought {
    by: Address,
    address: Address,
    resource: Option<Resource>,
    diagnostics: Diagnostics,
}

impl Bringing<'_> {
    /// What these bring along and is not `known` yet.
    fn all(
        &self,
        resources: &[&Resource],
        (known, needs): (&mut HashSet<Address>, &mut Vec<(Address, Address)>),
        diagnostics: &mut Diagnostics,
    ) -> Vec<Resource> {
        let brought: Vec<_> =
            resources.par_iter().with_min_len(16).flat_map_iter(|resource| self.by(resource)).collect();
        let mut made = Vec::with_capacity(brought.len());
        known.reserve(brought.len());
        for brought in brought {
            match brought {
                Ok(brought) => {
                    needs.push((brought.by, brought.address.clone()));
                    if known.contains(&brought.address) {
                        continue;
                    }
                    diagnostics.extend(brought.diagnostics);
                    if let Some(resource) = brought.resource {
                        known.insert(brought.address);
                        made.push(resource);
                    }
                }
                Err(invalid) => diagnostics.push(*invalid),
            }
        }
        made
    }

    /// What one brings along.
    fn by(&self, resource: &Resource) -> Vec<Result<Brought, Box<Diagnostic>>> {
        let brought = self.vocabulary.implied(resource).into_iter();
        brought.filter_map(|implied| self.one(resource, &implied)).collect()
    }

    fn one(&self, resource: &Resource, implied: &Implied) -> Option<Result<Brought, Box<Diagnostic>>> {
        let kind = self.kinds.get(implied.kind)?;
        let label = match (kind.schema.label.canonical)(&implied.name) {
            Ok(label) => label,
            Err(invalid) => {
                let summary =
                    format!("`{}` implies a `{}` of no right name", resource.address, kind.schema.kind);
                let place = resource.span(&Path::root());
                return Some(Err(Box::new(Diagnostic::error(summary).label(place, invalid.reason))));
            }
        };
        let address =
            Address::in_module(resource.address.module().to_vec(), kind.schema.kind, Arc::from(label), None);
        let (by, mut diagnostics) = (resource.address.clone(), Diagnostics::new());
        if self.evaluation.graph.labelled(kind.schema.kind, address.name()).is_some() {
            return Some(Ok(Brought { by, address, resource: None, diagnostics }));
        }
        let made = self.evaluation.made(
            address.clone(),
            kind,
            &implied.attributes,
            Some(resource),
            &mut diagnostics,
        );
        Some(Ok(Brought { by, address, resource: made, diagnostics }))
    }
}
