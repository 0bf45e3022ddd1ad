//! A stack as the state knows it, for those who look at its containers and change nothing of it.

use super::attributes::{Engine, Stack};
use crate::names::{Duration, Text as _};
use crate::plan::{ComposeProject, NodeSpec, SwarmStack};
use crate::state::Stored;
use crate::state::attributes::{self, Tree};

/// What the state knows of a stack.
#[derive(Clone, Debug)]
pub struct Deployed {
    /// Its Compose project.
    pub project: ComposeProject,
    /// The same as a stack of a swarm, where one runs it.
    pub swarm: Option<SwarmStack>,
    /// The name of its tenant.
    pub tenant: String,
    /// Where it comes from; `None` of one whose Compose file stands in its block.
    pub source: Option<String>,
    /// Whether its containers shall run.
    pub running: bool,
    /// How long its containers may take to be healthy, in seconds.
    pub wait: u32,
}

/// How long containers may take where the state does not say, in seconds.
const WAIT: u32 = 120;

/// What the state knows of a stack on a node; `None` where that cannot be read.
pub fn deployed(stored: &Stored, spec: &NodeSpec) -> Option<Deployed> {
    let stack = Stack::known(stored, spec)?;
    let swarm = (Engine::of(stored) == Engine::Swarm).then(|| stack.in_swarm(Vec::new(), Vec::new()));
    let project = stack.project;
    let known = attributes::decode(&stored.attributes).ok()?;
    let Tree::Reference(tenant) = known.get("tenant")? else { return None };
    let text = |tree: Option<&Tree>| match tree {
        Some(Tree::String(text)) => Some(text.to_string()),
        _ => None,
    };
    let timeout = match known.get("wait") {
        Some(Tree::Object(wait)) => text(wait.get("timeout")),
        _ => None,
    };
    let timeout = timeout.and_then(|text| Duration::parse(&text).ok());
    Some(Deployed {
        project,
        swarm,
        tenant: tenant.own_name().into_owned(),
        source: text(known.get("source")),
        running: text(known.get("status")).as_deref() != Some("stopped"),
        wait: timeout.map_or(WAIT, |timeout| u32::try_from(timeout.seconds()).unwrap_or(u32::MAX)),
    })
}
