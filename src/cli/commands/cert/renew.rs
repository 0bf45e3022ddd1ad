//! `vsa cert renew`

use std::collections::BTreeSet;

use clap::Args;

use super::candidates::{Candidate, Ledgers, Renewable, When, candidates, ledgers, observed};
use super::edited::{as_applied, held};
use super::lost;
use super::sites::Sites;
use crate::address::Address;
use crate::cli::applying::{self, ApplyFlags, FailureFlag};
use crate::cli::arguments::{LockFlags, VariableFlags};
use crate::cli::planning::{self, Manner, Options};
use crate::cli::{Exit, Failure, Invocation, partly};
use crate::config::Declared;
use crate::diag::{Diagnostic, Diagnostics, Sources, moment};
use crate::host::clock;
use crate::plan::Attempts;
use crate::plan::observation::Observations;

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

/// What is to be done now.
#[derive(Default)]
struct Due {
    /// The certificates.
    certificates: BTreeSet<Address>,
    /// Those of them that are had anew whatever a plan says of them.
    anew: BTreeSet<Address>,
    /// What the plan is about: the sites of those that were never issued, too.
    targets: BTreeSet<Address>,
    /// Those that are due and wait, because it failed before.
    waiting: Vec<Diagnostic>,
    /// Those whose files cannot be used.
    unusable: Vec<Diagnostic>,
    /// Those that are due and are to move, which sites that serve them do with them.
    moving: Vec<Diagnostic>,
    /// What is said of those that are asked for and are not made anew.
    kept: Vec<Diagnostic>,
    /// When the next one is due, in seconds since 1970.
    next: Option<(i64, Address)>,
}

impl Renew {
    /// Runs the command. It asks nobody: whoever starts it wants the renewal.
    pub(super) fn run(&self, invocation: &Invocation) -> Result<Exit, Failure> {
        let declared = invocation.load(&self.variables)?;
        let _lock = invocation.lock(self.lock)?;
        let Some(state) = invocation.state()? else {
            lost::check(invocation, &declared)?;
            invocation.terminal.line("Nothing is due: nothing was applied yet.");
            return Ok(Exit::Done);
        };
        let applied = as_applied(invocation, &declared, &state)?;
        let candidates = self.chosen(candidates(&applied, &state))?;
        let ledgers = ledgers(invocation, &state, &candidates)?;
        let observed = observed(invocation, &candidates);
        let due = Self::due(&declared, &candidates, (&ledgers, &observed), self.force);
        self.renew(invocation, &declared, due)
    }

    /// Those that are meant: all where nothing is named.
    fn chosen(&self, candidates: Vec<Candidate>) -> Result<Vec<Candidate>, Failure> {
        let is_it = |candidate: &Candidate, name: &String| {
            candidate.name() == name || candidate.address.to_string() == *name
        };
        for name in &self.names {
            if !candidates.iter().any(|candidate| is_it(candidate, name)) {
                let known = candidates.iter().map(Candidate::name);
                return Err(Diagnostic::error(format!("no certificate `{name}` was applied"))
                    .did_you_mean(name, known, |error| error.help("`vsa apply` makes new ones"))
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
            let address = &candidate.address;
            let is_tried = candidate.was_tried(ledgers);
            match candidate.when(ledgers, observed) {
                When::Unusable(unusable) => {
                    due.unusable.push(unusable.diagnostic().on(address));
                    continue;
                }
                When::Changed => {
                    due.kept.extend(candidate.kept().filter(|_| anyway));
                    continue;
                }
                // What failed that was asked for before it was due is had all the same.
                When::From(from) if from > now && !anyway && !is_tried => {
                    let next = (from, address.clone());
                    due.next = Some(due.next.take().map_or(next.clone(), |known| known.min(next)));
                    continue;
                }
                When::From(_) | When::Now => {}
            }
            if let Renewable::Issued(issued) = &candidate.what
                && let Some(failed) =
                    candidate.waits(ledgers).filter(|_| !anyway && candidate.moves.is_none())
            {
                due.waiting.push(issued.waits(failed, now).on(address));
                continue;
            }
            if let Some(nodes) = &candidate.moves {
                due.moving.push(candidate.stays_until_it_moves(nodes));
                continue;
            }
            due.certificates.insert(address.clone());
            due.targets.insert(address.clone());
            due.anew.extend((anyway || is_tried).then(|| address.clone()));
            if candidate.was_never_issued() {
                due.targets.extend(sites.needing(address));
            }
        }
        due
    }

    /// Renews them, each that can be; what cannot is said at the end.
    fn renew(&self, invocation: &Invocation, declared: &Declared, due: Due) -> Result<Exit, Failure> {
        let Due { certificates, anew, targets, waiting, unusable, moving, kept, next } = due;
        let told: Vec<Diagnostic> = moving.iter().cloned().chain(kept).collect();
        invocation.terminal.diagnostics(&told, &Sources::new());
        if certificates.is_empty() && waiting.is_empty() && unusable.is_empty() {
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
            self.apply(invocation, declared, (&certificates, anew), targets)
        };
        let texts = [
            match waiting.len() {
                0 => String::new(),
                1 => "a certificate is due, and is not renewed now".to_owned(),
                some => format!("{some} certificates are due, and are not renewed now"),
            },
            match unusable.len() {
                0 => String::new(),
                1 => "a certificate cannot be copied from its files".to_owned(),
                some => format!("{some} certificates cannot be copied from their files"),
            },
        ];
        let mut texts = texts.into_iter().filter(|text| !text.is_empty()).peekable();
        if texts.peek().is_none() {
            return ended;
        }
        let mut failure =
            ended.err().unwrap_or(Failure { exit: Exit::Error, diagnostics: Diagnostics::new() });
        failure.diagnostics.extend(waiting);
        failure.diagnostics.extend(unusable);
        let summary = |text| Diagnostic::error(text).help("`vsa cert status` shows how they stand");
        failure.diagnostics.extend(texts.map(summary).collect::<Vec<_>>());
        Err(failure)
    }

    fn apply(
        &self,
        invocation: &Invocation,
        declared: &Declared,
        (certificates, anew): (&BTreeSet<Address>, BTreeSet<Address>),
        targets: BTreeSet<Address>,
    ) -> Result<Exit, Failure> {
        let mut sites = &targets - certificates;
        let attempts = Attempts { anew, again: true, ..Attempts::default() };
        let applied = certificates.clone();
        let mut options = Options { attempts, applied, ..Options::about(targets, !self.plan) };
        invocation.ensure_key()?;
        let mut prepared = planning::plan(invocation, declared, options.clone())?;
        loop {
            // Nobody has looked at what was edited since: sites that would bring it along stay as they are.
            let held = held(declared, &prepared.planned.plan, certificates, &sites);
            if held.is_empty() {
                break;
            }
            sites = &sites - &held;
            options.targets = Some(certificates | &sites);
            let told: Vec<Diagnostic> = held.iter().map(stays).collect();
            invocation.terminal.diagnostics(&told, &Sources::new());
            prepared = planning::plan(invocation, declared, options.clone())?;
        }
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

/// That a site is not switched in.
fn stays(site: &Address) -> Diagnostic {
    Diagnostic::warning(format!("`{site}` stays as it is: it, or what goes with it, was edited"))
        .help("`vsa apply` makes the change, and switches its certificate in")
        .on(site)
}
