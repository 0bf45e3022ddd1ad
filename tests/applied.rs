//! Resources as they were applied last, whatever the configuration says of them by now.

use std::collections::{BTreeMap, BTreeSet};

use vsa::address::Address;
use vsa::config::{Declared, File, Input, load};
use vsa::diag::{Style, render_all};
use vsa::kinds::registry;
use vsa::lang::NoEnvironment;
use vsa::plan::as_applied;
use vsa::resource::Resource;
use vsa::state::{Key, Status, Stored, attributes};

use crate::support::node::empty_state;

/// Every nesting, a secret, references, and values of each type.
const APPLIED: &str = r#"
node "vps" {
  proxy {
    https_port = 9443
  }

  acme {
    email = "ops@example.com"

    rfc2136 {
      server   = "192.0.2.53:5353"
      key_name = "vsa"
      key      = sensitive("c2VjcmV0IHNlY3JldCBzZWNyZXQ=")
    }
  }
}

tenant "acme" {
  name = "Acme Ltd"
}

auth "staff" {
  tenant = tenant.acme

  user "alice" {
    password = sensitive("correct horse")
  }

  user "bob" {
    password = sensitive("battery staple")
  }
}

certificate "shop.example.com" {
  names        = ["shop.example.com", "www.shop.example.com"]
  key_type     = "ecdsa-p384"
  renew_before = "20d"
}

domain "shop.example.com" {
  tenant  = tenant.acme
  aliases = ["www.shop.example.com"]
  root    = "/srv/acme/www"
  auth    = auth.staff
  headers = { "X-Version" = "1" }

  location "/static/" {
    root = "/srv/acme/static"
  }

  tls {
    certificate = certificate["shop.example.com"]
  }
}
"#;

fn declared(text: &str) -> Declared {
    let files = vec![File { path: "main.hcl".into(), bytes: text.as_bytes().to_vec() }];
    let input = Input { files, working_directory: "/srv/site".into(), ..Input::default() };
    let loaded = load(input, registry(), &NoEnvironment);
    let said = render_all(loaded.diagnostics.iter(), &loaded.sources, Style::default());
    loaded.declared.unwrap_or_else(|| panic!("{said}"))
}

fn key() -> Key {
    Key::new(&[1; 32])
}

/// The attributes of all resources as the state has them.
fn encoded(declared: &Declared) -> BTreeMap<String, String> {
    let all = declared.resources.iter();
    all.map(|(address, resource)| {
        (address.to_string(), attributes::encode(resource, Some(&key())).get().to_owned())
    })
    .collect()
}

fn stored(resource: &Resource) -> Stored {
    Stored {
        status: Status::Live,
        node: Address::new("node", "vps"),
        name: resource.name.clone(),
        attributes: attributes::encode(resource, Some(&key())),
        facts: serde_json::Map::new(),
        placed: BTreeMap::new(),
        depends_on: resource.depends_on.clone(),
        left: Vec::new(),
    }
}

fn restored(now: &Declared) -> (BTreeMap<String, String>, BTreeSet<String>) {
    let mut state = empty_state();
    for (address, resource) in declared(APPLIED).resources {
        state.resources.insert(address, stored(&resource));
    }
    let applied = as_applied(&now.resources, &state, (registry(), Some(&key())), |_| true);
    let edited = applied.edited.iter().map(ToString::to_string).collect();
    let resources = applied.resources.into_owned();
    let now = Declared { resources, outputs: BTreeMap::new(), variables: BTreeMap::new() };
    (encoded(&now), edited)
}

#[test]
fn what_was_edited_becomes_what_was_applied() {
    let edits = [
        ("9443", "10443"),
        ("ops@", "admin@"),
        ("Acme Ltd", "Acme & Sons"),
        ("ecdsa-p384", "rsa-3072"),
        ("20d", "10d"),
        ("\"X-Version\" = \"1\"", "\"X-Other\" = \"2\""),
        ("/static/\"", "/assets/\""),
        ("  aliases = [\"www.shop.example.com\"]\n", ""),
        ("  key_type     = \"ecdsa-p384\"\n", ""),
    ];
    let applied = declared(APPLIED);
    let wanted = encoded(&applied);
    assert_eq!(restored(&applied), (wanted.clone(), BTreeSet::new()), "nothing was edited");
    for (from, to) in edits {
        let text = APPLIED.replace(from, to);
        assert_ne!(text, APPLIED, "{from}");
        let (restored, edited) = restored(&declared(&text));
        assert_eq!(restored, wanted, "{from}");
        assert_eq!(edited.len(), 1, "{edited:?}");
    }
    let all = edits.iter().fold(APPLIED.to_owned(), |text, (from, to)| text.replace(from, to));
    let (restored, edited) = restored(&declared(&all));
    assert_eq!(restored, wanted);
    let edited: Vec<&str> = edited.iter().map(String::as_str).collect();
    let shop = ["certificate[\"shop.example.com\"]", "domain[\"shop.example.com\"]"];
    assert_eq!(edited, [shop[0], shop[1], "node.vps", "tenant.acme"]);
}

#[test]
fn secrets_are_those_of_the_configuration() {
    let another = declared(&APPLIED.replace("correct horse", "another horse"));
    let (same, edited) = restored(&another);
    assert_eq!((same, edited), (encoded(&another), BTreeSet::new()), "the state does not hold it");
    // Of one that is there no more, all that stands beside it is as it is wanted.
    let begin = APPLIED.find("  user \"bob\"").unwrap();
    let end = begin + APPLIED[begin..].find("  }\n").unwrap() + 4;
    let without = declared(&format!("{}{}", &APPLIED[..begin], &APPLIED[end..]));
    let (same, edited) = restored(&without);
    assert_eq!((same, edited), (encoded(&without), BTreeSet::new()));
}

#[test]
fn what_refers_to_it_sees_what_it_was() {
    let now = declared(&APPLIED.replace("9443", "10443"));
    let mut state = empty_state();
    let node = declared(APPLIED).resources.remove(&"node.vps".parse().unwrap()).unwrap();
    state.resources.insert(node.address.clone(), stored(&node));
    let port = |resources: &BTreeMap<_, Resource>| {
        let domain = &resources[&"domain[\"shop.example.com\"]".parse().unwrap()];
        domain.get("node").get("https_port").and_then(|port| port.as_number()?.as_i64())
    };
    assert_eq!(port(&now.resources), Some(10_443));
    let applied = as_applied(&now.resources, &state, (registry(), Some(&key())), |_| true);
    assert_eq!(port(&applied.resources), Some(9_443));
}
