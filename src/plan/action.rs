//! Actions: operations on the outside world as data, each with its undo.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::issuance::{CertificateOrder, Lineage};
use super::project::{ComposeProject, NetworkSettings, PullPolicy, RollingService, SwarmStack};
use crate::address::Address;

/// The part of an apply that an action belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// All that is additive and not yet visible.
    Prepare,
    /// The new generation goes live; its proof is the commit.
    Switch,
    /// What is no longer wanted goes away.
    CleanUp,
}

/// Owner, group and permission bits of a path; `None` leaves what the creating process gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// The owner's name, or its id in decimal.
    pub owner: Option<String>,
    /// The group's name, or its id in decimal.
    pub group: Option<String>,
    /// Permission bits.
    pub mode: u32,
}

/// One operation on a node; doing it twice is doing it once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Operation {
    /// Makes a directory (its parent exists, or is made with mode 0755), or mends its access where vsa owns it.
    /// One that is there and not vsa's is used and never owned. Result: `{ "owned": bool }`.
    EnsureDirectory {
        /// The directory.
        path: PathBuf,
        /// Its access.
        access: Access,
        /// Whether the state says that it is vsa's.
        owned: bool,
    },
    /// Removes a directory that is empty; one that is not stays, and is reported as kept.
    RemoveEmptyDirectory {
        /// The directory.
        path: PathBuf,
    },
    /// Writes a file, or replaces one, in one step. Its content is in no record: the run has it from its plan.
    WriteFile {
        /// The file.
        path: PathBuf,
        /// Its access, set before its content is written.
        access: Access,
    },
    /// Removes a file that vsa wrote.
    RemoveFile {
        /// The file.
        path: PathBuf,
    },
    /// Makes a Compose project ready for a change: proves that the engine and the Compose tool are there, and that its
    /// ports are free. Taking it back brings the project back to as it was, from its former files.
    ComposePrepare {
        /// The project.
        project: ComposeProject,
        /// Loopback ports that it will publish and does not publish yet.
        ports: Vec<u16>,
        /// Whether the project was up before, as the state knows.
        was_up: bool,
        /// Whether a network of its own changes, so that it is taken down before it comes up, forwards and back.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        anew: bool,
    },
    /// Makes the containers of a Compose project as its files say, and waits until they are healthy (or stay up,
    /// where they have no health check).
    /// Result: `{ "services": { "web": { "hash": "…", "image": "sha256:…", "count": 1, "ended": false, "networks": ["…"] } },
    /// "networks": { "default": "…" } }`.
    ComposeUp {
        /// The project.
        project: ComposeProject,
        /// Which images are pulled before.
        pull: PullPolicy,
        /// How long to wait, in seconds.
        wait: u32,
        /// The services whose new containers come up beside the old ones.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        rolling: Vec<RollingService>,
        /// With `rolling`: the other services.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        others: Vec<String>,
        /// The ids of containers of services that the project has no more: they go in clean up.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        leaving: Vec<String>,
        /// Whether a network of its own changes: containers and networks are removed first.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        anew: bool,
        /// The services that are made anew although the Compose tool sees no reason to.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        again: Vec<String>,
        /// The networks of its own, by their names in its files, each with a digest of its settings: reported as they are.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        networks: BTreeMap<String, String>,
    },
    /// Stops and removes containers of a Compose project that nothing is passed on to any more; one that has gone is
    /// no error.
    RetireContainers {
        /// The project.
        project: ComposeProject,
        /// Each with how long it may take to end by itself, in seconds.
        containers: BTreeMap<String, u32>,
    },
    /// Stops the containers of a Compose project.
    ComposeStop {
        /// The project.
        project: ComposeProject,
    },
    /// Removes the containers and networks of a Compose project; its volumes stay unless they are named.
    ComposeDown {
        /// The project.
        project: ComposeProject,
        /// Whether its named volumes go too.
        volumes: bool,
    },
    /// Makes a stack of a swarm ready for a change: proves that the engine manages a swarm and that the Docker command
    /// line is there. Taking it back brings the stack back to as it was, from its former file.
    SwarmPrepare {
        /// The stack.
        stack: SwarmStack,
        /// Whether the stack was deployed before, as the state knows.
        was_up: bool,
        /// Its services that did their work before: those that taking it back waits for.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        well: Vec<String>,
    },
    /// Gives the swarm the secrets and configs of a stack, deploys it, and waits until every update is done and the
    /// tasks run (and are healthy, where they have a health check). Result: as of `ComposeUp`, `hash` being a digest of
    /// what the swarm runs.
    SwarmDeploy {
        /// The stack.
        stack: SwarmStack,
        /// When registries are asked which image a name means.
        pull: PullPolicy,
        /// How long to wait, in seconds.
        wait: u32,
    },
    /// Removes the services of a stack that it has no more, and the secrets, configs and networks that none of the others
    /// has.
    SwarmPrune {
        /// The stack.
        stack: SwarmStack,
        /// What goes, for people; nothing where that is not known, because an earlier run was interrupted.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        goes: Vec<String>,
    },
    /// Removes a stack: services, networks, secrets and configs. Named volumes stay unless they are named.
    SwarmRemove {
        /// The stack.
        stack: SwarmStack,
        /// Whether its named volumes on this node go too.
        volumes: bool,
    },
    /// Makes a network. One of that name that is there must be the same.
    CreateNetwork {
        /// The network.
        network: NetworkSettings,
        /// What vsa made under that name before, which nothing is in: it is made anew.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replaces: Option<NetworkSettings>,
    },
    /// Removes a network that vsa made.
    RemoveNetwork {
        /// Its name.
        name: String,
    },
    /// Takes the node's proxy container into a network. One that is not there yet is joined by a later apply.
    ConnectNetwork {
        /// The network.
        network: String,
    },
    /// Takes the node's proxy container from a network.
    DisconnectNetwork {
        /// The network.
        network: String,
    },
    /// Removes a directory of vsa's with all below it.
    RemoveDirectory {
        /// What it must be below.
        root: PathBuf,
        /// The directory.
        path: PathBuf,
    },
    /// Makes a key and a self-signed certificate: `privkey.pem` (0600) and `fullchain.pem`.
    /// Result: `{ "issue": number, "request": "…", "not_after": seconds, "digest": "…" }`: issue and request as given,
    /// the end of validity, and the SHA-256 of `fullchain.pem` in hexadecimal.
    IssueSelfSigned {
        /// The number of this issue.
        issue: u64,
        /// What was asked for, as the kind compares it.
        request: String,
        /// The directory of this issue.
        directory: PathBuf,
        /// Subject alternative names.
        names: Vec<String>,
        /// `ecdsa-p256` or `ecdsa-p384`.
        key_type: String,
        /// Validity in days.
        days: u32,
    },
    /// Copies a key and a certificate that somebody else keeps. Result as of `IssueSelfSigned`.
    CopyCertificate {
        /// The number of this issue.
        issue: u64,
        /// What was asked for, as the kind compares it.
        request: String,
        /// The directory of this issue.
        directory: PathBuf,
        /// The certificate with its chain.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// Takes an issue that is there already. Result as of `IssueSelfSigned`.
    AdoptCertificate {
        /// The number of this issue.
        issue: u64,
        /// What was asked for, as the kind compares it.
        request: String,
        /// The directory of this issue.
        directory: PathBuf,
    },
    /// Has an authority issue a certificate, unless that was done before: the order that is under way is taken up, and
    /// what was issued is kept whatever becomes of the run. Result as of `IssueSelfSigned`.
    IssueCertificate {
        /// The number of this issue.
        issue: u64,
        /// What was asked for, as the kind compares it.
        request: String,
        /// The directory of this issue.
        directory: PathBuf,
        /// What the authority is asked for.
        order: Box<CertificateOrder>,
    },
    /// Makes another generation live, which answers for what proves control over names: what is live, or nothing but
    /// what all sites of the node share. The next one takes its place in the same run.
    SwitchBase {
        /// The generation's number.
        number: u64,
        /// Its files.
        files: u64,
    },
    /// Removes an issue of a certificate; one that a kept generation names goes with that generation.
    RemoveCertificate {
        /// The directory of the issue.
        directory: PathBuf,
    },
    /// Puts an issue into a lineage, as certbot has it: its four files into `archive/<name>` under the lineage's next
    /// number, and the links of `live/<name>` to them, all at once where the file system can. In the node's own
    /// directory the lineage is made where there is none, with a configuration that leaves its renewal to vsa. An issue
    /// that is there with the highest number keeps it. Result: `{ "published": number }`.
    PublishCertificate {
        /// The lineage.
        lineage: Lineage,
        /// The directory of the issue.
        directory: PathBuf,
        /// The directory of the authority that it is of, for `certbot certificates`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        server: Option<String>,
    },
    /// Starts the program that is told of a certificate that is served now. That it fails is a warning, and no failure of
    /// the run.
    TellRenewal {
        /// The program and its arguments.
        command: Vec<String>,
        /// The lineage whose directory it is told.
        lineage: Lineage,
        /// The names of the certificate.
        names: Vec<String>,
    },
    /// Switches certbot's renewal of a lineage off, in `renewal/<name>.conf`; all else in there stays. Result:
    /// `{ "certbot": { "home": "…", "name": "…" } }`.
    StopCertbot {
        /// The lineage.
        lineage: Lineage,
    },
    /// Switches certbot's renewal of a lineage on again, where [`Operation::StopCertbot`] switched it off.
    ResumeCertbot {
        /// The lineage.
        lineage: Lineage,
        /// Whether something else has it switched off too: it stays so.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        is_shared: bool,
    },
    /// Removes a lineage in the node's own directory: links, files and configuration.
    RemoveLineage {
        /// The lineage.
        lineage: Lineage,
    },
    /// Writes the next generation, tests it, makes it current, reloads nginx (starting a managed one that does not
    /// run), and asks nginx which generation it serves.
    SwitchGeneration {
        /// The generation's number.
        number: u64,
        /// Files that differ from the former generation.
        changed: u64,
        /// All files.
        files: u64,
    },
    /// Takes vsa's nginx files away: removes the include file and reloads (host), or stops nginx (managed).
    RetireProxy {
        /// The last live generation.
        number: u64,
    },
    /// Removes generations beyond the ten that are kept.
    PruneGenerations {
        /// The live one.
        live: u64,
        /// How many old ones are kept.
        keep: u32,
    },
    /// Removes the node's own directory.
    RemoveRoot {
        /// The directory.
        path: PathBuf,
    },
}

impl Operation {
    /// Whether it looks, and changes nothing: only what comes after it has to be taken back.
    pub fn only_looks(&self) -> bool {
        matches!(self, Self::ComposePrepare { .. } | Self::SwarmPrepare { .. })
    }

    /// What an authority is asked for with it.
    pub fn order(&self) -> Option<&CertificateOrder> {
        match self {
            Self::IssueCertificate { order, .. } => Some(order),
            _ => None,
        }
    }

    /// The generation that it makes live.
    pub fn generation(&self) -> Option<u64> {
        match self {
            Self::SwitchGeneration { number, .. } | Self::SwitchBase { number, .. } => Some(*number),
            _ => None,
        }
    }

    /// Whether it makes or removes the containers of a stack.
    pub fn runs_containers(&self) -> bool {
        matches!(
            self,
            Self::ComposeUp { .. }
                | Self::ComposeDown { .. }
                | Self::SwarmDeploy { .. }
                | Self::SwarmRemove { .. }
        )
    }
}

/// How an action is taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Undo {
    /// By removing what it made, if it did make it.
    RemoveMade,
    /// By putting the former file back, or removing the new one where there was none.
    FormerFile,
    /// By pointing the links of a lineage to what they named before, and removing the files that were put into its archive.
    FormerLinks,
    /// By bringing the Compose project, or the stack of a swarm, back to as it was, from its former files.
    FormerProject,
    /// By switching back to the former generation, or to none.
    SwitchBack {
        /// The former generation.
        to: Option<u64>,
    },
    /// There is nothing to take back.
    Nothing,
    /// There is no way back.
    Irreversible {
        /// Why, for the plan.
        reason: String,
    },
}

/// One operation on the outside world, with where it belongs and how it is taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// Unique in a plan; the order in which actions without needs are shown.
    pub id: u32,
    /// The resource that it is for.
    pub resource: Address,
    /// The node that it is done on.
    pub node: Address,
    /// The phase.
    pub phase: Phase,
    /// What is done.
    pub operation: Operation,
    /// How it is taken back.
    pub undo: Undo,
    /// Actions that must be done before.
    pub needs: Vec<u32>,
}
