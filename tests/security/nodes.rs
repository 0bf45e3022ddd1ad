//! What nodes and tenants are made as, by whom, and where.

use std::fs;
use std::os::unix::fs::chown;

use super::{STAFF, TENANT, site};
use crate::support::ports::Port;
use crate::support::{Request, Workspace, fetch, root};

/// Without root, vsa does everything of a managed node, and says in plan what it may not do.
#[test]
fn an_ordinary_user_needs_no_root() {
    let Some(workspace) = Workspace::managed().filter(|_| root()) else { return };
    workspace.write_node("");
    let staff = STAFF.replace("tenant.beta", "tenant.acme").replace("  owner = \"games\"\n", "");
    workspace.write("main.hcl", staff);
    workspace.write("www/index.html", "welcome");
    workspace.write("site.hcl", site("one.example.com", "auth = auth.staff\n  root = \"www\""));
    for path in [workspace.path(), &workspace.configuration()] {
        chown(path, Some(65534), Some(65534)).unwrap();
    }
    // The program itself may be where nobody else can enter.
    let program = workspace.path().join("vsa");
    fs::copy(env!("CARGO_BIN_EXE_vsa"), &program).unwrap();
    let vsa = |arguments: &[&str]| {
        let mut command = std::process::Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program).args(arguments);
        command.current_dir(workspace.configuration()).env("HOME", workspace.path());
        crate::support::Run::of(command)
    };
    let node = workspace.read("node.hcl");
    workspace.write("node.hcl", node.replacen('{', "{\n  srv_root = \"/usr/srv\"", 1));
    drop(vsa(&["plan"]).code(1).says("nothing can be made in /usr"));
    workspace.write("node.hcl", node);
    drop(vsa(&["apply", "-auto-approve"]).code(0));
    let request = Request::http(workspace.http_port(), "one.example.com", "/");
    assert_eq!(workspace.fetch(&request).status, 401);
    assert_eq!(workspace.fetch(&request.password("alice", "correct horse battery")).text(), "welcome");
    drop(vsa(&["plan", "-detailed-exitcode"]).code(0));
    drop(vsa(&["node", "stop"]).code(0));
    drop(vsa(&["plan", "-detailed-exitcode"]).code(2).says("is not running"));
    drop(vsa(&["node", "start"]).code(0));
    drop(vsa(&["plan", "-detailed-exitcode"]).code(0));
    let tenants = workspace.read("main.hcl");
    for (lines, text) in [
        ("owner = \"games\"", "only root can give a directory to the user `games`"),
        ("group = \"games\"", "only root can give a directory to the group `games`"),
        ("group = \"no-such\"", "the node has no group `no-such`"),
    ] {
        workspace.write("main.hcl", format!("{tenants}tenant \"gamma\" {{\n  {lines}\n}}\n"));
        drop(vsa(&["plan"]).code(1).says(text).says("main.hcl:"));
    }
    workspace.write("main.hcl", format!("{tenants}tenant \"gamma\" {{\n  owner = \"nobody\"\n}}\n"));
    drop(vsa(&["plan"]).code(0));
}

/// What a plan may not look at, it says nothing about.
#[test]
fn what_may_not_be_read_is_said_and_is_no_drift() {
    let Some(workspace) = Workspace::on_host() else { return };
    workspace.write_node("");
    workspace.write("main.hcl", "tenant \"acme\" {}\n");
    let redirect = "redirect {\n    to = \"https://example.net/\"\n  }";
    workspace.write("site.hcl", site("one.example.com", redirect));
    workspace.system().unwrap().start_nginx();
    drop(workspace.apply());
    let program = workspace.path().join("vsa");
    fs::copy(env!("CARGO_BIN_EXE_vsa"), &program).unwrap();
    let owned =
        std::process::Command::new("chown").arg("-R").arg("65534").arg(workspace.configuration()).status();
    assert!(owned.unwrap().success());
    let mut command = workspace.system().unwrap().command("setpriv", &workspace.configuration());
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program);
    command.args(["plan", "-detailed-exitcode"]);
    let plan = crate::support::Run::of(command).code(0);
    let plan = plan.says("the live generation of `node.local` cannot be read").says("Permission denied");
    assert!(!plan.stdout.contains("deleted"), "{plan}");
    let mut command = workspace.system().unwrap().command("setpriv", &workspace.configuration());
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program).arg("generations");
    let list = crate::support::Run::of(command).code(1);
    drop(list.says("the generations of `node.local` cannot be read").says("Permission denied"));
}

/// An owner or a group that is named no more gives way to vsa itself, and what somebody else did to them is drift.
#[test]
fn a_directory_goes_back_to_vsa_when_nobody_is_named() {
    use std::os::unix::fs::MetadataExt as _;
    let Some(workspace) = Workspace::managed().filter(|_| root()) else { return };
    workspace.write_node("");
    let tenant = |lines: &str| {
        workspace.write("main.hcl", format!("tenant \"acme\" {{\n  {lines}\n}}\n"));
    };
    let directory = workspace.node_root().join("srv/acme");
    let owners = || {
        let metadata = fs::metadata(&directory).unwrap();
        (metadata.uid(), metadata.gid())
    };
    tenant("owner = \"games\"\n  group = \"games\"");
    drop(workspace.apply());
    assert_eq!(owners(), (TENANT, 60));
    drop(workspace.assert_nothing_to_do());
    chown(&directory, None, Some(0)).unwrap();
    drop(workspace.vsa(["plan", "-detailed-exitcode"]).code(2).says("group is 0, not `games` 60"));
    drop(workspace.apply());
    assert_eq!(owners(), (TENANT, 60));
    tenant("");
    let plan = workspace.vsa(["plan", "-detailed-exitcode"]).code(2);
    assert!(!plan.stdout.contains("owner is"), "{plan}");
    drop(workspace.apply());
    assert_eq!(owners(), (0, 0));
    drop(workspace.assert_nothing_to_do());
    chown(&directory, Some(TENANT), None).unwrap();
    drop(workspace.vsa(["plan", "-detailed-exitcode"]).code(2).says("owner is 5, not 0"));
    drop(workspace.apply());
    assert_eq!(owners(), (0, 0));
}

/// Where tenants' directories are cannot change: the old ones would stay with their data, and those of others at the new
/// place would be taken for vsa's.
#[test]
fn tenants_directories_do_not_move() {
    let Some(workspace) = Workspace::managed() else { return };
    workspace.write_node("");
    workspace.write("main.hcl", "tenant \"acme\" {}\n");
    drop(workspace.apply());
    let node = workspace.read("node.hcl").replacen('{', "{\n  srv_root = \"elsewhere\"", 1);
    workspace.write("node.hcl", node);
    let run = workspace.vsa(["apply", "-auto-approve"]).code(1);
    let run = run.says("`srv_root` of `node.local` cannot change while it serves sites").says("node.hcl:1");
    drop(run.says(&workspace.node_root().join("srv").display().to_string()));
    assert!(!workspace.configuration().join("elsewhere").exists());
    for name in ["root", "srv_root"] {
        let node = format!("node \"local\" {{\n  {name} = \"//\"\n}}\n");
        workspace.write("node.hcl", node);
        let run = workspace.vsa(["plan"]).code(1).says("node.hcl:2");
        drop(run.says(&format!("`{name}` is the root of the whole file system")));
    }
    let ports = "node \"local\" {\n  docker {\n    first_port = 3000\n    last_port  = 2999\n  }\n}\n";
    let run = workspace.write("node.hcl", ports).vsa(["plan"]).code(1).says("node.hcl:3");
    drop(run.says("`first_port` is 3000, and `last_port` 2999"));
}

/// The one file of vsa's in nginx's own directory: not written over another's, repaired, and read by nginx.
#[test]
fn the_include_file_is_kept_in_place() {
    let Some(workspace) = Workspace::on_host() else { return };
    let system = workspace.system().unwrap();
    system.start_nginx();
    workspace.write_node("");
    workspace.write("main.hcl", "tenant \"acme\" {}\n");
    workspace.write("site.hcl", site("one.example.com", "redirect {\n    to = \"https://b.example\"\n  }"));
    let include = system.path("/etc/nginx/conf.d/vsa.conf");
    fs::write(&include, "# somebody's\n").unwrap();
    drop(workspace.vsa(["apply", "-auto-approve"]).code(1).says("is in the way").says("include_file"));
    assert_eq!(fs::read_to_string(&include).unwrap(), "# somebody's\n");
    fs::remove_file(&include).unwrap();
    let main = system.path("/etc/nginx/nginx.conf");
    let text = fs::read_to_string(&main).unwrap();
    fs::write(&main, text.replace("include /etc/nginx/conf.d/*.conf;", "")).unwrap();
    drop(workspace.vsa(["plan"]).code(1).says("nginx does not read `/etc/nginx/conf.d/vsa.conf`"));
    fs::write(&main, text).unwrap();
    drop(workspace.apply());
    drop(workspace.assert_nothing_to_do());
    let ours = fs::read_to_string(&include).unwrap();
    fs::write(&include, "# edited\n").unwrap();
    drop(workspace.vsa(["plan", "-detailed-exitcode"]).code(2).says("vsa.conf").says("was edited"));
    drop(workspace.apply());
    assert_eq!(fs::read_to_string(&include).unwrap(), ours);
    fs::remove_file(&include).unwrap();
    drop(workspace.vsa(["plan", "-detailed-exitcode"]).code(2).says("vsa.conf").says("was deleted"));
    drop(workspace.apply());
    assert_eq!(fs::read_to_string(&include).unwrap(), ours);
    assert_eq!(workspace.http("one.example.com", "/").status, 301);
    drop(workspace.assert_nothing_to_do());
}

/// Two nodes of one configuration: all of them, or none.
#[test]
fn nodes_are_switched_together_or_not_at_all() {
    let Some(workspace) = Workspace::managed() else { return };
    let ports = [(); 4].map(|()| Port::reserve());
    let [one, two, secure_one, secure_two] = ports.each_ref().map(|port| port.number);
    let node = |name: &str, http: u16, https: u16| {
        format!(
            "node \"{name}\" {{\n  proxy {{\n    mode = \"managed\"\n    http_port = {http}\n    https_port = {https}\n  }}\n}}\n"
        )
    };
    let nodes = |second: u16| node("one", one, secure_one) + &node("two", second, secure_two);
    let sites = |to: &str| {
        let redirect = format!("redirect {{\n    to = \"https://{to}.example\"\n  }}");
        ["one", "two"].map(|name| {
            let tenant = format!("tenant = tenant.{name}\n  node = node.{name}");
            let tenants = format!("tenant \"{name}\" {{\n  node = node.{name}\n}}\n");
            tenants
                + &site(&format!("{name}.example.com"), &redirect).replace("tenant = tenant.acme", &tenant)
        })
    };
    workspace.write("node.hcl", nodes(one)).write("main.hcl", sites("first").concat());
    drop(workspace.vsa(["plan"]).code(1).says(&format!("the port `{one}` is held by")));
    workspace.write("node.hcl", nodes(two));
    drop(workspace.apply());
    drop(workspace.assert_nothing_to_do());
    let to = |port: u16, name: &str| {
        let answer = fetch(&Request::http(port, &format!("{name}.example.com"), "/")).unwrap();
        answer.header("location").unwrap().to_owned()
    };
    let busy = std::net::TcpListener::bind(("0.0.0.0", 0)).unwrap();
    let taken = busy.local_addr().unwrap().port();
    workspace.write("node.hcl", nodes(taken)).write("main.hcl", sites("second").concat());
    drop(workspace.vsa(["apply", "-auto-approve"]).code(5).says("taken back node.one: switch"));
    assert_eq!([to(one, "one"), to(two, "two")], ["https://first.example/"; 2]);
    drop(busy);
    drop(workspace.apply());
    assert_eq!([to(one, "one"), to(taken, "two")], ["https://second.example/"; 2]);
    drop(workspace.assert_nothing_to_do());
}
