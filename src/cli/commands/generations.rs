//! `vsa generations`

use std::fmt::Write as _;

use clap::Args;

use crate::apply::Manifest;
use crate::cli::{Exit, Failure, Invocation};
use crate::plan::{Answer, Query};

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
            let pattern = stored.spec.root.join("generations/*").join(crate::nginx::MANIFEST);
            let query = Query::Glob(pattern.to_string_lossy().into_owned());
            let answers = invocation.block_on(invocation.host.observe(&[query]));
            let Some(Answer::Files(files)) = answers.into_iter().next() else { continue };
            let mut manifests = Vec::new();
            for (path, bytes) in &files {
                match Manifest::parse(bytes) {
                    Ok(manifest) => manifests.push(manifest),
                    Err(reason) => invocation.terminal.note(&format!("`{}` {reason}", path.display())),
                }
            }
            manifests.sort_by_key(|manifest| manifest.generation);
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
