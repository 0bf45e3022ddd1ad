//! `vsa output`

use clap::Args;

use crate::cli::{Exit, Failure, Invocation, render};
use crate::diag::Diagnostic;
use crate::state::StoredOutput;

/// Show the outputs of the last apply
#[derive(Debug, Args)]
pub struct Output {
    /// One output
    name: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
    /// A string, number or boolean as it is, for scripts
    #[arg(long, requires = "name", conflicts_with = "json")]
    raw: bool,
}

impl Output {
    /// Runs the command.
    pub fn run(&self, invocation: &Invocation) -> Result<Exit, Failure> {
        let state = invocation.existing_state()?;
        let terminal = invocation.terminal;
        let Some(name) = &self.name else {
            if self.json {
                let outputs = state.outputs.iter().map(|(name, output)| (name.clone(), json(output)));
                let outputs: serde_json::Map<_, _> = outputs.collect();
                terminal.line(&format!("{:#}", serde_json::Value::Object(outputs)));
            } else if state.outputs.is_empty() {
                terminal.note("the configuration has no outputs, or they were not applied yet");
            }
            let width = state.outputs.keys().map(|name| name.chars().count()).max().unwrap_or(0);
            for (name, output) in state.outputs.iter().filter(|_| !self.json) {
                terminal.line(&format!("{name:width$} = {}", render::output_value(output)));
            }
            return Ok(Exit::Done);
        };
        let Some(output) = state.outputs.get(name) else {
            let error = Diagnostic::error(format!("there is no output `{name}` in the state"));
            let names = state.outputs.keys().map(String::as_str);
            return Err(error
                .did_you_mean(name, names, |error| {
                    error.help("declare it with an `output` block and run `vsa apply`")
                })
                .into());
        };
        match (&output.value, self.raw) {
            (Some(serde_json::Value::String(text)), true) => terminal.print(text),
            (Some(serde_json::Value::Array(_) | serde_json::Value::Object(_)), true) => {
                return Err(Diagnostic::error(format!(
                    "the output `{name}` is not a string, number or boolean"
                ))
                .help("use `-json`")
                .into());
            }
            (Some(value), true) => terminal.print(&value.to_string()),
            (None, true) => {
                return Err(Diagnostic::error(format!("the output `{name}` is sensitive"))
                    .detail("the state keeps a fingerprint of a sensitive value, never the value")
                    .into());
            }
            (_, false) if self.json => {
                terminal.line(&format!("{:#}", output.value.clone().unwrap_or_default()));
            }
            (_, false) => terminal.line(&render::output_value(output)),
        }
        Ok(Exit::Done)
    }
}

fn json(output: &StoredOutput) -> serde_json::Value {
    serde_json::json!({ "value": output.value, "sensitive": output.sensitive })
}
