//! What each operation does on a node, and how it is taken back. Doing an operation twice is doing it once.

mod before;
mod certificates;
mod compose;
mod directories;
mod files;
mod guarding;
mod issues;
mod issuing;
mod lineages;
mod networks;
mod on_failure;
mod on_renewal;
mod order_key;
mod proving;
mod prune;
mod remade;
mod root;
mod settling;
mod swarm;
mod unissued;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub(super) use before::{before, replaced};
use certificates::Issue;
pub use compose::known_secrets;
pub(super) use compose::spelled;
pub(super) use files::{former, guarded};
pub(super) use issues::Issues;
pub(super) use networks::Withheld;
pub(super) use on_renewal::remark;
pub(super) use settling::{Waiting, Watch, settled};

use super::compose::Tool;
use super::issuance::Issuance;
use super::journal::{Before, Facts};
use super::masks::Masks;
use super::switch;
use crate::address::Address;
use crate::diag::Diagnostic;
use crate::host::{FileOperation, Host};
use crate::plan::action::Access;
use crate::plan::issuance::lineage::SWITCHED_OFF;
use crate::plan::{Action, Answer, NodeSpec, Operation, PlacedFile, Query, Undo};
use crate::state::State;
use crate::value::Secret;

/// What an operation may use.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) host: &'a dyn Host,
    /// The node's configuration.
    pub(super) spec: &'a NodeSpec,
    /// The resource whose action it is.
    pub(super) resource: &'a Address,
    /// The state as it is now.
    pub(super) state: &'a State,
    /// Files at places of their own, by node and path.
    pub(super) placed: &'a BTreeMap<(Address, PathBuf), PlacedFile>,
    /// The Compose tool of the run.
    pub(super) tool: &'a Tool,
    /// What the nodes' generations name.
    pub(super) issues: &'a Issues,
    /// The networks that the proxy stays out of for now.
    pub(super) withheld: &'a Withheld,
    /// What is known of authorities.
    pub(super) issuance: &'a Issuance,
    /// The secrets of the resource's operations, by name.
    pub(super) secrets: &'a BTreeMap<&'static str, Secret>,
    /// The secrets of the run, which nothing that others say is kept or shown with.
    pub(super) masks: &'a Masks,
    /// Writes down what is known so far of what an operation makes, should the run be killed.
    pub(super) note: &'a Note<'a>,
    /// Takes note of a service whose containers are waited for, and of what they do now.
    pub(super) told: &'a Told<'a>,
}

/// Takes note of a service, and of what its containers do now.
pub(in crate::apply) type Told<'a> = dyn Fn(&str, &str) + Send + Sync + 'a;

/// Writes down what is known so far.
pub(in crate::apply) type Note<'a> = dyn Fn(Facts) -> Result<(), Diagnostic> + Send + Sync + 'a;

/// The directories on the way to a path, itself included, that are not there, from the top.
pub(super) async fn missing(host: &dyn Host, path: &Path) -> Vec<PathBuf> {
    let queries: Vec<Query> = path.ancestors().map(|path| Query::Stat(path.to_owned())).collect();
    let answers = host.observe(&queries).await;
    let absent = path.ancestors().zip(answers).filter(|(_, answer)| *answer == Answer::Absent);
    let mut missing: Vec<PathBuf> = absent.map(|(path, _)| path.to_owned()).collect();
    missing.reverse();
    missing
}

/// What makes a directory, and those above it that are not there, so that they outlast a power cut.
pub(super) async fn make_missing(host: &dyn Host, path: &Path, access: &Access) -> Vec<FileOperation> {
    let make = |path: PathBuf| {
        let above = path.parent().unwrap_or(&path).to_owned();
        [FileOperation::MakeDirectory { path, access: access.clone() }, FileOperation::Sync { path: above }]
    };
    missing(host, path).await.into_iter().flat_map(make).collect()
}

/// Does an operation of prepare or clean up; those of a switch are the run's own.
pub(super) async fn perform(
    context: Context<'_>,
    operation: &Operation,
    before: &Before,
) -> Result<Facts, Diagnostic> {
    match operation {
        Operation::EnsureDirectory { path, access, owned } => {
            directories::ensure(context, path, access, *owned, before).await
        }
        Operation::RemoveEmptyDirectory { path } => directories::remove_empty(context, path).await,
        Operation::IssueSelfSigned { issue, request, directory, names, key_type, days } => {
            let issue = Issue { number: *issue, request, directory };
            certificates::issue(context, issue, names, key_type, *days).await
        }
        Operation::CopyCertificate { issue, request, directory, certificate, key } => {
            let issue = Issue { number: *issue, request, directory };
            certificates::copy(context, issue, certificate, key).await
        }
        Operation::AdoptCertificate { issue, request, directory } => {
            issuing::adopt(context, Issue { number: *issue, request, directory }).await
        }
        Operation::IssueCertificate { issue, request, directory, order } => {
            let issue = Issue { number: *issue, request, directory };
            let issued = issuing::issue(context, issue, order).await;
            match issued {
                Ok(facts) => Ok(facts),
                Err(error) => Err(on_failure::tell(context.host, order, directory, error).await),
            }
        }
        Operation::WriteFile { path, access } => files::write(context, path, access, before).await,
        Operation::RemoveFile { path } => files::remove(context, path).await,
        Operation::RemoveDirectory { root, path } => directories::remove(context, root, path).await,
        Operation::ComposePrepare { project, ports, .. } => compose::prepare(context, project, ports).await,
        Operation::ComposeUp { project, pull, wait, rolling, others, leaving, anew, again, networks } => {
            let how = compose::Up { pull: *pull, wait: *wait, rolling, others, leaving, anew: *anew, again };
            let up = Box::pin(compose::up(context, project, how));
            let mut facts = remade::served(context, project, up).await?;
            facts.extend(fact("networks", serde_json::json!(networks)));
            Ok(facts)
        }
        Operation::RetireContainers { project, containers } => {
            compose::retire(context, project, containers).await
        }
        Operation::ComposeStop { project } => compose::stop(context, project).await,
        Operation::SwarmPrepare { stack, .. } => swarm::prepare(context, stack).await,
        Operation::SwarmDeploy { stack, pull, wait } => swarm::deploy(context, stack, *pull, *wait).await,
        Operation::SwarmPrune { stack, .. } => swarm::prune(context, stack, &stack.services).await,
        Operation::SwarmRemove { stack, volumes } => swarm::remove(context, stack, *volumes).await,
        Operation::CreateNetwork { network, replaces } => {
            networks::create(context, network, replaces.as_ref()).await
        }
        Operation::RemoveNetwork { name } => networks::remove(context, name).await,
        Operation::ConnectNetwork { network } => networks::connect(context, network).await,
        Operation::DisconnectNetwork { network } => networks::disconnect(context, network).await,
        Operation::ComposeDown { project, volumes } => compose::down(context, project, *volumes).await,
        Operation::RemoveCertificate { directory } => certificates::remove(context, directory).await,
        Operation::PublishCertificate { lineage, directory, server } => {
            lineages::publish(context, lineage, directory, server.as_deref()).await
        }
        Operation::TellRenewal { command, lineage, names } => {
            Ok(on_renewal::tell(context.host, command, lineage, names).await)
        }
        Operation::StopCertbot { lineage } => lineages::stop_certbot(context, lineage, before).await,
        Operation::ResumeCertbot { is_shared: true, .. } => Ok(fact(SWITCHED_OFF, serde_json::Value::Null)),
        Operation::ResumeCertbot { lineage, is_shared: false } => {
            lineages::resume_certbot(context, lineage, before).await
        }
        Operation::RemoveLineage { lineage } => lineages::remove(context, lineage).await,
        Operation::PruneGenerations { live, keep } => prune::prune(context, *live, *keep).await,
        Operation::RemoveRoot { path } => root::remove(context, path).await,
        Operation::RetireProxy { .. } => {
            switch::retire(context.host, context.spec).await.map(|()| Facts::new())
        }
        Operation::SwitchGeneration { .. } | Operation::SwitchBase { .. } => {
            Err(Diagnostic::error("a switch is not an operation of prepare or clean up"))
        }
    }
}

/// Takes back what an operation of prepare did.
pub(super) async fn undo(context: Context<'_>, action: &Action, before: &Before) -> Result<(), Diagnostic> {
    match (&action.undo, &action.operation) {
        (Undo::RemoveMade, Operation::EnsureDirectory { path, owned, .. }) => {
            directories::undo(context, path, *owned, before).await
        }
        (
            Undo::RemoveMade,
            Operation::IssueSelfSigned { directory, .. } | Operation::CopyCertificate { directory, .. },
        ) => certificates::undo(context, directory, before).await,
        (Undo::RemoveMade, Operation::ComposeUp { project, rolling, .. }) if !rolling.is_empty() => {
            compose::remove_beside(context, project, rolling).await
        }
        (Undo::RemoveMade, Operation::ComposeUp { project, .. }) => {
            compose::down(context, project, false).await.map(|_| ())
        }
        (Undo::RemoveMade, Operation::SwarmDeploy { stack, .. }) => {
            swarm::remove(context, stack, false).await.map(|_| ())
        }
        (Undo::FormerProject, Operation::SwarmPrepare { stack, was_up: true, well }) => {
            swarm::restore(context, stack, well).await
        }
        (Undo::RemoveMade, Operation::CreateNetwork { network, replaces }) => {
            networks::undo(context, network, replaces.as_ref(), before).await
        }
        (Undo::RemoveMade, Operation::ConnectNetwork { network }) => {
            networks::disconnect(context, network).await.map(|_| ())
        }
        (Undo::FormerFile, Operation::WriteFile { path, .. }) => files::undo(context, path, before).await,
        (Undo::FormerFile, Operation::StopCertbot { lineage }) => {
            files::undo(context, &lineage.renewal(), before).await
        }
        (Undo::FormerLinks, Operation::PublishCertificate { lineage, directory, server }) => {
            lineages::unpublish(context, lineage, (directory, server.as_deref()), before).await
        }
        (Undo::FormerProject, Operation::ComposePrepare { project, was_up, anew, .. }) => {
            let restore = compose::restore(context, project, *was_up, *anew);
            remade::restored(context, project, before, restore).await
        }
        (
            Undo::Nothing
            | Undo::RemoveMade
            | Undo::FormerFile
            | Undo::FormerLinks
            | Undo::FormerProject
            | Undo::SwitchBack { .. },
            _,
        ) => Ok(()),
        (Undo::Irreversible { reason }, _) => {
            Err(Diagnostic::error(format!("an action of {} cannot be taken back", action.resource))
                .detail(reason.clone())
                .on(&action.resource))
        }
    }
}

/// A fact of one name.
fn fact(name: &str, value: impl Into<serde_json::Value>) -> Facts {
    Facts::from_iter([(name.to_owned(), value.into())])
}
