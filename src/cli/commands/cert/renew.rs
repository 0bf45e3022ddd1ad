//! `vsa cert renew`

use std::collections::{BTreeMap, BTreeSet, HashSet};

use clap::Args;

use super::KIND;
use super::sites::Sites;
use crate::address::Address;
use crate::apply::{self, Inquiry};
use crate::cli::applying::{self, ApplyFlags, FailureFlag};
use crate::cli::arguments::{LockFlags, VariableFlags};
use crate::cli::planning::{self, Manner, Options};
use crate::cli::{Exit, Failure, Invocation, partly};
use crate::config::Declared;
use crate::diag::{Diagnostic, Diagnostics, Sources, moment};
use crate::host::clock;
use crate::kinds::certificate::{Issued, issued, waits};
use crate::plan::issuance::{Failed, Ledger, Remembered};
use crate::plan::observation::Observations;
use crate::plan::{Attempts, Query};
use crate::state::{State, Status};

/// Renew the certificates that are due, and switch nginx to them; made for timers
#[derive(Debug, Args)]
pub(super) struct Renew {
    /// Only these certificates
    names: Vec<String>,
    #[command(flatten)]
    variables: VariableFlags,
    /// Renew them although they are not due, and although it failed a moment ago
    #[arg(long)]
    force: bool,
    /// Show what would be done, and do nothing
    #[arg(long)]
    plan: bool,
    /// How many actions are done at once
    #[arg(long, value_name = "COUNT", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=256))]
    parallelism: u16,
    #[command(flatten)]
    lock: LockFlags,
}

/// A certificate that an authority issues.
struct Candidate {
    address: Address,
    node: Address,
    issued: Issued,
    /// The node that it leaves and the one that it is wanted on, where these are two and the first may still serve it.
    moves: Option<[Address; 2]>,
}

/// What the nodes remember of their certificates.
type Ledgers = BTreeMap<Address, Ledger>;

/// What is to be done now.
#[derive(Default)]
struct Due {
    /// The certificates.
    certificates: BTreeSet<Address>,
    /// What the plan is about: the sites of those that were never issued, too.
    targets: BTreeSet<Address>,
    /// Those that are due and wait, because it failed before.
    waiting: Vec<Diagnostic>,
    /// Those that are due and are to move, which sites that serve them do with them.
    moving: Vec<Diagnostic>,
    /// When the next one is due, in seconds since 1970.
    next: Option<(i64, Address)>,
}

impl Renew {
    /// Runs the command. It asks nobody: whoever starts it wants the renewal.
    pub(super) fn run(&self, invocation: &Invocation) -> Result<Exit, Failure> {
        let declared = invocation.load(&self.variables)?;
        let _lock = invocation.lock(self.lock)?;
        let Some(state) = invocation.state()? else {
            invocation.terminal.line("Nothing is due: nothing was applied yet.");
            return Ok(Exit::Done);
        };
        let candidates = self.chosen(candidates(&declared, &state))?;
        let ledgers = ledgers(invocation, &state, &candidates)?;
        let observed = observed(invocation, &candidates);
        let due = Self::due(&declared, &candidates, (&ledgers, &observed), self.force);
        self.renew(invocation, &declared, due)
    }

    /// Those that are meant: all where nothing is named.
    fn chosen(&self, candidates: Vec<Candidate>) -> Result<Vec<Candidate>, Failure> {
        let is_it = |candidate: &Candidate, name: &String| {
            *candidate.issued.name == **name || candidate.address.to_string() == *name
        };
        for name in &self.names {
            if !candidates.iter().any(|candidate| is_it(candidate, name)) {
                let known = candidates.iter().map(|candidate| &*candidate.issued.name);
                return Err(Diagnostic::error(format!("no authority has issued a certificate `{name}`"))
                    .did_you_mean(name, known, |error| error.help("`vsa apply` has new ones issued"))
                    .into());
            }
        }
        let is_meant = |candidate: &Candidate| {
            self.names.is_empty() || self.names.iter().any(|name| is_it(candidate, name))
        };
        Ok(candidates.into_iter().filter(is_meant).collect())
    }

    /// Which of them are due; all of them where they are asked for anyway.
    fn due(
        declared: &Declared,
        candidates: &[Candidate],
        (ledgers, observed): (&Ledgers, &Observations),
        anyway: bool,
    ) -> Due {
        let now = clock().as_second();
        let sites = Sites::of(declared);
        let mut due = Due::default();
        for candidate in candidates {
            let Candidate { address, issued, .. } = candidate;
            if !anyway {
                let from = issued.due_from(candidate.remembered(ledgers), observed);
                if let Some(from) = from.filter(|from| *from > now) {
                    let next = (from, address.clone());
                    due.next = Some(due.next.take().map_or(next.clone(), |known| known.min(next)));
                    continue;
                }
                if let Some(failed) = candidate.waits(ledgers).filter(|_| candidate.moves.is_none()) {
                    due.waiting.push(waits(&issued.name, failed, issued.chain.is_some(), now).on(address));
                    continue;
                }
            }
            if let Some(nodes) = &candidate.moves {
                due.moving.push(candidate.stays_until_it_moves(nodes));
                continue;
            }
            due.certificates.insert(address.clone());
            due.targets.insert(address.clone());
            if issued.chain.is_none() {
                due.targets.extend(sites.needing(address));
            }
        }
        due
    }

    /// Renews them, each that can be; what cannot is said at the end.
    fn renew(&self, invocation: &Invocation, declared: &Declared, due: Due) -> Result<Exit, Failure> {
        let Due { certificates, targets, waiting, moving, next } = due;
        invocation.terminal.diagnostics(&moving, &Sources::new());
        if certificates.is_empty() && waiting.is_empty() {
            if !moving.is_empty() {
                return Ok(Exit::Done);
            }
            let next = next.map_or_else(String::new, |(from, address)| {
                format!(": the next one is {address}, from {} on", moment(from))
            });
            invocation.terminal.line(&format!("No certificate is due{next}."));
            return Ok(Exit::Done);
        }
        let ended = if certificates.is_empty() {
            Ok(Exit::Done)
        } else {
            self.apply(invocation, declared, certificates, targets)
        };
        if waiting.is_empty() {
            return ended;
        }
        let text = match waiting.len() {
            1 => "a certificate is due, and is not renewed now".to_owned(),
            some => format!("{some} certificates are due, and are not renewed now"),
        };
        let mut failure =
            ended.err().unwrap_or(Failure { exit: Exit::Error, diagnostics: Diagnostics::new() });
        failure.diagnostics.extend(waiting);
        failure.diagnostics.push(Diagnostic::error(text).help("`vsa cert renew -force NAME` tries at once"));
        Err(failure)
    }

    fn apply(
        &self,
        invocation: &Invocation,
        declared: &Declared,
        certificates: BTreeSet<Address>,
        targets: BTreeSet<Address>,
    ) -> Result<Exit, Failure> {
        let anew = if self.force { certificates } else { BTreeSet::new() };
        let attempts = Attempts { anew, again: true, ..Attempts::default() };
        let options = Options { attempts, ..Options::about(targets, !self.plan) };
        invocation.ensure_key()?;
        let prepared = planning::plan(invocation, declared, options.clone())?;
        let flags = ApplyFlags {
            auto_approve: true,
            on_failure: FailureFlag::Rollback,
            parallelism: self.parallelism,
            lock: self.lock,
        };
        applying::confirm(invocation, &prepared, Manner::default(), flags)?;
        if self.plan {
            return Ok(Exit::Done);
        }
        partly::apply(invocation, declared, prepared, (flags, Manner::default()), options)
    }
}

impl Candidate {
    fn remembered<'a>(&self, ledgers: &'a Ledgers) -> Option<&'a Remembered> {
        ledgers.get(&self.node)?.certificates.get(&*self.issued.name)
    }

    fn waits<'a>(&self, ledgers: &'a Ledgers) -> Option<&'a Failed> {
        let now = clock().as_second();
        self.issued.failed(self.remembered(ledgers)).filter(|failed| failed.waits(now))
    }

    /// That it is not renewed where it is, nor issued where its sites are not yet.
    fn stays_until_it_moves(&self, [from, to]: &[Address; 2]) -> Diagnostic {
        let name = &self.issued.name;
        Diagnostic::warning(format!("`{name}` is not renewed: it is to move from `{from}` to `{to}`"))
            .code("moves")
            .help("`vsa apply` moves it, with the sites that serve it, and has it issued there")
            .on(&self.address)
    }
}

/// The certificates that the state knows, the configuration still wants and an authority issues.
fn candidates(declared: &Declared, state: &State) -> Vec<Candidate> {
    let known = declared.resources.iter().filter_map(|(address, resource)| {
        let stored = state.resources.get(address).filter(|_| address.kind() == KIND)?;
        let spec = &state.nodes.get(&stored.node)?.spec;
        let issued = issued(resource, stored, state.resources.get(&stored.node), spec)?;
        // A node whose block alone has another label is the same one.
        let is_another = |node: &&Address| {
            **node != stored.node && declared.resources.get(*node).is_none_or(|node| node.name != spec.name)
        };
        let to = resource.reference("node").filter(is_another);
        let moves = to.map(|to| [&stored.node, to]).or_else(|| {
            // A run has begun it, and did not come to the first node.
            let left = stored.left.iter().find(|left| left.status != Status::Deleting)?;
            Some([&left.node, &stored.node])
        });
        let (node, moves) = (stored.node.clone(), moves.map(|nodes| nodes.map(Clone::clone)));
        Some(Candidate { address: address.clone(), node, issued, moves })
    });
    known.collect()
}

/// What their files show: one question for all.
fn observed(invocation: &Invocation, candidates: &[Candidate]) -> Observations {
    let queries: HashSet<Query> =
        candidates.iter().flat_map(|candidate| candidate.issued.queries()).collect();
    let queries: Vec<Query> = queries.into_iter().collect();
    let answers = invocation.block_on(invocation.host.observe(&queries));
    queries.into_iter().zip(answers).collect()
}

/// What the nodes remember, their authorities asked where it is time to.
fn ledgers(invocation: &Invocation, state: &State, candidates: &[Candidate]) -> Result<Ledgers, Failure> {
    let mut inquiries: BTreeMap<&Address, Vec<Inquiry>> = BTreeMap::new();
    for Candidate { node, issued, .. } in candidates {
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
