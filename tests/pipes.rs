//! Readers that go away: `vsa plan | head -1`, a terminal that was closed in the middle of an apply.

use std::process::Stdio;

use crate::support::Workspace;

/// Runs a command whose standard output and standard error nobody reads any more; gives its exit code.
fn unread(workspace: &Workspace, arguments: &[&str]) -> Option<i32> {
    let mut child =
        workspace.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    child.wait().unwrap().code()
}

#[test]
fn a_reader_that_goes_away_ends_nothing() {
    let Some(mut workspace) = Workspace::managed() else { return };
    workspace.write_node("").write("main.hcl", "tenant \"acme\" {}\n");
    assert_eq!(unread(&workspace, &["plan", "-full"]), Some(0));
    workspace.env("VSA_LOG", "trace");
    assert_eq!(unread(&workspace, &["apply", "-auto-approve"]), Some(0));
    drop(workspace.assert_nothing_to_do());
}
