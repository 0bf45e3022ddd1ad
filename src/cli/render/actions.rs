//! Actions as text, by phase.

use std::fmt::Write as _;

use crate::diag::visible;
use crate::plan::issuance::host_of;
use crate::plan::{Action, Operation, Phase, Plan, PullPolicy, Undo};

use super::paint::Paint;

/// How many actions of a phase are shown before the rest is summed up.
const SHOWN: usize = 12;

/// What an operation does, in one line.
pub fn describe(operation: &Operation) -> String {
    match operation {
        Operation::EnsureDirectory { path, access, .. } => {
            let owner = access.owner.iter().map(|owner| format!(", owner {owner}"));
            let group = access.group.iter().map(|group| format!(", group {group}"));
            let access_text: String = owner.chain(group).collect();
            format!("make directory {} (mode {:04o}{access_text})", path.display(), access.mode)
        }
        Operation::RemoveEmptyDirectory { path } => {
            format!("remove directory {} if it is empty", path.display())
        }
        Operation::IssueSelfSigned { names, key_type, days, .. } => {
            format!("make a self-signed certificate for {} ({key_type}, {days} days)", names.join(", "))
        }
        Operation::CopyCertificate { certificate, .. } => {
            format!("copy the certificate {}", certificate.display())
        }
        Operation::AdoptCertificate { directory, .. } => {
            format!("take the certificate that is there in {}", directory.display())
        }
        Operation::IssueCertificate { order, .. } => {
            let host = host_of(&order.authority.directory);
            format!("have {host} issue a certificate for {} ({})", order.names.join(", "), order.key_type)
        }
        Operation::SwitchBase { number, files } => format!(
            "switch nginx to generation {number} ({files} files), which answers for what the authority looks at"
        ),
        Operation::RemoveCertificate { directory } => {
            format!("remove the certificate in {}, once no generation names it", directory.display())
        }
        Operation::PublishCertificate { lineage, .. } => format!("publish the certificate as {lineage}"),
        Operation::TellRenewal { command, lineage, .. } => {
            format!("tell `{}` of the certificate in {lineage}", command.join(" "))
        }
        Operation::StopCertbot { lineage } => {
            format!("switch off certbot's renewal of {} ({})", lineage.name(), lineage.renewal().display())
        }
        Operation::ResumeCertbot { lineage, is_shared: true } => {
            format!(
                "leave certbot's renewal of {} switched off, for what else has it ({})",
                lineage.name(),
                lineage.renewal().display()
            )
        }
        Operation::ResumeCertbot { lineage, is_shared: false } => {
            format!("leave {} to certbot's renewal again ({})", lineage.name(), lineage.renewal().display())
        }
        Operation::RemoveLineage { lineage } => format!("remove the certificate published as {lineage}"),
        Operation::SwitchGeneration { number, changed, files } => {
            format!(
                "switch nginx to generation {number} ({changed} of {files} files change), test, reload, prove"
            )
        }
        Operation::RetireProxy { number } => format!("take generation {number} out of nginx"),
        Operation::PruneGenerations { live, keep } => match live.saturating_sub(u64::from(*keep)) {
            0 => "remove what an interrupted run left of generations".to_owned(),
            first => format!("remove generations before {first}"),
        },
        Operation::RemoveRoot { path } | Operation::RemoveFile { path } => {
            format!("remove {}", path.display())
        }
        Operation::WriteFile { path, access } => {
            format!("write {} (mode {:04o})", path.display(), access.mode)
        }
        Operation::RemoveDirectory { path, .. } => format!("remove {} with all in it", path.display()),
        Operation::ComposePrepare { project, ports, .. } => {
            let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
            let free = match ports.as_slice() {
                [] => String::new(),
                ports => format!(", and that port {} of 127.0.0.1 is free", ports.join(", ")),
            };
            format!("prove that project {} can come up: Docker and Compose are there{free}", project.name)
        }
        Operation::RetireContainers { project, containers } => {
            let count = containers.len();
            let what = if count == 1 { "container" } else { "containers" };
            format!("remove {count} {what} of project {} that nothing is passed on to any more", project.name)
        }
        Operation::ComposeUp { project, pull, wait, rolling, anew, again, .. } => {
            let pull = match pull {
                PullPolicy::Always => "pull images, ",
                PullPolicy::Missing => "",
                PullPolicy::Never => "pull no image, ",
            };
            let names: Vec<&str> = rolling.iter().map(|service| service.name.as_str()).collect();
            let beside = match names.as_slice() {
                [] => String::new(),
                names => format!("new containers of {} beside the old, ", names.join(", ")),
            };
            let anew = if *anew { "remove its containers and networks first, " } else { "" };
            let again = match again.as_slice() {
                [] => String::new(),
                names => format!("make the containers of {} anew, ", names.join(", ")),
            };
            format!(
                "bring project {} up: {pull}{anew}{again}{beside}wait up to {wait}s until it is healthy",
                project.name
            )
        }
        Operation::CreateNetwork { network, replaces } => {
            let verb = if replaces.is_some() { "make anew" } else { "make" };
            let numbers = network.subnet.as_deref().unwrap_or("the engine's next addresses");
            format!("{verb} the network {} ({}, {numbers})", network.name, network.driver)
        }
        Operation::RemoveNetwork { name } => format!("remove the network {name}"),
        Operation::ConnectNetwork { network } => {
            format!("take the proxy's container into the network {network}")
        }
        Operation::DisconnectNetwork { network } => {
            format!("take the proxy's container from the network {network}")
        }
        Operation::SwarmPrepare { stack, .. } => {
            format!("prove that stack {} can be deployed: Docker is there and manages a swarm", stack.name)
        }
        Operation::SwarmDeploy { stack, pull, wait, .. } => {
            let pull = match pull {
                PullPolicy::Always => "all images asked for at their registries, ",
                PullPolicy::Missing => "",
                PullPolicy::Never => "no registry asked, ",
            };
            format!(
                "deploy stack {} to the swarm: {pull}wait up to {wait}s until every update is done",
                stack.name
            )
        }
        Operation::SwarmPrune { stack, goes } if goes.is_empty() => format!(
            "remove from the swarm what an earlier run has left of stack {}: services, networks, secrets, configs",
            stack.name
        ),
        Operation::SwarmPrune { stack, goes } => {
            format!("remove from the swarm what stack {} has no more: {}", stack.name, goes.join(", "))
        }
        Operation::SwarmRemove { stack, volumes } => {
            let volumes = if *volumes { " and this node's volumes" } else { "; volumes stay" };
            format!(
                "remove stack {} from the swarm: services, networks, secrets, configs{volumes}",
                stack.name
            )
        }
        Operation::ComposeStop { project } => format!("stop project {}", project.name),
        Operation::ComposeDown { project, volumes } => {
            let volumes = if *volumes { ", and the volumes with its label" } else { "; volumes stay" };
            format!("remove project {}: containers, networks{volumes}", project.name)
        }
    }
}

/// Writes a plan's actions in order.
pub(super) fn render(out: &mut String, plan: &Plan, paint: Paint, full: bool) {
    if plan.actions.is_empty() {
        return;
    }
    let _ = writeln!(out, "{}", paint.bold("Actions, in order:"));
    for (phase, title) in
        [(Phase::Prepare, "prepare"), (Phase::Switch, "switch"), (Phase::CleanUp, "clean up")]
    {
        let actions: Vec<&Action> = plan.actions.iter().filter(|action| action.phase == phase).collect();
        if actions.is_empty() {
            continue;
        }
        let _ = writeln!(out, "  {title}");
        let shown = if full { actions.len() } else { SHOWN };
        for action in actions.iter().take(shown) {
            let what = describe(&action.operation);
            let _ = write!(out, "    {:>3}. {}: {}", action.id + 1, action.resource, visible(&what));
            if let Undo::Irreversible { reason } = &action.undo {
                let _ = write!(out, " {}", paint.yellow(&format!("(irreversible: {reason})")));
            }
            out.push('\n');
        }
        if actions.len() > shown {
            let _ = writeln!(out, "         … and {} more (`-full` shows them all)", actions.len() - shown);
        }
    }
    out.push('\n');
}
