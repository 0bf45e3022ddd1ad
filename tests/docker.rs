//! Docker as a host sees it and works on it.

use std::os::unix::net::UnixListener;
use std::path::Path;

use vsa::host::{Host, LocalHost};
use vsa::plan::{Answer, Query};

use crate::support::node::block_on;

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

#[test]
fn without_a_socket_docker_is_absent() {
    for query in every_question(Path::new("/nonexistent/docker.sock")) {
        assert_eq!(ask(query), Answer::Absent);
    }
}

#[test]
fn a_socket_that_nobody_listens_on_says_how_to_start_docker() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("docker.sock");
    drop(UnixListener::bind(&socket).unwrap());
    for query in every_question(&socket) {
        let Answer::Failed(why) = ask(query) else { panic!("it failed") };
        let why = why.replace(socket.to_str().unwrap(), "…");
        insta::allow_duplicates! {
            insta::assert_snapshot!(why, @"no Docker engine listens at `…`; start it (`systemctl start docker`) and run vsa again");
        }
    }
}
