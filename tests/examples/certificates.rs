//! The guide about certificates, followed on a machine of its own with an authority beside it.

use std::path::Path;

use crate::support::pebble::Options;
use crate::support::private_ca::trusted;
use crate::support::{Pebble, Workspace, guide};

fn page() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guides/certificates.md"))
        .unwrap()
}

#[test]
fn what_the_guide_shows_of_a_wildcard_is_valid() {
    let ground = Workspace::new();
    let fences = guide::fences(&page(), "hcl");
    let [node, wildcard] = fences.as_slice() else { panic!("{} fences", fences.len()) };
    ground.write("main.hcl", node).write("wildcard.hcl", wildcard);
    let checked = ground.vsa(["validate", "-var", "tsig_key=c2VjcmV0"]);
    assert_eq!((checked.exit, checked.stderr.contains("warning")), (Some(0), false), "{checked:?}");
}

#[test]
fn its_guide_has_a_site_served_with_a_certificate() {
    let Some(ground) = Workspace::on_host() else { return };
    let Some(pebble) = ground.within(|| Pebble::start(&Options::new(80))) else { return };
    let root = ground.within(|| pebble.root(0));
    // The authority of the test in the place of Let's Encrypt, and Debian's default site beside vsa's.
    let told = format!(
        "email = \"ops@example.com\"\n directory = \"{}\"\n ca = \"{}\"\n resolvers = [\"{}\"]",
        pebble.directory(),
        pebble.ca().display(),
        pebble.dns.server()
    );
    let node = guide::fences(&page(), "hcl").remove(0);
    let node = node.replace("email = \"ops@example.com\"", &told);
    ground.write("main.hcl", node.replace("mode = \"host\"", "mode = \"host\"\n default_server = false"));
    let system = ground.system().unwrap();
    std::fs::create_dir_all(system.path("/srv/acme/www")).unwrap();
    std::fs::write(system.path("/srv/acme/www/index.html"), "hello\n").unwrap();
    let _ = ground.vsa(["init"]).code(0);
    let outputs = ground.path().join("outputs");
    std::fs::create_dir(&outputs).unwrap();
    guide::follow(&page(), &outputs, |arguments| {
        let programs = Path::new(env!("CARGO_BIN_EXE_vsa")).parent().unwrap().display().to_string();
        let mut command = system.command("/bin/bash", &ground.configuration());
        command.args(arguments).env_clear().env("HOME", ground.path()).env("LANG", "C.UTF-8");
        command
            .env("PATH", format!("{programs}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
        command
    });
    let live = system.path("/var/lib/vsa/vps-01/live/shop.example.com/fullchain.pem");
    trusted(&root, &std::fs::read_to_string(live).unwrap(), "www.shop.example.com").unwrap();
    assert_eq!(ground.https("shop.example.com", "/").body, b"hello\n");
    assert_eq!((pebble.orders(), pebble.issued()), (2, 2), "one was revoked");
}
