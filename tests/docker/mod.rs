//! Docker as a host sees it and works on it.

mod engines;
mod observed;
mod operations;

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::unistd::{Uid, setfsuid};
use vsa::host::docker_operation::{PullPolicy, Readiness, RegistryLogin};
use vsa::host::{DockerAnswer, DockerOperation, Host, HostError, LocalHost, Status};
use vsa::plan::docker::{
    self, ComposeTool, Container, ContainerState, Health, Network, Protocol, PublishedPort, SwarmMembership,
};
use vsa::plan::{Answer, Query};
use vsa::value::Secret;

use crate::support::counting::Counting;
use crate::support::docker::{Engine, Pool};
use crate::support::node::block_on;
use crate::support::registry::Registry;
use crate::support::{Request, System, fetch, images, open_to_all, processes, root};

/// What this machine answers to one question.
fn ask(query: Query) -> Answer {
    let host = LocalHost::new("/nonexistent/vsa");
    block_on(host.observe(&[query])).remove(0)
}

fn every_question(socket: &Path) -> [Query; 5] {
    let socket = socket.to_owned();
    [
        Query::Containers { socket: socket.clone() },
        Query::Networks { socket: socket.clone() },
        Query::Engine { socket: socket.clone() },
        Query::Images { socket: socket.clone(), references: vec!["nginx".to_owned()] },
        Query::Services { socket },
    ]
}

fn operate(engine: &Engine, operation: DockerOperation) -> Result<DockerAnswer, HostError> {
    let host = LocalHost::new("/nonexistent/vsa");
    block_on(host.docker(&engine.socket(), operation))
}

/// What an operation changed.
fn changed(engine: &Engine, operation: DockerOperation) -> bool {
    match operate(engine, operation) {
        Ok(DockerAnswer::Done { changed }) => changed,
        other => panic!("{other:?}"),
    }
}

fn refused(engine: &Engine, operation: DockerOperation) -> String {
    operate(engine, operation).unwrap_err().to_string()
}

fn containers(engine: &Engine) -> Vec<Container> {
    match ask(Query::Containers { socket: engine.socket() }) {
        Answer::Containers(containers) => containers,
        other => panic!("{other:?}"),
    }
}

fn container(engine: &Engine, name: &str) -> Container {
    containers(engine).into_iter().find(|container| container.name == name).unwrap()
}

fn networks(engine: &Engine) -> Vec<Network> {
    match ask(Query::Networks { socket: engine.socket() }) {
        Answer::Networks(networks) => networks,
        other => panic!("{other:?}"),
    }
}

fn inspect(engine: &Engine, container: &str) -> Option<Container> {
    match operate(engine, DockerOperation::Inspect { container: container.to_owned() }) {
        Ok(DockerAnswer::Container(found)) => found.map(|found| *found),
        other => panic!("{other:?}"),
    }
}

/// Containers of a test, removed at its end.
struct Started<'a>(&'a Engine, Vec<String>);

impl<'a> Started<'a> {
    fn new(engine: &'a Engine) -> Self {
        Self(engine, Vec::new())
    }

    /// Starts one in the background.
    fn run(&mut self, name: &str, arguments: &[&str]) {
        self.1.push(name.to_owned());
        // What a test that was killed has left.
        self.0.docker(&["rm", "--force", name]).status().unwrap();
        self.0.ask(&[&["run", "--detach", "--name", name], arguments].concat());
    }
}

impl Drop for Started<'_> {
    fn drop(&mut self) {
        let names: Vec<_> = self.1.iter().map(String::as_str).collect();
        self.0.docker(&[&["rm", "--force", "--volumes"], &names[..]].concat()).status().unwrap();
    }
}

/// A Compose project that is up; taken down at the end.
struct Project<'a> {
    engine: &'a Engine,
    name: &'static str,
    directory: tempfile::TempDir,
}

impl<'a> Project<'a> {
    fn up(engine: &'a Engine, name: &'static str, compose: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("docker-compose.yml"), compose).unwrap();
        let project = Self { engine, name, directory };
        project.compose(&["up", "--detach"]);
        project
    }

    fn compose(&self, arguments: &[&str]) -> String {
        self.engine.compose(self.directory.path(), self.name, arguments)
    }
}

impl Drop for Project<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.compose(&["down", "--volumes", "--timeout", "0"]);
        }
    }
}
