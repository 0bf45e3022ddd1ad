//! The documents that vsa writes: their JSON Schemas under `state/`, and a sample of every version ever written. And
//! those that people write: their links lead somewhere.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use vsa::audit::{Event, Record};
use vsa::kinds::certificate::held;
use vsa::plan::issuance::Ledger;
use vsa::state::{VERSION, attributes};
use vsa::store::{StateFile, to_text};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("state").join(name)
}

fn schema(name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(file(name)).unwrap()).unwrap()
}

/// What is wrong with `value`, by the keywords of JSON Schema that our schemas use.
fn faults(root: &Value, schema: &Value, value: &Value, path: &str, found: &mut Vec<String>) {
    for (keyword, argument) in schema.as_object().unwrap() {
        let right = match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" | "properties" => true,
            "$ref" => {
                let target = argument.as_str().unwrap().strip_prefix('#').unwrap();
                faults(root, root.pointer(target).unwrap(), value, path, found);
                true
            }
            "const" => argument == value,
            "enum" => argument.as_array().unwrap().contains(value),
            "minimum" => value.as_i64() >= argument.as_i64(),
            "maximum" => value.as_i64() <= argument.as_i64(),
            "type" => {
                let is = |name: &Value| match name.as_str().unwrap() {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "boolean" => value.is_boolean(),
                    "integer" => value.is_i64() || value.is_u64(),
                    "null" => value.is_null(),
                    other => panic!("unknown type {other}"),
                };
                argument.as_array().map_or_else(|| is(argument), |names| names.iter().any(is))
            }
            "anyOf" => argument.as_array().unwrap().iter().any(|schema| {
                let mut inner = Vec::new();
                faults(root, schema, value, path, &mut inner);
                inner.is_empty()
            }),
            "required" => {
                argument.as_array().unwrap().iter().all(|name| value.get(name.as_str().unwrap()).is_some())
            }
            "uniqueItems" => {
                let elements = value.as_array().map_or(&[][..], Vec::as_slice);
                let is_first = |(index, element)| !elements[..index].contains(element);
                elements.iter().enumerate().all(is_first)
            }
            "items" => {
                for element in value.as_array().into_iter().flatten() {
                    faults(root, argument, element, path, found);
                }
                true
            }
            "additionalProperties" => {
                let known = schema.get("properties");
                for (name, value) in value.as_object().into_iter().flatten() {
                    let path = format!("{path}/{name}");
                    match known.and_then(|known| known.get(name)) {
                        Some(schema) => faults(root, schema, value, &path, found),
                        None if *argument == Value::Bool(false) => found.push(format!("{path}: unknown")),
                        None => faults(root, argument, value, &path, found),
                    }
                }
                true
            }
            other => panic!("unknown keyword {other}"),
        };
        if !right {
            found.push(format!("{path}: not {keyword} {argument}"));
        }
    }
}

fn assert_valid(schema: &Value, value: &Value) {
    let mut found = Vec::new();
    faults(schema, schema, value, "", &mut found);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn samples_of_every_state_are_read() {
    for version in 1..=VERSION {
        let path = file(&format!("samples/state-v{version}.json"));
        assert_read(version, &path);
    }
    // With what came later, and may be absent.
    assert_read(1, &file("samples/state-v1-with-key.json"));
    assert_read(1, &file("samples/state-v1-with-directories.json"));
    assert_read(1, &file("samples/state-v1-with-stack.json"));
    assert_read(1, &file("samples/state-v1-with-container-proxy.json"));
    assert_read(1, &file("samples/state-v1-with-certificates.json"));
    assert_read(1, &file("samples/state-v1-with-left.json"));
}

/// What an interrupted run moved to another node, and had not taken away from the first.
#[test]
fn samples_say_what_is_left_on_other_nodes() {
    let state =
        StateFile::at(file("samples/state-v1-with-left.json"), "/nonexistent").read().unwrap().unwrap();
    let issues = |node: &str| -> Vec<_> {
        let node = vsa::address::Address::new("node", node);
        state.on(&node).map(|stored| stored.facts.get("issue").cloned()).collect()
    };
    assert_eq!((issues("second"), issues("local")), (vec![None], vec![Some(1.into())]));
}

/// The first vsa knew it of a resource's last directory alone.
#[test]
fn samples_say_which_directories_vsa_made() {
    let node = vsa::address::Address::new("node", "local");
    let owns = |sample: &str, name: &str| {
        let state = StateFile::at(file(sample), "/nonexistent").read().unwrap().unwrap();
        state.resources[&node].owns(&Path::new("/opt/hosting/.vsa/nodes/local").join(name))
    };
    let names = ["acme", "logs", "elsewhere"];
    assert_eq!(names.map(|name| owns("samples/state-v1-with-directories.json", name)), [true, false, false]);
    assert_eq!(names.map(|name| owns("samples/state-v1.json", name)), [true, true, true]);
}

/// What stands there of a stack is enough to find its containers.
#[test]
fn samples_of_stacks_are_understood() {
    let state =
        StateFile::at(file("samples/state-v1-with-stack.json"), "/nonexistent").read().unwrap().unwrap();
    let stored = &state.resources[&vsa::address::Address::new("stack", "shop")];
    let deployed = vsa::kinds::stack::deployed(stored, &state.nodes[&stored.node].spec).unwrap();
    assert_eq!((deployed.project.name.as_str(), deployed.tenant.as_str()), ("acme-shop", "acme"));
    assert_eq!((deployed.running, deployed.wait, deployed.source.as_deref()), (true, 120, Some("shop")));
    assert!(stored.facts["services"]["web"]["hash"].is_string());
    let endpoints = &state.nodes[&stored.node].endpoints;
    assert_eq!(endpoints.keys().collect::<Vec<_>>(), ["stack.shop web:3000"]);
}

/// By which names nginx reaches services from its container, and which networks it was taken into for that.
#[test]
fn samples_of_a_proxy_in_a_container_are_understood() {
    let path = file("samples/state-v1-with-container-proxy.json");
    let state = StateFile::at(path, "/nonexistent").read().unwrap().unwrap();
    let node = &state.nodes[&vsa::address::Address::new("node", "local")];
    assert_eq!(node.spec.container.as_deref(), Some("reverse-proxy"));
    let names = node.names.iter().map(|(target, name)| (target.as_str(), &*name.host, &*name.network));
    assert_eq!(
        names.collect::<Vec<_>>(),
        [
            ("stack.one web:3000", "web.one.one.vsa.internal", "one-one_default"),
            ("stack.three web:3000", "web.three.three.vsa.internal", "three-three_default"),
            ("stack.two web:3000", "web.two.two.vsa.internal", "two-two_default"),
        ]
    );
    let networks: Vec<&str> = node.networks.iter().map(|name| &**name).collect();
    assert_eq!(networks, ["one-one_default", "three-three_default", "two-two_default"]);
}

/// Who issued each certificate, when it is renewed, and what the node remembers of it beside the state.
#[test]
fn samples_of_certificates_are_understood() {
    let path = file("samples/state-v1-with-certificates.json");
    let state = StateFile::at(path, "/nonexistent").read().unwrap().unwrap();
    let ledger = Ledger::parse(&fs::read(file("samples/ledger-v1.json")).unwrap()).unwrap();
    let spec = &state.nodes[&vsa::address::Address::new("node", "local")].spec;
    let mut told = String::new();
    for (address, stored) in state.resources.iter().filter(|(address, _)| address.kind() == "certificate") {
        let remembered = ledger.certificates.get(&*stored.name);
        let held = held(stored, spec, remembered).unwrap();
        let failures = remembered.and_then(|known| known.failed.as_ref()).map_or(0, |failed| failed.times);
        let lineages: Vec<_> =
            held.lineages.iter().map(|lineage| lineage.live().display().to_string()).collect();
        writeln!(
            told,
            "{address}: {} {}, by {:?}, account {}, order {}, renewed from {:?}, failures {failures}, in {lineages:?}",
            held.source.word(),
            held.number,
            held.authority,
            held.account.is_some(),
            held.order.is_some(),
            held.renews
        )
        .unwrap();
    }
    insta::assert_snapshot!(told, @r#"
    certificate["bad.example.com"]: stand-in 0, by None, account false, order false, renewed from None, failures 1, in []
    certificate["blog.example.com"]: acme 1, by Some("https://acme.example.com/dir"), account true, order true, renewed from Some(1900512341), failures 0, in ["/opt/hosting/.vsa/nodes/local/live/blog.example.com"]
    certificate["shop.example.com"]: certbot 1, by Some("https://acme.example.com/dir"), account false, order false, renewed from Some(1900512339), failures 0, in ["/opt/hosting/.vsa/nodes/local/live/shop.example.com", "/etc/letsencrypt/live/shop.example.com"]
    "#);
    assert_eq!(ledger.orders.len(), 1);
    let under_way = ledger.certificates["slow.example.com"].order.as_ref().unwrap();
    assert_eq!(under_way.url, "https://acme.example.com/my-order/Wc0hPo1l5cT2mYkzQvB7xA");
    // With what came later, and may be absent.
    let ledger = fs::read(file("samples/ledger-v1-with-revocation.json")).unwrap();
    let ledger = Ledger::parse(&ledger).unwrap();
    let revoked = &ledger.certificates["blog.example.com"].revoked[0];
    assert_eq!(revoked.said(), "was revoked on 2026-11-22 (somebody else may have the key)");
    let left = &ledger.certificates["slow.example.com"].records[0];
    assert_eq!(left.name.to_string(), "_acme-challenge.slow.example.com");
    let ledger = fs::read(file("samples/ledger-v1-with-exposed.json")).unwrap();
    let ledger = Ledger::parse(&ledger).unwrap();
    let exposed = ledger.certificates.iter().filter(|(_, known)| !known.exposed.is_empty());
    let exposed: Vec<_> = exposed.map(|(name, known)| (name.as_str(), known.is_gone)).collect();
    assert_eq!(exposed, [("blog.example.com", false), ("gone.example.com", true)]);
    let blog = &ledger.certificates["blog.example.com"];
    assert!(blog.is_exposed(&blog.renewal.as_ref().unwrap().digest));
}

fn assert_read(version: u32, path: &Path) {
    let read = StateFile::at(path, "/nonexistent").read().unwrap().unwrap();
    assert!(!read.resources.is_empty() && !read.nodes.is_empty());
    for stored in read.resources.values() {
        attributes::decode(&stored.attributes).unwrap();
    }
    if version == VERSION {
        let text = fs::read(path).unwrap();
        assert!(text == to_text(&read).unwrap(), "the sample is not as vsa writes it");
        assert_valid(&schema("state.schema.json"), &serde_json::from_slice(&text).unwrap());
    }
}

#[test]
fn samples_of_every_audit_record_are_read() {
    for version in 1..=vsa::audit::VERSION {
        let text = fs::read_to_string(file(&format!("samples/audit-v{version}.jsonl"))).unwrap();
        for line in text.lines() {
            let record: Record = serde_json::from_str(line).unwrap();
            assert_eq!(record.version, version);
            if version == vsa::audit::VERSION {
                assert_valid(&schema("audit.schema.json"), &serde_json::from_str(line).unwrap());
            }
        }
    }
}

#[test]
fn the_schema_of_records_knows_every_event() {
    let schema = schema("audit.schema.json");
    let events = Event::ALL.map(|event| Value::from(event.as_str()));
    assert_eq!(schema["properties"]["event"]["enum"].as_array().unwrap(), &events);
}

/// The pages of a directory and those below it.
fn pages(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            pages(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

#[test]
fn links_between_pages_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = vec![root.join("README.md")];
    for directory in ["docs", "examples", "stacks"] {
        pages(&root.join(directory), &mut found);
    }
    let link = regex::Regex::new(r"\]\(([^)#:]+)(?:#[^)]*)?\)").unwrap();
    let mut seen = 0;
    for page in found {
        for found in link.captures_iter(&fs::read_to_string(&page).unwrap()) {
            assert!(page.with_file_name(&found[1]).exists(), "{}: {}", page.display(), &found[1]);
            seen += 1;
        }
    }
    assert!(seen > 30, "{seen}");
}
