//! Certificates that certbot made, taken over with their keys and their paths.

use std::fs;
use std::path::{Path, PathBuf};

use super::issuing::{node, site};
use crate::support::certbot::{Certbot, Shows};
use crate::support::pebble::Options;
use crate::support::{Pebble, Workspace};

const NAME: &str = "shop.example.com";

/// What certbot made of a name, with an authority and a place for a configuration.
pub(super) struct Imports {
    pub(super) ground: Workspace,
    pub(super) pebble: Pebble,
    certbot: Certbot,
}

impl Imports {
    pub(super) fn new() -> Option<Self> {
        let ground = Workspace::managed()?;
        let pebble = Pebble::start(&Options::new(ground.http_port()))?;
        let certbot = Certbot::new(&ground.configuration().join("elsewhere"))?;
        fs::create_dir(ground.configuration().join("elsewhere")).unwrap();
        certbot.issue(
            &pebble.directory(),
            pebble.ca(),
            Shows::Standalone(ground.http_port()),
            &[NAME, "www.shop.example.com"],
            &[],
        );
        Some(Self { ground, pebble, certbot })
    }

    pub(super) fn home(&self) -> PathBuf {
        self.certbot.directory()
    }

    pub(super) fn configure(&self, certificate: &str) {
        let site = site(&self.ground, NAME, "aliases = [\"www.shop.example.com\"]");
        self.ground.write("main.hcl", node(&self.ground, &self.pebble, "") + &site + certificate);
    }

    fn taken_over(&self) -> String {
        format!(
            "certificate \"{NAME}\" {{\n  names   = [\"{NAME}\", \"www.{NAME}\"]\n  certbot = \"{}\"\n}}\n",
            self.home().display()
        )
    }

    fn live(&self, file: &str) -> PathBuf {
        self.home().join("live").join(NAME).join(file)
    }

    /// The configuration of certbot's renewal.
    fn renewal(&self) -> String {
        fs::read_to_string(self.home().join(format!("renewal/{NAME}.conf"))).unwrap()
    }

    fn number(&self) -> PathBuf {
        fs::read_link(self.live("fullchain.pem")).unwrap().file_name().unwrap().into()
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn a_certificate_of_certbots_is_served_renewed_and_given_back_under_its_own_paths() {
    let Some(imports) = Imports::new() else { return };
    let Imports { ground, pebble, certbot } = &imports;
    // Were certbot to renew it, it would at once.
    let configuration = imports.home().join(format!("renewal/{NAME}.conf"));
    fs::write(&configuration, format!("renew_before_expiry = 9999 days\n{}", imports.renewal())).unwrap();
    let (before, chain, key) =
        (imports.renewal(), read(&imports.live("fullchain.pem")), read(&imports.live("privkey.pem")));
    let orders = pebble.orders();
    imports.configure(&imports.taken_over());
    let _ = ground
        .vsa(["plan"])
        .code(0)
        .says("switch off certbot's renewal of shop.example.com")
        .says(&format!("copy the certificate {}", imports.live("fullchain.pem").display()));
    ground.apply();
    assert_eq!(pebble.orders(), orders, "nobody was asked for another one");
    let own = |file: &str| ground.node_root().join("live").join(NAME).join(file);
    assert_eq!((read(&own("fullchain.pem")), read(&own("privkey.pem"))), (chain.clone(), key.clone()));
    assert_eq!(ground.https(NAME, "/").status, 200);
    ground.assert_nothing_to_do();
    let answer = certbot.renew_due(pebble.ca());
    assert!(answer.contains("No renewals were attempted"), "{answer}");
    assert_eq!((pebble.orders(), read(&imports.live("fullchain.pem"))), (orders, chain.clone()));

    // Somebody who has certbot renew it again is told, and it is switched off again.
    fs::write(&configuration, &before).unwrap();
    let _ = ground.vsa(["plan"]).code(0).says("certbot renews `shop.example.com` again");
    ground.apply();
    ground.assert_nothing_to_do();

    let _ = ground.vsa(["cert", "renew", "-force"]).code(0).says("asked for");
    assert_eq!(pebble.orders(), orders + 1);
    assert_eq!(imports.number(), Path::new("fullchain2.pem"));
    let renewed = read(&imports.live("fullchain.pem"));
    assert_ne!(renewed, chain);
    assert_eq!(renewed, read(&own("fullchain.pem")));
    assert_ne!(read(&imports.live("privkey.pem")), key, "the key is another one");
    let listed = certbot.certificates(&imports.home()).unwrap();
    assert_eq!((listed.len(), listed[0].name.as_str()), (1, NAME));
    assert!(listed[0].validity.starts_with("VALID"), "{listed:?}");

    let _ = ground.vsa(["destroy", "-auto-approve"]).code(0);
    assert_eq!(imports.renewal(), before, "certbot renews it again");
    assert_eq!(read(&imports.live("fullchain.pem")), renewed);
    assert!(!own("fullchain.pem").exists());
}

#[test]
fn what_cannot_be_taken_over_is_said_before_anything_is_done() {
    let Some(imports) = Imports::new() else { return };
    let Imports { ground, pebble, .. } = &imports;
    let orders = pebble.orders();
    let refused = |certificate: &str, what: &str| {
        imports.configure(certificate);
        let _ = ground.vsa(["plan"]).code(1).says(what);
    };
    let taken_over = imports.taken_over();
    refused(
        &taken_over.replace("  certbot", "  lineage = \"shop.example\"\n  certbot"),
        "there is no lineage `shop.example`",
    );
    refused(
        &taken_over.replace(&format!("[\"{NAME}\""), &format!("[\"{NAME}\", \"more.example.com\"")),
        "the lineage is not for `more.example.com`",
    );
    refused(&taken_over.replace("elsewhere", "nowhere"), "is no directory of certbot's");
    fs::remove_file(imports.live("privkey.pem")).unwrap();
    refused(&taken_over, "is broken");
    assert_eq!(pebble.orders(), orders);
}
