//! The Docker command lines for stacks of a swarm.

use std::time::Duration;

use super::Command;
use crate::plan::{PullPolicy, SwarmStack};

/// How long it may take to hand a stack over; what comes of it is waited for elsewhere.
const PATIENCE: Duration = Duration::from_mins(10);

fn docker(stack: &SwarmStack) -> Command {
    // The engine is named by an option, for the environment is empty.
    let socket = format!("unix://{}", stack.socket.display());
    Command::new("docker").timeout(PATIENCE).arg("--host").arg(socket)
}

/// Says whether the Docker command line is there.
pub fn version(stack: &SwarmStack) -> Command {
    docker(stack).arg("version").arg("--format").arg("{{.Client.Version}}")
}

/// Deploys a stack. Services that it has no more are left: they go once no site passes requests on to them.
pub fn deploy(stack: &SwarmStack, pull: PullPolicy) -> Command {
    let resolve = match pull {
        PullPolicy::Always => "always",
        PullPolicy::Missing => "changed",
        PullPolicy::Never => "never",
    };
    docker(stack)
        .arg("stack")
        .arg("deploy")
        .arg("--compose-file")
        .arg(&stack.file)
        .arg("--resolve-image")
        .arg(resolve)
        // Each node pulls for itself; a swarm without these reaches no private registry.
        .arg("--with-registry-auth")
        .arg(&stack.name)
}

/// Has a service forget which image its stack's file asked for. Docker leaves the image of a service as it is where the
/// file asks for the same as before, whatever somebody has put there meanwhile.
pub fn forget_image(stack: &SwarmStack, service: &str) -> Command {
    docker(stack)
        .arg("service")
        .arg("update")
        .arg("--label-rm")
        .arg("com.docker.stack.image")
        .arg("--detach")
        .arg(format!("{}_{service}", stack.name))
}

/// Starts the tasks of a service anew, as its settings for updates say.
pub fn restart(stack: &SwarmStack, service: &str) -> Command {
    docker(stack)
        .arg("service")
        .arg("update")
        .arg("--force")
        .arg("--detach")
        .arg(format!("{}_{service}", stack.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_is_named_last_and_the_engine_first() {
        let stack = SwarmStack {
            socket: "/run/docker.sock".into(),
            name: "acme-shop".to_owned(),
            file: "/srv/acme/shop/env/stack.yml".into(),
            env_file: "/srv/acme/shop/env/.env".into(),
            services: Vec::new(),
            blobs: Vec::new(),
        };
        let line = |command: Command| {
            let words = command.arguments.iter().map(|word| word.to_string_lossy().into_owned());
            words.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            line(deploy(&stack, PullPolicy::Never)),
            "--host unix:///run/docker.sock stack deploy --compose-file /srv/acme/shop/env/stack.yml --resolve-image \
             never --with-registry-auth acme-shop"
        );
        assert_eq!(
            line(restart(&stack, "web")),
            "--host unix:///run/docker.sock service update --force --detach acme-shop_web"
        );
        assert_eq!(
            line(version(&stack)),
            "--host unix:///run/docker.sock version --format {{.Client.Version}}"
        );
    }
}
