//! Planning, for every command that plans: they never differ in code.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use uuid::Uuid;

use crate::address::Address;
use crate::apply::{self, Interrupted};
use crate::config::Declared;
use crate::diag::{Diagnostic, Severity};
use crate::host::clock;
use crate::plan::{self, Answer, Attempts, Inputs, Mode, NodeSpec, Planned, Query};
use crate::state::{AuditHead, Key, State, StoredOutput, VERSION};
use crate::store::{self, Lock};

use super::{Failure, Invocation, render};

/// When the next generation is tested. An apply tests it in any case; where nobody reads the plan before that, one
/// test is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// As a part of the planning.
    Now,
    /// By the apply that follows at once.
    AtApply,
    /// Not at all.
    Never,
}

/// How a plan is made.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// What it is for.
    pub mode: Mode,
    /// Whether the nodes are asked how things are.
    pub refresh: bool,
    /// When the next generation is tested.
    pub(crate) preflight: When,
    /// The lineage of the state to come where there is none yet: that of the saved plan that is applied.
    pub lineage: Option<String>,
    /// Whether what goes takes its data with it.
    pub destroy_data: bool,
    /// What authorities are asked for.
    pub attempts: Attempts,
    /// What the plan is about; all where nothing is named.
    pub targets: Option<BTreeSet<Address>>,
    /// Which of these are taken as they were applied.
    pub applied: BTreeSet<Address>,
    /// Whether this run holds the state's lock. One that does not looks for an apply that is under way.
    pub locked: bool,
}

impl Options {
    /// For a plan about these resources alone, which is applied at once under the lock; `approved` is one that nobody reads
    /// before.
    pub(crate) fn about(targets: BTreeSet<Address>, approved: bool) -> Self {
        Self {
            mode: Mode::Normal,
            refresh: true,
            preflight: if approved { When::AtApply } else { When::Now },
            lineage: None,
            destroy_data: false,
            attempts: Attempts::default(),
            targets: Some(targets),
            applied: BTreeSet::new(),
            locked: true,
        }
    }
}

/// A plan with the state that it starts from.
pub(crate) struct Prepared {
    /// The plan.
    pub planned: Planned,
    /// The state, an interrupted run's journal folded into it.
    pub state: State,
    /// What the state's outputs shall be.
    pub outputs: BTreeMap<String, StoredOutput>,
    /// The key, where there is one.
    pub key: Option<Key>,
}

/// A state before the first apply.
pub(crate) fn new_state() -> State {
    State {
        version: VERSION,
        serial: 0,
        lineage: Uuid::new_v4().to_string(),
        vsa_version: env!("CARGO_PKG_VERSION").to_owned(),
        key: None,
        resources: BTreeMap::new(),
        nodes: BTreeMap::new(),
        outputs: BTreeMap::new(),
        audit: AuditHead::default(),
    }
}

/// Refuses to destroy where nothing was ever applied.
pub(crate) fn require_something(invocation: &Invocation) -> Result<(), Failure> {
    // A first apply that was killed has left a journal, and no state.
    if !invocation.layout.journal().exists() {
        invocation.existing_state()?;
    }
    Ok(())
}

/// Makes a plan from the state as it is now.
pub(crate) fn plan(
    invocation: &Invocation,
    declared: &Declared,
    options: Options,
) -> Result<Prepared, Failure> {
    plan_from(invocation, declared, invocation.state()?, options)
}

/// Makes a plan from a state that has been read.
pub(crate) fn plan_from(
    invocation: &Invocation,
    declared: &Declared,
    state: Option<State>,
    options: Options,
) -> Result<Prepared, Failure> {
    let lineage = state.as_ref().map(|state| state.lineage.clone());
    let mut state = match state {
        Some(state) => state,
        None => {
            let new = new_state();
            State { lineage: options.lineage.unwrap_or(new.lineage), ..new }
        }
    };
    // Before and after: a run may begin or end meanwhile.
    let beside = || Ok::<_, Failure>(!options.locked && Lock::is_held(&invocation.layout.lock())?);
    let was_held = beside()?;
    let interrupted = apply::journal::read(&invocation.layout.journal())?;
    if interrupted.is_some() && (was_held || beside()?) {
        return Err(under_way(invocation)?);
    }
    let mut reserved: BTreeMap<Address, u64> = BTreeMap::new();
    if let Some(interrupted) = &interrupted {
        if let Some(lineage) = lineage.filter(|lineage| *lineage != interrupted.header.lineage) {
            return Err(foreign_journal(invocation, &lineage, interrupted).into());
        }
        // Before the first state is written, the journal alone knows which history it belongs to.
        state.lineage.clone_from(&interrupted.header.lineage);
        interrupted.fold(&mut state);
        invocation.block_on(apply::adopt(&*invocation.host, interrupted, &mut state));
        let nodes = interrupted.header.nodes.keys();
        reserved.extend(nodes.filter_map(|node| Some((node.clone(), interrupted.generation(node)?))));
    }
    let key = invocation.key()?;
    let inputs = Inputs {
        resources: &declared.resources,
        outputs: &declared.outputs,
        state: &state,
        interrupted: interrupted.map(|interrupted| interrupted.summary()),
        reserved,
        kinds: invocation.kinds,
        base: &invocation.base,
        key: key.as_ref(),
        now: clock().as_second(),
        mode: options.mode,
        refresh: options.refresh,
        destroy_data: options.destroy_data,
        attempts: &options.attempts,
        advise: false,
        targets: options.targets.as_ref(),
        applied: &options.applied,
    };
    let mut ask = |_: &NodeSpec, queries: &[Query]| -> Vec<Answer> {
        invocation.block_on(invocation.host.observe(queries))
    };
    let mut planned = plan::build(&inputs, &mut ask)?;
    super::certbot::remark(invocation, &mut planned);
    tracing::debug!(changes = planned.plan.changes.len(), actions = planned.plan.actions.len(), "planned");
    tracing::trace!(plan = ?planned.plan);
    let outputs = match options.mode {
        _ if options.targets.is_some() => state.outputs.clone(),
        Mode::Destroy => BTreeMap::new(),
        Mode::Normal => {
            let stored = |(name, output)| (str::to_owned(name), plan::stored_output(name, output, &inputs));
            declared.outputs.iter().map(|(name, output)| (&**name, output)).map(stored).collect()
        }
    };
    drop(inputs);
    state.relocate(&planned.moves);
    match options.preflight {
        When::Now => super::preflight::run(invocation, &declared.resources, &state, &mut planned)?,
        When::AtApply => super::preflight::leave_to_apply(&state, &mut planned),
        When::Never => {}
    }
    Ok(Prepared { planned, state, outputs, key })
}

/// Says that another run is in the middle of an apply: what is planned beside it would be neither as it was nor as it
/// will be.
fn under_way(invocation: &Invocation) -> Result<Failure, Failure> {
    let path = invocation.layout.lock();
    let holder = Lock::holder(&path)?.map(Box::new);
    let mut failure = Failure::from(store::Error::Locked { path, holder });
    failure.diagnostics.push(Diagnostic::info("an apply is under way: plan again when it has ended"));
    Ok(failure)
}

/// Says that a state and a journal do not belong together: what the journal tells is of other resources.
fn foreign_journal(invocation: &Invocation, lineage: &str, interrupted: &Interrupted) -> Diagnostic {
    let (state, journal) = (invocation.layout.state(), invocation.layout.journal());
    Diagnostic::error(format!("the journal `{}` is of another state", journal.display()))
        .code("foreign_journal")
        .detail(format!(
            "its lineage is `{}`, that of {} is `{lineage}`",
            interrupted.header.lineage,
            state.display()
        ))
        .help("put the state back that it belongs to: from a backup of yours, or from `.vsa/backups/`, where it has any")
        .help("or move the journal away; what its run had begun is known to nobody then")
}

/// How a plan is shown.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Manner {
    /// Whether changes of one shape are shown each by itself.
    pub full: bool,
    /// Whether of warnings the summaries are shown alone.
    pub compact_warnings: bool,
}

/// Draws what was remarked on the way to a plan.
pub(crate) fn remarks(invocation: &Invocation, prepared: &Prepared, manner: Manner) {
    let (sources, terminal) = (invocation.sources.borrow(), invocation.terminal);
    let (first, last) = (rerooted(invocation), [without_key(prepared), another_key(prepared)]);
    let all = first.iter().chain(&prepared.planned.findings).chain(last.iter().flatten());
    if !manner.compact_warnings {
        terminal.diagnostics(all, &sources);
        return;
    }
    let (warnings, others): (Vec<_>, Vec<_>) = all.partition(|told| told.severity == Severity::Warning);
    terminal.diagnostics(others, &sources);
    if let Some(text) = render::compact(warnings) {
        terminal.note(&text);
    }
}

/// Says where system paths are, where they are not where they are written.
fn rerooted(invocation: &Invocation) -> Option<Diagnostic> {
    let system = &invocation.base.system;
    (*system != Path::new("/")).then(|| {
        Diagnostic::info(format!("system paths are below {}", system.display())).detail("`VSA_ROOT` says so")
    })
}

/// Says that a plan cannot compare secrets.
fn without_key(prepared: &Prepared) -> Option<Diagnostic> {
    (prepared.planned.uncompared && prepared.state.serial > 0).then(|| {
        Diagnostic::warning("sensitive values were not compared: the state's key is not here")
            .help("put it into `.vsa/key` (mode 0600) or give it as `VSA_KEY`")
    })
}

/// Says why every secret counts as changed.
fn another_key(prepared: &Prepared) -> Option<Diagnostic> {
    let (made_with, key) = (prepared.state.key.as_ref()?, prepared.key.as_ref()?);
    if *made_with == key.fingerprint_of_itself() {
        return None;
    }
    let mut stored = prepared.state.resources.values();
    let concerns = stored.any(|stored| stored.attributes.get().contains("$fingerprint"))
        || prepared.state.outputs.values().any(|output| output.fingerprint.is_some());
    concerns.then(|| {
        Diagnostic::warning("the key is not the one that the state was written with")
            .code("another_key")
            .detail("fingerprints of secrets cannot be compared, so every sensitive value counts as changed")
            .help("give the state's own key: as `VSA_KEY`, or in `.vsa/key` (mode 0600)")
            .help("where the key was changed on purpose, apply: the state then goes with the new one")
    })
}
