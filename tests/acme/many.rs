//! Many certificates at once.

use std::time::Instant;

use super::issuing::{live, node, site};
use crate::support::pebble::Options;
use crate::support::private_ca::trusted;
use crate::support::{Certbot, Pebble, Workspace, count};

#[test]
fn hundreds_of_new_sites_are_certified_in_one_apply_with_one_switch() {
    let Some(ground) = Workspace::managed() else { return };
    let Some(pebble) = Pebble::start(&Options::new(ground.http_port())) else { return };
    let domains = count(30, 300);
    let name = |number: u32| format!("site-{number}.example.com");
    let sites: String = (0..domains).map(|number| site(&ground, &name(number), "")).collect();
    ground.write("main.hcl", node(&ground, &pebble, "") + &sites);
    let begun = Instant::now();
    let run = ground.vsa(["apply", "-auto-approve", "-parallelism=20"]).code(0);
    println!("{domains} domains in {:.1} s", begun.elapsed().as_secs_f32());
    for number in 0..domains {
        let told = format!("issue a certificate for {} (", name(number));
        assert!(
            run.stdout.lines().chain(run.stderr.lines()).any(|line| line.contains(&told)),
            "nothing is said of {told}"
        );
        trusted(&pebble.root(0), &live(&ground, &name(number)), &name(number)).unwrap();
    }
    let wanted = usize::try_from(domains).unwrap();
    assert_eq!((pebble.issued(), pebble.orders(), pebble.accounts()), (wanted, wanted, 1));
    // The one that answers for what the authority looks at, and the one with the sites.
    assert_eq!(ground.live_generation(), 2);
    let last = name(domains - 1);
    assert_eq!(ground.https(&last, "/").status, 200);
    ground.assert_nothing_to_do();
    let _ = ground.vsa(["cert", "renew"]).code(0).says("No certificate is due");
    assert_eq!(pebble.orders(), wanted);
    let Some(certbot) = Certbot::new(ground.path()) else { return };
    let lineages = certbot.certificates(&ground.node_root()).unwrap();
    assert_eq!(lineages.len(), wanted);
    assert!(lineages.iter().all(|lineage| lineage.validity.starts_with("VALID")), "{lineages:#?}");
    assert!(lineages.iter().any(|lineage| lineage.name == last && lineage.names == [last.clone()]));
}
