//! What questions of one batch share: the Compose tool, which makes of files what is not in their places yet, and the
//! images of each engine.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bollard::models::ImageSummary;
use nix::unistd::Uid;
use tokio::sync::{OnceCell, Semaphore};

use crate::host::compose::{Task, command};
use crate::host::{Command, Output, Overlay, local::process};
use crate::plan::docker::ComposeTool;
use crate::plan::{Answer, ComposeCandidate};

/// How long the tool may take to answer.
const PATIENCE: Duration = Duration::from_mins(1);

/// How many of them run at once: each is a program of some size.
const AT_ONCE: usize = 4;

/// How much of what the tool says of a failure is told.
const TOLD: usize = 3;

/// What the questions of one batch share.
pub(in crate::host::local) struct Tools {
    found: OnceCell<Option<ComposeTool>>,
    turns: Semaphore,
    /// The images of each engine.
    images: Mutex<HashMap<PathBuf, Listing>>,
}

type Listing = Arc<OnceCell<Vec<ImageSummary>>>;

impl Tools {
    pub(in crate::host::local) fn new() -> Self {
        Self { found: OnceCell::new(), turns: Semaphore::new(AT_ONCE), images: Mutex::default() }
    }

    /// The images of an engine, listed once for all who ask for some of them.
    pub(super) fn images(&self, socket: &Path) -> Listing {
        let mut images = self.images.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(images.entry(socket.to_owned()).or_default())
    }

    /// The plugin where there is one, else the program of its own.
    pub(super) async fn find(&self, vsa: &Path) -> Option<ComposeTool> {
        let look = async || match version(vsa, Command::new("docker").arg("compose")).await {
            Some(version) => Some(ComposeTool::plugin(version)),
            None => version(vsa, Command::new("docker-compose")).await.map(ComposeTool::standalone),
        };
        self.found.get_or_init(look).await.clone()
    }

    /// The hashes of a project's services, by the tool itself: it sees the files where they will be.
    pub(super) async fn hashes(&self, vsa: &Path, candidate: &ComposeCandidate) -> Answer {
        if !Uid::effective().is_root() {
            return Answer::Failed("only root can show it files that are not in their places yet".to_owned());
        }
        let Some(tool) = self.find(vsa).await else { return Answer::Absent };
        let project = &candidate.project;
        let directories = [Some(&*project.directory), project.env_file.parent()];
        let overlays = directories.into_iter().flatten().map(|directory| overlay(directory, candidate));
        let command = command(&tool, project, &Task::Hashes).timeout(PATIENCE);
        let command = overlays.fold(command, Command::overlay);
        let Ok(_turn) = self.turns.acquire().await else { return Answer::Absent };
        match process::ask(vsa, command).await {
            Ok(output) if output.success() => Answer::ComposeHashes(read(&output)),
            Ok(output) => Answer::Failed(told(&output.errors())),
            Err(error) => Answer::Failed(error.to_string()),
        }
    }
}

fn overlay(directory: &Path, candidate: &ComposeCandidate) -> Overlay {
    let inside = |(path, bytes): (&PathBuf, &crate::plan::FileBytes)| {
        Some((path.strip_prefix(directory).ok()?.to_owned(), Arc::clone(&bytes.0)))
    };
    Overlay { directory: directory.to_owned(), files: candidate.files.iter().filter_map(inside).collect() }
}

/// A line for each service: its name and its hash.
fn read(output: &Output) -> BTreeMap<String, String> {
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = text.lines().filter_map(|line| line.trim().split_once(' '));
    lines.map(|(service, hash)| (service.to_owned(), hash.to_owned())).collect()
}

/// The end of what the tool says. It may repeat what stands in the files: who shows it masks their secrets.
fn told(errors: &str) -> String {
    let lines: Vec<&str> = errors.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(TOLD)..].join("; ")
}

async fn version(vsa: &Path, command: Command) -> Option<semver::Version> {
    let output = process::ask(vsa, command.arg("version").arg("--short").timeout(PATIENCE)).await.ok()?;
    output.success().then(|| ComposeTool::version(&String::from_utf8_lossy(&output.stdout))).flatten()
}
