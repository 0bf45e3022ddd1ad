//! `vsa generations`

use std::fmt::Write as _;
use std::path::Path;

use clap::Args;

use crate::apply::Manifest;
use crate::cli::{Exit, Failure, Invocation};
use crate::diag::Diagnostic;
use crate::names;
use crate::plan::{Answer, NodeSpec, Query};

/// List the generations of nginx files that the nodes keep
#[derive(Debug, Args)]
pub struct Generations {
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Generations {
    /// Runs the command.
    pub fn run(&self, invocation: &Invocation) -> Result<Exit, Failure> {
        let state = invocation.existing_state()?;
        let mut all = serde_json::Map::new();
        let mut text = String::new();
        for (address, stored) in &state.nodes {
            let manifests = manifests(invocation, &stored.spec)?;
            let mut list = Vec::new();
            for Manifest { generation, marker, digest, files, .. } in manifests {
                let live = generation == stored.generation;
                let mark = if live { "  live" } else { "" };
                let _ = writeln!(text, "{address}  {generation}  {} files{mark}", files.len());
                list.push(serde_json::json!({
                    "generation": generation,
                    "marker": marker,
                    "digest": digest,
                    "file_count": files.len(),
                    "live": live,
                }));
            }
            all.insert(address.to_string(), list.into());
        }
        if self.json {
            invocation.terminal.line(&format!("{:#}", serde_json::Value::Object(all)));
        } else {
            invocation.terminal.print(&text);
        }
        Ok(Exit::Done)
    }
}

/// What the generations that a node keeps say of themselves, the oldest first.
fn manifests(invocation: &Invocation, spec: &NodeSpec) -> Result<Vec<Manifest>, Failure> {
    let ask = |queries: &[Query]| invocation.block_on(invocation.host.observe(queries));
    let directory = spec.root.join("generations");
    let unreadable = |path: &Path, why: &str| {
        Diagnostic::error(format!("the generations of `{}` cannot be read", spec.address))
            .detail(format!("{}: {why}", path.display()))
            .help("list them as the user that applies, or as root")
    };
    let numbers: Vec<u64> = match ask(&[Query::Entries(directory.clone())]).pop() {
        Some(Answer::Entries(entries)) => entries.keys().filter_map(|name| names::number(name)).collect(),
        Some(Answer::Failed(why)) => return Err(unreadable(&directory, &why).into()),
        _ => Vec::new(),
    };
    let mut paths: Vec<_> = numbers
        .iter()
        .map(|number| (*number, spec.generation(*number).join(crate::nginx::MANIFEST)))
        .collect();
    paths.sort();
    let queries: Vec<_> = paths.iter().map(|(_, path)| Query::Read(path.clone())).collect();
    let mut manifests = Vec::with_capacity(paths.len());
    for ((_, path), answer) in paths.iter().zip(ask(&queries)) {
        match answer {
            Answer::Bytes(bytes) => match Manifest::parse(&bytes) {
                Ok(manifest) => manifests.push(manifest),
                Err(reason) => invocation.terminal.note(&format!("`{}` {reason}", path.display())),
            },
            Answer::Failed(why) => return Err(unreadable(path, &why).into()),
            // A run that was killed before it was whole; the next one removes it.
            _ => {}
        }
    }
    Ok(manifests)
}
