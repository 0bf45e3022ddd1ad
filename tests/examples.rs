//! Every example is applied as it stands, leaves nothing to do, and gives a linter of nginx files nothing to say.

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

#[test]
fn every_example_can_be_applied_and_linted() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut applied = 0;
    for example in fs::read_dir(examples).unwrap().flatten() {
        let Some(mut workspace) = Workspace::managed() else { return };
        copy(&example.path(), &workspace.configuration());
        let backend = Backend::start("the application");
        let (http, https) = (workspace.http_port().to_string(), workspace.https_port().to_string());
        workspace
            .env("VSA_VAR_http_port", http)
            .env("VSA_VAR_https_port", https)
            .env("VSA_VAR_backend_port", backend.port.to_string())
            .env("VSA_VAR_alice_password", "correct horse battery");
        drop(workspace.apply());
        drop(workspace.assert_nothing_to_do());
        let live = workspace.generation(workspace.live_generation());
        if let Some(findings) = judges::gixy(&live.join("nginx.conf")) {
            // Browsers ignore the header on a certificate that they do not trust, and on one that they once trusted it
            // would lock visitors out: by design it is not sent with the examples' self-signed certificates.
            let meant = |finding: &judges::Finding| finding.plugin == "hsts_header";
            let findings: Vec<_> = findings.into_iter().filter(|finding| !meant(finding)).collect();
            assert!(findings.is_empty(), "{}: {findings:#?}", example.path().display());
        }
        applied += 1;
    }
    assert!(applied > 0, "there are examples");
}
