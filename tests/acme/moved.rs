//! A certificate that moves from one node to another: it goes from the first as one that is removed does, and is had anew on
//! the second.

use std::fs;
use std::path::PathBuf;

use super::disk_story::NAME;
use super::issuing::site;
use crate::support::authority::{Behaviour, Fault, Step, Validation, Window};
use crate::support::ports::Port;
use crate::support::{Authority, Request, Workspace, count, fetch};

/// Two nodes with a tenant each, and a site that is on one of them.
struct Story {
    ground: Workspace,
    authority: Authority,
    /// The ports of the second node.
    ports: [Port; 2],
}

impl Story {
    /// The site is on the first node.
    fn begun() -> Option<Self> {
        let ground = Workspace::managed()?;
        let authority = Authority::start(Behaviour::new(Validation::Believes));
        let story = Self { ground, authority, ports: [Port::reserve(), Port::reserve()] };
        story.on("a", "");
        story.ground.apply();
        Some(story)
    }

    fn https(&self, node: &str) -> u16 {
        if node == "a" { self.ground.https_port() } else { self.ports[1].number }
    }

    /// The nodes, each with a tenant.
    fn nodes(&self) -> String {
        let of_node = |name: &str, http: u16| {
            format!(
                "node \"{name}\" {{\n  proxy {{\n    http_port  = {http}\n    https_port = {}\n  }}\n  acme {{\n    directory   = \"{}\"\n    \
                 ca          = \"{}\"\n    check_names = false\n  }}\n}}\ntenant \"{name}\" {{\n  node = node.{name}\n}}\n",
                self.https(name),
                self.authority.directory(),
                self.authority.ca().display(),
            )
        };
        of_node("a", self.ground.http_port()) + &of_node("b", self.ports[0].number)
    }

    /// Has the configuration put the site on a node.
    fn on(&self, node: &str, more: &str) {
        let site = site(&self.ground, NAME, &format!("node = node.{node}\n  {more}"));
        let site = site.replace("tenant.acme", &format!("tenant.{node}"));
        self.ground.write("main.hcl", self.nodes() + &site);
    }

    /// Kills an apply at an instant; whether there is such a one.
    fn is_killed(&self, instant: &str) -> bool {
        let Some(mut child) = self.ground.stopped_at(instant) else { return false };
        child.kill().unwrap();
        child.wait().unwrap();
        true
    }

    /// A path below a node's directory.
    fn path(&self, node: &str, below: &str) -> PathBuf {
        self.ground.configuration().join(".vsa/nodes").join(node).join(below)
    }

    fn serves(&self, node: &str) -> bool {
        fetch(&Request::https(self.https(node), NAME, "/")).is_ok_and(|answer| answer.status == 200)
    }

    /// What a node remembers of the certificate.
    fn remembers(&self, node: &str) -> bool {
        let Ok(text) = fs::read(self.path(node, "accounts/ledger.json")) else { return false };
        let ledger: serde_json::Value = serde_json::from_slice(&text).unwrap();
        ledger["certificates"].get(NAME).is_some()
    }

    /// Changes what a node remembers of the certificate.
    fn has_remember(&self, node: &str, change: impl FnOnce(&mut serde_json::Value)) {
        let path = self.path(node, "accounts/ledger.json");
        let mut ledger: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        change(&mut ledger["certificates"][NAME]);
        fs::write(&path, ledger.to_string()).unwrap();
    }

    /// Checks that all is on this node, and that of the other one's nothing is left but what its old generations name.
    fn is_on(&self, node: &str, orders: usize) {
        self.ground.assert_nothing_to_do();
        assert!(self.serves(node));
        assert_eq!(self.authority.orders().len(), orders);
        let other = if node == "a" { "b" } else { "a" };
        assert!(!self.serves(other));
        for (node, there) in [(node, true), (other, false)] {
            for below in ["live", "archive"] {
                assert_eq!(self.path(node, &format!("{below}/{NAME}")).exists(), there, "{below} of {node}");
            }
            assert_eq!(self.path(node, &format!("renewal/{NAME}.conf")).exists(), there, "{node}");
        }
        assert!(!self.remembers(other));
    }
}

/// Another site, of the first node.
fn other(version: u32) -> String {
    format!(
        "domain \"other.example.com\" {{\n  node = node.a\n  tenant = tenant.a\n  redirect {{\n    to = \"https://example.com/{version}\"\n  }}\n  \
         tls {{\n    enabled = false\n  }}\n}}\n"
    )
}

#[test]
fn a_certificate_that_moves_goes_from_the_first_node_and_is_issued_on_the_second() {
    let Some(story) = Story::begun() else { return };
    let Story { ground, authority, .. } = &story;
    story.is_on("a", 1);
    story.on("b", "");
    let plan = ground.vsa(["plan"]).code(0);
    let in_a = |below: &str| story.path("a", below).display().to_string();
    let _ = plan
        .says(&format!("# certificate[\"{NAME}\"] must be replaced"))
        .says(&format!("issue a certificate for {NAME}"))
        .says(&format!("remove the certificate published as {}", in_a(&format!("live/{NAME}"))))
        .says(&format!("remove the certificate in {}", in_a(&format!("certificates/{NAME}/1"))));

    // A run that is taken back leaves the first node as it was.
    let before = fs::read(story.path("a", &format!("live/{NAME}/privkey.pem"))).unwrap();
    authority.fail(Step::Finalize, Fault::Unavailable, usize::MAX);
    let _ = ground.vsa(["apply", "-auto-approve"]).code(5);
    authority.mend();
    assert!(story.serves("a") && story.remembers("a"));
    assert_eq!(fs::read(story.path("a", &format!("live/{NAME}/privkey.pem"))).unwrap(), before);

    let waits = ground.vsa(["plan"]).code(0).says("could not be issued, and waits");
    let _ = waits.says("they stay with the one that they have as long as `node` names `node.a`");

    // It is tried again once its pause has ended, with the order that was begun.
    story.has_remember("b", |known| known["failed"]["again"] = 0.into());
    ground.apply();
    story.is_on("b", 2);
    assert!(story.remembers("b"));
    let kept = story.path("a", &format!("certificates/{NAME}/1"));
    assert!(kept.exists(), "old generations name it");
    for version in 0..12 {
        story.on("b", "");
        // The first node's generations change too.
        ground.write("more.hcl", other(version));
        ground.apply();
    }
    assert!(!kept.exists(), "it went with the last generation that named it");

    // Back again, with a new one.
    story.on("a", "");
    ground.apply();
    story.is_on("a", 3);
}

#[test]
fn what_a_killed_run_left_on_the_first_node_goes_by_the_next() {
    let Some(story) = Story::begun() else { return };
    let Story { ground, .. } = &story;
    let killed = |instant: &str| assert!(story.is_killed(instant));
    for (number, instant) in ["phase:prepare:40", "phase:clean_up:4"].into_iter().enumerate() {
        let to = if number == 0 { "b" } else { "a" };
        story.on(to, "");
        killed(instant);
        let _ = ground.vsa(["plan"]).code(0).says("interrupted");
        ground.apply();
        // What is there of a while ago is taken again.
        story.is_on(to, 2);
    }
    // One that is not wanted there after all.
    story.on("b", "");
    killed("phase:switch:4");
    assert!(story.path("b", &format!("live/{NAME}")).exists());
    story.on("a", "");
    ground.apply();
    story.is_on("a", 2);
}

#[test]
fn what_a_killed_move_left_goes_from_both_nodes_with_the_site() {
    let Some(story) = Story::begun() else { return };
    let ground = &story.ground;
    // Old generations of both keep a certificate, which is taken again.
    story.on("b", "");
    ground.apply();
    let mut laid_out = 0;
    for instant in (13..).step_by(usize::try_from(count(4, 1)).unwrap()) {
        story.on("a", "");
        ground.apply();
        story.on("b", "");
        if !story.is_killed(&format!("phase:prepare:{instant}")) {
            break;
        }
        laid_out += usize::from(story.path("b", &format!("live/{NAME}")).exists());
        ground.write("main.hcl", story.nodes());
        ground.apply();
        for node in ["a", "b"] {
            for below in ["live", "archive"] {
                let path = story.path(node, &format!("{below}/{NAME}"));
                assert!(!path.exists(), "{} after a kill at {instant}", path.display());
            }
            assert!(!story.remembers(node), "{node} after a kill at {instant}");
        }
        ground.assert_nothing_to_do();
    }
    assert!(laid_out > 0, "some were killed after they had laid it out");
}

#[test]
fn what_is_to_move_is_not_renewed_before_it_has_moved() {
    let Some(story) = Story::begun() else { return };
    let Story { ground, authority, .. } = &story;
    story.on("b", "");
    let _ = ground.vsa(["cert", "renew"]).code(0).says("No certificate is due: the next one is certificate");
    let past = Window { start: 1_000, end: 2_000, explanation: None };
    authority.window(&authority.issued()[0].id, past);
    story.has_remember("a", |known| known["renewal"]["ask_again"] = 0.into());
    for command in [&["cert", "renew"][..], &["cert", "renew", "-force", NAME]] {
        let left = ground.vsa(command).code(0);
        let _ = left
            .says(&format!("`{NAME}` is not renewed: it is to move from `node.a` to `node.b`"))
            .says("`vsa apply` moves it");
        assert!(story.serves("a") && story.path("a", &format!("live/{NAME}")).exists());
        assert_eq!(authority.orders().len(), 1);
    }
    ground.apply();
    story.is_on("b", 2);
}

#[test]
fn what_is_on_two_nodes_goes_from_both_where_it_alone_is_destroyed() {
    let Some(story) = Story::begun() else { return };
    let Story { ground, .. } = &story;
    ground.write("more.hcl", other(0));
    ground.apply();
    story.on("b", "");
    let mut child = ground.stopped_at("phase:switch:1").unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let destroy = |name: &str| {
        let _ = ground.vsa(["destroy", "-auto-approve", &format!("-target=domain[\"{name}\"]")]).code(0);
    };
    destroy("other.example.com");
    assert!(story.serves("a"));
    let listed = ground.vsa(["state", "list"]).code(0);
    let _ = listed.says(&format!("certificate[\"{NAME}\"] (interrupted) (left on node.a)"));
    let shown = ground.vsa(["state", "show", &format!("certificate[\"{NAME}\"]")]).code(0);
    let _ = shown.says("# something of it is left on node.a, until an apply takes it away");
    let left = ground.vsa(["cert", "renew", "-force", NAME]).code(0);
    let _ = left.says(&format!("`{NAME}` is not renewed: it is to move from `node.a` to `node.b`"));
    assert!(story.serves("a") && story.path("a", &format!("live/{NAME}")).exists());

    destroy(NAME);
    assert!(!story.serves("a") && !story.serves("b"));
    for node in ["a", "b"] {
        assert!(!story.path(node, &format!("live/{NAME}")).exists(), "{node}");
    }
}

#[test]
fn what_cannot_move_holds_nothing_else_up() {
    let Some(story) = Story::begun() else { return };
    let Story { ground, authority, .. } = &story;
    let third =
        |node: &str| ground.write("third.hcl", format!("tenant \"third\" {{\n  node = node.{node}\n}}\n"));
    third("a");
    ground.write("more.hcl", other(0));
    ground.apply();
    third("b");
    let refused = ground.vsa(["plan"]).code(1);
    let _ = refused.says("error[cannot_move]: `tenant.third` cannot move to another node");
    let _ = ground.vsa(["cert", "renew", "-force", NAME]).code(0);
    assert_eq!(authority.orders().len(), 2);
    let destroy =
        |target: &str| drop(ground.vsa(["destroy", "-auto-approve", &format!("-target={target}")]).code(0));
    destroy("domain[\"other.example.com\"]");
    assert!(story.serves("a"));

    // One that is to move goes where it is.
    destroy("tenant.third");
    story.on("b", "");
    ground.write("more.hcl", "");
    ground.apply();
    story.is_on("b", 3);
}
