//! The life of a configuration on a real nginx, of vsa's own and the system's: applied, changed, broken, mended, gone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use crate::support::{Backend, Request, Workspace, fetch, in_every_mode};

const PASSWORD: &str = "correct horse battery";

in_every_mode![
    an_applied_configuration_leaves_nothing_to_do,
    a_change_of_one_domain_writes_one_file,
    what_nginx_refuses_fails_in_plan_with_its_line,
    what_nginx_refuses_fails_in_apply_with_everything_as_before,
    a_busy_port_is_noticed_and_rolled_back,
    a_file_edited_by_hand_is_drift_and_is_repaired,
    a_second_configuration_on_the_node_is_refused,
    a_suspended_tenants_site_still_asks_for_the_password,
    destroy_leaves_only_what_it_lists,
];

/// A domain without TLS, with these lines in its block.
fn plain(host: &str, lines: &str) -> String {
    format!(
        "domain \"{host}\" {{\n  tenant = tenant.acme\n  tls {{\n    enabled = false\n  }}\n  {lines}\n}}\n"
    )
}

/// A domain without TLS that answers with a redirect to this place.
fn redirecting(host: &str, to: &str) -> String {
    plain(
        host,
        &format!(
            "redirect {{\n    to            = \"https://{to}.example.net/\"\n    preserve_path = false\n  }}"
        ),
    )
}

/// Two plain domains on a node.
fn two_domains(workspace: &Workspace) {
    workspace.write_node("");
    workspace.write("main.hcl", "tenant \"acme\" {}\n");
    workspace.write("one.hcl", redirecting("one.example.com", "first"));
    workspace.write("two.hcl", redirecting("two.example.com", "second"));
}

fn location(workspace: &Workspace, host: &str) -> String {
    let answer = workspace.http(host, "/");
    answer.header("location").unwrap_or_else(|| panic!("{host}: {answer:?}")).to_owned()
}

/// Every file below a directory with what tells whether it was written anew.
fn inodes(directory: &Path) -> BTreeMap<String, u64> {
    fn walk(directory: &Path, base: &Path, found: &mut BTreeMap<String, u64>) {
        for entry in fs::read_dir(directory).unwrap().flatten() {
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                walk(&path, base, found);
            } else {
                let name = path.strip_prefix(base).unwrap().to_string_lossy().into_owned();
                found.insert(name, entry.metadata().unwrap().ino());
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(directory, directory, &mut found);
    found
}

fn an_applied_configuration_leaves_nothing_to_do(workspace: &mut Workspace) {
    let backend = workspace.within(|| Backend::start("the application"));
    let www = workspace.path().join("www");
    fs::create_dir(&www).unwrap();
    fs::write(www.join("index.html"), "a static page").unwrap();
    workspace.write_node("").write(
        "main.hcl",
        format!(
            "tenant \"acme\" {{}}
auth \"staff\" {{
  tenant = tenant.acme
  realm  = \"Staff only\"
  user \"alice\" {{
    password = \"{PASSWORD}\"
  }}
}}
domain \"static.example.com\" {{
  tenant  = tenant.acme
  root    = \"{}\"
  aliases = [\"www.static.example.com\"]
}}
domain \"app.example.com\" {{
  tenant = tenant.acme
  upstream {{
    address = \"{}\"
  }}
  location \"/admin/\" {{
    auth = auth.staff
  }}
}}
output \"url\" {{
  value = domain[\"app.example.com\"].url
}}
",
            www.display(),
            backend.address()
        ),
    );
    drop(workspace.vsa(["plan", "-detailed-exitcode"]).code(2));
    drop(workspace.apply());
    drop(workspace.assert_nothing_to_do());
    assert_eq!(workspace.https("static.example.com", "/").text(), "a static page");
    assert_eq!(workspace.http("static.example.com", "/").status, 301);
    assert_eq!(workspace.https("www.static.example.com", "/").status, 301);
    let app = workspace.https("app.example.com", "/x");
    assert!(app.text().starts_with("the application\nGET /x "), "{app:?}");
    assert_eq!(workspace.https("app.example.com", "/admin/").status, 401);
    let admin = Request::https(workspace.https_port(), "app.example.com", "/admin/");
    assert_eq!(workspace.fetch(&admin.clone().password("alice", "wrong")).status, 401);
    assert_eq!(workspace.fetch(&admin.password("alice", PASSWORD)).status, 200);
    let url = workspace.vsa(["output", "-raw", "url"]).code(0).stdout;
    assert!(url.starts_with("https://app.example.com"), "{url}");
    // Applying again is doing nothing.
    let before = workspace.live_generation();
    drop(workspace.apply());
    assert_eq!(workspace.live_generation(), before);
}

/// What `vsa generations` says of each: its number and whether it is live.
fn generations(workspace: &Workspace) -> Vec<(u64, bool)> {
    let said = workspace.vsa(["generations", "-json"]).code(0).json();
    let nodes = said.as_object().unwrap().values();
    let all = nodes.flat_map(|node| node.as_array().unwrap());
    all.map(|it| (it["generation"].as_u64().unwrap(), it["live"].as_bool().unwrap())).collect()
}

fn a_change_of_one_domain_writes_one_file(workspace: &mut Workspace) {
    two_domains(workspace);
    drop(workspace.apply());
    let before = workspace.live_generation();
    workspace.write("one.hcl", redirecting("one.example.com", "changed"));
    drop(workspace.apply().says("1 to change"));
    let (old, new) = (inodes(&workspace.generation(before)), inodes(&workspace.generation(before + 1)));
    let written: BTreeSet<&str> = new
        .iter()
        .filter(|(name, inode)| old.get(*name) != Some(inode))
        .map(|(name, _)| name.as_str())
        .collect();
    // The marker and the list of files say which generation they belong to, and are new in every one.
    let own: BTreeSet<&str> = written.into_iter().filter(|name| name.contains("one.example.com")).collect();
    assert_eq!(own.len(), 1, "{own:?}");
    let sites = new.iter().filter(|(name, _)| name.contains("two.example.com"));
    assert!(sites.clone().count() > 0 && sites.clone().all(|(name, inode)| old.get(name) == Some(inode)));
    assert_eq!(location(workspace, "one.example.com"), "https://changed.example.net/");
    assert_eq!(location(workspace, "two.example.com"), "https://second.example.net/");
    assert_eq!(generations(workspace), [(before, false), (before + 1, true)]);
}

/// A directive that vsa lets an administrator write and nginx refuses.
const REFUSED: &str = "domain \"one.example.com\" {
  tenant = tenant.acme
  tls {
    enabled = false
  }
  redirect {
    to = \"https://refused.example.net\"
  }
  extra_config = \"keepalive_timeout never;\"
}
";

fn what_nginx_refuses_fails_in_plan_with_its_line(workspace: &mut Workspace) {
    two_domains(workspace);
    drop(workspace.apply());
    workspace.write("one.hcl", REFUSED);
    let before = workspace.live_generation();
    drop(workspace.vsa(["plan"]).code(1).says("keepalive_timeout").says("one.hcl:9"));
    assert_eq!(workspace.live_generation(), before);
    assert_eq!(location(workspace, "one.example.com"), "https://first.example.net/");
}

fn what_nginx_refuses_fails_in_apply_with_everything_as_before(workspace: &mut Workspace) {
    two_domains(workspace);
    drop(workspace.apply());
    workspace.write("one.hcl", REFUSED);
    let before = inodes(&workspace.node_root());
    let run = workspace.vsa(["apply", "-auto-approve", "-preflight=false"]).code(1).says("keepalive_timeout");
    let after = inodes(&workspace.node_root());
    let known: Vec<_> = after.keys().filter(|name| !before.contains_key(*name)).collect();
    assert!(known.iter().all(|name| name.starts_with("logs/")), "{known:?} are left\n{run}");
    assert_eq!(location(workspace, "one.example.com"), "https://first.example.net/");
    workspace.write("one.hcl", redirecting("one.example.com", "first"));
    drop(workspace.assert_nothing_to_do());
}

fn a_busy_port_is_noticed_and_rolled_back(workspace: &mut Workspace) {
    two_domains(workspace);
    drop(workspace.apply());
    let before = workspace.live_generation();
    let busy = workspace.within(|| TcpListener::bind("0.0.0.0:0").unwrap());
    let port = busy.local_addr().unwrap().port();
    workspace.write("one.hcl", redirecting("one.example.com", "changed"));
    workspace.write_node_with_https(port, "");
    // Something has to listen there.
    workspace.write("three.hcl", "domain \"three.example.com\" {\n  tenant = tenant.acme\n  redirect {\n    to = \"https://x.example.net\"\n  }\n}\n");
    drop(workspace.vsa(["apply", "-auto-approve"]).code(5));
    assert_eq!(workspace.live_generation(), before);
    assert_eq!(location(workspace, "one.example.com"), "https://first.example.net/");
    drop(workspace.vsa(["plan", "-detailed-exitcode"]).code(2));
    // Once the port is free the same apply goes through.
    drop(busy);
    drop(workspace.apply());
    assert_eq!(location(workspace, "one.example.com"), "https://changed.example.net/");
    drop(workspace.assert_nothing_to_do());
}

fn a_file_edited_by_hand_is_drift_and_is_repaired(workspace: &mut Workspace) {
    two_domains(workspace);
    drop(workspace.apply());
    let live = workspace.generation(workspace.live_generation());
    let name = inodes(&live).into_keys().find(|name| name.contains("one.example.com")).unwrap();
    let text = fs::read_to_string(live.join(&name)).unwrap();
    fs::write(live.join(&name), text.replace("first.example.net", "edited.example.net")).unwrap();
    let plan = workspace.vsa(["plan", "-detailed-exitcode"]).code(2).says("edited");
    assert!(plan.stdout.contains("edited.example.net"), "{plan}");
    drop(workspace.apply());
    let live = workspace.generation(workspace.live_generation());
    assert_eq!(fs::read_to_string(live.join(&name)).unwrap(), text);
    assert_eq!(location(workspace, "one.example.com"), "https://first.example.net/");
    drop(workspace.assert_nothing_to_do());
    // Its permission bits, too: nginx's workers could not read a password file of root's alone.
    fs::set_permissions(live.join(&name), fs::Permissions::from_mode(0o600)).unwrap();
    let plan = workspace.plan();
    let drift = &plan["resource_drift"][0];
    assert_eq!(drift["address"], "domain[\"one.example.com\"]", "{plan:#}");
    assert_eq!(drift["change"]["actions"], serde_json::json!(["update"]));
    assert_eq!(drift["vsa"]["drift"][0]["what"], "mode is 0600, not 0640");
    assert_eq!(plan["resource_drift"].as_array().unwrap().len(), 1);
    drop(workspace.apply());
    let live = workspace.generation(workspace.live_generation());
    assert_eq!(fs::metadata(live.join(&name)).unwrap().permissions().mode() & 0o777, 0o640);
    drop(workspace.assert_nothing_to_do());
    assert_eq!(workspace.plan()["resource_drift"], serde_json::json!([]));
    // A file that is gone, too.
    fs::remove_file(live.join(&name)).unwrap();
    drop(workspace.vsa(["plan", "-detailed-exitcode"]).code(2).says("deleted"));
    drop(workspace.apply());
    assert_eq!(location(workspace, "one.example.com"), "https://first.example.net/");
    drop(workspace.assert_nothing_to_do());
}

fn a_second_configuration_on_the_node_is_refused(workspace: &mut Workspace) {
    two_domains(workspace);
    let root = match workspace.system() {
        Some(_) => "/var/lib/vsa/local".to_owned(),
        None => workspace.node_root().to_string_lossy().into_owned(),
    };
    drop(workspace.apply());
    let mut node = workspace.read("node.hcl");
    if workspace.container().is_none() {
        node = node.replacen('{', &format!("{{\n  root = \"{root}\""), 1);
    }
    workspace.write("../other/node.hcl", node);
    workspace.write("../other/main.hcl", workspace.read("main.hcl"));
    workspace.write("../other/three.hcl", redirecting("three.example.com", "third"));
    let other = format!("-chdir={}", workspace.path().join("other").display());
    let run = workspace.vsa([other.as_str(), "apply", "-auto-approve"]).code(1);
    assert!(run.stderr.contains(&root), "{run}");
    assert_eq!(location(workspace, "one.example.com"), "https://first.example.net/");
    drop(workspace.assert_nothing_to_do());
}

fn a_suspended_tenants_site_still_asks_for_the_password(workspace: &mut Workspace) {
    let backend = workspace.within(|| Backend::start("the application"));
    let auth = format!(
        "auth \"staff\" {{\n  tenant = tenant.acme\n  realm = \"Staff\"\n  user \"alice\" {{\n    password = \"{PASSWORD}\"\n  }}\n}}\n"
    );
    let upstream = format!("auth = auth.staff\n  upstream {{\n    address = \"{}\"\n  }}", backend.address());
    workspace.write_node("");
    workspace.write("auth.hcl", auth).write("site.hcl", plain("one.example.com", &upstream));
    let plain_request = Request::http(workspace.http_port(), "one.example.com", "/");
    let with_password = plain_request.clone().password("alice", PASSWORD);
    for (status, answer) in [("active", 200), ("suspended", 503), ("active", 200)] {
        workspace.write("main.hcl", format!("tenant \"acme\" {{\n  status = \"{status}\"\n}}\n"));
        drop(workspace.apply());
        assert_eq!(workspace.fetch(&plain_request).status, 401, "{status}");
        assert_eq!(workspace.fetch(&with_password).status, answer, "{status}");
    }
    drop(workspace.assert_nothing_to_do());
}

fn destroy_leaves_only_what_it_lists(workspace: &mut Workspace) {
    two_domains(workspace);
    let initially = workspace.system().map(|system| inodes(&system.path("/etc/nginx")));
    drop(workspace.apply());
    let srv = match workspace.system() {
        Some(system) => system.path("/srv/acme"),
        None => workspace.node_root().join("srv/acme"),
    };
    fs::write(srv.join("precious"), "data of the tenant").unwrap();
    let run = workspace.vsa(["destroy", "-auto-approve"]).code(0);
    assert_eq!(fs::read_to_string(srv.join("precious")).unwrap(), "data of the tenant");
    for kept in ["acme", "audit", "default.json", "key"] {
        assert!(run.stdout.contains(kept), "{kept} is not listed\n{run}");
    }
    if let Some(system) = workspace.system() {
        assert!(!system.path("/var/lib/vsa/local/generations").exists());
        assert_eq!(Some(inodes(&system.path("/etc/nginx"))), initially);
        // Debian's own site answers on.
        assert_eq!(workspace.http("one.example.com", "/").status, 200);
    } else {
        assert_eq!(workspace.nginx_pid(), None);
        let left: BTreeSet<_> = inodes(&workspace.configuration().join(".vsa")).into_keys().collect();
        let of_data = |name: &String| name.starts_with("audit/") || name.starts_with("backups/");
        let of_runs = |name: &String| name == "key" || name == "lock" || name == "journal.jsonl";
        // The container's logs are in a directory that was there before vsa.
        let of_container =
            |name: &String| workspace.container().is_some() && name.starts_with("nodes/local/logs/");
        let kept = |name: &String| {
            of_data(name) || of_runs(name) || of_container(name) || name.contains("/srv/acme/")
        };
        assert!(left.iter().all(kept), "{left:?}");
    }
    drop(workspace.vsa(["apply", "-auto-approve"]).code(0));
    assert_eq!(location(workspace, "one.example.com"), "https://first.example.net/");
}

#[test]
fn duplicate_names_are_refused_with_both_places() {
    let workspace = Workspace::new();
    two_domains(&workspace);
    let third = plain("three.example.com", "aliases = [\"two.example.com\"]");
    workspace.write("three.hcl", third);
    for command in ["validate", "plan"] {
        let run = workspace.vsa([command]).code(1).says("two.hcl:1").says("three.hcl:");
        assert!(run.stderr.contains("two.example.com"), "{run}");
    }
}

#[test]
fn a_foreign_default_server_is_reported_with_its_file() {
    let Some(workspace) = Workspace::on_host() else { return };
    workspace.system().unwrap().start_nginx();
    two_domains(&workspace);
    workspace.write("node.hcl", "node \"local\" {\n  proxy {\n    mode = \"host\"\n  }\n}\n");
    let run = workspace.vsa(["plan"]).code(1).says("/etc/nginx/sites-enabled/default");
    assert!(run.stderr.contains("default_server"), "{run}");
    // The system's own nginx goes on as it was.
    assert_eq!(workspace.within(|| fetch(&Request::http(80, "x", "/"))).unwrap().status, 200);
}

/// Root alone can test the system's nginx. Anybody else's plan tests vsa's own files by themselves, says so, and never
/// calls wrong what the node's other files may make good.
#[test]
fn without_root_a_plan_tests_vsas_own_files() {
    let Some(workspace) = Workspace::on_host() else { return };
    workspace.write_node("");
    workspace.write("main.hcl", "tenant \"acme\" {}\n");
    workspace.write("two.hcl", redirecting("two.example.com", "second"));
    let secure = "tenant = tenant.acme\n  redirect {\n    to = \"https://example.net/\"\n  }";
    workspace.write("secure.hcl", format!("domain \"secure.example.com\" {{\n  {secure}\n}}\n"));
    // The program itself may be where nobody else can enter.
    let program = workspace.path().join("vsa");
    fs::copy(env!("CARGO_BIN_EXE_vsa"), &program).unwrap();
    for path in [workspace.path(), &workspace.configuration()] {
        std::os::unix::fs::chown(path, Some(65534), Some(65534)).unwrap();
    }
    let plan = || {
        let mut command = workspace.system().unwrap().command("setpriv", &workspace.configuration());
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program).arg("plan");
        crate::support::Run::of(command)
    };
    drop(
        plan()
            .code(0)
            .says("node.local: refreshed from the node; nginx accepts vsa's own files, tested alone"),
    );
    // Debian's port 80 is as busy, and out of reach, as it gets.
    workspace.system().unwrap().start_nginx();
    drop(plan().code(0).says("tested alone").says("are tested by apply, as root"));

    workspace.write("one.hcl", REFUSED);
    drop(plan().code(1).says("keepalive_timeout").says("one.hcl:9"));
    // The variable may be one of a `map` in the node's other files.
    let foreign = "limit_rate $rate_of_another_file;";
    workspace.write("one.hcl", REFUSED.replace("keepalive_timeout never;", foreign));
    let why = "the next generation was not tested: only root can test the system's nginx";
    drop(plan().code(0).says(why).says("unknown \"rate_of_another_file\" variable"));
}

/// The system's nginx does not run: the plan says so, and the apply starts it.
#[test]
fn a_systems_nginx_that_does_not_run_is_started() {
    let Some(workspace) = Workspace::on_host() else { return };
    two_domains(&workspace);
    let stopped = "the nginx of `node.local` does not run";
    drop(workspace.vsa(["plan"]).code(0).says(stopped).says("an apply starts it"));
    drop(workspace.apply());
    assert_eq!(location(&workspace, "one.example.com"), "https://first.example.net/");
    crate::support::processes::end(workspace.nginx_pid().unwrap());
    drop(
        workspace
            .vsa(["plan", "-detailed-exitcode"])
            .code(2)
            .says("nginx is not running; it will be repaired"),
    );

    // Where it cannot start, all is as it was, and it does not run.
    let before = workspace.live_generation();
    let busy = workspace.within(|| TcpListener::bind(("0.0.0.0", 443)).unwrap());
    drop(workspace.vsa(["apply", "-auto-approve"]).code(5).says("nginx does not start"));
    drop(busy);
    assert_eq!((workspace.live_generation(), workspace.nginx_pid()), (before, None));

    drop(workspace.apply());
    assert!(workspace.nginx_pid().is_some());
    assert_eq!(location(&workspace, "two.example.com"), "https://second.example.net/");
    drop(workspace.assert_nothing_to_do());
}

#[test]
fn a_deletion_says_why() {
    let Some(workspace) = Workspace::managed() else { return };
    two_domains(&workspace);
    let each = |names: &str| {
        format!(
            "domain \"each\" {{\n  for_each = toset([{names}])\n  tenant = tenant.acme\n  tls {{\n    enabled = false\n  }}\n  \
             redirect {{\n    to = \"https://example.net/\"\n  }}\n}}\n"
        )
    };
    workspace.write("each.hcl", each("\"x.example.com\", \"y.example.com\""));
    drop(workspace.apply());
    workspace.write("each.hcl", each("\"x.example.com\""));
    workspace.write("two.hcl", "");
    drop(
        workspace
            .vsa(["plan"])
            .code(0)
            .says("# domain[\"two.example.com\"] will be destroyed\n  # (because domain[\"two.example.com\"] is not in configuration)")
            .says("# domain.each[\"y.example.com\"] will be destroyed\n  # (because key [\"y.example.com\"] is not in for_each)"),
    );
    let all = workspace.vsa(["destroy"]).code(1).says("will be destroyed");
    assert!(!all.stdout.contains("(because"), "{all}");
}

#[test]
fn a_part_is_taken_away_with_all_that_depends_on_it() {
    let Some(workspace) = Workspace::managed() else { return };
    two_domains(&workspace);
    workspace.write(
        "other.hcl",
        format!(
            "tenant \"other\" {{}}\n{}",
            redirecting("other.example.com", "other").replace("acme", "other")
        ),
    );
    drop(workspace.apply());
    let lost = workspace.vsa(["destroy", "-auto-approve", "-target=tenant.othr"]).code(1);
    drop(lost.says("there is no `tenant.othr` to take away").says("did you mean `tenant.other`?"));
    drop(workspace.vsa(["destroy", "-auto-approve", "-target=domain"]).code(1).says("`vsa state list`"));

    // What else the files say by now is not what was asked for.
    workspace.write("main.hcl", "tenant \"acme\" {\n  status = \"suspended\"\n}\n");
    workspace.write("two.hcl", redirecting("two.example.com", "third"));
    let one = "-target=domain[\"one.example.com\"]";
    let run = workspace.vsa(["destroy", "-auto-approve", one]).code(0);
    drop(run.says("0 added, 0 changed, 1 destroyed"));
    assert_eq!(location(&workspace, "two.example.com"), "https://second.example.net/");
    workspace.write("main.hcl", "tenant \"acme\" {}\n");
    workspace.write("two.hcl", redirecting("two.example.com", "second"));
    drop(workspace.vsa(["plan"]).code(0).says("Plan: 1 to add, 0 to change, 0 to destroy"));
    drop(workspace.vsa(["destroy", "-auto-approve", "-target", "tenant.acme"]).code(0).says("2 destroyed"));
    assert_eq!(location(&workspace, "other.example.com"), "https://other.example.net/");
    let left = workspace.vsa(["state", "list"]).code(0).stdout;
    assert_eq!(left, "domain[\"other.example.com\"]\nnode.local\ntenant.other\n");
    drop(workspace.apply());
    drop(workspace.assert_nothing_to_do());
    assert_eq!(location(&workspace, "one.example.com"), "https://first.example.net/");
}
