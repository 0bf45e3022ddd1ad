//! `vsa stack ps`

use clap::Args;

use super::{containers, every, one};
use crate::cli::{Exit, Failure, Invocation, render};
use crate::plan::docker::{Container, PublishedPort};

/// List the containers of stacks, of those in a swarm the ones on their node
#[derive(Debug, Args)]
pub(super) struct Ps {
    /// Only those of this stack
    name: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Ps {
    /// Runs the command.
    pub(super) fn run(&self, invocation: &Invocation) -> Result<Exit, Failure> {
        let state = invocation.existing_state()?;
        let stacks = match &self.name {
            Some(name) => vec![one(&state, name)?],
            None => every(&state),
        };
        let mut rows = Vec::new();
        let mut json = Vec::new();
        for (known, containers) in stacks.iter().zip(containers(invocation, &stacks)?) {
            for container in containers {
                let service = container.service().unwrap_or_default();
                let ports: Vec<String> = container.published.iter().map(published).collect();
                json.push(serde_json::json!({
                    "stack": known.address,
                    "name": container.name,
                    "id": container.id,
                    "service": service,
                    "image": container.image,
                    "state": container.state.to_string(),
                    "health": container.health.map(|health| health.to_string()),
                    "exit_code": container.exit_code,
                    "ports": ports,
                }));
                let status = status(&container);
                rows.push(
                    [&*container.name, service, &container.image, &status, &ports.join(", ")]
                        .map(str::to_owned),
                );
            }
        }
        if self.json {
            invocation.terminal.line(&format!("{:#}", serde_json::Value::Array(json)));
        } else {
            invocation.terminal.print(&render::table(["NAME", "SERVICE", "IMAGE", "STATUS", "PORTS"], &rows));
        }
        Ok(Exit::Done)
    }
}

/// `running (healthy)`, `exited (1)`.
fn status(container: &Container) -> String {
    match (container.health, container.exit_code) {
        (Some(health), _) => format!("{} ({health})", container.state),
        (None, Some(code)) => format!("{} ({code})", container.state),
        (None, None) => container.state.to_string(),
    }
}

fn published(port: &PublishedPort) -> String {
    let address = std::net::SocketAddr::new(port.host_ip, port.host_port);
    format!("{address}->{}/{}", port.container_port, port.protocol)
}
