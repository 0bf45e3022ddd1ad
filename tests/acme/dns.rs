//! DNS for certificates: look-ups and updates at a real name server, and programs.

use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join;
use vsa::acme::dns::{DnsChallenges, DnsError, challenge_record, provider, wait_until_published};
use vsa::acme::guard::caa::{self, Asked};
use vsa::acme::http::Http;
use vsa::acme::resolver::{Failure, Resolver};
use vsa::diag::Diagnostic;
use vsa::host::{Host, LocalHost};
use vsa::names::{DomainName, NameServer, ResolverAddress, Text as _};
use vsa::plan::issuance::{DnsProvider, TsigAlgorithm, TxtRecord};
use vsa::value::Secret;

use crate::support::fake_dns::FakeDns;
use crate::support::named::{Named, Zone, secret};
use crate::support::node::block_on;

pub(super) const EXAMPLE: &str = "example.com";

pub(super) fn made(
    settings: &DnsProvider,
    secret: Option<&Secret>,
) -> Result<Box<dyn DnsChallenges>, DnsError> {
    let host: Arc<dyn Host> = Arc::new(LocalHost::new("/nonexistent/vsa"));
    provider(settings, secret, &host, &Http::new(None).unwrap())
}

pub(super) fn record(name: &str, value: &str) -> TxtRecord {
    TxtRecord { name: DomainName::parse(name).unwrap(), value: value.to_owned() }
}

/// What is said of an error; `place` differs from run to run.
pub(super) fn said(error: DnsError, place: &str) -> String {
    let diagnostic = Diagnostic::from(error);
    let detail =
        if diagnostic.detail.is_empty() { String::new() } else { format!("\n{}", diagnostic.detail) };
    format!("{}{detail}\nhelp: {}", diagnostic.summary, diagnostic.help.join("\nhelp: "))
        .replace(place, "PLACE")
}

async fn values(resolver: &Resolver, name: &str) -> Vec<String> {
    match resolver.txt(name).await {
        Ok(mut values) => {
            values.sort();
            values
        }
        Err(error) => {
            assert!(error.failure.is_absence(), "{error}");
            Vec::new()
        }
    }
}

#[test]
fn the_values_of_a_name_and_of_its_wildcard_stand_beside_each_other() {
    let Some(named) = Named::start(&[Zone::new(EXAMPLE, "")]) else { return };
    let (resolver, challenges) = (named.resolver(), made(&named.provider(), Some(&secret())).unwrap());
    block_on(async {
        let one = challenge_record(&resolver, "shop.example.com", "value-of-the-name").await.unwrap();
        let two = challenge_record(&resolver, "*.shop.example.com", "value-of-the-wildcard").await.unwrap();
        assert_eq!((one.name.as_str(), &one.name), ("_acme-challenge.shop.example.com", &two.name));
        for record in [&one, &two, &one] {
            challenges.publish(record).await.unwrap();
        }
        wait_until_published(&resolver, &[one.clone(), two.clone()], Duration::from_secs(5)).await.unwrap();
        assert_eq!(
            values(&resolver, one.name.as_str()).await,
            ["value-of-the-name", "value-of-the-wildcard"]
        );
        for _ in 0..2 {
            challenges.withdraw(&one).await.unwrap();
            assert_eq!(values(&resolver, one.name.as_str()).await, ["value-of-the-wildcard"]);
        }
        challenges.withdraw(&two).await.unwrap();
        let gone = resolver.txt(two.name.as_str()).await.unwrap_err();
        assert_eq!(gone.failure, Failure::NoName);
    });
}

#[test]
fn keys_sign_with_every_algorithm() {
    let policy = "grant vsa zonesub TXT; grant middle zonesub TXT; grant long zonesub TXT;";
    let Some(named) = Named::start(&[Zone { policy, ..Zone::new(EXAMPLE, "") }]) else { return };
    let algorithms = [TsigAlgorithm::HmacSha256, TsigAlgorithm::HmacSha384, TsigAlgorithm::HmacSha512];
    for (key, own) in ["vsa", "middle", "long"].into_iter().zip(algorithms) {
        for algorithm in algorithms {
            let challenges = made(&named.provider_with(key, algorithm, None), Some(&secret())).unwrap();
            let published = block_on(challenges.publish(&record("_acme-challenge.example.com", key)));
            assert_eq!(published.is_ok(), own == algorithm, "{key} {algorithm:?}: {published:?}");
        }
    }
    let there = block_on(values(&named.resolver(), "_acme-challenge.example.com"));
    assert_eq!(there, ["long", "middle", "vsa"]);
}

#[test]
fn a_server_that_does_not_take_an_update_says_why() {
    let narrow = Zone {
        policy: "grant guest name _acme-challenge.mine.example.net. TXT;",
        ..Zone::new("example.net", "")
    };
    let Some(named) = Named::start(&[Zone::new(EXAMPLE, ""), narrow]) else { return };
    let tried = |key: &str, secret: &Secret, zone: Option<&str>, name: &str| {
        let settings = named.provider_with(key, TsigAlgorithm::HmacSha256, zone);
        let challenges = made(&settings, Some(secret));
        let published = challenges.and_then(|made| block_on(made.publish(&record(name, "value"))));
        published.map_or_else(|error| said(error, &named.server()), |()| "published".to_owned())
    };
    let (right, wrong) = (secret(), Secret::new("d3Jvbmc="));
    let name = "_acme-challenge.shop.example.com";
    assert_eq!(tried("vsa", &right, Some(EXAMPLE), name), "published");
    assert_eq!(tried("guest", &right, None, "_acme-challenge.mine.example.net"), "published");
    insta::assert_snapshot!(tried("vsa", &wrong, None, name), @r#"
    the DNS server `PLACE` does not change `_acme-challenge.shop.example.com`: its key `vsa` is another one (BADSIG)
    help: copy the key's secret from the server's `key` statement again
    "#);
    insta::assert_snapshot!(tried("nobody", &right, None, name), @r#"
    the DNS server `PLACE` does not change `_acme-challenge.shop.example.com`: it does not know the key `nobody` with hmac-sha256 (BADKEY)
    help: check `key_name` and `key_algorithm` against the server's `key` statement
    "#);
    insta::assert_snapshot!(tried("guest", &right, None, "_acme-challenge.example.net"), @r#"
    the DNS server `PLACE` does not change `_acme-challenge.example.net`: the key `guest` may not change that name (REFUSED)
    help: allow it, in BIND with: update-policy { grant guest name _acme-challenge.example.net. TXT; };
    "#);
    insta::assert_snapshot!(tried("vsa", &right, Some("shop.example.com"), name), @r#"
    the DNS server `PLACE` does not change `_acme-challenge.shop.example.com`: it does not serve the zone `shop.example.com` (NOTAUTH)
    help: name the zone's primary server in `server`, or correct `zone`
    "#);
    insta::assert_snapshot!(tried("vsa", &right, Some("example.org"), name), @r#"
    the DNS record `_acme-challenge.shop.example.com` is not in the zone `example.org`
    help: set `zone` in the `rfc2136` block to one that holds the name, or leave it away
    "#);
    insta::assert_snapshot!(tried("vsa", &right, None, "_acme-challenge.example.org"), @r#"
    the DNS server `PLACE` serves no zone that holds `_acme-challenge.example.org` (NXDOMAIN)
    help: name the zone's primary server in `server`, or set `zone`
    "#);
    insta::assert_snapshot!(tried("vsa", &Secret::new("no base64"), None, name), @r#"
    the key `vsa` cannot be used: it is no Base64
    help: give it as `tsig-keygen` writes it behind `secret`: Base64
    "#);
}

#[test]
fn a_server_that_is_down_is_named() {
    let settings = DnsProvider::Rfc2136 {
        server: NameServer::parse("127.0.0.1:1").unwrap(),
        zone: Some(DomainName::parse(EXAMPLE).unwrap()),
        key_name: DomainName::parse("vsa").unwrap(),
        key_algorithm: TsigAlgorithm::default(),
    };
    let challenges = made(&settings, Some(&secret())).unwrap();
    let failed = block_on(challenges.publish(&record("_acme-challenge.example.com", "value"))).unwrap_err();
    insta::assert_snapshot!(said(failed, "PLACE"), @r#"
    the DNS server `127.0.0.1:1` cannot be reached: connection refused
    help: check `server` in the `rfc2136` block, that the server runs, and that TCP is let through to it
    "#);
    insta::assert_snapshot!(said(made(&settings, None).unwrap_err(), "PLACE"), @r#"
    the DNS provider's secret is missing
    help: set `key` in the provider's block
    "#);
}

#[test]
fn an_alias_leads_to_a_zone_that_may_be_changed() {
    let fixed = Zone {
        policy: "",
        ..Zone::new(EXAMPLE, "_acme-challenge.shop CNAME shop.challenges.example.net.\n")
    };
    let Some(named) = Named::start(&[fixed, Zone::new("challenges.example.net", "")]) else { return };
    let (resolver, challenges) = (named.resolver(), made(&named.provider(), Some(&secret())).unwrap());
    block_on(async {
        let record = challenge_record(&resolver, "*.shop.example.com", "value").await.unwrap();
        assert_eq!(record.name.as_str(), "shop.challenges.example.net");
        challenges.publish(&record).await.unwrap();
        wait_until_published(&resolver, std::slice::from_ref(&record), Duration::from_secs(5)).await.unwrap();
        // As the authority sees it.
        assert_eq!(values(&resolver, "_acme-challenge.shop.example.com").await, ["value"]);
        let other = challenge_record(&resolver, "www.example.com", "value").await.unwrap();
        let refused = challenges.publish(&other).await.unwrap_err();
        assert!(refused.what.contains("REFUSED"), "{refused}");
    });
}

#[test]
fn an_alias_of_all_names_gives_way_to_the_record() {
    let Some(named) = Named::start(&[Zone::new(EXAMPLE, "* CNAME www\nwww A 192.0.2.1\n")]) else { return };
    let (resolver, challenges) = (named.resolver(), made(&named.provider(), Some(&secret())).unwrap());
    block_on(async {
        let record = challenge_record(&resolver, "shop.example.com", "value").await.unwrap();
        assert_eq!(record.name.as_str(), "_acme-challenge.shop.example.com");
        challenges.publish(&record).await.unwrap();
        assert_eq!(values(&resolver, "_acme-challenge.shop.example.com").await, ["value"]);
    });
}

#[test]
fn aliases_in_a_circle_have_an_end() {
    let circle = "_acme-challenge.a CNAME _acme-challenge.b\n_acme-challenge.b CNAME _acme-challenge.a\n";
    let Some(named) = Named::start(&[Zone::new(EXAMPLE, circle)]) else { return };
    let failed = block_on(challenge_record(&named.resolver(), "a.example.com", "value")).unwrap_err();
    insta::assert_snapshot!(said(failed, &named.server()), @r#"
    cannot find out where the challenge's record `_acme-challenge.a.example.com` belongs: the DNS answer for `_acme-challenge.a.example.com` CNAME makes no sense: more than 8 aliases in a row
    help: check that the zone is served, and `resolvers` of the `acme` block
    "#);
}

#[test]
fn a_record_is_published_when_all_servers_of_its_zone_have_it() {
    let zones = [Zone::new(EXAMPLE, "")];
    let Some(second) = Named::start(&zones) else { return };
    let Some(first) = Named::with_servers(&zones, |own| vec![own, second.address()]) else { return };
    let resolver = first.resolver();
    let [one, two] = [&first, &second].map(|named| made(&named.provider(), Some(&secret())).unwrap());
    let record = record("_acme-challenge.example.com", "value");
    let published = || resolver.published(record.name.as_str(), &record.value);
    block_on(async {
        one.publish(&record).await.unwrap();
        assert_eq!(published().await, Ok(false));
        let late =
            wait_until_published(&resolver, std::slice::from_ref(&record), Duration::from_millis(100)).await;
        insta::assert_snapshot!(said(late.unwrap_err(), "PLACE"), @r#"
        the DNS record `_acme-challenge.example.com` is not at all servers of its zone after 0 s
        help: look with: dig +nssearch _acme-challenge.example.com; dig TXT _acme-challenge.example.com
        "#);
        let waits = wait_until_published(&resolver, std::slice::from_ref(&record), Duration::from_secs(20));
        let (waited, told) = join(waits, two.publish(&record)).await;
        assert_eq!((waited, told), (Ok(()), Ok(())));
        assert_eq!(published().await, Ok(true));
    });
}

#[test]
fn where_no_server_of_the_zone_answers_the_resolver_is_believed() {
    let zone = Zone::new(EXAMPLE, "_acme-challenge TXT value\n");
    // Nobody has this address: the test's own have another third number.
    let Some(named) = Named::with_servers(&[zone], |_| vec![Ipv4Addr::new(127, 53, 0, 1)]) else { return };
    let resolver = named.resolver();
    let published = |value| resolver.published("_acme-challenge.example.com", value);
    assert_eq!(block_on(join(published("value"), published("other"))), (Ok(true), Ok(false)));
}

#[test]
fn where_the_servers_of_the_zone_are_not_known_the_resolver_is_believed() {
    let Some(dns) = FakeDns::start() else { return };
    let resolver = Resolver::new(&[ResolverAddress::parse(&dns.server()).unwrap()]).unwrap();
    let published = || block_on(resolver.published("_acme-challenge.example.com", "value"));
    assert_eq!(published(), Ok(false));
    dns.txt("_acme-challenge.example.com", Some("value"));
    assert_eq!(published(), Ok(true));
}

#[test]
fn caa_records_are_those_of_the_nearest_name_that_has_any() {
    let example = Zone::new(
        EXAMPLE,
        "@ CAA 0 issue \"letsencrypt.org; validationmethods=dns-01\"\n@ CAA 0 issuewild \";\"\n\
         open CAA 0 iodef \"mailto:ops@example.com\"\nalias CNAME there.example.net.\n",
    );
    let other = Zone::new("example.net", "there CAA 128 issue \"ca.example\"\n");
    let broken = Zone { records: None, ..Zone::new("example.org", "") };
    let Some(named) = Named::start(&[example, other, broken]) else { return };
    let resolver = named.resolver();
    let identities = ["letsencrypt.org".to_owned()];
    let asked = |name, challenge| Asked {
        name,
        identities: &identities,
        account: "https://acme.example/1",
        challenge,
    };
    block_on(async {
        let set = resolver.caa("a.b.example.com").await.unwrap();
        assert_eq!((set.owner.as_str(), set.records.len()), (EXAMPLE, 2));
        assert_eq!(caa::check(&set, &asked("a.b.example.com", "dns-01")), Ok(()));
        assert!(caa::check(&set, &asked("a.b.example.com", "http-01")).is_err());
        assert!(caa::check(&set, &asked("*.example.com", "dns-01")).is_err());
        assert_eq!(resolver.caa("*.example.com").await.unwrap().owner, EXAMPLE);

        let set = resolver.caa("shop.open.example.com").await.unwrap();
        assert_eq!(set.owner, "open.example.com");
        assert_eq!(caa::check(&set, &asked("shop.open.example.com", "http-01")), Ok(()));

        let set = resolver.caa("alias.example.com").await.unwrap();
        assert_eq!((set.owner.as_str(), set.records[0].flags), ("there.example.net", 128));

        assert_eq!(resolver.caa("www.example.net").await.unwrap().records, []);
        let failed = resolver.caa("www.example.org").await.unwrap_err();
        assert_eq!(failed.failure, Failure::ServerFailed("SERVFAIL".to_owned()));
    });
}

#[test]
fn a_look_up_that_finds_nothing_says_which_nothing() {
    let records =
        "www A 192.0.2.1\nwww A 192.0.2.2\nwww AAAA 2001:db8::1\nalias CNAME www\ntext TXT \"a\" \"b\"\n";
    let broken = Zone { records: None, ..Zone::new("example.org", "") };
    let Some(named) = Named::start(&[Zone::new(EXAMPLE, records), broken]) else { return };
    let resolver = named.resolver();
    let found = |name: &str| match block_on(resolver.addresses(name)) {
        Ok(addresses) => addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        Err(error) => error.to_string(),
    };
    for name in ["www.example.com", "alias.example.com"] {
        assert_eq!(found(name), "192.0.2.1 192.0.2.2 2001:db8::1");
    }
    assert_eq!(block_on(resolver.txt("text.example.com")), Ok(vec!["ab".to_owned()]));
    insta::assert_snapshot!(found("text.example.com"), @"`text.example.com` has no A or AAAA record");
    insta::assert_snapshot!(found("nowhere.example.com"), @"`nowhere.example.com` does not exist in the DNS (NXDOMAIN)");
    insta::assert_snapshot!(found("www.example.org"), @"the DNS servers of `www.example.org` could not answer for A or AAAA (SERVFAIL)");
}

#[test]
fn a_program_is_told_what_lego_tells_it() {
    let directory = tempfile::tempdir().unwrap();
    let hook = directory.path().join("hook");
    let script = "#!/bin/sh\nprintf '%s\\n' \"$#\" \"$@\" >> \"$1\"\n[ \"$3\" = _acme-challenge.bad.example.com. ] || exit 0\necho 'the API says no' >&2\nexit 3\n";
    std::fs::write(&hook, script).unwrap();
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    let log = directory.path().join("log");
    let command = [&hook, &log].map(|path| path.to_str().unwrap().to_owned()).to_vec();
    let challenges = made(&DnsProvider::Exec { command }, None).unwrap();
    block_on(async {
        let good = record("_acme-challenge.shop.example.com", "the value");
        challenges.publish(&good).await.unwrap();
        challenges.withdraw(&good).await.unwrap();
        let told = std::fs::read_to_string(&log).unwrap().replace(log.to_str().unwrap(), "LOG");
        insta::assert_snapshot!(told, @r#"
        4
        LOG
        present
        _acme-challenge.shop.example.com.
        the value
        4
        LOG
        cleanup
        _acme-challenge.shop.example.com.
        the value
        "#);
        let failed =
            challenges.publish(&record("_acme-challenge.bad.example.com", "value")).await.unwrap_err();
        insta::assert_snapshot!(said(failed, directory.path().to_str().unwrap()), @r#"
        the program for the DNS record `_acme-challenge.bad.example.com` failed: `PLACE/hook present` ended with exit code 3
        the API says no
        help: run it by hand: PLACE/hook PLACE/log present _acme-challenge.bad.example.com. value
        "#);
    });
    let missing = made(&DnsProvider::Exec { command: vec!["/nonexistent/hook".to_owned()] }, None).unwrap();
    let failed = block_on(missing.publish(&record("_acme-challenge.example.com", "value"))).unwrap_err();
    insta::assert_snapshot!(said(failed, "PLACE"), @r#"
    the program for the DNS record `_acme-challenge.example.com` failed: cannot run `/nonexistent/hook`: no such file or directory
    help: run it by hand: /nonexistent/hook present _acme-challenge.example.com. value
    "#);
}
