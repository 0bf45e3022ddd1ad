//! Stacks of a swarm: made ready, deployed and waited for, brought back, and removed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::compose::secrets;
use super::{Context, Facts, fact};
use crate::apply::swarm::{self, Waiting};
use crate::compose::{Environment, read_variables, swarm::blob_name};
use crate::diag::Diagnostic;
use crate::host::{Contents, DockerOperation, HostError, swarm as commands};
use crate::plan::docker::Service;
use crate::plan::{Answer, Blob, BlobSource, PullPolicy, Query, SwarmStack};

/// How long the tasks of a stack that goes may take to end, beside what each is given.
const ENDS: Duration = Duration::from_mins(2);

/// How long a stack that is brought back may take, in seconds.
const BACK: u32 = 120;

/// Proves that a stack can be deployed, as far as that shows before.
pub(super) async fn prepare(context: Context<'_>, stack: &SwarmStack) -> Result<Facts, Diagnostic> {
    swarm::manages(context.host, &stack.socket).await?;
    let missing = |why: String| {
        Diagnostic::error("there is no Docker command line on the node, which deploys stacks")
            .detail(why)
            .help("install Debian's package `docker.io`, or `docker-ce-cli`")
    };
    let said = context.host.run(commands::version(stack)).await;
    let said = said.map_err(|error: HostError| missing(error.to_string()))?;
    if !said.success() {
        return Err(missing(swarm::last_lines(&said.errors())));
    }
    Ok(Facts::new())
}

/// Deploys a stack, and waits until it does its work.
pub(super) async fn deploy(
    context: Context<'_>,
    stack: &SwarmStack,
    pull: PullPolicy,
    wait: u32,
) -> Result<Facts, Diagnostic> {
    let secrets = secrets(context, &stack.env_file).await;
    let contents = contents(context, stack).await?;
    for (blob, content) in stack.blobs.iter().zip(contents) {
        let name = blob_name(&stack.name, &blob.name, &content);
        let operation =
            DockerOperation::KeepBlob { kind: blob.kind, stack: stack.name.clone(), name, content };
        context.host.docker(&stack.socket, operation).await?;
    }
    let former = hand_over(context, stack, pull, &secrets).await?;
    // What leaves may be ill: perhaps that is why it leaves.
    let (services, told) = (&stack.services, context.told);
    let waiting = Waiting { seconds: wait, secrets: &secrets, services, former: &former, told };
    let services = swarm::settled(context.host, &stack.socket, &stack.name, waiting).await?;
    Ok(fact("services", known(&services)))
}

/// Has Docker deploy the file of a stack. Returns the ids of the tasks that were there before.
async fn hand_over(
    context: Context<'_>,
    stack: &SwarmStack,
    pull: PullPolicy,
    secrets: &[String],
) -> Result<BTreeSet<String>, Diagnostic> {
    let here = swarm::services(context.host, &stack.socket, &stack.name).await?;
    let other = |service: &&Service| service.asked_for.as_ref().is_some_and(|image| !service.runs(image));
    let forgotten = here
        .iter()
        .filter(other)
        .map(|service| ("docker service update", commands::forget_image(stack, service.short_name())));
    for (what, command) in forgotten.chain([("docker stack deploy", commands::deploy(stack, pull))]) {
        let output = context.host.run(command).await?;
        if output.success() {
            continue;
        }
        let how = output.ending(&format!("`{what}`"));
        let said = swarm::masked(swarm::last_lines(&output.errors()), secrets);
        return Err(Diagnostic::error(format!("stack `{}` could not be deployed", stack.name))
            .detail(format!("{how}:\n{said}")));
    }
    Ok(swarm::task_ids(&here))
}

/// What the secrets and configs of a stack hold, in their order.
async fn contents(context: Context<'_>, stack: &SwarmStack) -> Result<Vec<Contents>, Diagnostic> {
    let place = |blob: &Blob| match &blob.source {
        BlobSource::File(path) => path.clone(),
        BlobSource::Variable(_) => stack.env_file.clone(),
    };
    let queries: Vec<Query> = stack.blobs.iter().map(|blob| Query::Read(place(blob))).collect();
    let answers = context.host.observe(&queries).await;
    let content = |(blob, answer): (&Blob, Answer)| {
        let lost = || {
            Diagnostic::error(format!("what `{}` shall hold cannot be read", blob.name))
                .detail(format!("it was to come from {}", place(blob).display()))
        };
        let Answer::Bytes(bytes) = answer else { return Err(lost()) };
        match &blob.source {
            BlobSource::File(_) => Ok(Contents::from(bytes)),
            BlobSource::Variable(name) => {
                let text = String::from_utf8_lossy(&bytes);
                let variables = read_variables(&text, &Environment::new()).map_err(|_| lost())?;
                let value = variables.get(name.as_str()).ok_or_else(lost)?;
                Ok(Contents::from(&*value.text))
            }
        }
    };
    stack.blobs.iter().zip(answers).map(content).collect()
}

/// What the state keeps of each service.
fn known(services: &[Service]) -> serde_json::Value {
    let known = services.iter().map(|service| {
        let known =
            serde_json::json!({ "hash": service.digest, "image": service.image, "count": service.wanted });
        (service.short_name().to_owned(), known)
    });
    serde_json::Value::Object(known.collect())
}

/// Removes what a stack has no more.
pub(super) async fn prune(
    context: Context<'_>,
    stack: &SwarmStack,
    services: &[String],
) -> Result<Facts, Diagnostic> {
    let services = services.iter().map(|name| format!("{}_{name}", stack.name)).collect();
    let operation = DockerOperation::PruneStack { stack: stack.name.clone(), services };
    context.host.docker(&stack.socket, operation).await?;
    Ok(Facts::new())
}

/// Removes a stack.
pub(super) async fn remove(
    context: Context<'_>,
    stack: &SwarmStack,
    volumes: bool,
) -> Result<Facts, Diagnostic> {
    let operation = DockerOperation::RemoveStack { stack: stack.name.clone(), patience: ENDS };
    context.host.docker(&stack.socket, operation).await?;
    if volumes {
        let operation = DockerOperation::RemoveStackVolumes { stack: stack.name.clone() };
        context.host.docker(&stack.socket, operation).await?;
    }
    Ok(Facts::new())
}

/// Brings a stack back to as its former file says, which is in its place again, and waits for those of its services that
/// did their work before. The secrets that it names are still there: they go in clean up alone.
pub(super) async fn restore(
    context: Context<'_>,
    stack: &SwarmStack,
    well: &[String],
) -> Result<(), Diagnostic> {
    let secrets = secrets(context, &stack.env_file).await;
    // What was up has its images.
    let former = hand_over(context, stack, PullPolicy::Never, &secrets).await?;
    // What came up for this run alone is what the state does not know.
    let before = before(context, stack);
    let there = swarm::services(context.host, &stack.socket, &stack.name).await?;
    let there = there.iter().map(|service| service.short_name().to_owned());
    let stay: Vec<String> = there.filter(|name| before.is_empty() || before.contains_key(name)).collect();
    prune(context, stack, &stay).await?;
    if well.is_empty() {
        return Ok(());
    }
    let waiting =
        Waiting { seconds: BACK, secrets: &secrets, services: well, former: &former, told: context.told };
    swarm::settled(context.host, &stack.socket, &stack.name, waiting).await.map(|_| ())
}

/// The services that the state knows of a stack.
fn before(context: Context<'_>, stack: &SwarmStack) -> BTreeMap<String, serde_json::Value> {
    let mut stored = context.state.on(&context.spec.address);
    let stored = stored.find(|stored| stored.placed.contains_key(&stack.file));
    let services = stored.and_then(|stored| stored.facts.get("services"));
    services.and_then(|services| serde_json::from_value(services.clone()).ok()).unwrap_or_default()
}
