//! `vsa generations`

use clap::Args;

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
            let mut manifests: Vec<serde_json::Value> =
                files.values().filter_map(|bytes| serde_json::from_slice(bytes).ok()).collect();
            let number =
                |manifest: &serde_json::Value| manifest.get("number").and_then(serde_json::Value::as_u64);
            manifests.sort_by_key(number);
            for manifest in &mut manifests {
                let live = number(manifest) == Some(stored.generation);
                let files =
                    manifest.get("files").and_then(|files| files.as_object()).map_or(0, serde_json::Map::len);
                let number = number(manifest).unwrap_or_default();
                let mark = if live { "  live" } else { "" };
                text.push_str(&format!("{address}  {number}  {files} files{mark}\n"));
                if let Some(manifest) = manifest.as_object_mut() {
                    manifest.remove("files");
                    manifest.insert("live".to_owned(), live.into());
                    manifest.insert("file_count".to_owned(), files.into());
                }
            }
            all.insert(address.to_string(), manifests.into());
        }
        if self.json {
            invocation.terminal.line(&format!("{:#}", serde_json::Value::Object(all)));
        } else {
            invocation.terminal.print(&text);
        }
        Ok(Exit::Done)
    }
}
