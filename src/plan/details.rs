//! What a change does to the parts of a resource that have names of their own: the services of a stack.

use serde::{Deserialize, Serialize};

use crate::address::Address;

use super::change::ChangeKind;

/// What a change does beyond the resource's own attributes, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// The parts that change, and those that stay beside them.
    pub parts: Vec<PartChange>,
    /// What else there is to say: which data stays, what could not be found out.
    pub remarks: Vec<String>,
    /// How it is done; `None` where that is not known.
    pub effect: Option<Effect>,
    /// The services that do not answer for a while.
    pub interrupted: Vec<String>,
    /// The resources that feel that: sites that pass requests on to them.
    pub felt_by: Vec<Address>,
}

/// How a change is done; what is worse for those who are served comes later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// What is there stays as it is.
    Additive,
    /// What is there goes once something new serves in its place.
    Rolling,
    /// Something is stopped before something new takes its place, or for good.
    Interrupting,
}

/// What happens to a part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartChange {
    /// What it is: `service web`.
    pub part: String,
    /// What happens to it; [`ChangeKind::Replace`] where it is made anew.
    pub kind: ChangeKind,
    /// What that means, and why.
    pub why: String,
    /// Its attributes that differ, by name.
    pub attributes: Vec<PartAttribute>,
}

/// An attribute of a part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartAttribute {
    /// Its name.
    pub name: String,
    /// What it was.
    pub before: Shown,
    /// What it becomes.
    pub after: Shown,
}

/// What is shown of a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// It is not there.
    Absent,
    /// It is there, and must not be seen.
    Hidden,
    /// This.
    Text(String),
}
