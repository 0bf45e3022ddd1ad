//! The commands for stacks: begun, brought up and down in the configuration itself, looked at, restarted.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::Duration;

use insta::assert_snapshot;

use super::{Ground, said};
use crate::support::Request;
use crate::support::images;
use crate::support::ports::Port;
use crate::support::processes::wait_until;
use crate::support::{Run, Workspace};

/// A text without the parts that differ from one run to the next.
fn steady(ground: &Ground, text: &str) -> String {
    let first = ground.ports.first;
    text.replace(&ground.tenant(), "TENANT").replace(&format!(":{first}"), ":PORT")
}

/// Words apart by one space: columns are as wide as names that differ.
fn words(text: &str) -> String {
    text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n").collect()
}

/// What standard error says, without the line about the audit log.
fn told(run: &Run) -> String {
    run.stderr.lines().filter(|line| !line.starts_with("audit:")).collect::<Vec<_>>().join("\n")
}

#[test]
fn stacks_and_their_containers_are_listed() {
    let Some(ground) = Ground::new() else { return };
    ground.stack("").compose(&images::app(&ground.engine, "1"));
    drop(ground.workspace.apply());
    let list = ground.workspace.vsa(["stack", "list"]).code(0);
    assert_snapshot!(words(&steady(&ground, &list.stdout)), @r#"
    STACK TENANT PROJECT WANTED STATUS SOURCE
    stack.shop TENANT TENANT-shop running running(2) shop
    "#);
    let ps = ground.workspace.vsa(["stack", "ps"]).code(0);
    let separator = if ps.stdout.contains("shop-web-1") { "-" } else { "_" };
    let ps = steady(&ground, &ps.stdout)
        .replace(&format!("shop{separator}"), "shop-")
        .replace(&format!("{separator}1 "), "-1 ");
    assert_snapshot!(words(&ps), @r#"
    NAME SERVICE IMAGE STATUS PORTS
    TENANT-shop-db-1 db vsa-test/database:1 running
    TENANT-shop-web-1 web vsa-test/app:1 running (healthy) 127.0.0.1:PORT->3000/tcp
    "#);

    ground.engine.ask(&["stop", "--time", "0", &ground.container("db")]);
    drop(ground.workspace.vsa(["stack", "list"]).code(0).says("exited(1), running(1)"));
    let json = ground.workspace.vsa(["stack", "ps", "shop", "-json"]).code(0).json();
    assert_eq!(json[0]["state"], "exited");
    assert_eq!((&json[1]["service"], &json[1]["health"]), (&"web".into(), &"healthy".into()));

    let wrong = ground.workspace.vsa(["stack", "ps", "shpo"]).code(1);
    assert_snapshot!(told(&wrong), @r#"
    error: there is no stack `shpo` in the state
     |
     = help: did you mean `shop`?
    "#);
}

#[test]
fn without_an_engine_the_list_says_what_is_known() {
    let Some(ground) = Ground::new() else { return };
    ground.stack("").compose(&images::app(&ground.engine, "1"));
    drop(ground.workspace.apply());
    let state = ground.workspace.read("state/default.json");
    let blind = state.replace(&ground.engine.socket().display().to_string(), "/nonexistent/docker.sock");
    ground.workspace.write("state/default.json", blind);
    let list = ground.workspace.vsa(["stack", "list"]).code(0).says("the containers could not be seen");
    assert!(list.stdout.contains("unknown"), "{list}");
    drop(ground.workspace.vsa(["stack", "ps"]).code(1).says("there is no Docker engine at"));
    ground.workspace.write("state/default.json", state);
}

/// A web service that says its greeting first.
fn talkative(ground: &Ground) {
    let (one, database) = (images::app(&ground.engine, "1"), images::database(&ground.engine));
    let text = format!(
        "services:\n  web:\n    image: {one}\n    environment:\n      GREETING: ${{GREETING}}\n    command: [\"/bin/sh\", \
         \"-c\", \"echo my greeting is $$GREETING; exec /app\"]\n  db:\n    image: {database}\n"
    );
    ground.workspace.write("shop/compose.yml", text);
}

#[test]
fn logs_are_shown_in_their_order_and_without_secrets() {
    let Some(ground) = Ground::new() else { return };
    ground.stack("");
    talkative(&ground);
    drop(ground.workspace.apply());
    let all = ground.workspace.vsa(["stack", "logs", "shop"]).code(0);
    assert!(!said(&all).contains("hush-1"), "{all}");
    let mut lines: Vec<&str> = all.stdout.lines().collect();
    let at = |text: &str| all.stdout.lines().position(|line| line == text);
    assert!(at("web-1  | my greeting is ********") < at("web-1  | version 1 starts"), "{all}");
    lines.sort_unstable();
    let expected =
        ["db-1   | version database starts", "web-1  | my greeting is ********", "web-1  | version 1 starts"];
    assert_eq!(lines, expected);

    let last = ground.workspace.vsa(["stack", "logs", "shop", "web", "-tail=1", "-timestamps"]).code(0);
    let (title, line) = last.stdout.trim_end().split_once(" | ").unwrap();
    let (time, text) = line.split_once(' ').unwrap();
    assert!(time.parse::<jiff::Timestamp>().is_ok(), "{last}");
    assert_eq!((title, text), ("web-1 ", "version 1 starts"));

    drop(
        ground
            .workspace
            .vsa(["stack", "logs", "shop", "-tail", "x"])
            .code(1)
            .says("neither a number of lines nor `all`"),
    );
    drop(ground.workspace.vsa(["stack", "logs", "shop", "wbe"]).code(1).says("did you mean `web`?"));
    // Nobody reads it to its end: no error, and not a word.
    let mut unread = ground.workspace.command(["stack", "logs", "shop"]);
    let mut child = unread.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && errors.lines().count() == 1, "{errors}");
}

#[test]
fn a_log_is_followed_until_its_container_ends() {
    let Some(ground) = Ground::new() else { return };
    ground.stack("");
    talkative(&ground);
    drop(ground.workspace.apply());
    let mut follow = ground.workspace.command(["stack", "logs", "-f", "-n", "1", "shop", "web"]);
    let mut child = follow.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "web-1  | version 1 starts");
    let web = ground.container("web");
    ground.engine.ask(&["exec", &web, "sh", "-c", "echo more about $GREETING >/proc/1/fd/1"]);
    assert_eq!(lines.next().unwrap().unwrap(), "web-1  | more about ********");
    assert!(child.try_wait().unwrap().is_none(), "it goes on");
    ground.engine.ask(&["stop", "--time", "0", &web]);
    assert!(wait_until(Duration::from_secs(20), || child.try_wait().unwrap().is_some()), "it ends");
    assert!(child.wait().unwrap().success() && lines.next().is_none());
}

#[test]
fn containers_are_restarted_and_waited_for() {
    let Some(ground) = Ground::new() else { return };
    ground.stack("").compose(&images::app(&ground.engine, "1"));
    drop(ground.workspace.apply());
    let started = |service: &str| {
        ground.engine.ask(&["inspect", "--format", "{{.State.StartedAt}}", &ground.container(service)])
    };
    let (web, db) = (started("web"), started("db"));
    drop(ground.workspace.vsa(["stack", "restart", "shop", "web"]).code(0).says("stack.shop: restarted web"));
    assert!(started("web") != web && started("db") == db);
    assert_eq!(ground.get(), "1 hush-1");
    drop(ground.workspace.vsa(["stack", "restart", "shop"]).code(0).says("restarted db, web"));
    assert_ne!(started("db"), db);
    drop(ground.workspace.assert_nothing_to_do());
    let log = ground.workspace.vsa(["audit", "list"]).code(0);
    drop(log.says("stack restart").says("restart db, web"));
    // One that is not healthy any more is told with its log.
    ground.engine.ask(&["exec", &ground.container("web"), "sh", "-c", "echo 'exit 4' >/app"]);
    drop(ground.workspace.vsa(["stack", "restart", "shop", "web"]).code(1).says("service `web` of project"));
}

#[test]
fn a_stack_goes_down_and_up_and_nothing_else_is_touched() {
    let Some(ground) = Ground::new() else { return };
    ground.stack("").compose(&images::app(&ground.engine, "1"));
    let site = |name: &str, to: &str| {
        let tenant = ground.tenant();
        format!(
            "domain \"{name}.example.com\" {{\n  tenant = tenant.{tenant}\n\n  redirect {{\n    to = \"https://{to}.example.com/\"\n  \
             }}\n\n  tls {{\n    enabled = false\n  }}\n}}\n"
        )
    };
    let leads = |name: &str| {
        let answer = ground.workspace.http(&format!("{name}.example.com"), "/");
        answer.header("location").unwrap_or_default().to_owned()
    };
    ground.workspace.write("sites.hcl", site("old", "one") + &site("gone", "one"));
    drop(ground.workspace.apply());
    // What else has been edited meanwhile waits for an apply of everything.
    ground.workspace.write("sites.hcl", site("old", "two") + &site("new", "two"));
    let down = ground.workspace.vsa(["stack", "down", "shop", "-auto-approve"]).code(0);
    drop(down.says("main.hcl: `stack.shop` is stopped now").says("0 added, 1 changed, 0 destroyed"));
    let text = ground.workspace.read("main.hcl");
    assert!(text.contains("  source = \"./shop\"\n  status = \"stopped\"\n  env    = {"), "{text}");
    assert_eq!(ground.get_status(), 502);
    assert_eq!(
        (leads("old"), leads("gone")),
        ("https://one.example.com/".into(), "https://one.example.com/".into())
    );
    drop(ground.workspace.vsa(["stack", "restart", "shop"]).code(1).says("`stack.shop` is stopped"));

    // A change of the stack's own goes along, and its site with it.
    ground.compose(&images::app(&ground.engine, "2"));
    let edited = ground
        .workspace
        .read("main.hcl")
        .replace("port    = 3000\n  }", "port    = 3000\n  }\n\n  body_size = \"7m\"");
    ground.workspace.write("main.hcl", edited);
    drop(
        ground
            .workspace
            .vsa(["stack", "up", "shop", "-auto-approve"])
            .code(0)
            .says("0 added, 2 changed, 0 destroyed"),
    );
    assert_eq!(ground.get(), "2 hush-1");
    assert_eq!(
        (leads("old"), leads("gone")),
        ("https://one.example.com/".into(), "https://one.example.com/".into())
    );
    let text = ground.workspace.read("main.hcl");
    assert!(text.contains("  status = \"running\"\n"), "{text}");
    drop(ground.workspace.vsa(["stack", "up", "shop", "-auto-approve"]).code(0).says("No changes"));

    drop(ground.workspace.apply());
    assert_eq!(
        (leads("old"), leads("new")),
        ("https://two.example.com/".into(), "https://two.example.com/".into())
    );
    drop(ground.workspace.assert_nothing_to_do());
}

#[test]
fn passwords_are_carried_over_and_edited_files_are_not() {
    let Some(ground) = Ground::new() else { return };
    ground.stack("").compose(&images::app(&ground.engine, "1"));
    let tenant = ground.tenant();
    let with_password = |password: &str| {
        let text = format!(
            "auth \"staff\" {{\n  tenant = tenant.{tenant}\n  realm  = \"Staff\"\n\n  user \"alice\" {{\n    password = \
             sensitive(\"{password}\")\n  }}\n}}\n\ndomain \"locked.example.com\" {{\n  tenant = tenant.{tenant}\n  root   = \
             \"www\"\n  auth   = auth.staff\n\n  tls {{\n    enabled = false\n  }}\n}}\n"
        );
        ground.workspace.write("locked.hcl", text);
    };
    let status = |password: &str| {
        let request = Request::http(ground.workspace.http_port(), "locked.example.com", "/");
        ground.workspace.fetch(&request.password("alice", password)).status
    };
    ground.workspace.write("www/index.html", "hello");
    with_password("first-password");
    drop(ground.workspace.apply());
    with_password("second-password");
    let edited = ground
        .workspace
        .read("main.hcl")
        .replace("port    = 3000\n  }", "port    = 3000\n  }\n\n  body_size = \"7m\"");
    ground.workspace.write("main.hcl", &edited);
    let generation = ground.workspace.live_generation();
    drop(ground.workspace.vsa(["stack", "up", "shop", "-auto-approve"]).code(0).says("0 added, 1 changed"));
    assert_eq!(ground.workspace.live_generation(), generation + 1);
    assert_eq!((status("first-password"), status("second-password")), (200, 401));

    let files = ground.workspace.generation(generation + 1).join("sites");
    let site = fs::read_dir(files)
        .unwrap()
        .flatten()
        .find(|file| file.file_name().to_string_lossy().contains("locked"));
    let site = site.unwrap().path();
    let text = fs::read_to_string(&site).unwrap();
    fs::write(&site, format!("{text}# by hand\n")).unwrap();
    drop(
        ground
            .workspace
            .vsa(["stack", "down", "shop", "-auto-approve"])
            .code(1)
            .says("is not as it was written, so it cannot be carried over"),
    );
    assert_eq!(ground.workspace.read("main.hcl"), edited);
    drop(ground.workspace.apply());
    assert_eq!(status("second-password"), 200);
    drop(ground.workspace.assert_nothing_to_do());
}

#[test]
fn what_fails_or_is_not_approved_leaves_the_configuration_as_it_was() {
    let Some(ground) = Ground::new() else { return };
    ground.stack("  status = \"stopped\" # for now").compose(&images::app(&ground.engine, "1"));
    drop(ground.workspace.apply());
    let before = ground.workspace.read("main.hcl");
    drop(ground.workspace.vsa(["stack", "up", "shop"]).code(1).says("nobody is there to approve the plan"));
    assert_eq!(ground.workspace.read("main.hcl"), before);
    ground.compose(&images::app(&ground.engine, "crash"));
    drop(
        ground
            .workspace
            .vsa(["stack", "up", "shop", "-auto-approve"])
            .code(5)
            .says("cannot start: no database"),
    );
    assert_eq!(ground.workspace.read("main.hcl"), before);
    drop(ground.workspace.vsa(["stack", "up", "shpo", "-auto-approve"]).code(1).says("did you mean `shop`?"));
    let computed =
        before.replace("\"stopped\" # for now", "var.greeting == \"\" ? \"running\" : \"stopped\"");
    ground.workspace.write("main.hcl", &computed);
    let refused = ground.workspace.vsa(["stack", "up", "shop", "-auto-approve"]).code(1);
    drop(refused.says("is worked out by an expression").says("main.hcl"));
    assert_eq!(ground.workspace.read("main.hcl"), computed);
}

#[test]
fn a_new_stack_is_a_directory_and_a_block() {
    let workspace = Workspace::new();
    workspace.write("main.hcl", "tenant \"acme\" {}\n").write("stacks.hcl", "# ours\nstack \"old\" {}");
    let made = workspace.vsa(["stack", "new", "web-shop", "-from", "node"]).code(0);
    assert_snapshot!(made.stdout, @r#"
    made stacks/web-shop, from node
    wrote `stack.web-shop` into stacks.hcl

    Its secrets are input variables; set each in the environment or a file of values:
      VSA_VAR_web_shop_db_password

    stacks/web-shop/README.md says more. `vsa stack up web-shop` brings it up.
    "#);
    assert_snapshot!(workspace.read("stacks.hcl"), @r#"
    # ours
    stack "old" {}

    variable "web_shop_db_password" {
      type      = string
      sensitive = true
    }

    stack "web-shop" {
      tenant = tenant.acme
      source = "./stacks/web-shop"

      env = {
        DB_PASSWORD = var.web_shop_db_password
      }
    }
    "#);
    let shipped = |name: &str| {
        fs::read_to_string(format!("{}/stacks/templates/node/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    };
    for name in ["compose.yml", ".env.example", "README.md", "app/server.js"] {
        assert_eq!(workspace.read(&format!("stacks/web-shop/{name}")), shipped(name), "{name}");
    }
    // Another one of one's own, from the first.
    drop(workspace.vsa(["stack", "new", "second", "-from", "./stacks/web-shop"]).code(0));
    assert!(workspace.read("stacks.hcl").contains("  source = \"./stacks/second\""));

    let refused = |arguments: &[&str]| {
        let before = workspace.read("stacks.hcl");
        let run = workspace.vsa([&["stack", "new"], arguments].concat()).code(1);
        assert_eq!(workspace.read("stacks.hcl"), before);
        told(&run)
    };
    assert_snapshot!(refused(&["web-shop"]), @r#"
    error: there is a `stack "web-shop"` in `stacks.hcl` already
     |
     = help: choose another name
    "#);
    assert_snapshot!(refused(&["Shop"]), @"error: the name `Shop` does not begin with a lower-case letter");
    assert_snapshot!(refused(&["third", "-from", "pyton"]), @r#"
    error: there is neither a template nor a stack `pyton`
     |
     = help: did you mean `python`?
    "#);
    assert_snapshot!(refused(&["third", "-from", "./nothing"]), @"error: the directory `./nothing` cannot be read: No such file or directory (os error 2)");
    assert_snapshot!(refused(&["third", "-tenant", "acne"]), @r#"
    error: there is no `tenant "acne"` in the configuration
     |
     = help: did you mean `acme`?
    "#);
    workspace.write("more.hcl", "tenant \"beta\" {}\n").write("stacks/there/x", "");
    assert_snapshot!(refused(&["third"]), @r#"
    error: there are 2 tenants
     |
     = help: say whose it is with `-tenant`: acme, beta
    "#);
    assert_snapshot!(refused(&["there", "-tenant", "beta"]), @r#"
    error: `stacks/there` is there already
     |
     = help: choose another name, or name that directory as the `source` of a `stack` block
    "#);
}

#[test]
fn a_new_stack_comes_up() {
    let Some(ground) = Ground::new() else { return };
    images::files(&ground.engine);
    let tenant = ground.tenant();
    ground.workspace.write("main.hcl", format!("tenant \"{tenant}\" {{}}\n"));
    drop(ground.workspace.vsa(["stack", "new", "shop"]).code(0));
    drop(ground.workspace.vsa(["stack", "up", "shop", "-auto-approve"]).code(0));
    drop(ground.workspace.vsa(["stack", "ps", "shop"]).code(0).says("running (healthy)"));
    drop(ground.workspace.assert_nothing_to_do());
}

#[test]
fn each_shipped_stack_is_valid_as_it_is_written() {
    let workspace = Workspace::new();
    workspace.write("main.hcl", "tenant \"acme\" {}\n\nnode \"vps-01\" {}\n");
    for name in vsa::shipped::stacks().chain(vsa::shipped::templates()) {
        drop(workspace.vsa(["stack", "new", name, "-from", name]).code(0));
    }
    let stacks = workspace.read("stacks.hcl");
    let named = stacks.lines().filter_map(|line| line.strip_prefix("variable \"")?.strip_suffix("\" {"));
    let values: Vec<_> = named.map(|name| format!("{name} = \"0123456789abcdef0123456789abcdef\"")).collect();
    workspace.write("secrets.auto.vsavars.hcl", values.join("\n"));
    let valid = workspace.vsa(["validate"]).code(0);
    assert_eq!(told(&valid), "", "{stacks}");
}

/// Of two nodes, the one that a stack does not live on is left alone, whatever was edited for it.
#[test]
fn a_stack_goes_up_on_its_node_alone() {
    let Some(ground) = Ground::new() else { return };
    let ports = [Port::reserve(), Port::reserve()];
    let (http, first) = (ground.workspace.http_port(), ground.ports.first);
    fs::remove_file(ground.workspace.configuration().join("node.hcl")).unwrap();
    let write = |name: &str, version: &str| {
        let (http, https, first) = match name {
            "a" => (http, ground.workspace.https_port(), first),
            _ => (ports[0].number, ports[1].number, first + 4),
        };
        let (label, image) = (format!("{name}{}", ground.tenant()), images::app(&ground.engine, version));
        ground.workspace.write(
            &format!("{name}.hcl"),
            format!(
                "node \"{name}\" {{
  proxy {{
    http_port  = {http}
    https_port = {https}
  }}

  docker {{
    socket     = \"{socket}\"
    first_port = {first}
    last_port  = {last}
  }}
}}

tenant \"{label}\" {{
  node = node.{name}
}}

stack \"{name}\" {{
  node    = node.{name}
  tenant  = tenant.{label}
  compose = \"services: {{web: {{image: {image}}}}}\"
}}

domain \"{name}.example.com\" {{
  node   = node.{name}
  tenant = tenant.{label}

  tls {{
    enabled = false
  }}

  upstream {{
    stack   = stack.{name}
    service = \"web\"
    port    = 3000
  }}
}}
",
                socket = ground.engine.socket().display(),
                last = first + 3,
            ),
        );
    };
    let get = |name: &str| {
        let port = if name == "a" { http } else { ports[0].number };
        let request = Request::http(port, &format!("{name}.example.com"), "/");
        ground.workspace.fetch(&request).text().trim().to_owned()
    };
    write("a", "1");
    write("b", "1");
    drop(ground.workspace.apply());
    assert_eq!((get("a"), get("b")), ("1".to_owned(), "1".to_owned()));
    let live = || fs::read_link(ground.workspace.configuration().join(".vsa/nodes/b/current")).unwrap();
    let before = live();

    write("a", "2");
    write("b", "2");
    let plan = ground.workspace.vsa(["stack", "up", "a", "-auto-approve"]).code(0);
    assert!(!plan.stdout.contains("stack.b") && !plan.stdout.contains("node.b"), "{plan}");
    assert_eq!((get("a"), get("b")), ("2".to_owned(), "1".to_owned()));
    assert_eq!(live(), before);
    drop(ground.workspace.vsa(["stack", "down", "b", "-auto-approve"]).code(0));
    assert_eq!((get("a"), get("b").starts_with('1')), ("2".to_owned(), false));
    drop(ground.workspace.vsa(["stack", "up", "b", "-auto-approve"]).code(0));
    assert_eq!((get("a"), get("b")), ("2".to_owned(), "2".to_owned()));
    drop(ground.workspace.assert_nothing_to_do());
    drop(ground.workspace.vsa(["destroy", "-auto-approve"]).code(0));
}
