//! The first moment: an authority asks for a name before its site is there.

use super::issuing::{live, site};
use crate::support::pebble::Options;
use crate::support::private_ca::trusted;
use crate::support::{Pebble, Workspace};

/// The node of the machine's own nginx, with somebody else's default server.
fn node(ground: &Workspace, pebble: &Pebble, default_server: bool) {
    let proxy = format!("mode = \"host\"\n    default_server = {default_server}");
    ground.write(
        "node.hcl",
        format!(
            "node \"local\" {{\n  proxy {{\n    {proxy}\n  }}\n  acme {{\n    directory = \"{}\"\n    ca        = \"{}\"\n    \
             resolvers = [\"{}\"]\n  }}\n}}\ntenant \"acme\" {{}}\n",
            pebble.directory(),
            pebble.ca().display(),
            pebble.dns.server(),
        ),
    );
}

#[test]
fn beside_a_foreign_default_server_new_names_are_answered_for_before_their_sites() {
    let Some(ground) = Workspace::on_host() else { return };
    let Some(pebble) = ground.within(|| Pebble::start(&Options::new(80))) else { return };
    node(&ground, &pebble, false);
    let root = ground.within(|| pebble.root(0));
    ground.write("shop.hcl", site(&ground, "shop.example.com", ""));
    let _ = ground.vsa(["plan"]).code(0).says("switch nginx to generation 1");
    ground.apply();
    trusted(&root, &live(&ground, "shop.example.com"), "shop.example.com").unwrap();
    assert_eq!(ground.https("shop.example.com", "/").status, 200);

    // The site that is there goes on while another one is asked for.
    ground.write("blog.hcl", site(&ground, "blog.example.com", "aliases = [\"www.blog.example.com\"]"));
    let plan = ground.vsa(["plan"]).code(0);
    let _ = plan.says("which answers for what the authority looks at");
    ground.apply();
    trusted(&root, &live(&ground, "blog.example.com"), "www.blog.example.com").unwrap();
    assert_eq!(ground.https("shop.example.com", "/").status, 200);
    let base = ground.generation(ground.live_generation() - 1);
    assert!(base.join("sites/shop.example.com.conf").exists());
    let challenges = std::fs::read_to_string(base.join("sites/_challenges.conf")).unwrap();
    assert!(challenges.contains("server_name blog.example.com www.blog.example.com;"), "{challenges}");

    // Another name of a site that is there: the others have their server already.
    ground.write("shop.hcl", site(&ground, "shop.example.com", "aliases = [\"www.shop.example.com\"]"));
    ground.apply();
    trusted(&root, &live(&ground, "shop.example.com"), "www.shop.example.com").unwrap();
    let base = ground.generation(ground.live_generation() - 1);
    let challenges = std::fs::read_to_string(base.join("sites/_challenges.conf")).unwrap();
    assert!(challenges.contains("server_name www.shop.example.com;"), "{challenges}");
    ground.assert_nothing_to_do();
    assert_eq!((pebble.orders(), pebble.issued()), (3, 3));
}

#[test]
fn names_that_no_site_has_are_answered_for_at_each_renewal() {
    let Some(ground) = Workspace::on_host() else { return };
    let Some(pebble) = ground.within(|| Pebble::start(&Options::new(80))) else { return };
    node(&ground, &pebble, false);
    ground.write("shop.hcl", site(&ground, "shop.example.com", ""));
    ground.write("mail.hcl", "certificate \"mail.example.com\" {}\n");
    ground.apply();
    let issued = pebble.issued();
    let base = || ground.generation(ground.live_generation() - 1).join("sites/_challenges.conf");
    let _ = ground.vsa(["cert", "renew", "-force", "mail.example.com"]).code(0);
    assert_eq!(pebble.issued(), issued + 1);
    let challenges = std::fs::read_to_string(base()).unwrap();
    assert!(challenges.contains("server_name mail.example.com;"), "{challenges}");
    // A site answers for its own.
    let before = ground.live_generation();
    let _ = ground.vsa(["cert", "renew", "-force", "shop.example.com"]).code(0);
    assert_eq!((pebble.issued(), ground.live_generation()), (issued + 2, before + 1));
}

#[test]
fn a_default_server_of_its_own_answers_before_the_certificate_that_comes_with_it() {
    let Some(ground) = Workspace::on_host() else { return };
    let Some(pebble) = ground.within(|| Pebble::start(&Options::new(80))) else { return };
    node(&ground, &pebble, false);
    ground.write("shop.hcl", site(&ground, "shop.example.com", ""));
    ground.apply();
    // The distribution's own default server goes, and vsa's comes.
    let foreign = ground.system().unwrap().path("/etc/nginx/sites-enabled/default");
    std::fs::remove_file(foreign).unwrap();
    node(&ground, &pebble, true);
    ground.write("mail.hcl", "certificate \"mail.example.com\" {}\n");
    let _ = ground.vsa(["plan"]).code(0).says("which answers for what the authority looks at");
    ground.apply();
    trusted(&ground.within(|| pebble.root(0)), &live(&ground, "mail.example.com"), "mail.example.com")
        .unwrap();
    // And goes again: what is live answers for the name until then.
    node(&ground, &pebble, false);
    ground.write("imap.hcl", "certificate \"imap.example.com\" {}\n");
    let before = ground.live_generation();
    ground.apply();
    assert_eq!((pebble.issued(), ground.live_generation()), (3, before + 1));
    ground.assert_nothing_to_do();
}
