//! The first moment: an authority asks for a name before its site is there.

use std::sync::Arc;

use vsa::apply::Outcome;
use vsa::host::{FileOperation, HostError, Signal};
use vsa::plan::{Action, NodeFiles, Operation, Phase};

use super::issuing::{live, site};
use crate::support::faulty::{Deed, Faulty};
use crate::support::node::Ground;
use crate::support::pebble::Options;
use crate::support::private_ca::trusted;
use crate::support::{self, Pebble, Workspace};

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

    // What somebody edited goes live as it was written.
    let edit = || {
        let file = ground.generation(ground.live_generation()).join("sites/shop.example.com.conf");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        std::fs::write(&file, format!("{text}# by hand\n")).unwrap();
    };
    edit();
    ground.write("news.hcl", site(&ground, "news.example.com", ""));
    ground.apply();
    assert_eq!(ground.https("news.example.com", "/").status, 200);
    let base = ground.generation(ground.live_generation() - 1);
    let text = std::fs::read_to_string(base.join("sites/shop.example.com.conf")).unwrap();
    assert!(!text.contains("by hand"), "{text}");

    // Unless that is not known any more.
    edit();
    ground.write("shop.hcl", ground.read("shop.hcl").replace("  root ", "  body_size = \"7m\"\n  root "));
    ground.write("more.hcl", site(&ground, "more.example.com", ""));
    let refused = ground.vsa(["plan"]).code(1).says("`sites/shop.example.com.conf` is not as it was written");
    let refused = refused.says("it is a file of `domain[\"shop.example.com\"]`, and goes live as it was");
    assert!(!refused.stderr.contains("which this plan is not about"), "{refused}");
    ground.write("more.hcl", "");
    ground.apply();
    ground.write("more.hcl", site(&ground, "more.example.com", ""));
    ground.apply();
    assert_eq!(ground.https("more.example.com", "/").status, 200);
}

#[test]
fn why_a_generation_before_could_not_be_taken_back_is_told() {
    let Some(nginx) = support::nginx() else { return };
    let mut ground = Ground::managed(nginx);
    assert_eq!(ground.sites(&[("a.example", "one")]).outcome, Outcome::Done);
    let mut files = ground.base();
    files.push(ground.site("a.example", "two"));
    let mut run = ground.run(files, Vec::new());
    let work = run.nodes.values_mut().next().unwrap();
    let count = work.files.files.len().try_into().unwrap();
    work.base = Some(NodeFiles { number: 2, ..work.files.clone() });
    let mut switch = run.actions.remove(0);
    let base = Operation::SwitchBase { number: 2, files: count };
    run.actions.push(Action { phase: Phase::Prepare, operation: base, ..switch.clone() });
    (switch.id, switch.operation) =
        (1, Operation::SwitchGeneration { number: 3, changed: count, files: count });
    run.actions.push(switch);
    // nginx cannot be told to reload, and the link cannot be put back.
    ground.host = Faulty::around(Arc::clone(&ground.host), |deed| {
        let refuse = |why: &str| Err(HostError::because("do", "this", why));
        match deed {
            Deed::Signal(Signal::Hangup) => refuse("no signals today"),
            Deed::File(FileOperation::Repoint { target, .. }) if target.ends_with("1") => {
                refuse("the way back is barred")
            }
            _ => Ok(()),
        }
    });
    let report = ground.apply(run);
    assert_eq!(report.outcome, Outcome::Left);
    let told: Vec<String> =
        report.errors.iter().map(|error| format!("{} {}", error.summary, error.detail)).collect();
    for why in ["no signals today", "the way back is barred"] {
        assert!(told.iter().any(|told| told.contains(why)), "{told:?}");
    }
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
