//! A node for tests of the effect layer: real directories, a real nginx, files of nginx written by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use vsa::address::Address;
use vsa::apply::{self, Event, Events, Interrupt, Options, Outcome, Report, Run, Scope, States};
use vsa::diag::Diagnostic;
use vsa::host::{Host, LocalHost};
use vsa::plan::{
    Action, Aside, File, FileBody, Nginx, Node, NodeFiles, NodeSpec, NodeWork, Operation, Phase, ProxyMode,
    Query, Rendered, Undo, text_digest,
};
use vsa::state::{Key, State, Stored};

use super::ports::Port;

/// What a run reports, in words.
#[derive(Default)]
pub struct Words(pub Mutex<Vec<String>>);

impl Events for Words {
    fn event(&self, event: Event<'_>) {
        let text = match event {
            Event::Phase(phase) => format!("phase {phase:?}"),
            Event::Testing { scope: Scope::Changed { files, of }, .. } => {
                format!("testing {} of {of}", files.join(" "))
            }
            Event::Begun(action) => format!("begun {}", action.id),
            Event::Done { action, .. } => format!("done {}", action.id),
            Event::Failed { action, .. } => format!("failed {}", action.id),
            Event::Undone { action } => format!("undone {}", action.id),
            Event::Committed => "committed".to_owned(),
            Event::Ended(outcome) => format!("ended {outcome:?}"),
            _ => return,
        };
        self.0.lock().unwrap().push(text);
    }
}

/// A state that is kept in memory.
#[derive(Default)]
pub struct Memory(pub Mutex<Option<State>>);

#[async_trait]
impl States for Memory {
    async fn try_write(&self) -> Result<(), Diagnostic> {
        Ok(())
    }

    async fn write(&self, state: &mut State) -> Result<(), Diagnostic> {
        state.serial += 1;
        *self.0.lock().unwrap() = Some(state.clone());
        Ok(())
    }
}

/// A node and all that is around it.
pub struct Ground {
    pub directory: tempfile::TempDir,
    pub http: Port,
    pub host: Arc<dyn Host>,
    pub state: State,
    pub address: Address,
    pub nginx: PathBuf,
    pub words: Arc<Words>,
    mode: ProxyMode,
    run: u32,
}

/// Files of a generation with the resource that each is of.
pub type Files = Vec<(Address, File)>;

impl Ground {
    /// A managed node on a free port.
    pub fn managed(nginx: PathBuf) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join(".vsa")).unwrap();
        super::open_to_all(directory.path());
        super::open_to_all(&directory.path().join(".vsa"));
        Self {
            directory,
            http: Port::reserve(),
            host: Arc::new(LocalHost::new(env!("CARGO_BIN_EXE_vsa"))),
            state: empty_state(),
            address: Address::new("node", "local"),
            nginx,
            words: Arc::default(),
            mode: ProxyMode::Managed,
            run: 0,
        }
    }

    /// A node on a system's nginx that runs already, with a site of its own: `foreign.example` answers `foreign`.
    pub fn system(nginx: PathBuf) -> Self {
        let mut ground = Self::managed(nginx);
        ground.mode = ProxyMode::Host;
        let etc = ground.etc();
        for directory in ["etc/conf.d", "run", "var"] {
            std::fs::create_dir_all(ground.directory.path().join(directory)).unwrap();
        }
        let conf = format!(
            "user www-data;\nworker_processes 1;\npid {run}/nginx.pid;\nerror_log {var}/error.log notice;\nevents {{}}\n\
             http {{\n access_log off;\n include {etc}/conf.d/*.conf;\n}}\n",
            run = ground.directory.path().join("run").display(),
            var = ground.directory.path().join("var").display(),
            etc = etc.display(),
        );
        std::fs::write(etc.join("nginx.conf"), conf).unwrap();
        let (_, foreign) = ground.site("foreign.example", "foreign");
        if let FileBody::Text(content) = &foreign.body {
            std::fs::write(etc.join("conf.d/foreign.conf"), content.as_text().unwrap()).unwrap();
        }
        ground.start_system();
        ground
    }

    /// The system nginx's own directory.
    pub fn etc(&self) -> PathBuf {
        self.directory.path().join("etc")
    }

    /// Starts the system's nginx.
    pub fn start_system(&self) {
        let conf = self.etc().join("nginx.conf");
        let status = std::process::Command::new(&self.nginx).arg("-c").arg(conf).status().unwrap();
        assert!(status.success());
    }

    pub fn root(&self) -> PathBuf {
        self.directory.path().join(".vsa/nodes/local")
    }

    pub fn spec(&self) -> NodeSpec {
        let root = self.root();
        NodeSpec {
            address: self.address.clone(),
            name: "local".into(),
            mode: self.mode,
            srv_root: self.directory.path().join("srv"),
            nginx: self.nginx.clone(),
            nginx_conf: self.etc().join("nginx.conf"),
            include_file: self.etc().join("conf.d/vsa.conf"),
            pid_file: match self.mode {
                ProxyMode::Managed | ProxyMode::Container => root.join("run/nginx.pid"),
                ProxyMode::Host => self.directory.path().join("run/nginx.pid"),
            },
            http_port: self.http.number,
            https_port: 0,
            worker_user: nix::unistd::geteuid().is_root().then(|| "www-data".into()),
            default_server: true,
            drain_seconds: 5,
            docker: vsa::plan::Docker::default(),
            container: None,
            network: None,
            root,
        }
    }

    /// The base files of a node.
    pub fn base(&self) -> Files {
        let spec = self.spec();
        if self.mode == ProxyMode::Host {
            let conf = ["base", "sites"].map(|name| format!("include {}/*.conf;\n", spec.inside(name)));
            return vec![(self.address.clone(), File::text("vsa.conf", conf.concat()))];
        }
        let user = spec.worker_user.as_ref().map(|user| format!("user {user};\n")).unwrap_or_default();
        let conf = format!(
            "{user}worker_processes 1;\npid run/nginx.pid;\nerror_log logs/error.log notice;\nevents {{}}\nhttp {{\n\
             access_log off;\nclient_body_temp_path temp/body;\nproxy_temp_path temp/proxy;\n\
             fastcgi_temp_path temp/fastcgi;\nuwsgi_temp_path temp/uwsgi;\nscgi_temp_path temp/scgi;\n\
             server_names_hash_max_size 65536;\nserver_names_hash_bucket_size 128;\n\
             include base/*.conf;\ninclude sites/*.conf;\n}}\n"
        );
        let link = |path: &str, aside| File::link(path, spec.root.join(path).to_string_lossy(), aside);
        let files = [
            File::text("nginx.conf", conf),
            link("run", Aside::Directory),
            link("temp", Aside::Directory),
            link("logs/error.log", Aside::Log),
        ];
        files.map(|file| (self.address.clone(), file)).into()
    }

    /// A site that answers a text.
    pub fn site(&self, name: &str, text: &str) -> (Address, File) {
        let conf = format!(
            "server {{\n    listen {};\n    server_name {name};\n    location / {{ return 200 \"{text}\"; }}\n}}\n",
            self.http.number
        );
        (Address::new("domain", name), File::text(format!("sites/{name}.conf"), conf))
    }

    /// The directories that a managed node needs.
    pub fn directories(&self) -> Vec<(Address, Operation)> {
        let root = self.root();
        let worker = self.spec().worker_user.map(|user| user.to_string());
        let of = |path: PathBuf, mode, owner: Option<String>| {
            let access = vsa::plan::action::Access { owner: owner.clone(), group: owner, mode };
            (self.address.clone(), Operation::EnsureDirectory { path, access, owned: false })
        };
        vec![
            of(root.clone(), 0o755, None),
            of(root.join("run"), 0o755, None),
            of(root.join("logs"), 0o755, None),
            of(root.join("temp"), 0o755, worker),
        ]
    }

    /// What `vsa apply` of these files would hand to the effect layer.
    pub fn work(&self, files: Files) -> NodeWork {
        let spec = self.spec();
        let key = key();
        let rendered = files.into_iter().map(|(resource, file)| {
            let sealed = match &file.body {
                FileBody::Text(content) if content.as_text().is_none() => {
                    Some(content.sealed(|secret| key.fingerprint(&resource, &file.path, secret)))
                }
                _ => None,
            };
            let digest = text_digest(&file);
            (Arc::clone(&file.path), Rendered { resource, digest, sealed, file })
        });
        let files = NodeFiles { files: rendered.collect(), switch: true, ..NodeFiles::default() };
        let mut queries = vec![Query::NginxVersion(spec.nginx.clone())];
        if let Some(stored) = self.state.nodes.get(&self.address) {
            queries.extend([
                Query::Tree(spec.generation(stored.generation)),
                Query::Stat(spec.current()),
                Query::Master(spec.pid_file.clone()),
                Query::Marker { port: spec.http_port, host: spec.marker_host() },
            ]);
        }
        let answers = block_on(self.host.observe(&queries));
        let observed = queries.into_iter().zip(answers).collect();
        NodeWork {
            node: Node {
                spec,
                configuration: PathBuf::from("/"),
                nginx: Nginx { version: semver(), openssl: None, modules: Vec::new() },
                networks: BTreeMap::new(),
                distrusted: Arc::default(),
                overspent: std::sync::Arc::default(),
            },
            files,
            observed,
            endpoints: vsa::plan::Endpoints::new(),
            membership: vsa::plan::Membership::default(),
            base: None,
            untestable: None,
        }
    }

    /// A run that switches to these files after these operations.
    pub fn run(&mut self, files: Files, operations: Vec<(Address, Operation)>) -> Run {
        self.run += 1;
        let live = self.state.nodes.get(&self.address).map_or(0, |stored| stored.generation);
        let mut actions: Vec<Action> = Vec::new();
        let mut push = |resource: Address, phase, operation, undo, needs| {
            let id = u32::try_from(actions.len()).unwrap();
            let node = self.address.clone();
            actions.push(Action { id, resource, node, phase, operation, undo, needs });
        };
        for (index, (resource, operation)) in operations.into_iter().enumerate() {
            let needs = if index == 0 { Vec::new() } else { vec![u32::try_from(index - 1).unwrap()] };
            push(resource, Phase::Prepare, operation, Undo::RemoveMade, needs);
        }
        let mut resources: BTreeSet<Address> = files.iter().map(|(resource, _)| resource.clone()).collect();
        resources.extend(self.state.resources.keys().cloned());
        let work = self.work(files);
        let count = u64::try_from(work.files.files.len()).unwrap();
        let operation = Operation::SwitchGeneration { number: live + 1, changed: count, files: count };
        let undo = Undo::SwitchBack { to: (live > 0).then_some(live) };
        push(self.address.clone(), Phase::Switch, operation, undo, Vec::new());
        let kept =
            work.files.files.values().map(|rendered| rendered.resource.clone()).collect::<BTreeSet<_>>();
        let desired = resources.into_iter().map(|resource| {
            let stored = kept.contains(&resource).then(|| self.stored(&resource));
            (resource, stored)
        });
        Run {
            id: format!("run-{}", self.run),
            journal: self.directory.path().join(".vsa/journal.jsonl"),
            desired: desired.collect(),
            outputs: BTreeMap::new(),
            prior: self.state.clone(),
            moves: vsa::state::Moves::new(),
            placed: BTreeMap::new(),
            secrets: BTreeMap::new(),
            key: Some(key()),
            marker: format!("token-{}", self.run),
            options: Options::default(),
            nodes: BTreeMap::from([(self.address.clone(), work)]),
            actions,
        }
    }

    pub fn stored(&self, resource: &Address) -> Stored {
        Stored {
            status: vsa::state::Status::Live,
            node: self.address.clone(),
            name: resource.name().into(),
            attributes: serde_json::value::RawValue::from_string("{}".to_owned()).unwrap(),
            facts: serde_json::Map::new(),
            placed: std::collections::BTreeMap::new(),
            depends_on: BTreeSet::new(),
            left: Vec::new(),
        }
    }

    /// Does a run and takes its state over.
    pub fn apply(&mut self, run: Run) -> Report {
        self.apply_until(run, Interrupt::never())
    }

    pub fn apply_until(&mut self, run: Run, interrupt: Interrupt) -> Report {
        let memory = Memory::default();
        let words = Arc::clone(&self.words) as Arc<dyn Events>;
        let report = block_on(apply::run(Arc::clone(&self.host), Arc::new(run), words, &memory, interrupt));
        if report.outcome == Outcome::Done {
            let written = memory.0.into_inner().unwrap().unwrap();
            assert_eq!(written.serial, report.state.serial);
        }
        self.state = report.state.clone();
        report
    }

    /// Applies base files and these sites.
    pub fn sites(&mut self, sites: &[(&str, &str)]) -> Report {
        let mut files = self.base();
        files.extend(sites.iter().map(|(name, text)| self.site(name, text)));
        let operations = self.directories();
        let run = self.run(files, operations);
        self.apply(run)
    }

    /// Takes everything away.
    pub fn apply_destroy(&mut self) -> Report {
        let generation = self.state.nodes[&self.address].generation;
        let operations = [
            (
                Phase::Switch,
                Operation::RetireProxy { number: generation },
                Undo::SwitchBack { to: Some(generation) },
            ),
            (
                Phase::CleanUp,
                Operation::RemoveRoot { path: self.root() },
                Undo::Irreversible { reason: "removed".to_owned() },
            ),
        ];
        let actions = (0..).zip(operations).map(|(id, (phase, operation, undo))| Action {
            id,
            resource: self.address.clone(),
            node: self.address.clone(),
            phase,
            operation,
            undo,
            needs: Vec::new(),
        });
        let run = Run {
            id: "destroy".to_owned(),
            journal: self.directory.path().join(".vsa/journal.jsonl"),
            actions: actions.collect(),
            nodes: BTreeMap::new(),
            desired: self.state.resources.keys().map(|address| (address.clone(), None)).collect(),
            outputs: BTreeMap::new(),
            prior: self.state.clone(),
            moves: vsa::state::Moves::new(),
            placed: BTreeMap::new(),
            secrets: BTreeMap::new(),
            key: Some(key()),
            marker: "none".to_owned(),
            options: Options::default(),
        };
        self.apply(run)
    }

    /// What a site answers.
    pub fn get(&self, name: &str) -> Option<String> {
        let request = super::Request::http(self.http.number, name, "/");
        let answer = super::fetch(&request);
        answer.ok().map(|response| response.text())
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        for master in super::processes::nginx_masters(self.directory.path()) {
            super::processes::end(master.pid);
        }
    }
}

fn semver() -> semver::Version {
    semver::Version::new(1, 22, 1)
}

pub fn key() -> Key {
    Key::new(&[7; 32])
}

pub fn empty_state() -> State {
    State {
        version: vsa::state::VERSION,
        serial: 0,
        lineage: "lineage-1".to_owned(),
        vsa_version: "0".to_owned(),
        resources: BTreeMap::new(),
        nodes: BTreeMap::new(),
        outputs: BTreeMap::new(),
        key: None,
        audit: vsa::state::AuditHead::default(),
    }
}

/// Runs a future to its end.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// Every path below a directory, for comparing before and after.
pub fn snapshot(directory: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut stack = vec![directory.to_owned()];
    while let Some(at) = stack.pop() {
        for entry in std::fs::read_dir(&at).into_iter().flatten().flatten() {
            let path = entry.path();
            let kind = entry.file_type().unwrap();
            let what = if kind.is_dir() {
                stack.push(path.clone());
                "directory".to_owned()
            } else if kind.is_symlink() {
                format!("link {}", std::fs::read_link(&path).unwrap().display())
            } else {
                String::from_utf8_lossy(&std::fs::read(&path).unwrap_or_default()).into_owned()
            };
            found.insert(path.strip_prefix(directory).unwrap().to_owned(), what);
        }
    }
    found
}
