//! Services of a swarm and their tasks.

/// A service of a swarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its id.
    pub id: String,
    /// Its name: `<stack>_<service>` of a deployed Compose file.
    pub name: String,
    /// The stack that it belongs to (`com.docker.stack.namespace`).
    pub stack: Option<String>,
    /// Its image, with the digest that the swarm has pinned.
    pub image: String,
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
    /// What it does: `running`, `failed`, `preparing`, ….
    pub state: String,
    /// What the swarm wants it to do.
    pub wanted: String,
    /// What went wrong.
    pub error: Option<String>,
    /// Its container's id, once there is one.
    pub container: Option<String>,
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
