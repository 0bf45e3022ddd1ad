//! One run of a command: where it works, with what, and what it has read.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::audit::{self, Run, Verification};
use crate::config::{self, AuditSettings, Declared, Settings};
use crate::diag::{Diagnostic, Sources};
use crate::host::{Host, LocalHost, clock, read_file_within};
use crate::kinds::{Registry, registry};
use crate::plan::kind::Base;
use crate::resource::Tree;
use crate::state::{AuditHead, Key, State};
use crate::store::{self, Holder, Layout, Lock, StateFile};
use crate::value::Value;

use super::arguments::{Global, LockFlags, VariableFlag, VariableFlags};
use super::auditing::{Auditing, actor};
use super::render::PlanText;
use super::saved::{Saved, Source};
use super::{Audited, Environment, Exit, Failure, Terminal};

/// One run of a command.
pub struct Invocation {
    /// Where it writes.
    pub terminal: Terminal,
    /// What the process environment says.
    pub environment: Environment,
    /// Where things of the configuration are.
    pub layout: Layout,
    /// Where things are by default.
    pub base: Base,
    /// The machine that nodes live on.
    pub host: Arc<dyn Host>,
    /// The kinds.
    pub kinds: &'static Registry,
    /// The id of this run.
    pub run: String,
    /// The command as the user wrote it, values of variables masked.
    pub command_line: String,
    /// The source files read so far, for diagnostics.
    pub sources: RefCell<Sources>,
    /// The audit log.
    pub auditing: Arc<Mutex<Auditing>>,
    runtime: tokio::runtime::Runtime,
}

impl Invocation {
    /// Looks around, touching nothing.
    pub fn new(
        global: &Global,
        environment: Environment,
        terminal: Terminal,
        (command, audited): (&str, Audited),
        arguments: &[String],
    ) -> Result<Self, Failure> {
        if let Some(name) = &environment.unreadable {
            return Err(Diagnostic::error(format!("`{name}` is not UTF-8 text"))
                .detail("its value in the environment is not repeated here, because it may be a secret")
                .help("set it to text in the encoding UTF-8, or unset it")
                .into());
        }
        let unknown = || Diagnostic::error("the current directory is not known").help("use `-chdir=DIR`");
        let here = environment.directory.clone().ok_or_else(unknown)?;
        let wanted = global.chdir.as_ref().map_or_else(|| here.clone(), |chdir| here.join(chdir));
        let directory = wanted
            .canonicalize()
            .ok()
            .filter(|directory| directory.is_dir())
            .ok_or_else(|| Diagnostic::error(format!("`{}` is not a directory", wanted.display())))?;
        if directory.to_str().is_none() {
            return Err(Diagnostic::error(format!("`{}` has a name that is not UTF-8", directory.display()))
                .help("state, journal and nginx files hold paths as text: rename the directory, or move it")
                .into());
        }
        let program = std::env::current_exe()
            .map_err(|error| Diagnostic::error(format!("the program does not know where it is: {error}")))?;
        let host = LocalHost::new(program);
        let layout = Layout::new(&directory);
        let base = Base {
            data: layout.data(),
            configuration: directory,
            system: system(environment.root.as_deref())?,
            privileged: host.privileged(),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
            Diagnostic::error(format!("the program's threads cannot be started: {error}"))
        })?;
        let run = Run {
            id: uuid::Uuid::new_v4().to_string(),
            actor: actor(&environment),
            command: command.to_owned(),
            arguments: arguments.get(1..).unwrap_or_default().to_vec(),
        };
        Ok(Self {
            terminal,
            environment,
            layout,
            base,
            host: Arc::new(host),
            kinds: registry(),
            run: run.id.clone(),
            command_line: format!("vsa {}", run.arguments.join(" ")),
            sources: RefCell::default(),
            auditing: Arc::new(Mutex::new(Auditing::new(audited, run))),
            runtime,
        })
    }

    /// Begins the audit of a command that does not load the configuration; of one that does, [`Invocation::load`]
    /// begins it as soon as the settings are known.
    pub fn begin(&self) -> Result<(), Failure> {
        let settings = config::settings(self.source_files()?, self.kinds);
        self.begin_audit(&settings)
    }

    fn audit(&self) -> MutexGuard<'_, Auditing> {
        self.auditing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The settings with their system paths where all system paths are.
    fn placed(&self, settings: &Settings) -> Settings {
        let place =
            |path: &Option<PathBuf>| path.as_ref().map(|path| self.base.place(&path.to_string_lossy()));
        let AuditSettings { jsonl, database } = &settings.audit;
        Settings { audit: AuditSettings { jsonl: place(jsonl), database: place(database) } }
    }

    fn begin_audit(&self, settings: &Settings) -> Result<(), Failure> {
        if self.is_nowhere(settings) && self.audit().only_reads() {
            return Ok(());
        }
        self.audit().begin(&self.layout, &self.placed(settings), clock(), self.terminal)
    }

    /// Whether nothing is here: no configuration, nothing that vsa keeps, and no log that somebody named. Looking around
    /// there leaves nothing.
    fn is_nowhere(&self, settings: &Settings) -> bool {
        let AuditSettings { jsonl, database } = &settings.audit;
        let is_named = jsonl.is_some() || database.is_some();
        let has_files = self.source_files().map_or(true, |files| !files.is_empty());
        !is_named && !has_files && !self.layout.data().exists() && !self.layout.state().exists()
    }

    /// Ends the audit of the command; gives how the command ends.
    pub fn finish(&self, mut result: Result<Exit, Failure>) -> Result<Exit, Failure> {
        if !self.audit().begun() {
            // It was refused early. Where not even the files can be listed, the log is where it is by default.
            let files = self.source_files();
            let settings = files.map(|files| config::settings(files, self.kinds)).unwrap_or_default();
            if let (Err(unaudited), Err(failure)) = (self.begin_audit(&settings), &mut result) {
                failure.diagnostics.extend(unaudited.diagnostics);
            }
        }
        let (result, line) = self.audit().finish(result, clock(), self.terminal);
        if let Some(line) = line {
            self.terminal.note(&self.terminal.error.dim(&line));
        }
        result
    }

    /// Records what is about to happen.
    ///
    /// # Errors
    /// It cannot be recorded, and the command changes something.
    pub fn record(&self, entries: &[audit::Entry]) -> Result<(), Failure> {
        self.audit().append(clock(), entries, self.terminal)
    }

    /// Records what has happened.
    pub fn record_done(&self, entries: Vec<audit::Entry>) {
        self.audit().record(clock(), entries, self.terminal);
    }

    /// Runs what is asynchronous to its end.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// Reads and evaluates the configuration.
    pub fn load(&self, variables: &VariableFlags) -> Result<Declared, Failure> {
        self.load_files(self.source_files()?, variables)
    }

    /// Evaluates the configuration as these files say it.
    pub fn load_files(
        &self,
        files: Vec<config::File>,
        variables: &VariableFlags,
    ) -> Result<Declared, Failure> {
        if files.is_empty() {
            return Err(Diagnostic::error(format!(
                "there is no `*.hcl` file in {}",
                self.base.configuration.display()
            ))
            .help(
                "write one, for instance from `examples/quickstart`, or name the directory with `-chdir=DIR`",
            )
            .into());
        }
        self.evaluate(files, self.arguments(variables)?)
    }

    /// [`Invocation::load`] and [`Invocation::state`] at the same time, for a command that needs no lock for the state.
    pub fn load_beside_state(
        &self,
        variables: &VariableFlags,
    ) -> (Result<Declared, Failure>, Result<Option<State>, Failure>) {
        let file = StateFile::new(&self.layout);
        let mut state = Ok(None);
        let declared = rayon::in_place_scope(|scope| {
            scope.spawn(|_| state = file.read());
            self.load(variables)
        });
        (declared, state.map_err(Failure::from))
    }

    /// Evaluates the configuration that a plan was made from, its sensitive variables supplied again.
    pub fn load_saved(&self, saved: &Saved, variables: &VariableFlags) -> Result<Declared, Failure> {
        let known = |flag: &&VariableFlag| matches!(flag, VariableFlag::Value(name, _) if saved.variables.contains_key(name));
        if let Some(VariableFlag::Value(name, _)) = variables.0.iter().find(known) {
            return Err(Diagnostic::error(format!("the saved plan has a value of `var.{name}`"))
                .help("an apply of it takes values of sensitive variables only")
                .help(format!("make another plan with another value: `vsa plan -out FILE -var {name}=…`"))
                .into());
        }
        let (present, key) = (self.source_files()?, self.key()?);
        let file = |source: &Source| {
            source.file(&present, key.as_ref()).ok_or_else(|| Failure {
                exit: Exit::Stale,
                diagnostics: Diagnostic::error(format!("`{}` is not as it was", source.path.display()))
                    .code("stale_plan")
                    .detail("it spells a secret out, so the saved plan does not hold it and needs the file itself")
                    .help("give secrets as sensitive variables, and make a new plan with `vsa plan -out FILE`")
                    .into(),
            })
        };
        let configuration = saved.sources.iter().map(file).collect::<Result<Vec<_>, _>>()?;
        let values = present.into_iter().filter(|file| config::holds_values(&file.path));
        let known = config::File { path: "(the saved plan)".into(), bytes: saved.values().into_bytes() };
        let mut arguments = vec![config::Argument::File(known)];
        // After those of the plan: where a file has another value, it wins, and is seen.
        arguments.extend(self.arguments(variables)?);
        let declared = self.evaluate(configuration.into_iter().chain(values).collect(), arguments)?;
        let differs = |(name, value): &(&String, &serde_json::Value)| {
            declared.variables.get(&***name).is_some_and(|given| given.to_json() != **value)
        };
        if let Some((name, _)) = saved.variables.iter().find(differs) {
            return Err(Diagnostic::error(format!("the saved plan has another value of `var.{name}`"))
                .detail("a file that `-var-file` names sets it to something else")
                .help("an apply of it takes values of sensitive variables only")
                .help("make another plan with the other value: `vsa plan -out FILE -var-file FILE`")
                .into());
        }
        Ok(declared)
    }

    fn arguments(&self, variables: &VariableFlags) -> Result<Vec<config::Argument>, Failure> {
        let flags = variables.0.iter();
        flags
            .map(|flag| match flag {
                VariableFlag::Value(name, value) => {
                    Ok(config::Argument::Variable { name: name.clone(), value: value.clone() })
                }
                VariableFlag::Malformed => Err(Diagnostic::error("`-var` takes `name=value`")
                    .detail("what was given has no `=`; it is not repeated here, because it may be a secret")
                    .help("write it as `-var name=value`, or set `VSA_VAR_name`")
                    .into()),
                VariableFlag::File(path) => read(&self.base.configuration, path).map(config::Argument::File),
            })
            .collect()
    }

    fn evaluate(
        &self,
        files: Vec<config::File>,
        arguments: Vec<config::Argument>,
    ) -> Result<Declared, Failure> {
        let input = config::Input {
            files,
            environment: self.environment.variables.clone(),
            arguments,
            working_directory: self.environment.directory.clone().unwrap_or_default(),
        };
        let readable = Files { directory: self.base.configuration.clone() };
        let loaded = config::load(input, self.kinds, &readable);
        *self.sources.borrow_mut() = loaded.sources;
        self.begin_audit(&loaded.settings)?;
        match loaded.declared {
            Some(declared) => {
                tracing::debug!(resources = declared.resources.len(), "configuration loaded");
                tracing::trace!(?declared);
                self.terminal.diagnostics(&loaded.diagnostics, &self.sources.borrow());
                Ok(declared)
            }
            None => Err(loaded.diagnostics.into()),
        }
    }

    /// The files of the configuration's directory that are read without being named.
    pub fn source_files(&self) -> Result<Vec<config::File>, Failure> {
        let directory = &self.base.configuration;
        let unreadable = |error: std::io::Error| {
            Diagnostic::error(format!("`{}` cannot be read: {error}", directory.display()))
        };
        let mut files = Vec::new();
        for entry in directory.read_dir().map_err(unreadable)? {
            let name = PathBuf::from(entry.map_err(unreadable)?.file_name());
            if config::may_be_source(&name) {
                return Err(Diagnostic::error(format!("the name of `{}` is not UTF-8", name.display()))
                    .help("rename it: what it declares would be missing")
                    .into());
            }
            if config::is_source(&name) && !directory.join(&name).is_dir() {
                files.push(read(directory, &name)?);
            }
        }
        Ok(files)
    }

    /// The state, or `None` before the first apply.
    pub fn state(&self) -> Result<Option<State>, Failure> {
        Ok(StateFile::new(&self.layout).read()?)
    }

    /// The state, for commands that are about it.
    pub fn existing_state(&self) -> Result<State, Failure> {
        if let Some(state) = self.state()? {
            return Ok(state);
        }
        let error = Diagnostic::error(format!("there is no state in {}", self.layout.state().display()));
        Err(if self.has_former_states()? {
            let backups = self.layout.backups();
            error
                .detail(format!("there was one: former ones are in {}", backups.display()))
                .help("put it back: the newest of these, or a newer one from a backup of yours")
        } else {
            error.help("`vsa apply` makes it")
        }
        .into())
    }

    /// Whether states are kept that were followed by others.
    pub fn has_former_states(&self) -> Result<bool, Failure> {
        Ok(!StateFile::new(&self.layout).serials()?.is_empty())
    }

    /// The state's key: `VSA_KEY`, else the key file, else none.
    pub fn key(&self) -> Result<Option<Key>, Failure> {
        match &self.environment.key {
            Some(text) => Key::parse(text).map(Some).map_err(|error| {
                Diagnostic::error(format!("`VSA_KEY` is not a key: {error}"))
                    .help("it holds what stands in `.vsa/key`")
                    .into()
            }),
            None => Ok(store::read_key(&self.layout.key())?),
        }
    }

    /// Makes the state's key before the first apply.
    ///
    /// # Errors
    /// Where a state has one already and it is not here: another key would take every secret for changed.
    pub fn ensure_key(&self) -> Result<(), Failure> {
        if self.key()?.is_some() {
            return Ok(());
        }
        if let Some(state) = self.state()?
            && state.resources.values().any(|stored| stored.attributes.get().contains("$fingerprint"))
        {
            return Err(Diagnostic::error("the state's key is not here")
                .detail("the state holds fingerprints of secrets that were made with it")
                .help("put it into `.vsa/key` (mode 0600) or give it as `VSA_KEY`")
                .help(
                    "where it is lost, `vsa init` makes another: all sensitive values then count as changed",
                )
                .into());
        }
        store::ensure_key(&self.layout.key())?;
        Ok(())
    }

    /// Takes the state's lock.
    pub fn lock(&self, flags: LockFlags) -> Result<Lock, Failure> {
        let actor = actor(&self.environment);
        let holder = Holder {
            who: format!("{}@{}", actor.user, actor.host),
            pid: std::process::id(),
            since: clock().to_string(),
            command: self.command_line.clone(),
        };
        Ok(Lock::acquire(&self.layout.lock(), &holder, flags.lock_timeout)?)
    }

    /// Asks the audit log something; who may read it need not be able to write it.
    pub fn with_audit<T>(
        &self,
        ask: impl FnOnce(&audit::Reader) -> Result<T, audit::Error>,
    ) -> Result<T, Failure> {
        let (_, database) = self.audit_paths();
        let failed = |error: audit::Error| Failure::from(error.diagnostic());
        match audit::Reader::open(&database).map_err(failed)? {
            Some(log) => ask(&log).map_err(failed),
            None => Err(Diagnostic::error(format!("there is no audit log in {}", database.display())).into()),
        }
    }

    /// Where the two copies of the audit log are.
    pub fn audit_paths(&self) -> (PathBuf, PathBuf) {
        self.audit().paths(&self.layout)
    }

    /// Looks for what somebody did to the audit log, and begins the audit after that.
    pub fn verify_audit(&self, known: &[AuditHead]) -> Result<Verification, Failure> {
        let settings = config::settings(self.source_files()?, self.kinds);
        let verification = Auditing::verify(&self.layout, &self.placed(&settings), known);
        self.begin_audit(&settings)?;
        verification.map_err(|error| error.diagnostic().into())
    }

    /// How plans are written.
    pub fn plan_text(&self, full: bool) -> PlanText<'_> {
        PlanText { paint: self.terminal.output, full, vocabulary: self.kinds }
    }
}

/// What all system paths are below, from `VSA_ROOT`. One that depends on the current directory would be another one for
/// each: what vsa made would not be found again.
fn system(root: Option<&Path>) -> Result<PathBuf, Failure> {
    let root = root.unwrap_or(Path::new("/"));
    if root.is_absolute() {
        return Ok(root.to_owned());
    }
    Err(Diagnostic::error("`VSA_ROOT` is not an absolute path")
        .detail(format!("it is `{}`; all system paths are below it", root.display()))
        .help("begin it with `/`, or do not set it")
        .into())
}

/// How large a file of the configuration, or one that a function reads, may be, in bytes: a value holds no more.
const LARGEST: u64 = Value::MAX_SIZE as u64;

/// Reads a file of the configuration; `path` is relative to `directory`.
fn read(directory: &Path, path: &Path) -> Result<config::File, Failure> {
    let bytes = read_file_within(&directory.join(path), LARGEST)
        .map_err(|error| Diagnostic::error(format!("`{}` cannot be read: {error}", path.display())))?;
    Ok(config::File { path: path.to_owned(), bytes })
}

/// The files that functions may read.
struct Files {
    directory: PathBuf,
}

impl crate::lang::Environment for Files {
    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        read_file_within(&self.directory.join(path), LARGEST).map_err(|error| error.to_string())
    }

    fn tree(&self, path: &Path) -> Result<Tree, String> {
        super::tree::read(&self.directory.join(path))
    }
}
