//! The whole server, made by following its guide on a machine of its own, with stand-ins for its images.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::assert_linted;
use crate::support::docker::Engine;
use crate::support::workspace::Workspace;
use crate::support::{Run, System, guide, stand_ins};

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn page() -> String {
    fs::read_to_string(repository("docs/guides/a-whole-server.md")).unwrap()
}

/// The machine, with the engine where vsa looks for one.
struct Server {
    engine: Engine,
    workspace: Workspace,
}

/// What a site answers.
#[derive(Debug, PartialEq)]
struct Answer {
    status: u16,
    leads_to: String,
    body: String,
}

impl Server {
    fn new() -> Option<Self> {
        let workspace = Workspace::on_host()?;
        let system = workspace.system().unwrap();
        let engine = Engine::inside(system, workspace.path())?;
        symlink(engine.socket(), system.path("/run/docker.sock")).unwrap();
        // Addresses that the office and the clinic have.
        for address in ["198.51.100.7", "203.0.113.17"] {
            let line = ["address", "add", address, "dev", "lo"];
            assert!(system.command("/usr/sbin/ip", Path::new("/")).args(line).status().unwrap().success());
        }
        let shipped = ["dashboard", "dify", "n8n", "observability", "reverse-proxy"];
        let own = ["bakery-site", "booking", "club-site", "orders"];
        let shipped = shipped.map(|name| repository("stacks").join(name));
        let own = own.map(|name| repository("examples/flowbiz/stacks").join(name));
        let stacks: Vec<&Path> = shipped.iter().chain(&own).map(PathBuf::as_path).collect();
        stand_ins::of_stacks(&engine, &stacks)?;
        Some(Self { engine, workspace })
    }

    fn system(&self) -> &System {
        self.workspace.system().unwrap()
    }

    /// A program in the machine, in the directory that the guide begins in.
    fn command(&self, program: &str, directory: &Path) -> std::process::Command {
        let programs = Path::new(env!("CARGO_BIN_EXE_vsa")).parent().unwrap().display().to_string();
        let mut command = self.system().command(program, directory);
        command.env_clear();
        command
            .env("PATH", format!("{programs}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
        command.env("HOME", self.workspace.path()).env("LANG", "C.UTF-8");
        command
    }

    fn vsa(&self, arguments: &[&str]) -> Run {
        let mut command = self.command("vsa", &self.workspace.configuration().join("my-server"));
        command.args(arguments);
        Run::of(command)
    }

    /// Fetches from an address of the machine, with a password of the guide's secrets.
    fn fetch_from(&self, address: &str, user: Option<(&str, &str)>, url: &str) -> Answer {
        let mut command = self.command("curl", Path::new("/"));
        command.args(["--silent", "--show-error", "--insecure", "--max-time", "20", "--connect-to"]);
        command.arg(format!("::{address}:")).args(["--write-out", "\n%{http_code} %{redirect_url}"]);
        if let Some((user, variable)) = user {
            command.args(["--user", &format!("{user}:{}", self.secret(variable))]);
        }
        let ran = Run::of({
            command.arg(url);
            command
        });
        let ran = ran.code(0);
        let (body, said) = ran.stdout.rsplit_once('\n').unwrap();
        let (status, leads_to) = said.split_once(' ').unwrap();
        Answer {
            status: status.parse().unwrap(),
            leads_to: leads_to.to_owned(),
            body: body.trim().to_owned(),
        }
    }

    fn fetch(&self, url: &str) -> Answer {
        self.fetch_from("127.0.0.1", None, url)
    }

    fn secret(&self, name: &str) -> String {
        let secrets = self.workspace.read("my-server/secrets.auto.vsavars.hcl");
        let line = secrets.lines().find_map(|line| line.strip_prefix(&format!("{name} = \""))).unwrap();
        line.trim_end_matches('"').to_owned()
    }

    /// The id of a service's only container, as that one says it.
    fn container(&self, project: &str, service: &str) -> String {
        let name = self.engine.container(project, service);
        self.engine.ask(&["inspect", "--format", "{{.Config.Hostname}}", &name])
    }
}

#[test]
fn what_the_guide_shows_of_the_configuration_stands_there() {
    let mut lines: Vec<String> = Vec::new();
    for name in ["main", "agency", "customers"] {
        let text = fs::read_to_string(repository(&format!("examples/flowbiz/{name}.hcl"))).unwrap();
        lines.extend(text.lines().map(|line| line.trim().to_owned()));
    }
    let fences = guide::fences(&page(), "hcl");
    assert!(fences.len() > 8, "{}", fences.len());
    for fence in fences {
        let mut from = None;
        for line in fence.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if line == "# …" {
                continue;
            }
            // In this order, what is left out apart. A block may stand anywhere.
            let rest = from.map_or(&lines[..], |from| &lines[from..]);
            let at = rest.iter().position(|there| squeezed(there) == squeezed(line));
            let at = at.unwrap_or_else(|| panic!("not in examples/flowbiz: {line}\n{fence}"));
            from = Some(from.unwrap_or(0) + at + 1);
        }
    }
}

/// Without what aligns the values of neighbours.
fn squeezed(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn its_guide_makes_a_server_whose_fourteen_domains_answer() {
    let Some(server) = Server::new() else { return };
    symlink(repository("examples"), server.workspace.configuration().join("examples")).unwrap();
    let outputs = server.workspace.path().join("outputs");
    fs::create_dir(&outputs).unwrap();
    guide::follow(&page(), &outputs, |arguments| {
        let mut command = server.command("/bin/bash", &server.workspace.configuration());
        command.args(arguments);
        command
    });
    drop(server.vsa(&["plan", "-detailed-exitcode"]).code(0));
    assert_linted(&server.system().path("/var/lib/vsa/vps-01/generations/1"));
    let page = |url: &str| {
        let answer = server.fetch(url);
        assert_eq!(answer.status, 200, "{url}: {answer:?}");
        answer.body
    };
    let is = |answer: Answer, container: String| assert_eq!((answer.status, answer.body), (200, container));

    // The agency.
    assert_eq!(page("https://flowbiz.example/"), "<h1>Flowbiz</h1>");
    let dashboard = "https://dashboard.flowbiz.example/";
    assert_eq!(server.fetch(dashboard).status, 401);
    for (user, variable) in [("alice", "alice_password"), ("bob", "bob_password")] {
        let answer = server.fetch_from("127.0.0.1", Some((user, variable)), dashboard);
        assert!(answer.status == 200 && answer.body.contains("<title>"), "{answer:?}");
        let answer = server.fetch_from("127.0.0.1", Some((user, "crew_password")), dashboard);
        assert_eq!(answer.status, 401, "with another's");
    }
    // Dify's own nginx tells its parts apart.
    assert_eq!(page("https://dify.flowbiz.example/"), server.container("agency-dify", "web"));
    assert_eq!(server.fetch("https://dify.flowbiz.example/api/").status, 404, "the API knows no such page");
    let n8n = "https://n8n.flowbiz.example/";
    assert_eq!(server.fetch(n8n).status, 401);
    let editor = server.fetch_from("127.0.0.1", Some(("bob", "bob_password")), n8n);
    is(editor, server.container("agency-n8n", "n8n"));
    assert_eq!(server.fetch("https://n8n.flowbiz.example/webhook/hook").status, 404, "n8n itself, unasked");
    let metrics = "https://metrics.flowbiz.example/";
    assert_eq!(server.fetch(metrics).status, 403);
    is(server.fetch_from("198.51.100.7", None, metrics), server.container("agency-observability", "grafana"));

    // The bakery.
    assert!(page("https://corner-bakery.example/").contains("<h1>Corner Bakery</h1>"));
    let orders = "https://orders.corner-bakery.example/";
    is(server.fetch(orders), server.container("bakery-orders", "web"));
    let kitchen = format!("{orders}kitchen/");
    assert_eq!(server.fetch(&kitchen).status, 401);
    let entered = server.fetch_from("127.0.0.1", Some(("kitchen", "kitchen_password")), &kitchen);
    assert_eq!(entered.status, 404, "the application itself, which has no such page here");

    // The clinic.
    assert_eq!(page("https://north-clinic.example/"), "<h1>North Clinic</h1>");
    let booking = server.container("clinic-booking", "web");
    is(server.fetch("https://booking.north-clinic.example/"), booking.clone());
    let intranet = "https://intranet.north-clinic.example/";
    let reception = Some(("reception", "reception_password"));
    assert_eq!(server.fetch_from("127.0.0.1", reception, intranet).status, 403, "a password is not enough");
    assert_eq!(server.fetch_from("203.0.113.17", None, intranet).status, 401, "nor is the address");
    is(server.fetch_from("203.0.113.17", reception, intranet), booking);

    // The club.
    let club = server.container("club-club-site", "web");
    is(server.fetch("https://northside-rowing.example/"), club.clone());
    let members = "https://members.northside-rowing.example/";
    assert_eq!(server.fetch(members).status, 401);
    is(server.fetch_from("127.0.0.1", Some(("crew", "crew_password")), members), club);

    // Names that have moved, other names of a site, and plain HTTP.
    for (from, to) in [
        ("https://bakery-corner.example/bread?x=1", "https://corner-bakery.example/bread?x=1"),
        ("https://rowing-club.example/", "https://northside-rowing.example/"),
        ("https://www.corner-bakery.example/bread", "https://corner-bakery.example/bread"),
        ("https://www.flowbiz.example/", "https://flowbiz.example/"),
        ("https://www.north-clinic.example/", "https://north-clinic.example/"),
        ("https://www.northside-rowing.example/", "https://northside-rowing.example/"),
        ("http://n8n.flowbiz.example/", n8n),
    ] {
        let answer = server.fetch(from);
        assert_eq!((answer.status, answer.leads_to.as_str()), (301, to), "{from}");
    }

    // Of each stack, what a domain points at alone is where nginx is.
    let format = "{{range .Containers}}{{.Name}} {{end}}";
    let shared = server.engine.ask(&["network", "inspect", "--format", format, "flowbiz_ext"]);
    // The Compose tools do not agree on what stands between the parts of a name.
    let mut shared: Vec<_> = shared.split_whitespace().map(|name| name.replace('_', "-")).collect();
    shared.sort_unstable();
    insta::assert_snapshot!(shared.join("\n"), @r"
    agency-dashboard-dashboard-1
    agency-dify-gateway-1
    agency-n8n-n8n-1
    agency-observability-grafana-1
    bakery-bakery-site-web-1
    bakery-orders-web-1
    clinic-booking-web-1
    club-club-site-web-1
    reverse-proxy
    ");

    // Everything goes but the data.
    drop(server.vsa(&["destroy", "-auto-approve"]).code(0));
    assert_eq!(server.engine.ask(&["ps", "--all", "--quiet"]), "");
    let networks = server.engine.ask(&["network", "ls", "--format", "{{.Name}}"]);
    assert!(!networks.contains("flowbiz") && !networks.contains("agency"), "{networks}");
    for kept in
        ["agency/dify/data/db", "agency/n8n/data/redis", "clinic/booking/data/db", "club/club-site/data/db"]
    {
        assert!(server.system().path("/srv").join(kept).join("stand-in").is_file(), "{kept}");
    }
    assert!(server.engine.ask(&["volume", "ls", "--quiet"]).contains("agency-observability_grafana"));
}
