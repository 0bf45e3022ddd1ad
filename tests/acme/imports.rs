//! Certificates that certbot made, taken over with their keys and their paths.

use std::fs;
use std::path::{Path, PathBuf};

use super::issuing::{node, site};
use crate::support::certbot::{Certbot, Shows};
use crate::support::pebble::Options;
use crate::support::ports::Port;
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

    pub(super) fn taken_over(&self) -> String {
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

    /// The file of certbot's archive that a link leads to.
    fn target(&self, file: &str) -> PathBuf {
        let link = self.live(file);
        link.parent().unwrap().join(fs::read_link(&link).unwrap())
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

/// What somebody does to what is certbot's, and what the plan says of it.
type Damage<'a> = (&'a str, &'a dyn Fn(&Imports));

#[test]
fn what_is_damaged_under_certbots_paths_is_laid_out_again() {
    let Some(imports) = Imports::new() else { return };
    let Imports { ground, pebble, certbot } = &imports;
    imports.configure(&imports.taken_over());
    ground.apply();
    ground.assert_nothing_to_do();
    let orders = pebble.orders();
    let [chain, key] = ["fullchain.pem", "privkey.pem"].map(|file| read(&imports.live(file)));
    let fifo = |path: &Path| nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRUSR).unwrap();
    let damages: [Damage<'_>; 8] = [
        ("live/NAME/privkey.pem was deleted", &|it| fs::remove_file(it.live("privkey.pem")).unwrap()),
        ("live/NAME/chain.pem leads to `/etc/hosts`", &|it| {
            fs::remove_file(it.live("chain.pem")).unwrap();
            std::os::unix::fs::symlink("/etc/hosts", it.live("chain.pem")).unwrap();
        }),
        ("privkey1.pem was deleted", &|it| fs::remove_file(it.target("privkey.pem")).unwrap()),
        ("privkey1.pem is no file any more", &|it| {
            let path = it.target("privkey.pem");
            fs::remove_file(&path).unwrap();
            fifo(&path);
        }),
        ("privkey2.pem is no file any more", &|it| {
            let path = it.target("privkey.pem");
            fs::remove_file(&path).unwrap();
            fs::create_dir(&path).unwrap();
        }),
        ("fullchain3.pem is not the certificate that is served", &|it| {
            fs::write(it.target("fullchain.pem"), "another").unwrap();
        }),
        ("renewal/NAME.conf was deleted", &|it| {
            fs::remove_file(it.home().join(format!("renewal/{NAME}.conf"))).unwrap();
        }),
        ("live/NAME was deleted", &|it| fs::remove_dir_all(it.home()).unwrap()),
    ];
    // What cannot be looked at of another one hides nothing.
    std::os::unix::fs::symlink("foreign", imports.home().join("live/foreign")).unwrap();
    for (says, damage) in damages {
        damage(&imports);
        let says = says.replace("NAME", NAME);
        let home = imports.home().display().to_string();
        let _ = ground.vsa(["plan"]).code(0).says(&says).says(&format!("publish the certificate as {home}"));
        ground.apply();
        ground.assert_nothing_to_do();
        assert_eq!(read(&imports.live("fullchain.pem")), chain, "{says}");
        assert_eq!(read(&imports.live("privkey.pem")), key, "{says}");
        let listed = certbot.certificates(&imports.home()).unwrap();
        assert_eq!((listed.len(), listed[0].name.as_str()), (1, NAME), "{says}");
    }
    // What another program may have put there is not vsa's to move.
    let link = imports.live("privkey.pem");
    let target = fs::read_link(&link).unwrap();
    fs::remove_file(&link).unwrap();
    fs::write(&link, "the only copy").unwrap();
    let plan = ground.vsa(["plan"]).code(0).says("warning[obstructed]").says("is no link any more");
    let _ = plan.says("No changes");
    let _ = ground.vsa(["cert", "renew"]).code(0).says("No certificate is due");
    fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(target, &link).unwrap();
    ground.assert_nothing_to_do();

    // The copy that is there takes the place of a damaged issue, the one of certbot's too.
    let own = |below: &str| ground.node_root().join(below);
    let damage_own = |issue: u64| {
        fs::remove_file(own(&format!("certificates/{NAME}/{issue}/privkey.pem"))).unwrap();
        fs::remove_dir_all(own(&format!("archive/{NAME}"))).unwrap();
    };
    damage_own(1);
    let copied = imports.home().join(format!("archive/{NAME}/fullchain1.pem"));
    let plan = ground.vsa(["plan"]).code(0).says("its copy in the archive takes its place");
    let _ = plan.says(&format!("copy the certificate {}", copied.display()));
    ground.apply();
    ground.assert_nothing_to_do();
    assert_eq!((pebble.orders(), read(&imports.live("privkey.pem"))), (orders, key.clone()));
    // With no copy of the key anywhere, it is issued again.
    damage_own(2);
    fs::remove_file(imports.target("privkey.pem")).unwrap();
    let plan = ground.vsa(["plan"]).code(0).says("it is issued anew");
    let _ = plan.says(&format!("certificates/{NAME}/2/privkey.pem was deleted"));
    ground.apply();
    ground.assert_nothing_to_do();
    assert_eq!(pebble.orders(), orders + 1);
    assert_ne!(read(&imports.live("privkey.pem")), key);
    assert_eq!(ground.https(NAME, "/").status, 200);

    // certbot is not told to renew what it does not know how to renew any more.
    let _ = ground.vsa(["destroy", "-auto-approve"]).code(0);
    assert!(imports.renewal().contains("autorenew = False"), "{}", imports.renewal());
}

#[test]
fn a_directory_is_found_by_a_way_with_dots_in_it() {
    let Some(imports) = Imports::new() else { return };
    let ground = &imports.ground;
    imports.configure("");
    let home = imports.home();
    let below = home.strip_prefix(ground.configuration()).unwrap();
    let from = format!("nowhere/../{}", below.display());
    let run = ground.vsa(["cert", "import", "-list", "-from", &from]).code(0).says("renewed by certbot");
    assert!(!run.stdout.contains("broken"), "{run}");
    let from = format!("../{}/{}", ground.configuration().file_name().unwrap().display(), below.display());
    let _ = ground.vsa(["cert", "import", NAME, "-from", &from, "-auto-approve"]).code(0);
    ground.apply();
    ground.assert_nothing_to_do();
    assert!(ground.read("certificates.hcl").contains(&format!("certbot = \"{}\"", home.display())));
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

#[test]
fn certbot_gets_a_lineage_back_from_the_last_who_has_it() {
    let Some(imports) = Imports::new() else { return };
    let Imports { ground, .. } = &imports;
    let before = imports.renewal();
    let ports = [Port::reserve(), Port::reserve()];
    let node = |name: &str, [http, https]: [u16; 2]| {
        format!(
            "node \"{name}\" {{\n  proxy {{\n    http_port  = {http}\n    https_port = {https}\n  }}\n  acme {{\n    directory   = \"{}\"\n    \
             ca          = \"{}\"\n    check_names = false\n  }}\n}}\ntenant \"{name}\" {{\n  node = node.{name}\n}}\n",
            imports.pebble.directory(),
            imports.pebble.ca().display()
        )
    };
    let on = |name: &str| {
        let nodes = node("a", [ground.http_port(), ground.https_port()])
            + &node("b", [ports[0].number, ports[1].number]);
        let more = format!("aliases = [\"www.shop.example.com\"]\n  node = node.{name}");
        let site = site(ground, NAME, &more).replace("tenant.acme", &format!("tenant.{name}"));
        let certificate = imports.taken_over().replace("}\n", &format!("  node    = node.{name}\n}}\n"));
        ground.write("main.hcl", nodes + &site + &certificate);
    };
    on("a");
    ground.apply();
    let is_off = || imports.renewal().contains("autorenew = False");
    assert!(is_off());
    on("b");
    let plan = ground.vsa(["plan"]).code(0);
    let _ = plan.says("leave certbot's renewal of shop.example.com switched off, for what else has it");
    ground.apply();
    assert!(is_off(), "the second node has it");
    ground.assert_nothing_to_do();

    // One that was ended before it had tidied up.
    on("a");
    let mut child = ground.stopped_at("phase:clean_up:1").unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    ground.apply();
    assert!(is_off(), "the first node has it");
    ground.assert_nothing_to_do();
    let _ = ground.vsa(["destroy", "-auto-approve"]).code(0);
    assert_eq!(imports.renewal(), before, "certbot renews it again");
}

/// Who gets no certificate from an authority may have one of certbot's: nobody asks for it again.
#[test]
fn what_failed_is_forgotten_once_it_is_taken_over() {
    let Some(imports) = Imports::new() else { return };
    let Imports { ground, pebble, .. } = &imports;
    let port = format!("http_port  = {}", ground.http_port());
    imports.configure("");
    // Nobody answers where the authority looks.
    let wanted = ground.read("main.hcl");
    let other = Port::reserve();
    ground.write("main.hcl", wanted.replace(&port, &format!("http_port  = {}", other.number)));
    let _ = ground.vsa(["apply", "-auto-approve", "-on-failure=keep"]).code(6);
    let orders = pebble.orders();
    let _ = ground.vsa(["cert", "renew"]).code(1);
    imports.configure(&imports.taken_over());
    ground.apply();
    let _ = ground.vsa(["cert", "renew"]).code(0).says("No certificate is due");
    let _ = ground.vsa(["cert", "status"]).code(0);
    assert_eq!(pebble.orders(), orders, "nobody was asked");
    assert_eq!(ground.https(NAME, "/").status, 200);
    ground.assert_nothing_to_do();
}
