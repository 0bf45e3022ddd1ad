//! The journal of an apply: what it is about to do and what came of it, on disk before the state knows.
//!
//! One JSON record a line, beside the state's lock; gone when its run has come to its end. An intent is durable before
//! its action begins. A result may be lost with the machine: its action is then done again, which changes nothing.
//! [`fold`] makes the state from the records, at the commit, at the end, and after a kill: the same function, so that
//! all three agree.
#![expect(clippy::disallowed_methods, reason = "the journal is a file of its own beside the state's lock")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::diag::Diagnostic;
use crate::host::pause;
use crate::plan::{Action, Nginx, NodeSpec, Operation, Phase};
use crate::state::{State, Status, Stored, StoredNode, StoredOutput};

/// The version of the records that this vsa writes.
pub const VERSION: u32 = 1;

/// What operations report.
pub type Facts = serde_json::Map<String, serde_json::Value>;

/// What a run sets out to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Header {
    /// The version of the records.
    pub version: u32,
    /// The run's id.
    pub run: String,
    /// When it began, in seconds since 1970.
    pub started: i64,
    /// The state's lineage.
    pub lineage: String,
    /// The state's serial when the run began.
    pub serial: u64,
    /// Its actions.
    pub actions: Vec<Action>,
    /// What the state shall hold of each resource that changes; `None` of one that goes.
    pub desired: BTreeMap<Address, Option<Stored>>,
    /// What the nodes' configuration says.
    pub nodes: BTreeMap<Address, NodeFacts>,
    /// What the outputs shall be.
    pub outputs: BTreeMap<String, StoredOutput>,
}

/// What the state keeps of a node whether it switches or not.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NodeFacts {
    /// What its configuration says.
    pub spec: NodeSpec,
    /// Its nginx.
    pub nginx: Nginx,
}

/// What was there before an action, so that its undo takes back no more than it did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    /// Whether what it makes was there.
    pub existed: bool,
    /// Permission bits and ids of owner and group, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<(u32, u32, u32)>,
    /// Directories above it that were not there, from the top.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<PathBuf>,
}

/// A record of the journal.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// The run begins.
    Begin(Box<Header>),
    /// An action is about to be done.
    Intent {
        /// The action.
        action: u32,
        /// What was there before.
        before: Before,
    },
    /// An action is done.
    Done {
        /// The action.
        action: u32,
        /// What it reported.
        #[serde(default, skip_serializing_if = "Facts::is_empty")]
        facts: Facts,
    },
    /// An action failed.
    Failed {
        /// The action.
        action: u32,
        /// Why.
        reason: String,
    },
    /// An action is taken back.
    Undone {
        /// The action.
        action: u32,
    },
    /// nginx has said that it serves a generation.
    Live {
        /// The node.
        node: Address,
        /// What the state shall know of it.
        live: Box<StoredNode>,
    },
    /// All nodes have switched: there is no way back.
    Commit,
}

/// What is left of a run that did not come to its end.
#[derive(Clone, Debug)]
pub struct Interrupted {
    /// What it had set out to do.
    pub header: Header,
    records: Vec<Record>,
}

impl Interrupted {
    /// Folds what it did into the state that it began with (or that it wrote at its commit).
    pub fn fold(&self, state: &mut State) {
        fold(state, &self.header, &self.records);
    }

    /// Whether it had committed.
    pub fn committed(&self) -> bool {
        self.records.iter().any(|record| matches!(record, Record::Commit))
    }

    /// The highest generation that it may have made live on a node. The next one must be above it.
    pub fn generation(&self, node: &Address) -> Option<u64> {
        let numbers = self.header.actions.iter().filter(|action| action.node == *node);
        numbers
            .filter_map(|action| match action.operation {
                Operation::SwitchGeneration { number, .. } => Some(number),
                _ => None,
            })
            .max()
    }

    /// How far it came, for people.
    pub fn summary(&self) -> String {
        let count = |wanted: fn(&Record) -> bool| self.records.iter().filter(|record| wanted(record)).count();
        format!(
            "run {} was interrupted {} its commit, with {} of {} actions done",
            self.header.run,
            if self.committed() { "after" } else { "before" },
            count(|record| matches!(record, Record::Done { .. })),
            self.header.actions.len(),
        )
    }
}

/// Reads a journal: `None` where there is none, because the last run came to its end. A torn last line is one that
/// was never relied on.
///
/// # Errors
/// A journal that cannot be read, or is of a later version.
pub fn read(path: &Path) -> Result<Option<Interrupted>, Diagnostic> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("read", path, &error)),
    };
    let mut header = None;
    let mut records = Vec::new();
    let mut lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).peekable();
    while let Some(line) = lines.next() {
        match serde_json::from_slice(line) {
            Ok(Record::Begin(begin)) => {
                if begin.version > VERSION {
                    return Err(Diagnostic::error(format!(
                        "the journal `{}` is of a later vsa",
                        path.display()
                    ))
                    .detail(format!("its version is {}, this vsa knows {VERSION}", begin.version))
                    .help("use the vsa that began the run to finish it"));
                }
                header = Some(*begin);
                records.clear();
            }
            Ok(record) => records.push(record),
            Err(_) if lines.peek().is_none() => {}
            Err(error) => {
                return Err(Diagnostic::error(format!("the journal `{}` is damaged", path.display()))
                    .detail(error.to_string())
                    .help(
                        "restore it from a backup, or remove it; then see with `vsa plan` what is left to do",
                    ));
            }
        }
    }
    Ok(header.map(|header| Interrupted { header, records }))
}

fn failed(what: &str, path: &Path, error: &std::io::Error) -> Diagnostic {
    Diagnostic::error(format!("cannot {what} the journal `{}`: {error}", path.display()))
        .help("the journal is what makes an apply survive a crash; nothing is changed without it")
}

/// The journal of a run under way.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    header: Header,
    records: Vec<Record>,
}

impl Journal {
    /// Begins a journal in the place of a former run's, whose state must be folded and written already.
    pub(super) fn begin(path: &Path, header: Header) -> Result<Self, Diagnostic> {
        let new = path.with_extension("new");
        let opened = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&new);
        let mut journal = Self {
            path: path.to_owned(),
            file: opened.map_err(|error| failed("write", path, &error))?,
            header: header.clone(),
            records: Vec::new(),
        };
        journal.append(&[Record::Begin(Box::new(header))], true)?;
        journal.records.clear();
        pause::around(|| std::fs::rename(&new, path).and_then(|()| sync_parent(path)))
            .map_err(|error| failed("write", path, &error))?;
        Ok(journal)
    }

    /// Appends records; with `sync`, they are on disk when this returns.
    pub(super) fn append(&mut self, records: &[Record], sync: bool) -> Result<(), Diagnostic> {
        let mut bytes = Vec::new();
        for record in records {
            serde_json::to_writer(&mut bytes, record)
                .map_err(|error| failed("write", &self.path, &std::io::Error::from(error)))?;
            bytes.push(b'\n');
        }
        let written = pause::around(|| {
            self.file.write_all(&bytes)?;
            if sync { self.file.sync_data() } else { Ok(()) }
        });
        written.map_err(|error| failed("write", &self.path, &error))?;
        self.records.extend_from_slice(records);
        Ok(())
    }

    /// Ends it, in one step: the state holds all that it said.
    pub(super) fn end(&mut self) -> Result<(), Diagnostic> {
        pause::around(|| std::fs::remove_file(&self.path).and_then(|()| sync_parent(&self.path)))
            .map_err(|error| failed("remove", &self.path, &error))
    }

    /// Folds what has happened so far into the state that the run began with.
    pub(super) fn fold(&self, state: &mut State) {
        fold(state, &self.header, &self.records);
    }
}

fn sync_parent(path: &Path) -> std::io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
}

/// What became of a run's actions.
struct Progress<'a> {
    begun: HashMap<u32, &'a Before>,
    done: HashMap<u32, &'a Facts>,
    live: BTreeMap<&'a Address, &'a StoredNode>,
    committed: bool,
}

fn progress<'a>(header: &Header, records: &'a [Record]) -> Progress<'a> {
    let mut progress =
        Progress { begun: HashMap::new(), done: HashMap::new(), live: BTreeMap::new(), committed: false };
    for record in records {
        match record {
            Record::Intent { action, before } => {
                progress.begun.insert(*action, before);
            }
            Record::Done { action, facts } => {
                progress.done.insert(*action, facts);
            }
            Record::Undone { action } => {
                progress.begun.remove(action);
                progress.done.remove(action);
                let undone = header.actions.iter().find(|other| other.id == *action);
                if let Some(undone) = undone.filter(|undone| undone.phase == Phase::Switch) {
                    progress.live.remove(&undone.node);
                }
            }
            Record::Live { node, live } => {
                progress.live.insert(node, live);
            }
            Record::Commit => progress.committed = true,
            Record::Begin(_) | Record::Failed { .. } => {}
        }
    }
    progress
}

/// Makes the state what it is after these records. Doing it twice is doing it once.
fn fold(state: &mut State, header: &Header, records: &[Record]) {
    let progress = progress(header, records);
    let mut of: BTreeMap<&Address, Vec<&Action>> = BTreeMap::new();
    for action in &header.actions {
        of.entry(&action.resource).or_default().push(action);
    }
    let is_done = |action: &Action| progress.done.contains_key(&action.id);
    let of_switch = header.actions.iter().filter(|action| action.phase == Phase::Switch);
    let pending: BTreeSet<&Address> =
        of_switch.clone().filter(|action| !is_done(action)).map(|action| &action.node).collect();
    let switched: BTreeSet<&Address> =
        of_switch.filter(|action| is_done(action)).map(|action| &action.node).collect();

    for (address, desired) in &header.desired {
        let own = of.get(address).map(Vec::as_slice).unwrap_or_default();
        let Some(node) =
            desired.as_ref().or_else(|| state.resources.get(address)).map(|stored| stored.node.clone())
        else {
            continue;
        };
        let own_done = own.iter().all(|action| is_done(action));
        let served = progress.committed || switched.contains(&node);
        let complete = own_done && !pending.contains(&node) && (served || !own.is_empty());
        let begun = served || own.iter().any(|action| progress.begun.contains_key(&action.id));
        match desired {
            Some(desired) if begun => {
                let mut stored = desired.clone();
                if let Some(prior) = state.resources.get(address) {
                    stored.facts.clone_from(&prior.facts);
                }
                for action in own {
                    learn(&mut stored.facts, action, &progress);
                }
                stored.status = if complete { Status::Live } else { Status::Interrupted };
                state.resources.insert(address.clone(), stored);
            }
            None if complete => {
                state.resources.remove(address);
            }
            None if begun => {
                if let Some(stored) = state.resources.get_mut(address) {
                    stored.status = Status::Deleting;
                }
            }
            _ => {}
        }
    }
    fold_nodes(state, header, &progress);
    if progress.committed {
        state.outputs.clone_from(&header.outputs);
    }
}

/// Facts of one action. An intent without a result means that it may have been done: what was not there before is
/// then vsa's.
fn learn(facts: &mut Facts, action: &Action, progress: &Progress<'_>) {
    if let Some(reported) = progress.done.get(&action.id) {
        facts.extend((*reported).clone());
    } else if let Some(before) = progress.begun.get(&action.id)
        && matches!(action.operation, Operation::EnsureDirectory { .. })
        && !before.existed
    {
        facts.insert("owned".to_owned(), true.into());
    }
}

fn fold_nodes(state: &mut State, header: &Header, progress: &Progress<'_>) {
    for (node, live) in &progress.live {
        state.nodes.insert((*node).clone(), (*live).clone());
    }
    if progress.committed {
        for (node, facts) in &header.nodes {
            if let Some(stored) = state.nodes.get_mut(node) {
                stored.spec = facts.spec.clone();
                stored.nginx = Some(facts.nginx.clone());
            }
        }
    }
    for action in header.actions.iter().filter(|action| progress.done.contains_key(&action.id)) {
        match action.operation {
            Operation::RetireProxy { .. } => {
                if let Some(stored) = state.nodes.get_mut(&action.node) {
                    stored.generation = 0;
                    stored.marker.clear();
                    stored.files.clear();
                    stored.retained.clear();
                }
            }
            Operation::RemoveRoot { .. } => {
                state.nodes.remove(&action.node);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Undo, action::Access};

    fn node() -> Address {
        Address::new("node", "local")
    }

    fn stored(facts: Facts) -> Stored {
        Stored {
            status: Status::Live,
            node: node(),
            name: "x".into(),
            attributes: serde_json::value::RawValue::from_string("{}".to_owned()).unwrap(),
            facts,
            depends_on: BTreeSet::new(),
        }
    }

    fn state() -> State {
        State {
            version: crate::state::VERSION,
            serial: 1,
            lineage: "lineage".to_owned(),
            vsa_version: "0".to_owned(),
            resources: BTreeMap::from([(Address::new("tenant", "old"), stored(Facts::new()))]),
            nodes: BTreeMap::new(),
            outputs: BTreeMap::new(),
            audit: crate::state::AuditHead::default(),
        }
    }

    fn action(id: u32, resource: Address, phase: Phase, operation: Operation) -> Action {
        Action { id, resource, node: node(), phase, operation, undo: Undo::Nothing, needs: Vec::new() }
    }

    /// A tenant is made, one goes, and a domain without actions of its own is served.
    fn header() -> Header {
        let access = Access { owner: None, group: None, mode: 0o750 };
        let ensure = Operation::EnsureDirectory { path: "/srv/new".into(), access, owned: false };
        let switch = Operation::SwitchGeneration { number: 1, changed: 1, files: 1 };
        let remove = Operation::RemoveEmptyDirectory { path: "/srv/old".into() };
        let wanted = |kind, name| (Address::new(kind, name), Some(stored(Facts::new())));
        Header {
            version: VERSION,
            run: "run-1".to_owned(),
            started: 1_767_225_600,
            lineage: "lineage".to_owned(),
            serial: 1,
            actions: vec![
                action(0, Address::new("tenant", "new"), Phase::Prepare, ensure),
                action(1, node(), Phase::Switch, switch),
                action(2, Address::new("tenant", "old"), Phase::CleanUp, remove),
            ],
            desired: BTreeMap::from([
                wanted("tenant", "new"),
                wanted("domain", "a.example"),
                (Address::new("tenant", "old"), None),
            ]),
            nodes: BTreeMap::new(),
            outputs: BTreeMap::new(),
        }
    }

    fn live() -> StoredNode {
        let text = r#"{"spec":{"address":"node.local","name":"local","mode":"managed","root":"/r","srv_root":"/srv",
            "nginx":"/usr/sbin/nginx","nginx_conf":"/r/current/nginx.conf","include_file":"/unused",
            "pid_file":"/r/run/nginx.pid","http_port":8080,"https_port":8443,"worker_user":null,
            "default_server":true,"drain_seconds":30},"nginx":null,"generation":1,"marker":"token","files":{}}"#;
        serde_json::from_str(text).unwrap()
    }

    fn records() -> Vec<Record> {
        let intent = |action| Record::Intent { action, before: Before::default() };
        let done = |action, facts| Record::Done { action, facts };
        vec![
            intent(0),
            done(0, Facts::from_iter([("owned".to_owned(), true.into())])),
            intent(1),
            Record::Live { node: node(), live: Box::new(live()) },
            done(1, Facts::new()),
            Record::Commit,
            intent(2),
            done(2, Facts::new()),
        ]
    }

    #[test]
    fn after_each_record_the_state_tells_what_is_there() {
        let (header, records) = (header(), records());
        let names = ["tenant.new", "domain[\"a.example\"]", "tenant.old"];
        let seen: Vec<String> = (0..=records.len())
            .map(|length| {
                let mut state = state();
                fold(&mut state, &header, &records[..length]);
                let once = serde_json::to_string(&state).unwrap();
                fold(&mut state, &header, &records[..length]);
                assert_eq!(serde_json::to_string(&state).unwrap(), once, "folding twice is folding once");
                let status = |name: &str| {
                    let found = state.resources.iter().find(|(address, _)| address.to_string() == name);
                    found.map_or("-".to_owned(), |(_, stored)| format!("{:?}", stored.status))
                };
                let generation = state.nodes.get(&node()).map_or(0, |node| node.generation);
                format!("{} {generation}", names.map(status).join(" "))
            })
            .collect();
        assert_eq!(
            seen,
            [
                "- - Live 0",
                "Interrupted - Live 0",
                "Interrupted - Live 0",
                "Interrupted - Live 0",
                "Interrupted - Live 1",
                "Live Live Deleting 1",
                "Live Live Deleting 1",
                "Live Live Deleting 1",
                "Live Live - 1",
            ]
        );
    }

    #[test]
    fn what_may_have_been_made_is_vsas() {
        let mut state = state();
        fold(&mut state, &header(), &records()[..1]);
        assert_eq!(state.resources[&Address::new("tenant", "new")].facts["owned"], true);
        let mut undone = records();
        undone.truncate(2);
        undone.push(Record::Undone { action: 0 });
        let mut after = self::state();
        fold(&mut after, &header(), &undone);
        assert!(!after.resources.contains_key(&Address::new("tenant", "new")));
    }

    #[test]
    fn a_torn_line_was_never_relied_on() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("journal.jsonl");
        assert!(read(&path).unwrap().is_none());
        let mut journal = Journal::begin(&path, header()).unwrap();
        journal.append(&records()[..3], true).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let torn = whole.len() - whole.len() / 20;
        for length in [whole.len(), whole.len() - 1, whole.len() - 10, torn] {
            std::fs::write(&path, &whole[..length]).unwrap();
            let interrupted = read(&path).unwrap().unwrap();
            assert!(!interrupted.committed());
            assert_eq!(interrupted.generation(&node()), Some(1));
        }
        std::fs::write(&path, [b"rubbish\n", &*whole].concat()).unwrap();
        assert!(read(&path).is_err(), "damage in the middle is not a kill");
        let mut journal = Journal::begin(&path, header()).unwrap();
        journal.end().unwrap();
        assert!(read(&path).unwrap().is_none());
    }

    #[test]
    fn every_version_ever_written_is_read() {
        let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("state/samples");
        let sample = samples.join("journal-v1.jsonl");
        let text: String = std::iter::once(Record::Begin(Box::new(header())))
            .chain(records())
            .map(|record| serde_json::to_string(&record).unwrap() + "\n")
            .collect();
        assert_eq!(std::fs::read_to_string(&sample).unwrap(), text, "a changed record needs a new version");
        let mut state = state();
        read(&sample).unwrap().unwrap().fold(&mut state);
        assert_eq!(state.resources.len(), 2);
    }
}
