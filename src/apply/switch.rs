//! The one switch: a complete generation becomes the live one, proven by nginx itself, or everything is as before.
//! A full apply, a rollback and the way back from a failed run all go through it.

use std::path::{Path, PathBuf};

use super::generation::current_manifest;
use super::orphans;
use super::proxy::{Proxy, Running, Unproven};
use crate::diag::Diagnostic;
use crate::host::{FileOperation, Host};
use crate::plan::action::Access;
use crate::plan::{Answer, NodeSpec, ProxyMode, Query};
use crate::state::StoredNode;

/// A switch that nginx has proven, with what its way back and its end need.
#[derive(Clone, Debug)]
pub(super) struct Switched {
    /// The workers from before.
    pub(super) old: Option<Running>,
    way_back: WayBack,
}

/// What was live before.
#[derive(Clone, Debug, Default)]
struct WayBack {
    /// The `current` link's target.
    current: Option<PathBuf>,
    /// Whether vsa's include file was there (host).
    included: bool,
    /// Whether nginx ran.
    running: bool,
    /// Whether its container ran, and waited for a generation, or workers without a master served one.
    waiting: bool,
    /// What its marker answered.
    served: Option<String>,
    /// What its marker answers once it has read again what the link names: by hand that may be another generation.
    named: Option<String>,
}

/// Makes a generation live.
///
/// # Errors
/// Why it is not live; all is as before then. The second part, where there is one, says what could not be put back.
pub(super) async fn switch(
    host: &dyn Host,
    next: &StoredNode,
    give_up: impl Fn() -> bool,
) -> Result<Switched, (Diagnostic, Option<Diagnostic>)> {
    let spec = &next.spec;
    let proxy = Proxy::new(host, spec);
    let (way_back, old) = look(host, spec).await;
    match forward(host, &proxy, next, old.as_ref(), give_up).await {
        Ok(()) => Ok(Switched { old, way_back }),
        Err(Unproven { error, kept }) => {
            let left = back(host, spec, &way_back, kept).await.err();
            Err((error, left))
        }
    }
}

/// Takes a proven switch back.
pub(super) async fn switch_back(
    host: &dyn Host,
    spec: &NodeSpec,
    switched: &Switched,
) -> Result<(), Diagnostic> {
    back(host, spec, &switched.way_back, false).await
}

/// How all is, and the nginx that runs.
async fn look(host: &dyn Host, spec: &NodeSpec) -> (WayBack, Option<Running>) {
    let answers = host.observe(&[Query::Stat(spec.current()), Query::Stat(spec.include_file.clone())]).await;
    let current = match answers.first() {
        Some(Answer::Stat(stat)) => match &stat.file_type {
            crate::plan::observation::FileType::Link(target) => Some(target.clone()),
            _ => None,
        },
        _ => None,
    };
    let included = matches!(answers.get(1), Some(Answer::Stat(_)));
    let proxy = Proxy::new(host, spec);
    let running = proxy.running().await;
    let served = proxy.status().await.serves.filter(|_| running.is_some());
    let named = match current_manifest(host, spec).await {
        _ if spec.mode == ProxyMode::Host && !included => None,
        Ok(Some(manifest)) => Some(manifest.marker_answer()),
        // It is not known: as it was is the best guess.
        _ => served.clone(),
    };
    let orphaned =
        async || spec.mode == ProxyMode::Managed && !orphans::find(host, spec).await.ours.is_empty();
    let waiting = running.is_none() && (proxy.waits().await || orphaned().await);
    (WayBack { current, included, running: running.is_some(), waiting, served, named }, running)
}

/// The target of the `current` link.
fn target(number: u64) -> PathBuf {
    Path::new("generations").join(number.to_string())
}

async fn forward(
    host: &dyn Host,
    proxy: &Proxy<'_>,
    next: &StoredNode,
    old: Option<&Running>,
    give_up: impl Fn() -> bool,
) -> Result<(), Unproven> {
    let spec = &next.spec;
    if let Some(running) = old {
        // It keeps what it serves: nothing was moved yet.
        let refused = proxy.refuse_suspended(running.master).await;
        refused.map_err(|error| Unproven { error, kept: true })?;
    }
    let mut operations =
        vec![FileOperation::Repoint { path: spec.current(), target: target(next.generation) }];
    if spec.mode == ProxyMode::Host && !is_included(host, spec).await {
        operations.push(include(spec));
    }
    host.files(operations).await?;
    match old {
        Some(running) => proxy.reload(running).await?,
        None => proxy.start().await?,
    }
    proxy.prove(Some(&next.marker_answer()), old, give_up).await
}

async fn is_included(host: &dyn Host, spec: &NodeSpec) -> bool {
    let wanted = Answer::Bytes(spec.include_text().into_bytes());
    host.observe(&[Query::Read(spec.include_file.clone())]).await.first() == Some(&wanted)
}

fn include(spec: &NodeSpec) -> FileOperation {
    FileOperation::Replace {
        path: spec.include_file.clone(),
        access: Access { owner: None, group: None, mode: 0o644 },
        bytes: spec.include_text().into(),
    }
}

/// Puts back what was live; with `kept`, nginx has never left it.
async fn back(host: &dyn Host, spec: &NodeSpec, way_back: &WayBack, kept: bool) -> Result<(), Diagnostic> {
    let proxy = Proxy::new(host, spec);
    let current = spec.current();
    let link = match &way_back.current {
        Some(target) => FileOperation::Repoint { path: current, target: target.clone() },
        None => FileOperation::Remove { path: current },
    };
    // The link goes last where it goes: an include file must never name what is not there.
    let mut operations = Vec::new();
    if spec.mode == ProxyMode::Host && !way_back.included {
        operations.push(FileOperation::Remove { path: spec.include_file.clone() });
    }
    operations.extend([link, FileOperation::Sync { path: spec.root.clone() }]);
    if !way_back.running {
        // nginx was started by this run, or not at all.
        proxy.stop().await?;
    }
    host.files(operations).await?;
    if way_back.waiting {
        proxy.start().await?;
    } else if way_back.running && kept {
        proxy.prove(way_back.served.as_deref(), None, || false).await?;
    } else if way_back.running {
        match proxy.running().await {
            Some(running) => {
                proxy.reload(&running).await?;
                proxy.prove(way_back.named.as_deref(), Some(&running), || false).await?;
            }
            None => proxy.start().await?,
        }
    }
    Ok(())
}

/// Takes vsa's files away from nginx (host), or stops it (managed).
pub(super) async fn retire(host: &dyn Host, spec: &NodeSpec) -> Result<(), Diagnostic> {
    let proxy = Proxy::new(host, spec);
    if spec.mode.owns_all() {
        return proxy.stop().await.map(drop);
    }
    let directory = spec.include_file.parent().unwrap_or(&spec.include_file).to_owned();
    let running = proxy.running().await;
    match &running {
        Some(running) => proxy.refuse_suspended(running.master).await?,
        None => proxy.refuse_orphans().await?,
    }
    host.files(vec![
        FileOperation::Remove { path: spec.include_file.clone() },
        FileOperation::Sync { path: directory },
    ])
    .await?;
    match running {
        Some(running) => {
            proxy.reload(&running).await?;
            proxy.prove(None, Some(&running), || false).await?;
            proxy.drain(&running).await;
            Ok(())
        }
        None => Ok(()),
    }
}

/// Puts back what [`retire`] took away.
pub(super) async fn unretire(host: &dyn Host, node: &StoredNode) -> Result<(), Diagnostic> {
    switch(host, node, || false).await.map(drop).map_err(|(error, _)| error)
}

/// Starts an nginx of vsa's that does not run, on the generation that `current` names: after a killed apply the state may
/// not know of it yet. Gives its number; `None` where nginx ran already.
pub async fn start(host: &dyn Host, node: &StoredNode) -> Result<Option<u64>, Diagnostic> {
    let proxy = Proxy::new(host, &node.spec);
    if proxy.master().await.is_some() {
        return Ok(None);
    }
    let Some(manifest) = current_manifest(host, &node.spec).await? else {
        return Err(Diagnostic::error("there is no generation to start nginx on")
            .help("`vsa apply` makes one and starts nginx")
            .on(&node.spec.address));
    };
    proxy.start().await?;
    proxy.prove(Some(&manifest.marker_answer()), None, || false).await?;
    Ok(Some(manifest.generation))
}

/// Stops an nginx of vsa's; `false` where it did not run.
pub async fn stop(host: &dyn Host, spec: &NodeSpec) -> Result<bool, Diagnostic> {
    if spec.mode == ProxyMode::Host {
        return Err(Diagnostic::error(format!("the nginx of `{}` is the system's", spec.address))
            .help("stop it as the system does, for example with `systemctl stop nginx`"));
    }
    Proxy::new(host, spec).stop().await
}
