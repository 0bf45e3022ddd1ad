//! Sites whose certificates come from an authority that believes everybody, and what is on the disk of them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::issuing::{live, site};
use crate::support::authority::{Behaviour, Step, Validation};
use crate::support::private_ca::trusted;
use crate::support::{Authority, Workspace};

pub(super) const NAME: &str = "shop.example.com";

/// Sites whose certificates come from an authority that believes everybody.
pub(super) struct Story {
    pub(super) ground: Workspace,
    pub(super) authority: Authority,
}

impl Story {
    pub(super) fn new() -> Option<Self> {
        let ground = Workspace::managed()?;
        let authority = Authority::start(Behaviour::new(Validation::Believes));
        Some(Self { ground, authority })
    }

    /// One that has the certificate of one site.
    pub(super) fn issued() -> Option<Self> {
        let story = Self::new()?;
        story.configure("", &[NAME], "");
        story.ground.apply();
        Some(story)
    }

    pub(super) fn configure(&self, acme: &str, names: &[&str], more: &str) {
        let (ground, authority) = (&self.ground, &self.authority);
        let node = format!(
            "node \"local\" {{\n  proxy {{\n    http_port  = {}\n    https_port = {}\n  }}\n  acme {{\n    directory   = \"{}\"\n    \
             ca          = \"{}\"\n    check_names = false\n    {acme}\n  }}\n}}\ntenant \"acme\" {{}}\n",
            ground.http_port(),
            ground.https_port(),
            authority.directory(),
            authority.ca().display(),
        );
        let sites: String = names.iter().map(|name| site(ground, name, "")).collect();
        ground.write("main.hcl", node + &sites + more);
    }

    /// An apply that is ended while the authority hands so many certificates out: what was issued stays, all else is taken
    /// back.
    pub(super) fn taken_back(&self, certificates: usize) {
        let gate = self.authority.hold(Step::Certificate, false);
        let mut command = self.ground.command(["apply", "-auto-approve"]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        gate.wait_for(certificates);
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
        self.authority.mend();
        gate.open();
        assert_eq!(child.wait_with_output().unwrap().status.code(), Some(5));
    }

    /// A path below the node's root.
    pub(super) fn root(&self, below: &str) -> PathBuf {
        self.ground.node_root().join(below)
    }

    pub(super) fn issue(&self, number: u64, file: &str) -> PathBuf {
        self.root(&format!("certificates/{NAME}/{number}/{file}"))
    }

    pub(super) fn archived(&self, file: &str) -> PathBuf {
        self.root(&format!("archive/{NAME}/{file}"))
    }

    pub(super) fn linked(&self, file: &str) -> PathBuf {
        self.root(&format!("live/{NAME}/{file}"))
    }

    pub(super) fn ledger(&self) -> serde_json::Value {
        serde_json::from_slice(&fs::read(self.root("accounts/ledger.json")).unwrap()).unwrap()
    }

    /// What the plan says is to be repaired, and why.
    pub(super) fn planned(&self, says: &[&str]) {
        let mut run = self.ground.vsa(["plan"]).code(0);
        for text in says {
            run = run.says(text);
        }
    }

    /// Checks that all of it is as it should be, with so many orders.
    pub(super) fn whole(&self, orders: usize) {
        self.ground.assert_nothing_to_do();
        assert_eq!(self.authority.orders().len(), orders);
        trusted(&self.authority.roots()[0], &live(&self.ground, NAME), NAME).unwrap();
        assert_eq!(self.ground.https(NAME, "/").status, 200);
        for piece in ["cert", "chain", "fullchain", "privkey"] {
            let target = fs::read_link(self.linked(&format!("{piece}.pem"))).unwrap();
            assert!(target.starts_with(format!("../../archive/{NAME}")), "{}", target.display());
        }
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        for entry in fs::read_dir(self.root(&format!("archive/{NAME}"))).unwrap() {
            let path = entry.unwrap().path();
            if path.to_string_lossy().contains("privkey") {
                assert_eq!(mode(&path), 0o600, "{}", path.display());
            }
        }
    }
}

/// Lets others read a key.
pub(super) fn opened(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
}
