//! Every example is applied as it stands, leaves nothing to do, and gives a linter of nginx files nothing to say.

mod certificates;
mod flowbiz;

use std::fs;
use std::path::Path;

use crate::support::{Backend, Workspace, judges};

/// Copies a directory of files and directories.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(from, to).unwrap();
        }
    }
}

/// What a linter says of nginx files that should not be said.
fn assert_linted(generation: &Path) {
    let Some(findings) = judges::gixy(&generation.join("nginx.conf")) else { return };
    // Browsers ignore the header on a certificate that they do not trust, and on one that they once trusted it would
    // lock visitors out: by design it is not sent with the examples' self-signed certificates.
    let meant = |finding: &judges::Finding| finding.plugin == "hsts_header";
    let findings: Vec<_> = findings.into_iter().filter(|finding| !meant(finding)).collect();
    assert!(findings.is_empty(), "{}: {findings:#?}", generation.display());
}

#[test]
fn every_example_has_its_story() {
    let examples = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")).unwrap();
    let mut names: Vec<_> = examples.flatten().map(|entry| entry.file_name()).collect();
    names.sort();
    assert_eq!(names, ["flowbiz", "quickstart"]);
}

#[test]
fn the_quick_start_can_be_applied() {
    let Some(mut workspace) = Workspace::managed() else { return };
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/quickstart"), &workspace.configuration());
    let backend = Backend::start("the application");
    let (http, https) = (workspace.http_port().to_string(), workspace.https_port().to_string());
    workspace
        .env("VSA_VAR_http_port", http)
        .env("VSA_VAR_https_port", https)
        .env("VSA_VAR_backend_port", backend.port.to_string())
        .env("VSA_VAR_alice_password", "correct horse battery");
    drop(workspace.apply());
    drop(workspace.assert_nothing_to_do());
    assert_linted(&workspace.generation(workspace.live_generation()));
}
