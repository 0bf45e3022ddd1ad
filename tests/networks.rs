//! Networks on a real Docker engine: made before what is in them, removed after it, and never anybody else's.

use crate::support::docker::{Engine, Pool};
use crate::support::images;
use crate::support::ports::Port;
use crate::support::workspace::Workspace;

struct Ground {
    engine: Engine,
    workspace: Workspace,
}

impl Ground {
    fn new() -> Option<Self> {
        Self::with(Engine::shared()?)
    }

    fn with(engine: Engine) -> Option<Self> {
        let workspace = Workspace::managed()?;
        engine.enter();
        workspace.write(
            "node.hcl",
            format!(
                "node \"local\" {{\n  proxy {{\n    http_port  = {}\n    https_port = {}\n  }}\n\n  docker {{\n    \
                 socket = \"{}\"\n  }}\n}}\n",
                workspace.http_port(),
                workspace.https_port(),
                engine.socket().display(),
            ),
        );
        Some(Self { engine, workspace })
    }

    /// A name that no other test has.
    fn named(&self, name: &str) -> String {
        format!("{name}{}", self.workspace.http_port())
    }

    /// A tenant with a network `back`, and a stack that is in it.
    fn tenant(&self, network: &str) -> &Self {
        let tenant = self.named("acme");
        self.workspace.write(
            "main.hcl",
            format!(
                "tenant \"{tenant}\" {{}}\n\nnetwork \"back\" {{\n  tenant = tenant.{tenant}\n{network}\n}}\n\nstack \
                 \"shop\" {{\n  tenant   = tenant.{tenant}\n  source   = \"./shop\"\n  networks = [network.back]\n}}\n"
            ),
        );
        let image = images::app(&self.engine, "1");
        self.workspace.write(
            "shop/compose.yml",
            format!(
                "services:\n  web:\n    image: {image}\n    networks: [back]\nnetworks:\n  back:\n    external: \
                 true\n    name: {tenant}-back\n"
            ),
        );
        self
    }

    fn known_as(&self) -> String {
        format!("{}-back", self.named("acme"))
    }

    fn inspect(&self, format: &str) -> String {
        self.engine.ask(&["network", "inspect", "--format", format, &self.known_as()])
    }

    fn is_there(&self) -> bool {
        self.engine.docker(&["network", "inspect", &self.known_as()]).status().unwrap().success()
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let port = self.workspace.http_port().to_string();
        let containers = self.engine.ask(&["ps", "--all", "--format", "{{.Names}}"]);
        for container in containers.lines().filter(|name| name.contains(&port)) {
            self.engine.ask(&["rm", "--force", "--volumes", container]);
        }
        let networks = self.engine.ask(&["network", "ls", "--format", "{{.Name}}"]);
        for network in networks.lines().filter(|name| name.contains(&port)) {
            self.engine.ask(&["network", "rm", network]);
        }
    }
}

#[test]
fn a_network_is_there_before_its_stack_and_goes_after_it() {
    let Some(ground) = Ground::new() else { return };
    // No other test has the port, nor then the subnet.
    let port = ground.workspace.http_port() - 20_000;
    let subnet = format!("10.{}.{}.0/24", 100 + port / 250, port % 250);
    let more = format!("  internal = true\n  subnet   = \"{subnet}\"\n  labels   = {{ team = \"shop\" }}");
    ground.tenant(&more);
    drop(ground.workspace.apply());
    let said = ground.inspect("{{.Internal}} {{(index .IPAM.Config 0).Subnet}} {{index .Labels \"team\"}}");
    assert_eq!(said, format!("true {subnet} shop"));
    drop(ground.workspace.assert_nothing_to_do());

    // What containers are in cannot change; what nothing is in can.
    ground.tenant("");
    let refused = ground.workspace.vsa(["plan"]).code(1).says("cannot change while containers are in it");
    let container = ground.engine.container(&format!("{}-shop", ground.named("acme")), "web");
    drop(refused.says(&container).says("give it another `name`"));
    ground.tenant(&more);

    // Somebody removes it, with all in it.
    ground.engine.ask(&["rm", "--force", &container]);
    ground.engine.ask(&["network", "rm", &ground.known_as()]);
    drop(ground.workspace.vsa(["plan"]).code(0).says("was deleted"));
    drop(ground.workspace.apply());
    assert!(ground.is_there());
    drop(ground.workspace.assert_nothing_to_do());

    ground.engine.ask(&["rm", "--force", &container]);
    ground.tenant("");
    drop(ground.workspace.apply());
    assert_eq!(ground.inspect("{{.Internal}}"), "false", "it was made anew");
    drop(ground.workspace.assert_nothing_to_do());

    drop(ground.workspace.vsa(["destroy", "-auto-approve"]).code(0));
    assert!(!ground.is_there());
}

/// Where both nodes have one engine, what is moved could not be told from what is left.
#[test]
fn a_network_and_a_stack_stay_on_their_node() {
    let Some(ground) = Ground::new() else { return };
    ground.tenant("");
    drop(ground.workspace.apply());
    let of = |node: &str| ground.workspace.read("node.hcl").replace("\"local\"", &format!("\"{node}\""));
    let ports = [Port::reserve(), Port::reserve()];
    let other = of("other")
        .replace(&ground.workspace.http_port().to_string(), &ports[0].number.to_string())
        .replace(&ground.workspace.https_port().to_string(), &ports[1].number.to_string());
    ground.workspace.write("other.hcl", other);
    let text = ground.workspace.read("main.hcl").replace("{}\n", "{\n}\n");
    let on = |stack: &str, network: &str| {
        let with = |text: &str, opening: &str, node: &str| {
            text.replace(opening, &format!("{opening}\n  node = node.{node}"))
        };
        let tenant = format!("tenant \"{}\" {{", ground.named("acme"));
        let text = with(&with(&text, &tenant, "local"), "stack \"shop\" {", stack);
        ground.workspace.write("main.hcl", with(&text, "network \"back\" {", network));
    };
    on("local", "local");
    drop(ground.workspace.apply());
    let container = ground.engine.container(&format!("{}-shop", ground.named("acme")), "web");

    on("other", "local");
    let refused = ground.workspace.vsa(["apply", "-auto-approve"]).code(1);
    drop(
        refused
            .says("`stack.shop` cannot move to another node")
            .says("declare a stack of another label there, move the data, then remove this one"),
    );
    on("local", "other");
    drop(ground.workspace.vsa(["plan"]).code(1).says("`network.back` cannot move to another node"));
    on("local", "local");
    drop(ground.workspace.assert_nothing_to_do());
    assert_eq!(ground.engine.container(&format!("{}-shop", ground.named("acme")), "web"), container);
}

#[test]
fn a_network_of_somebody_else_is_used_or_refused_and_never_removed() {
    let Some(ground) = Ground::new() else { return };
    ground.engine.ask(&["network", "create", &ground.known_as()]);
    ground.tenant("");
    let refused = ground.workspace.vsa(["apply", "-auto-approve"]).code(1).says("already");
    drop(refused.says("external = true"));
    ground.tenant("  external = true");
    drop(ground.workspace.apply());
    drop(ground.workspace.assert_nothing_to_do());
    drop(ground.workspace.vsa(["destroy", "-auto-approve"]).code(0));
    assert!(ground.is_there(), "it is not vsa's");
    ground.engine.ask(&["network", "rm", &ground.known_as()]);
    drop(ground.workspace.vsa(["plan"]).code(1).says("there is no network"));
}

#[test]
fn a_network_of_another_tenant_is_refused() {
    let Some(ground) = Ground::new() else { return };
    ground.tenant("");
    let main = ground.workspace.read("main.hcl");
    let other = ground.named("other");
    let theirs = main.replacen(
        "network \"back\" {\n  tenant = tenant.acme",
        "network \"back\" {\n  tenant = tenant.other",
        1,
    );
    ground.workspace.write("main.hcl", format!("{theirs}\ntenant \"{other}\" {{}}\n"));
    drop(ground.workspace.vsa(["plan"]).code(1).says("belongs to the tenant"));
}

/// Their blocks are renamed, and neither the network nor what is in it is made anew; not for a secret either.
#[test]
fn networks_and_stacks_with_another_address_stay_as_they_are() {
    let Some(ground) = Ground::new() else { return };
    let secret =
        "variable \"token\" {\n  type      = string\n  sensitive = true\n  default   = \"canary token\"\n}\n";
    let env = "  env = {\n    TOKEN = var.token\n  }\n}\n";
    ground.tenant("");
    let main = ground.workspace.read("main.hcl");
    let (rest, _) = main.rsplit_once("}\n").unwrap();
    ground.workspace.write("main.hcl", format!("{secret}{rest}{env}"));
    drop(ground.workspace.apply());
    drop(ground.workspace.assert_nothing_to_do());
    let container = ground.engine.container(&format!("{}-shop", ground.named("acme")), "web");
    let ids =
        || (ground.inspect("{{.Id}}"), ground.engine.ask(&["inspect", "--format", "{{.Id}}", &container]));
    let before = ids();
    let tenant = ground.named("acme");
    ground.workspace.write(
        "main.hcl",
        format!(
            "{secret}tenant \"all\" {{\n  for_each = toset([\"{tenant}\"])\n}}\n\nnetwork \"all\" {{\n  for_each = \
             toset([\"back\"])\n  tenant   = tenant.all[\"{tenant}\"]\n}}\n\nstack \"all\" {{\n  for_each = \
             toset([\"shop\"])\n  tenant   = tenant.all[\"{tenant}\"]\n  source   = \"./shop\"\n  networks = \
             [network.all[\"back\"]]\n{env}"
        ),
    );
    let plan = ground.workspace.vsa(["plan"]).code(0).says("# stack.shop has moved to stack.all[\"shop\"]");
    let plan = plan.says("# network.back has moved to network.all[\"back\"]");
    let plan = plan.says("0 to add, 0 to change, 0 to destroy");
    assert!(!plan.stdout.contains("was edited") && !plan.stdout.contains("replaced"), "{plan}");
    drop(ground.workspace.apply());
    drop(ground.workspace.assert_nothing_to_do());
    assert_eq!(ids(), before);
    let listed = ground.workspace.vsa(["stack", "list", "-json"]).code(0);
    let listed = listed.json();
    assert_eq!(listed[0]["tenant"], tenant);
    assert_eq!(listed[0]["containers"]["running"], 1);

    // What goes is what was there, whatever the block of its tenant is called.
    drop(ground.workspace.vsa(["destroy", "-auto-approve"]).code(0));
    assert!(!ground.is_there());
    let left = ground.engine.ask(&["ps", "--all", "--format", "{{.Names}}"]);
    assert!(!left.contains(&container), "{left}");
}

/// The stack alone goes: its Compose project has the name of its tenant, which is a key.
#[test]
fn a_stack_of_a_tenant_with_a_key_is_taken_down() {
    let Some(ground) = Ground::new() else { return };
    let image = images::app(&ground.engine, "1");
    let tenant = ground.named("acme");
    let tenants = format!("tenant \"all\" {{\n  for_each = toset([\"{tenant}\"])\n}}\n");
    let stack = format!(
        "stack \"shop\" {{\n  tenant  = tenant.all[\"{tenant}\"]\n  compose = \"services: {{ web: {{ image: \
         '{image}' }} }}\\n\"\n}}\n"
    );
    ground.workspace.write("main.hcl", format!("{tenants}{stack}"));
    drop(ground.workspace.apply());
    let container = || ground.engine.container(&format!("{tenant}-shop"), "web");
    assert!(!container().is_empty());
    let place = ground.workspace.node_root().join("srv").join(&tenant).join("shop/compose");
    assert!(place.join("compose.yml").is_file());
    ground.workspace.write("main.hcl", tenants);
    drop(ground.workspace.apply());
    drop(ground.workspace.assert_nothing_to_do());
    assert_eq!(container(), "", "its containers go with it");
    assert!(!place.exists(), "and its files");
}

#[test]
fn too_few_addresses_are_found_before_anything_starts() {
    let directory = tempfile::tempdir().unwrap();
    let Some(engine) = Engine::own(directory.path(), Pool { base: "10.203.0.0/24", size: 26 }) else {
        return;
    };
    let Some(ground) = Ground::with(engine) else { return };
    let tenant = ground.named("acme");
    let image = images::app(&ground.engine, "1");
    let stack = |number: u32| {
        format!(
            "stack \"s{number}\" {{\n  tenant  = tenant.{tenant}\n  compose = \"services: {{ web: {{ image: '{image}' }} \
             }}\\n\"\n}}\n"
        )
    };
    let stacks: String = (0..6).map(stack).collect();
    let text = format!("tenant \"{tenant}\" {{}}\n{stacks}");
    ground.workspace.write("main.hcl", text);
    let refused = ground.workspace.vsa(["apply", "-auto-approve"]).code(1).says("too few addresses");
    let refused = refused.says("6 would be made, and there is room for 4").says("default-address-pools");
    assert_eq!(ground.engine.ask(&["ps", "--all", "--quiet"]), "", "{refused}");
}
