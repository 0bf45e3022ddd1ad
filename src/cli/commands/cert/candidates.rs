//! The certificates that `vsa cert renew` looks at, and what is known of them.

use std::collections::{BTreeMap, HashSet};

use super::KIND;
use crate::address::Address;
use crate::apply::{self, Inquiry};
use crate::cli::{Failure, Invocation};
use crate::diag::Diagnostic;
use crate::host::clock;
pub(super) use crate::kinds::certificate::When;
use crate::kinds::certificate::{Issued, Kept, Local, issued, local};
use crate::plan::Query;
use crate::plan::issuance::{Failed, Ledger, Remembered};
use crate::plan::observation::Observations;
use crate::resource::Resource;
use crate::state::{State, Status};

/// A certificate that another one takes the place of one day.
pub(super) struct Candidate {
    pub(super) address: Address,
    node: Address,
    pub(super) what: Renewable,
    /// The node that it leaves and the one that it is wanted on, where these are two and the first may still serve it.
    pub(super) moves: Option<[Address; 2]>,
}

/// Who makes it.
pub(super) enum Renewable {
    /// An authority.
    Issued(Issued),
    /// vsa itself, or somebody who keeps it in files.
    Local(Local),
}

/// What the nodes remember of their certificates.
pub(super) type Ledgers = BTreeMap<Address, Ledger>;

impl Candidate {
    /// The certificate's name.
    pub(super) fn name(&self) -> &str {
        match &self.what {
            Renewable::Issued(issued) => &issued.name,
            Renewable::Local(local) => &local.name,
        }
    }

    /// When it is due.
    pub(super) fn when(&self, ledgers: &Ledgers, observed: &Observations) -> When {
        match &self.what {
            Renewable::Issued(issued) => {
                issued.due_from(self.remembered(ledgers), observed).map_or(When::Now, When::From)
            }
            Renewable::Local(local) => local.when(observed),
        }
    }

    /// Whether an authority was asked for it in vain since it was issued last.
    pub(super) fn was_tried(&self, ledgers: &Ledgers) -> bool {
        let Renewable::Issued(issued) = &self.what else { return false };
        issued.was_tried(self.remembered(ledgers))
    }

    /// Whether another one stands for it still.
    pub(super) fn was_never_issued(&self) -> bool {
        matches!(&self.what, Renewable::Issued(issued) if issued.chain.is_none())
    }

    /// That it is not made anew, because it is a copy of files.
    pub(super) fn kept(&self) -> Option<Diagnostic> {
        let Renewable::Local(local) = &self.what else { return None };
        Some(copied(&local.name, local.kept.as_ref()?).on(&self.address))
    }

    fn remembered<'a>(&self, ledgers: &'a Ledgers) -> Option<&'a Remembered> {
        ledgers.get(&self.node)?.certificates.get(self.name())
    }

    /// The failures because of which it waits.
    pub(super) fn waits<'a>(&self, ledgers: &'a Ledgers) -> Option<&'a Failed> {
        let now = clock().as_second();
        let Renewable::Issued(issued) = &self.what else { return None };
        issued.failed(self.remembered(ledgers)).filter(|failed| failed.waits(now))
    }

    /// That it is not renewed where it is, nor issued where its sites are not yet.
    pub(super) fn stays_until_it_moves(&self, [from, to]: &[Address; 2]) -> Diagnostic {
        let name = self.name();
        Diagnostic::warning(format!("`{name}` is not renewed: it is to move from `{from}` to `{to}`"))
            .code("moves")
            .help("`vsa apply` moves it, with the sites that serve it, and has it issued there")
            .on(&self.address)
    }
}

/// That a certificate is a copy of files, which somebody else renews.
pub(super) fn copied(name: &str, kept: &Kept) -> Diagnostic {
    let path = kept.certificate().display();
    Diagnostic::warning(format!("`{name}` is copied from files: nobody is asked for another one"))
        .code("copied")
        .help(format!("put another certificate into `{path}`, with its key: `vsa cert renew`, its timer and `vsa apply` copy it then"))
}

/// The certificates that the state knows and the configuration still wants.
pub(super) fn candidates(resources: &BTreeMap<Address, Resource>, state: &State) -> Vec<Candidate> {
    let known = resources.iter().filter_map(|(address, resource)| {
        let stored = state.resources.get(address).filter(|_| address.kind() == KIND)?;
        let spec = &state.nodes.get(&stored.node)?.spec;
        let issued = issued(resource, stored, state.resources.get(&stored.node), spec).map(Renewable::Issued);
        let what = issued.or_else(|| local(resource, stored, spec).map(Renewable::Local))?;
        // A node whose block alone has another label is the same one.
        let is_another = |node: &&Address| {
            **node != stored.node && resources.get(*node).is_none_or(|node| node.name != spec.name)
        };
        let to = resource.reference("node").filter(is_another);
        let moves = to.map(|to| [&stored.node, to]).or_else(|| {
            // A run has begun it, and did not come to the first node.
            let left = stored.left.iter().find(|left| left.status != Status::Deleting)?;
            Some([&left.node, &stored.node])
        });
        let (node, moves) = (stored.node.clone(), moves.map(|nodes| nodes.map(Clone::clone)));
        Some(Candidate { address: address.clone(), node, what, moves })
    });
    known.collect()
}

/// What their files show: one question for all.
pub(super) fn observed(invocation: &Invocation, candidates: &[Candidate]) -> Observations {
    let asked = |candidate: &Candidate| match &candidate.what {
        Renewable::Issued(issued) => issued.queries(),
        Renewable::Local(local) => local.queries(),
    };
    let queries: HashSet<Query> = candidates.iter().flat_map(asked).collect();
    let queries: Vec<Query> = queries.into_iter().collect();
    let answers = invocation.block_on(invocation.host.observe(&queries));
    queries.into_iter().zip(answers).collect()
}

/// What the nodes remember, their authorities asked where it is time to.
pub(super) fn ledgers(
    invocation: &Invocation,
    state: &State,
    candidates: &[Candidate],
) -> Result<Ledgers, Failure> {
    let mut inquiries: BTreeMap<&Address, Vec<Inquiry>> = BTreeMap::new();
    for Candidate { node, what, .. } in candidates {
        let Renewable::Issued(issued) = what else { continue };
        let here = inquiries.entry(node).or_default();
        here.extend(issued.chain.clone().map(|chain| Inquiry {
            name: issued.name.to_string(),
            authority: issued.authority.clone(),
            chain,
            digest: issued.digest.clone(),
        }));
    }
    let mut ledgers = Ledgers::new();
    for (node, inquiries) in inquiries {
        let Some(stored) = state.nodes.get(node) else { continue };
        let asked = apply::renewal_info(&invocation.host, &stored.spec, inquiries);
        ledgers.insert(node.clone(), invocation.block_on(asked)?);
    }
    Ok(ledgers)
}
