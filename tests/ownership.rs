//! What vsa made is known from what it wrote down, never guessed: the rest stays, as it was.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use vsa::address::Address;
use vsa::apply::Outcome;
use vsa::plan::File;

use crate::support::node::{Ground, snapshot};
use crate::support::{self, Request, Workspace, fetch};

const SITES: &str = r#"
tenant "acme" {}

domain "one.example.com" {
  tenant = tenant.acme
  redirect {
    to = "https://first.example.net/"
  }
  tls {
    enabled = false
  }
}
"#;

/// What nginx refuses, with preflight or without.
const REFUSED: &str = r#"
domain "broken.example.com" {
  tenant = tenant.acme
  redirect {
    to = "https://first.example.net/"
  }
  extra_config = "keepalive_timeout never;"
}
"#;

/// A node in a directory that was there before vsa came.
fn in_a_directory_of_somebodys(workspace: &Workspace, drain: u32) -> PathBuf {
    let root = workspace.path().join("ground");
    let (http, https) = (workspace.http_port(), workspace.https_port());
    workspace.write(
        "node.hcl",
        format!(
            "node \"local\" {{\n  root = \"{}\"\n  proxy {{\n    mode = \"managed\"\n    http_port = {http}\n    \
             https_port = {https}\n    drain = \"{drain}s\"\n  }}\n}}\n",
            root.display()
        ),
    );
    workspace.write("main.hcl", SITES);
    root
}

fn write(path: PathBuf, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn mode(path: &Path) -> (u32, u32) {
    let metadata = fs::metadata(path).unwrap();
    (metadata.permissions().mode() & 0o7777, metadata.gid())
}

#[test]
fn destroy_leaves_what_vsa_did_not_make() {
    let Some(workspace) = Workspace::managed() else { return };
    let root = in_a_directory_of_somebodys(&workspace, 5);
    write(root.join("logs/mine.log"), "a log of mine");
    write(root.join("temp/work"), "work of mine");
    for directory in [&root, &root.join("logs")] {
        support::open_to_all(directory);
    }
    drop(workspace.apply());
    drop(workspace.assert_nothing_to_do());
    drop(workspace.vsa(["destroy", "-auto-approve"]).code(0).says("ground"));
    assert_eq!(fs::read_to_string(root.join("logs/mine.log")).unwrap(), "a log of mine");
    assert_eq!(fs::read_to_string(root.join("temp/work")).unwrap(), "work of mine");
    let mut left: Vec<_> = fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["logs", "temp"], "what vsa made is gone");
}

#[test]
fn a_directory_that_was_there_keeps_its_access() {
    let Some(workspace) = Workspace::managed() else { return };
    let root = in_a_directory_of_somebodys(&workspace, 5);
    fs::create_dir_all(root.join("logs")).unwrap();
    for directory in [&root, &root.join("logs")] {
        support::open_to_all(directory);
    }
    let before = [mode(&root), mode(&root.join("logs"))];
    drop(workspace.apply());
    assert_eq!([mode(&root), mode(&root.join("logs"))], before);
    in_a_directory_of_somebodys(&workspace, 6);
    drop(workspace.vsa(["apply", "-auto-approve"]).code(0).says("1 changed"));
    assert_eq!([mode(&root), mode(&root.join("logs"))], before);
    assert_eq!(mode(&root.join("acme")).0, 0o750, "what vsa made has the access that it gave");
}

/// A user's directory of the same name is not vsa's to use: what is in it would be taken for generations.
#[test]
fn what_stands_in_the_place_of_generations_is_an_obstacle() {
    let Some(workspace) = Workspace::managed() else { return };
    let root = in_a_directory_of_somebodys(&workspace, 5);
    write(root.join("generations/7/mine"), "mine");
    write(root.join("candidate/mine"), "mine");
    support::open_to_all(&root);
    let before = snapshot(&root);
    for arguments in [["plan", "-no-color"], ["apply", "-auto-approve"]] {
        drop(workspace.vsa(arguments).code(1).says("in the way").says("ground/generations"));
    }
    drop(
        workspace
            .vsa(["apply", "-auto-approve", "-refresh=false"])
            .code(1)
            .says("in the way of vsa's own files"),
    );
    assert_eq!(snapshot(&root), before);
}

#[test]
fn a_refused_run_leaves_a_node_whose_owner_file_is_lost() {
    let Some(nginx) = support::nginx() else { return };
    let mut ground = Ground::managed(nginx);
    assert_eq!(ground.sites(&[("a.example", "one")]).outcome, Outcome::Done);
    fs::remove_file(ground.spec().owner_file()).unwrap();
    let before = snapshot(&ground.root());
    let broken = format!("server {{\n    listen {};\n    nonsense on;\n}}\n", ground.http.number);
    let mut files = ground.base();
    files.push((Address::new("domain", "broken"), File::text("sites/broken.conf", broken)));
    let run = ground.run(files, Vec::new());
    assert_eq!(ground.apply(run).outcome, Outcome::Refused);
    assert_eq!(snapshot(&ground.root()), before);
    assert_eq!(ground.get("a.example").as_deref(), Some("one"));
}

#[test]
fn a_lost_owner_file_is_drift() {
    let Some(workspace) = Workspace::managed() else { return };
    workspace.write_node("").write("main.hcl", SITES);
    drop(workspace.apply());
    let owner = workspace.node_root().join("owner.json");
    fs::remove_file(&owner).unwrap();
    drop(workspace.vsa(["plan", "-detailed-exitcode"]).code(2).says("owner.json").says("was deleted"));
    workspace.write("broken.hcl", REFUSED);
    drop(workspace.vsa(["apply", "-auto-approve", "-preflight=false"]).code(1));
    assert!(workspace.generation(1).exists() && !owner.exists(), "as it was found");
    assert_eq!(workspace.http("one.example.com", "/").status, 301);
    workspace.write("broken.hcl", "");
    drop(workspace.apply());
    assert!(owner.exists());
    drop(workspace.assert_nothing_to_do());
}

/// A state of former times, as out of a backup: the next generation is above all that is there.
#[test]
fn a_state_of_former_times_is_gone_on_from() {
    let Some(workspace) = Workspace::managed() else { return };
    workspace.write_node("").write("main.hcl", SITES);
    drop(workspace.apply());
    let former = workspace.read("state/default.json");
    for place in ["second", "third"] {
        workspace.write("main.hcl", SITES.replace("first", place));
        drop(workspace.apply());
    }
    workspace.write("state/default.json", former);
    workspace.write("main.hcl", SITES.replace("first", "fourth"));
    drop(workspace.apply());
    assert_eq!(workspace.live_generation(), 4);
    drop(workspace.assert_nothing_to_do());
}

/// An apply is killed at an instant that exists.
fn killed_at(workspace: &Workspace, instant: &str) {
    let mut child = workspace.stopped_at(instant).unwrap_or_else(|| panic!("there is no {instant}"));
    child.kill().unwrap();
    child.wait().unwrap();
}

/// The run is killed with the link moved and nothing recorded; the one after it is refused, and its journal is gone.
#[test]
fn a_refused_run_after_a_killed_one_is_gone_on_from() {
    let Some(workspace) = Workspace::managed() else { return };
    workspace.write_node("").write("main.hcl", SITES);
    drop(workspace.apply());
    workspace.write("main.hcl", SITES.replace("first", "second"));
    let mut instant = 0;
    while workspace.live_generation() == 1 {
        instant += 1;
        assert!(instant < 40, "the link is moved in the switch");
        killed_at(&workspace, &format!("phase:switch:{instant}"));
    }
    let live = workspace.live_generation();
    workspace.write("broken.hcl", REFUSED);
    drop(workspace.vsa(["apply", "-auto-approve", "-preflight=false"]).code(1));
    workspace.write("broken.hcl", "");
    drop(workspace.apply());
    assert!(workspace.live_generation() > live);
    drop(workspace.assert_nothing_to_do());
}

#[test]
fn a_node_that_goes_takes_its_certificates_with_its_directory() {
    let Some(workspace) = Workspace::managed() else { return };
    let tls = SITES.replace("enabled = false", "enabled = true");
    workspace.write_node("").write("main.hcl", tls);
    drop(workspace.apply());
    let destroyed = workspace.vsa(["destroy", "-auto-approve"]).code(0);
    assert!(!destroyed.stdout.contains("certificates/one.example.com"), "{destroyed}");
    assert!(!workspace.node_root().exists());
}

#[test]
fn destroy_takes_what_a_killed_first_run_made() {
    let Some(workspace) = Workspace::managed() else { return };
    workspace.write_node("").write("main.hcl", SITES);
    for instant in ["phase:prepare:1", "phase:prepare:6", "phase:switch:4"] {
        killed_at(&workspace, instant);
        assert!(workspace.node_root().exists());
        drop(workspace.vsa(["destroy", "-auto-approve"]).code(0));
        assert!(!workspace.node_root().exists(), "{instant}");
        assert!(!workspace.configuration().join(".vsa/journal.jsonl").exists());
    }
}

/// One site with a certificate, one without.
fn sites(workspace: &Workspace) {
    let secure = SITES.replace("one.example", "two.example").replace("    enabled = false\n", "");
    let secure = secure.replacen("tenant \"acme\" {}\n", "", 1);
    workspace.write_node("").write("main.hcl", SITES).write("secure.hcl", secure);
}

/// The access of all that vsa made, by the path below the node's own directory.
fn accesses(workspace: &Workspace, paths: &[String]) -> Vec<(u32, u32, u32)> {
    let of = |path: &String| {
        let metadata = fs::symlink_metadata(workspace.node_root().join(path)).unwrap();
        (metadata.mode() & 0o7777, metadata.uid(), metadata.gid())
    };
    paths.iter().map(of).collect()
}

#[test]
fn access_that_somebody_changed_is_drift_and_repaired() {
    for workspace in [Workspace::managed(), Workspace::on_host()].into_iter().flatten() {
        sites(&workspace);
        drop(workspace.apply());
        drop(workspace.assert_nothing_to_do());
        let is_root = nix::unistd::geteuid().is_root();
        let lasting = ["", "generations", "certificates", "logs", "run", "owner.json"].map(str::to_owned);
        let before = accesses(&workspace, &lasting);
        let file = |generation: u64, name: &str| format!("generations/{generation}/{name}");
        let live = workspace.live_generation();
        let chmod = [
            ("", 0o755, "mode is 0755, not 0750"),
            ("generations", 0o777, "mode is 0777, not 0750"),
            ("owner.json", 0o666, "mode is 0666, not 0644"),
            ("certificates/two.example.com/1/fullchain.pem", 0o666, "mode is 0666, not 0644"),
            (&file(live, "manifest.json"), 0o644, "manifest.json mode is 0644, not 0640"),
        ];
        for (path, mode, _) in chmod {
            let path = workspace.node_root().join(path);
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
        let mut expected = chmod.map(|(_, _, what)| what.to_owned()).to_vec();
        if is_root {
            let owned = file(live, "sites/one.example.com.conf");
            for path in ["certificates", "logs", &owned] {
                std::os::unix::fs::chown(workspace.node_root().join(path), Some(1), None).unwrap();
                expected.push(format!("{} owner is 1, not 0", path.trim_start_matches(&file(live, ""))));
            }
            std::os::unix::fs::chown(workspace.node_root().join("run"), None, Some(1)).unwrap();
            expected.push("/run group is 1, not ".to_owned());
        }
        let mut plan = workspace.vsa(["plan", "-detailed-exitcode"]).code(2);
        for what in expected {
            plan = plan.says(&what);
        }
        drop(workspace.apply());
        drop(workspace.assert_nothing_to_do());
        assert_eq!(accesses(&workspace, &lasting), before);
        let of_generation = ["sites/one.example.com.conf", "manifest.json"];
        let next = of_generation.map(|name| file(workspace.live_generation(), name));
        let (_, uid, gid) = before[1];
        assert_eq!(accesses(&workspace, &next), [(0o640, uid, gid); 2]);
    }
}

#[test]
fn a_key_that_somebody_may_have_read_is_made_anew() {
    let Some(workspace) = Workspace::managed() else { return };
    sites(&workspace);
    drop(workspace.apply());
    let key =
        |issue: u32| workspace.node_root().join(format!("certificates/two.example.com/{issue}/privkey.pem"));
    // The link by which nginx finds it is gone as well: the issue is looked at all the same.
    fs::set_permissions(key(1), fs::Permissions::from_mode(0o644)).unwrap();
    fs::remove_file(workspace.node_root().join("current")).unwrap();
    drop(workspace.vsa(["plan"]).code(0).says("may have been read by others: its mode is 0644, not 0600"));
    drop(workspace.apply());
    drop(workspace.assert_nothing_to_do());
    assert!(key(2).exists());
    if nix::unistd::geteuid().is_root() {
        std::os::unix::fs::chown(key(2), Some(1), None).unwrap();
        drop(workspace.vsa(["plan"]).code(0).says("may have been read by others: its owner is 1, not 0"));
        drop(workspace.apply());
        drop(workspace.assert_nothing_to_do());
        assert!(key(3).exists());
    }
}

#[test]
fn a_key_that_is_overwritten_with_another_is_drift_and_replaced() {
    let Some(workspace) = Workspace::managed() else { return };
    sites(&workspace);
    let pair = |name: &str| {
        let rcgen::CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        (cert.pem(), signing_key.serialize_pem())
    };
    let (certificate, key) = pair("three.example.com");
    let kept = |name: &str| workspace.path().join(name);
    fs::write(kept("three.pem"), certificate).unwrap();
    fs::write(kept("three.key"), key).unwrap();
    let files = format!(
        "certificate \"three.example.com\" {{\n  issuer = \"files\"\n  certificate = {:?}\n  key = {:?}\n}}\n",
        kept("three.pem"),
        kept("three.key")
    );
    let third = workspace.read("secure.hcl").replace("two.example", "three.example") + &files;
    workspace.write("third.hcl", third);
    drop(workspace.apply());
    drop(workspace.assert_nothing_to_do());
    for name in ["two.example.com", "three.example.com"] {
        let path = workspace.node_root().join(format!("certificates/{name}/1/privkey.pem"));
        // What was only touched is still its own.
        let own = fs::read(&path).unwrap();
        fs::write(&path, own).unwrap();
        drop(workspace.assert_nothing_to_do());
        fs::write(&path, pair("else.example.com").1).unwrap();
        let plan = workspace.vsa(["plan", "-detailed-exitcode"]).code(2);
        drop(plan.says(&format!("certificates/{name}/1/privkey.pem is not the key of the certificate")));
        drop(workspace.apply());
        drop(workspace.assert_nothing_to_do());
    }
}

/// The workers run as another user from now on, who must be able to read what was written for the former one.
#[test]
fn files_go_over_to_another_user_of_the_workers() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let auth = "\nauth \"staff\" {\n  tenant = tenant.acme\n  realm = \"Staff\"\n  user \"alice\" {\n    password = \
                \"correct horse battery\"\n  }\n}\n";
    let guarded = SITES.replace("  tls {", "  auth = auth.staff\n  tls {") + auth;
    for workspace in [Workspace::managed(), Workspace::on_host()].into_iter().flatten() {
        workspace.write_node("").write("main.hcl", &guarded);
        drop(workspace.apply());
        drop(workspace.assert_nothing_to_do());
        let file = |name: &str| format!("generations/{}/{name}", workspace.live_generation());
        let group = || {
            let files = ["auth/acme/staff.htpasswd", "sites/one.example.com.conf"].map(file);
            let groups: Vec<u32> = accesses(&workspace, &files).into_iter().map(|(.., gid)| gid).collect();
            assert_eq!(groups[0], groups[1]);
            groups[0]
        };
        let before = group();
        workspace.write_node("user = \"games\"");
        let plan = workspace.vsa(["plan"]).code(0);
        assert!(!plan.stdout.contains("group is"), "nobody but the configuration has changed it\n{plan}");
        drop(workspace.apply());
        drop(workspace.assert_nothing_to_do());
        assert_ne!(group(), before);
        if workspace.system().is_none() {
            let request = Request::http(workspace.http_port(), "one.example.com", "/");
            let answer = fetch(&request.password("alice", "correct horse battery")).unwrap();
            assert_eq!(answer.header("location"), Some("https://first.example.net/"), "the workers read it");
        }
    }
}
