//! Services of a swarm and their tasks.

use std::collections::{BTreeMap, BTreeSet};

use super::same_reference;

/// The name that a stack's files give to a service, of the one that the swarm knows it by: `<stack>_<service>`.
pub fn service_name<'a>(stack: &str, name: &'a str) -> &'a str {
    name.strip_prefix(stack).and_then(|rest| rest.strip_prefix('_')).unwrap_or(name)
}

/// A service of a swarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its id.
    pub id: String,
    /// Its name: `<stack>_<service>` of a deployed Compose file.
    pub name: String,
    /// The stack that it belongs to (`com.docker.stack.namespace`).
    pub stack: Option<String>,
    /// Its labels of vsa's own, by their whole name.
    pub labels: BTreeMap<String, String>,
    /// Its image, with the digest that the swarm has pinned.
    pub image: String,
    /// The image that its stack's file asked for (`com.docker.stack.image`).
    pub asked_for: Option<String>,
    /// A digest of all that was asked for of it, but how many tasks there shall be and the values of variables; nothing in it
    /// can be guessed.
    pub digest: String,
    /// How many tasks there should be.
    pub wanted: u64,
    /// How many run.
    pub running: u64,
    /// The last update, where there was one.
    pub update: Option<UpdateState>,
    /// Why the last update is where it is, in the swarm's words.
    pub message: Option<String>,
    /// Its tasks, newest first.
    pub tasks: Vec<Task>,
}

impl Service {
    /// The name that its stack's files give it.
    pub fn short_name(&self) -> &str {
        self.stack.as_ref().map_or(&self.name, |stack| service_name(stack, &self.name))
    }

    /// Whether it runs this image.
    pub fn runs(&self, image: &str) -> bool {
        let bare = self.image.split_once('@').map_or(self.image.as_str(), |(bare, _)| bare);
        same_reference(bare, image) || same_reference(&self.image, image)
    }

    /// Whether it is what a digest says that was taken before. One of another form, of another version of vsa, says nothing.
    pub fn is_as(&self, digest: &str) -> bool {
        let form = |digest: &str| digest.split_once(':').map(|(form, _)| form.to_owned());
        digest == self.digest || form(digest) != form(&self.digest)
    }

    /// The newest task of each replica, or on each node where it runs once on each.
    pub fn newest(&self) -> Vec<&Task> {
        let mut seen = BTreeSet::new();
        self.tasks.iter().filter(|task| seen.insert(task.replica())).collect()
    }

    /// Whether as many of its tasks as there should be do their work, as it says now, or did it: one that does its work
    /// once has done it.
    pub fn is_well(&self) -> bool {
        let is_completed = self.update == Some(UpdateState::Completed);
        let does = |task: &&Task| task.does() && (task.current || is_completed);
        let doing = self.tasks.iter().filter(does).count();
        u64::try_from(doing + self.done()).is_ok_and(|well| well >= self.wanted)
    }

    /// Whether fewer of its tasks run, or have done their work, than there should be.
    pub fn is_short(&self) -> bool {
        let done = u64::try_from(self.done()).unwrap_or(u64::MAX);
        self.running.saturating_add(done) < self.wanted
    }

    /// How many of its replicas have done their work.
    pub fn done(&self) -> usize {
        self.newest().into_iter().filter(|task| task.is_complete() && task.current).count()
    }
}

impl Task {
    /// Which of its service's replicas it runs: the number, or the node of one that runs once on each.
    pub fn replica(&self) -> (Option<i64>, Option<&str>) {
        (self.slot, self.node.as_deref().filter(|_| self.slot.is_none()))
    }

    /// Whether it does its work, and shall go on.
    pub fn does(&self) -> bool {
        self.state == "running" && self.wanted == "running"
    }

    /// Whether it does nothing any more.
    pub fn has_ended(&self) -> bool {
        self.has_failed() || self.is_complete() || matches!(self.state.as_str(), "shutdown" | "remove")
    }

    /// Whether it ended by itself, in good order.
    pub fn is_complete(&self) -> bool {
        self.state == "complete"
    }

    /// Whether it went wrong.
    pub fn has_failed(&self) -> bool {
        matches!(self.state.as_str(), "failed" | "rejected" | "orphaned")
    }
}

/// One run of one replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its id.
    pub id: String,
    /// The replica's number; `None` of a service that runs once on each node.
    pub slot: Option<i64>,
    /// The node that it was given to.
    pub node: Option<String>,
    /// Its image.
    pub image: String,
    /// Whether it runs what its service says now.
    pub current: bool,
    /// What it does: `running`, `failed`, `preparing`, ….
    pub state: String,
    /// What the swarm wants it to do.
    pub wanted: String,
    /// What went wrong.
    pub error: Option<String>,
    /// Its container's id, once there is one.
    pub container: Option<String>,
    /// What that ended with.
    pub exit_code: Option<i64>,
}

/// Where an update of a service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateState {
    /// Under way.
    Updating,
    /// Stopped halfway, for somebody to look at.
    Paused,
    /// Done.
    Completed,
    /// Being taken back.
    RollingBack,
    /// Taking it back stopped halfway.
    RollbackPaused,
    /// Taken back.
    RolledBack,
}
