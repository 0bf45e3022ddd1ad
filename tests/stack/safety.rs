//! What a stack may not do, and what nobody may see of it.

use std::fs;
use std::os::unix::fs::symlink;

use insta::assert_snapshot;

use super::{Ground, said};
use crate::support::images;
use crate::support::workspace::Workspace;

#[test]
fn a_compose_file_that_reaches_for_the_host_is_refused_unless_it_is_allowed() {
    let Some(ground) = Ground::new() else { return };
    let one = images::app(&ground.engine, "1");
    ground.stack("");
    ground.workspace.write(
        "shop/compose.yml",
        format!("x-all: &all\n  privileged: true\nservices:\n  web:\n    <<: *all\n    image: {one}\n"),
    );
    let refused = ground.workspace.vsa(["apply", "-auto-approve"]).code(1);
    let refused = refused.says("allow = [\"privileged:web\"]");
    let (_, shown) = refused.stderr.split_once("error").unwrap();
    assert_snapshot!(shown, @r#"
    [compose_privileged]: the containers are privileged
      --> shop/compose.yml:2:15
       |
     2 |   privileged: true
       |               ^^^^
     3 | services:
     4 |   web:
       |   --- of this service
       |
      ::: main.hcl:12:12
       |
    12 |   source = "./shop"
       |            --------
       |
       = help: a privileged container is root on the node: remove `privileged`, and add the one capability it needs
       = help: to allow it: `allow = ["privileged:web"]`
    "#);
    assert_eq!(ground.container("web"), "");
    ground.stack("  allow = [\"privileged:web\"]");
    drop(ground.workspace.vsa(["plan"]).code(0));
}

#[test]
fn files_that_are_not_read_and_what_could_be_better_are_told() {
    let workspace = Workspace::new();
    workspace.write(
        "main.hcl",
        "tenant \"acme\" {}\n\nstack \"shop\" {\n  tenant = tenant.acme\n  source = \"./shop\"\n}\n",
    );
    workspace.write("shop/compose.yml", "services:\n  web:\n    image: x:1\n    mem_limit: 64m\n");
    let validated = || said(&workspace.vsa(["validate"]).code(0));
    let before = validated();
    assert!(before.contains("compose_no_restart") && before.contains("shop/compose.yml:2"), "{before}");
    assert!(!before.contains("compose_no_memory_limit") && !before.contains("unused_file"), "{before}");
    workspace.write("shop/compose.override.yml", "services: {}\n").write("shop/vsa.override.yml", "");
    let told = validated();
    assert!(told.contains("the file `compose.override.yml` of the source is not read"), "{told}");
    assert!(told.contains("the file `vsa.override.yml` of the source is left out"), "{told}");
}

#[test]
fn a_link_that_leads_out_of_the_tenants_directory_is_not_mounted() {
    let Some(ground) = Ground::new() else { return };
    let one = images::app(&ground.engine, "1");
    ground.stack("");
    let text = format!("services:\n  web:\n    image: {one}\n    volumes: [\"../data/in/x:/x\"]\n");
    ground.workspace.write("shop/compose.yml", text);
    drop(ground.workspace.apply());
    // A container could make this.
    let data = ground.data();
    fs::remove_dir_all(data.join("in")).unwrap();
    fs::create_dir(data.join("real")).unwrap();
    symlink("real", data.join("in")).unwrap();
    symlink("../../../../../../../../../../../../../../etc", data.join("real/x")).unwrap();
    drop(
        ground
            .workspace
            .vsa(["apply", "-auto-approve"])
            .code(1)
            .says("`../data/in/x` leads to `/etc` by a symbolic link"),
    );
    fs::remove_file(data.join("real/x")).unwrap();
    symlink("y", data.join("real/x")).unwrap();
    drop(ground.workspace.vsa(["plan"]).code(0));

    // In the place of what vsa itself writes and reads, no link is followed.
    let (stack, web) = (data.parent().unwrap(), ground.container("web"));
    let elsewhere = stack.parent().unwrap().join("elsewhere");
    fs::rename(stack.join("compose"), &elsewhere).unwrap();
    symlink("../elsewhere", stack.join("compose")).unwrap();
    let way = format!("`{}` is a symbolic link", stack.join("compose").display());
    drop(ground.workspace.vsa(["apply", "-auto-approve"]).code(1).says(&way));
    drop(ground.workspace.vsa(["stack", "restart", "shop"]).code(1).says(&way));
    assert_eq!(ground.container("web"), web);
    // One that is made while a run is under way.
    fs::remove_file(stack.join("compose")).unwrap();
    fs::rename(&elsewhere, stack.join("compose")).unwrap();
    ground.workspace.write("shop/conf/a", "a");
    let late = ground.workspace.apply_meanwhile("phase:prepare:1", || {
        fs::create_dir(&elsewhere).unwrap();
        symlink("../../elsewhere", stack.join("compose/conf")).unwrap();
    });
    drop(late.code(6).says("is not followed"));
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
}

#[test]
fn a_run_killed_after_its_commit_leaves_no_former_file() {
    let Some(ground) = Ground::new() else { return };
    ground.stack("").compose(&images::app(&ground.engine, "1"));
    drop(ground.workspace.apply());
    let stack = ground.data().parent().unwrap().to_owned();
    let (env, former) = (stack.join("env/.env"), stack.join("env/..env.vsa-former"));
    let journal = ground.workspace.configuration().join(".vsa/journal.jsonl");
    let greet = |greeting: &str| {
        let text = ground.workspace.read("main.hcl");
        let (before, rest) = text.split_once("\"hush-").unwrap();
        let (_, after) = rest.split_once('"').unwrap();
        ground.workspace.write("main.hcl", format!("{before}\"hush-{greeting}\"{after}"));
    };
    // The commit is a record of the journal, in the phase of the switch: some instant after it is before the end of
    // that phase.
    let killed_after_commit = (1..40).any(|instant| {
        greet(&format!("k{instant}"));
        let Some(mut child) = ground.workspace.stopped_at(&format!("phase:switch:{instant}")) else {
            return false;
        };
        child.kill().unwrap();
        child.wait().unwrap();
        fs::read_to_string(&journal).unwrap().contains("\"commit\"")
    });
    assert!(killed_after_commit && former.exists(), "there is an instant after the commit");
    assert!(fs::read_to_string(&env).unwrap().contains("hush-k"));
    // What is wanted is there: nothing but the rest of that run is left to do.
    drop(ground.workspace.apply());
    assert!(!former.exists(), "it holds a secret that nobody needs any more");
    drop(ground.workspace.assert_nothing_to_do());
}

#[test]
fn what_a_removed_stack_says_is_told_without_its_secrets() {
    let Some(ground) = Ground::new() else { return };
    let one = images::app(&ground.engine, "1");
    ground.stack("  allow = [\"external:default\", \"external:data\"]");
    let named = format!("name: {}-${{GREETING}}", ground.tenant());
    let text = format!(
        "services:\n  web:\n    image: {one}\n    volumes: [\"data:/data\"]\nnetworks:\n  default:\n    {named}\n\
         volumes:\n  data:\n    {named}\n"
    );
    ground.workspace.write("shop/compose.yml", text);
    drop(ground.workspace.apply());
    let state = ground.workspace.read("state/default.json");
    assert!(state.contains("stack.shop") && !state.contains("hush"), "{state}");
    let network = format!("{}-hush-1", ground.tenant());
    let guest = format!("{}-guest", ground.tenant());
    ground.engine.ask(&["run", "--detach", "--name", &guest, "--network", &network, &one]);
    ground.workspace.write("main.hcl", format!("tenant \"{}\" {{}}\n", ground.tenant()));
    let failed = ground.workspace.vsa(["apply", "-auto-approve"]).code(6).says("could not be taken down");
    let failed = failed.says("-********").says("data that stays: ").says("volume (sensitive value)");
    assert!(!said(&failed).contains("hush"), "{failed}");
    ground.engine.ask(&["rm", "--force", &guest]);
    drop(ground.workspace.apply());
    drop(ground.workspace.assert_nothing_to_do());
}

#[test]
fn networks_that_the_files_no_longer_name_go_with_their_stack() {
    let Some(ground) = Ground::new() else { return };
    let one = images::app(&ground.engine, "1");
    let service = format!("services:\n  web:\n    image: {one}\n");
    ground.stack("").workspace.write(
        "shop/compose.yml",
        format!("{service}    networks: [default, edge]\nnetworks:\n  edge: {{}}\n"),
    );
    drop(ground.workspace.apply());

    // Docker cannot change a network: all that is in it goes and comes again.
    let (edge, web) = (format!("{}_edge", ground.project()), ground.container("web"));
    let changed = |more: &str| {
        let networks = "    networks: [default, edge]\nnetworks:\n  edge:\n    internal: true";
        ground.workspace.write("shop/compose.yml", format!("{service}{more}{networks}\n"));
    };
    let internal = || ground.engine.ask(&["network", "inspect", "--format", "{{.Internal}}", &edge]);
    changed("    entrypoint: [\"/nonexistent\"]\n");
    drop(ground.workspace.vsa(["apply", "-auto-approve"]).code(5).says("/nonexistent"));
    assert_eq!((internal().as_str(), ground.get().as_str()), ("false", "1"), "it is taken back");
    changed("");
    assert_snapshot!(ground.services(), @r#"
    -/+ network edge: it is made anew: the stack is taken down, and comes up with it
          + internal = "true"
    -/+ service web: 1 container is made anew (the network `edge` is made anew)
        # interrupting: domain["shop.example.com"] cannot be answered for a while
    "#);
    drop(ground.workspace.apply());
    assert_eq!((internal().as_str(), ground.get().as_str()), ("true", "1"));
    assert_ne!(ground.container("web"), web);
    drop(ground.workspace.assert_nothing_to_do());

    // A run that is killed once its files are there leaves the network as it was: the next finds that out.
    let text = ground.workspace.read("shop/compose.yml");
    let text = text.replace("    internal: true", "    internal: true\n    labels: { attempt: three }");
    ground.workspace.write("shop/compose.yml", text);
    let written = ground.data().parent().unwrap().join("compose/compose.yml");
    let is_written = (1..40).any(|instant| {
        let mut child = ground.workspace.stopped_at(&format!("phase:prepare:{instant}")).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        fs::read_to_string(&written).unwrap().contains("three")
    });
    let label = || ground.engine.ask(&["network", "inspect", "--format", "{{.Labels.attempt}}", &edge]);
    assert!(is_written && label() != "three", "{}", label());
    drop(ground.workspace.vsa(["plan"]).code(0).says("network edge: it is made anew"));
    drop(ground.workspace.apply());
    assert_eq!((label().as_str(), ground.get().as_str()), ("three", "1"));
    drop(ground.workspace.assert_nothing_to_do());

    ground.workspace.write("shop/compose.yml", &service);
    drop(ground.workspace.apply());
    drop(ground.workspace.vsa(["destroy", "-auto-approve"]).code(0));
    let networks = ground.engine.ask(&["network", "ls", "--format", "{{.Name}}"]);
    assert!(!networks.contains(&ground.project()), "{networks}");
}

#[test]
fn a_stack_that_gets_another_tenant_is_made_there_before_it_goes_here() {
    let Some(ground) = Ground::new() else { return };
    ground.stack("").compose(&images::app(&ground.engine, "1"));
    drop(ground.workspace.apply());
    let kept = ground.data().join("kept");
    fs::write(&kept, "kept").unwrap();
    let (one, two) = (ground.tenant(), format!("u{}", ground.tenant()));
    let text = ground.workspace.read("main.hcl");
    let moved = text.replace(&format!("tenant.{one}"), &format!("tenant.{two}"));
    ground.workspace.write("main.hcl", format!("{moved}\ntenant \"{two}\" {{}}\n"));
    let plan = ground.workspace.vsa(["plan"]).code(0);
    assert!(!said(&plan).contains("was deleted") && !said(&plan).contains("lost its container"), "{plan}");
    drop(ground.workspace.apply());
    assert_eq!(ground.get(), "1 hush-1");
    assert_eq!(ground.container("web"), "", "the old project is gone");
    assert_eq!(fs::read_to_string(kept).unwrap(), "kept", "and its data stays");
    drop(ground.workspace.assert_nothing_to_do());
    drop(ground.workspace.vsa(["destroy", "-auto-approve"]).code(0));
}
