//! Resources that others bring along.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::address::Address;
use crate::diag::{Diagnostic, Diagnostics};
use crate::resource::{Implied, Path, Resource};
use crate::schema::Vocabulary;

use super::declarations::Kind;
use super::evaluate::{Evaluation, Outcome};

/// Makes the resources that are brought along and not declared, and those that these bring along.
pub(super) fn implied(
    evaluation: &Evaluation<'_>,
    kinds: &BTreeMap<&str, Kind<'_>>,
    vocabulary: &dyn Vocabulary,
    diagnostics: &mut Diagnostics,
) -> BTreeMap<Address, Resource> {
    let declared = (0..evaluation.graph.items.len()).filter_map(|index| evaluation.outcome(index));
    let declared = declared.flat_map(|outcome| match outcome {
        Outcome::Resources(instances) => instances.by_key.values().collect(),
        _ => Vec::new(),
    });
    let mut made: BTreeMap<Address, Resource> = BTreeMap::new();
    let mut new = Vec::new();
    for resource in declared {
        bring(resource, evaluation, kinds, vocabulary, &mut made, &mut new, diagnostics);
    }
    while let Some(address) = new.pop() {
        if let Some(resource) = made.get(&address).cloned() {
            bring(&resource, evaluation, kinds, vocabulary, &mut made, &mut new, diagnostics);
        }
    }
    made
}

fn bring(
    resource: &Resource,
    evaluation: &Evaluation<'_>,
    kinds: &BTreeMap<&str, Kind<'_>>,
    vocabulary: &dyn Vocabulary,
    made: &mut BTreeMap<Address, Resource>,
    new: &mut Vec<Address>,
    diagnostics: &mut Diagnostics,
) {
    for Implied { kind, name, attributes } in vocabulary.implied(resource) {
        let Some(kind) = kinds.get(kind) else { continue };
        let place = || resource.span(&Path::root());
        let label = match (kind.schema.label.canonical)(&name) {
            Ok(label) => label,
            Err(invalid) => {
                let summary =
                    format!("`{}` implies a `{}` of no right name", resource.address, kind.schema.kind);
                diagnostics.push(Diagnostic::error(summary).label(place(), invalid.reason));
                continue;
            }
        };
        let address =
            Address::in_module(resource.address.module().to_vec(), kind.schema.kind, Arc::from(label), None);
        let declared = evaluation.graph.labelled(kind.schema.kind, address.name()).is_some();
        if declared || made.contains_key(&address) {
            continue;
        }
        if let Some(implied) =
            evaluation.made(address.clone(), kind, &attributes, Some(resource), diagnostics)
        {
            made.insert(address.clone(), implied);
            new.push(address);
        }
    }
}
