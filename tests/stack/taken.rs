//! What containers take of their node is there once: names, ports, the ports by which nginx reaches services.

use std::fs;

use insta::assert_snapshot;

use super::Ground;
use crate::support::docker::Pool;
use crate::support::{Engine, Workspace, images};

impl Ground {
    /// A second stack beside `shop`, of the same tenant.
    fn beside(&self, web: &str) -> &Self {
        let tenant = self.tenant();
        self.workspace.write(
            "blog.hcl",
            format!("stack \"blog\" {{\n  tenant = tenant.{tenant}\n  source = \"./blog\"\n  allow = [\"published_port:web\"]\n}}\n"),
        );
        self.service("blog", web)
    }

    /// A stack of one service, with these lines.
    fn service(&self, stack: &str, lines: &str) -> &Self {
        let image = images::app(&self.engine, "1");
        let text = format!("services:\n  web:\n    image: {image}\n    {lines}\n");
        self.workspace.write(&format!("{stack}/compose.yml"), text);
        self
    }

    fn shop(&self, lines: &str) -> &Self {
        self.stack("  allow = [\"published_port:web\"]").service("shop", lines)
    }

    /// What a plan refuses, as far as it is about what is taken.
    fn refused(&self) -> String {
        let plan = self.workspace.vsa(["plan"]).code(1);
        let port = self.workspace.http_port();
        let (_, error) = plan.stderr.split_once("error[taken]").unwrap_or_else(|| panic!("{plan}"));
        let (error, _) = error.split_once("\n\n").unwrap_or((error, ""));
        error.replace(&port.to_string(), "PORT")
    }
}

#[test]
fn two_stacks_with_one_container_name_are_refused_with_both_places() {
    let Some(ground) = Ground::new() else { return };
    ground.shop("container_name: web").beside("container_name: web");
    assert_snapshot!(ground.refused(), @r#"
    : the container name `web` is taken by `stack.blog` and `stack.shop`
      --> shop/compose.yml:4:21
       |
     4 |     container_name: web
       |                     ^^^ taken again here
       |
      ::: blog/compose.yml:4:21
       |
     4 |     container_name: web
       |                     --- first taken here
       |
      ::: main.hcl:12:12
       |
    12 |   source = "./shop"
       |            --------
       |
      ::: blog.hcl:3:12
       |
     3 |   source = "./blog"
       |            -------- the other one comes from here
       |
       = help: leave `container_name` away: Compose names containers after their project
    "#);
    ground.beside("container_name: blog-web");
    drop(ground.workspace.vsa(["plan"]).code(0));
    // One that is off keeps its containers, and their names.
    let blog = ground.workspace.read("blog.hcl").replacen('{', "{\n  status = \"stopped\"", 1);
    ground.workspace.write("blog.hcl", blog);
    ground.service("blog", "container_name: web");
    assert!(ground.refused().contains("stack.shop"));
}

#[test]
fn a_name_is_of_one_container() {
    let Some(ground) = Ground::new() else { return };
    ground.shop("container_name: web\n    deploy: {replicas: 2}");
    let refused = ground.refused();
    for said in [
        "the service `web` cannot have 2 containers",
        "shop/compose.yml:4:",
        "this name is there once",
        "leave `container_name` away",
    ] {
        assert!(refused.contains(said), "{refused}");
    }
    ground.shop("container_name: web");
    drop(ground.workspace.vsa(["plan"]).code(0));
}

#[test]
fn a_container_that_somebody_else_started_keeps_its_name_and_its_ports() {
    let Some(ground) = Ground::new() else { return };
    let name = format!("mine-{}", ground.workspace.http_port());
    let image = images::app(&ground.engine, "1");
    let port = ground.workspace.https.number;
    let published = format!("127.0.0.1:{port}:3000");
    ground.engine.ask(&["run", "--detach", "--name", &name, "--publish", &published, &image]);
    ground.shop(&format!("container_name: {name}"));
    let error = ground.refused();
    let node = ground.workspace.read("node.hcl").replace(&format!("https_port = {port}"), "https_port = 1");
    ground.workspace.write("node.hcl", node);
    let both = [error, ground.shop(&format!("ports: [\"{port}:3000\"]")).refused()];
    let elsewhere = ground.shop(&format!("ports: [\"127.0.0.2:{port}:3000\"]")).workspace.vsa(["plan"]);
    ground.engine.ask(&["rm", "--force", &name]);
    let both = both.map(|error| error.replace(&port.to_string(), "PUBLISHED"));
    assert_snapshot!(both[0], @r#"
    : the container name `mine-PORT` is taken by somebody else
      --> shop/compose.yml:4:21
       |
     4 |     container_name: mine-PORT
       |                     ^^^^^^^^^^
       |
      ::: main.hcl:12:12
       |
    12 |   source = "./shop"
       |            --------
       |
       = note: the container `mine-PORT`, which is not vsa's, has it on the node
       = help: remove that container, or take another name or port for this one
    "#);
    assert!(both[1].contains("the port PUBLISHED/tcp is taken by somebody else"), "{}", both[1]);
    assert!(both[1].contains("shop/compose.yml:4:"), "{}", both[1]);
    drop(elsewhere.code(0));
    drop(ground.workspace.vsa(["plan"]).code(0));
}

#[test]
fn what_one_stack_has_goes_to_another_in_two_steps() {
    let Some(ground) = Ground::new() else { return };
    let name = format!("mine-{}", ground.workspace.http_port());
    let named = format!("container_name: {name}");
    ground.shop(&named);
    drop(ground.workspace.apply());
    let shop = ground.workspace.read("main.hcl");
    let store = shop.replace("stack \"shop\"", "stack \"store\"").replace("stack.shop", "stack.store");
    ground.workspace.write("main.hcl", &store);
    let refused = ground.workspace.vsa(["plan"]).code(1);
    drop(
        refused.says(&format!("the container name `{name}` is taken by another stack")).says("in two steps"),
    );
    ground.service("shop", "");
    drop(ground.workspace.apply());
    ground.service("shop", &named);
    drop(ground.workspace.apply());
    assert_eq!(ground.get(), "1");
    drop(ground.workspace.assert_nothing_to_do());
    drop(ground.workspace.vsa(["destroy", "-auto-approve"]).code(0));
}

#[test]
fn a_port_of_the_machine_is_published_once() {
    let Some(ground) = Ground::new() else { return };
    ground.shop("ports: [\"8080:3000\"]").beside("ports: [\"127.0.0.1:8080-8081:3000-3001\"]");
    let refused = ground.refused();
    for said in [
        "the port 8080/tcp is taken by `stack.blog` and `stack.shop`",
        "shop/compose.yml:4:13",
        "blog/compose.yml:4:13",
        "publish another port, or none",
    ] {
        assert!(refused.contains(said), "{refused}");
    }
    for other in ["8080:3000/udp", "8081:3000", "8079-8090:3000"] {
        ground.beside(&format!("ports: [\"{other}\"]"));
        drop(ground.workspace.vsa(["plan"]).code(0));
    }
    // Twice in one stack, and where nginx listens.
    ground.beside("ports: [\"9000:3000\", \"0.0.0.0:9000:3001\"]");
    assert!(ground.refused().contains("stands twice in `stack.blog`"));
    ground.beside(&format!("ports: [\"{}:3000\"]", ground.workspace.http_port()));
    let refused = ground.refused();
    assert!(refused.contains("the port PORT/tcp is one of `node.local`"), "{refused}");
    assert!(refused.contains("nginx listens there") && refused.contains("blog/compose.yml:4:"), "{refused}");
}

#[test]
fn ports_for_nginx_keep_out_of_the_way_and_end_with_their_range() {
    let Some(ground) = Ground::new() else { return };
    let first = ground.ports.first;
    ground.shop("restart: always").beside(&format!("ports: [\"127.0.0.1:{first}:3000\"]"));
    drop(ground.workspace.apply());
    let state = ground.workspace.read("state/default.json");
    let state: serde_json::Value = serde_json::from_str(&state).unwrap();
    let given = &state["nodes"]["node.local"]["endpoints"]["stack.shop web:3000"];
    assert_eq!(given, &serde_json::json!([first + 1]), "{state:#}");
    drop(ground.workspace.assert_nothing_to_do());
    // It stays with the service that has it.
    ground.beside(&format!("ports: [\"127.0.0.1:{}:3000\"]", first + 1));
    let refused = ground.refused();
    assert!(refused.contains("is the one by which nginx reaches `stack.shop web:3000`"), "{refused}");
    fs::remove_file(ground.workspace.configuration().join("blog.hcl")).unwrap();

    let node = ground.workspace.read("node.hcl");
    let last = format!("last_port  = {}", ground.ports.last());
    ground.workspace.write("node.hcl", node.replace(&last, &format!("last_port  = {}", first + 1)));
    ground.service("shop", "deploy: {replicas: 3}");
    let plan = ground.workspace.vsa(["plan"]).code(1);
    let plan = plan.says("`node.local` has no ports left for its services").says("main.hcl:");
    drop(plan.says(&format!("on ports {first} to {}", first + 1)).says("widen the range"));
}

#[test]
fn a_machine_that_passes_nothing_on_is_warned_of() {
    let Some(workspace) = Workspace::managed() else { return };
    let Some(engine) = Engine::own(workspace.path(), Pool::LARGE) else { return };
    let ground = Ground::with(workspace, engine);
    ground.shop("restart: always");
    let warning = "the machine of `node.local` passes no packets on to containers";
    let plan = ground.workspace.vsa(["plan"]).code(0);
    assert!(!plan.stderr.contains(warning), "{plan}");
    // This thread is in the engine's network.
    fs::write("/proc/sys/net/ipv4/ip_forward", "0").unwrap();
    drop(ground.workspace.vsa(["plan"]).code(0).says(warning).says("sysctl -w net.ipv4.ip_forward=1"));
}

#[test]
fn a_site_leads_to_no_port_of_another_tenants_stack() {
    let Some(ground) = Ground::new() else { return };
    let site = |port: u16, tenant: &str| {
        let own = if tenant == "spy" { "tenant \"spy\" {}\n\n" } else { "" };
        let site = format!(
            "{own}domain \"spy.example.com\" {{\n  tenant = tenant.{tenant}\n\n  tls {{\n    enabled = false\n  }}\n\n  \
             location \"/api/\" {{\n    upstream {{\n      address = \"127.0.0.1:{port}\"\n    }}\n  }}\n\n  root = \
             \"/srv/spy\"\n}}\n"
        );
        ground.workspace.write("spy.hcl", site);
        ground.workspace.vsa(["plan"])
    };
    let given = ground.ports.first;
    let published = given + 7;
    ground.shop(&format!("ports: ['127.0.0.1:{published}:3000']"));
    let refused = |port, what: &str| {
        let plan = site(port, "spy").code(1).says("error[other_tenant]").says("spy.hcl:");
        drop(
            plan.says(&format!("port {port} of this machine belongs to the tenant `{}`", ground.tenant()))
                .says(what),
        );
    };
    refused(given, "`web` of `stack.shop` answers there");
    refused(published, "`stack.shop` answers there");
    assert!(!site(published, &ground.tenant()).stderr.contains("other_tenant"));
    assert!(!site(given + 6, "spy").stderr.contains("other_tenant"));
}
