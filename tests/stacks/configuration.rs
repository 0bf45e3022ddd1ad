//! The files that come with the stacks: each is read by something, and they fit each other and vsa's audit log.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use regex::Regex;
use serde_json::Value;

use super::shipped::yaml;
use super::{Shipped, every};
use crate::support::nginx;

/// All files below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn observability() -> Shipped {
    every().into_iter().find(|stack| stack.name == "observability").unwrap()
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// The JSON Schema of vsa's audit records.
fn record() -> Value {
    json(&Path::new(env!("CARGO_MANIFEST_DIR")).join("state/audit.schema.json"))
}

/// The names of a record's fields, those of the actor with a dot.
fn fields() -> BTreeSet<String> {
    let schema = record();
    let names = |value: &Value| value["properties"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let actor = names(&schema["properties"]["actor"]).into_iter().map(|name| format!("actor.{name}"));
    names(&schema).into_iter().chain(actor).collect()
}

#[test]
fn each_file_is_read_by_everybody_and_ends_as_it_should() {
    use std::os::unix::fs::PermissionsExt as _;
    for stack in every() {
        for path in files(&stack.directory) {
            // Services run as users of their own, and read these files through a mount.
            let mode = path.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode & 0o444, 0o444, "{}: {mode:o}", path.display());
            let text = fs::read_to_string(&path).unwrap();
            assert!(
                text.ends_with('\n') && !text.contains('\r') && !text.contains('\t'),
                "{}",
                path.display()
            );
        }
    }
}

#[test]
fn each_mounted_file_is_there() {
    for stack in every() {
        for (name, service) in stack.services() {
            for volume in service["volumes"].as_array().into_iter().flatten() {
                let source = volume.as_str().unwrap().split(':').next().unwrap();
                if source.starts_with("./") {
                    assert!(stack.directory.join(source).exists(), "{}: {name}: {source}", stack.name);
                    assert!(volume.as_str().unwrap().ends_with(":ro"), "{}: {name}: {source}", stack.name);
                }
            }
        }
    }
}

#[test]
fn each_yaml_and_json_file_parses() {
    let mut parsed = 0;
    for stack in every() {
        for path in files(&stack.directory) {
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("yml" | "yaml") => assert!(yaml(&path).is_object(), "{}", path.display()),
                Some("json") => assert!(json(&path).is_object(), "{}", path.display()),
                _ => continue,
            }
            parsed += 1;
        }
    }
    assert!(parsed >= 15, "{parsed}");
}

#[test]
fn difys_gateway_is_an_nginx_configuration() {
    let Some(nginx) = nginx() else { return };
    let dify = every().into_iter().find(|stack| stack.name == "dify").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let main = directory.path().join("nginx.conf");
    let text = format!(
        "pid {0}/nginx.pid;\nerror_log stderr;\nevents {{}}\nhttp {{\n    access_log off;\n    include {1};\n}}\n",
        directory.path().display(),
        dify.directory.join("gateway/default.conf").display(),
    );
    fs::write(&main, text).unwrap();
    let output =
        Command::new(nginx).arg("-t").arg("-c").arg(&main).arg("-p").arg(directory.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let gateway = dify.text("gateway/default.conf");
    let variable =
        Regex::new(r"set \$upstream ([a-z-]+);(?s:.*?)proxy_pass http://\$upstream:([0-9]+);").unwrap();
    let led: Vec<_> =
        variable.captures_iter(&gateway).map(|found| (found[1].to_owned(), found[2].to_owned())).collect();
    assert_eq!(led.len(), 3, "{led:?}");
    for (service, port) in led {
        let exposed = dify.compose["services"][&service]["expose"].as_array().unwrap();
        assert!(exposed.contains(&Value::from(port)), "{service}");
    }
}

#[test]
fn loki_keeps_ninety_days_and_deletes_the_rest() {
    let loki = yaml(&observability().directory.join("loki/loki.yml"));
    assert_eq!(loki["limits_config"]["retention_period"], format!("{}h", 90 * 24));
    assert_eq!(loki["limits_config"]["reject_old_samples_max_age"], format!("{}h", 90 * 24));
    assert_eq!(loki["compactor"]["retention_enabled"], true);
    assert_eq!(loki["compactor"]["delete_request_store"], "filesystem");
    assert_eq!(loki["schema_config"]["configs"][0]["store"], "tsdb");
    assert_eq!(loki["schema_config"]["configs"][0]["index"]["period"], "24h");
}

#[test]
fn what_is_asked_is_a_service_of_the_stack() {
    let stack = observability();
    let asked = [
        stack.text("prometheus/prometheus.yml"),
        stack.text("grafana/provisioning/datasources/datasources.yml"),
        stack.text("alloy/config.alloy"),
    ];
    let address = Regex::new(r#"["/ ]([a-z-]+):([0-9]+)["/\n]"#).unwrap();
    let mut seen = BTreeSet::new();
    for text in asked {
        for found in address.captures_iter(&text) {
            let exposed = stack.compose["services"][&found[1]]["expose"].as_array();
            let exposed = exposed.unwrap_or_else(|| panic!("{}", &found[0]));
            assert!(exposed.contains(&Value::from(&found[2])), "{}", &found[0]);
            seen.insert(found[1].to_owned());
        }
    }
    assert_eq!(seen.len(), 6, "{seen:?}");
}

/// Alloy's language as far as it is used here: blocks and attributes, no unbalanced bracket or quote.
#[test]
fn alloys_pipeline_is_whole() {
    let text = observability().text("alloy/config.alloy");
    let code = Regex::new(r"(?m)^\s*// .*$").unwrap().replace_all(&text, "");
    let quoted = Regex::new(r#""[^"\n]*""#).unwrap();
    let bare = quoted.replace_all(&code, "\"\"");
    assert_eq!(bare.matches('"').count() % 2, 0);
    let mut open = Vec::new();
    for char in bare.chars() {
        match char {
            '{' | '[' | '(' => open.push(char),
            '}' => assert_eq!(open.pop(), Some('{')),
            ']' => assert_eq!(open.pop(), Some('[')),
            ')' => assert_eq!(open.pop(), Some('(')),
            _ => {}
        }
    }
    assert!(open.is_empty(), "{open:?}");

    // Components, as `loki.process "audit" {`, and what refers to them, as `loki.process.audit.receiver`.
    let component = Regex::new(r#"(?m)^([a-z_.]+) "([a-z_]+)" \{$"#).unwrap();
    let declared: BTreeSet<_> =
        component.captures_iter(&code).map(|found| format!("{}.{}", &found[1], &found[2])).collect();
    let known =
        ["local.file_match.audit", "loki.process.audit", "loki.source.file.audit", "loki.write.local"];
    assert_eq!(declared.iter().map(String::as_str).collect::<Vec<_>>(), known);
    let reference = Regex::new(r"(?m)= \[?((?:local|loki)\.[a-z_.]+)\.(receiver|targets)\]?$").unwrap();
    let referred: Vec<_> = reference.captures_iter(&code).map(|found| found[1].to_owned()).collect();
    assert_eq!(referred.len(), 3, "{referred:?}");
    assert!(referred.iter().all(|component| declared.contains(component)), "{referred:?}");

    // What is taken out of a record is there, and what is used of it was taken out.
    let map = |stage: &str| {
        let body = Regex::new(&format!(r"(?s)stage\.{stage} \{{.*?= \{{\n(.*?)\n    \}}")).unwrap();
        let pair = Regex::new(r#"([a-z_]+)\s*= "([a-z_.]*)""#).unwrap();
        let body = body.captures(&code).unwrap_or_else(|| panic!("{stage}"))[1].to_owned();
        pair.captures_iter(&body)
            .map(|found| (found[1].to_owned(), found[2].to_owned()))
            .collect::<BTreeMap<_, _>>()
    };
    let (taken, fields) = (map("json"), fields());
    for (name, path) in &taken {
        let path = if path.is_empty() { name } else { path };
        assert!(fields.contains(path), "{path} is in no record");
    }
    for name in map("labels").keys().chain(map("structured_metadata").keys()) {
        assert!(taken.contains_key(name), "{name}");
    }
    assert_eq!(taken.get("time").map(String::as_str), Some(""));
}

#[test]
fn the_dashboards_show_what_there_is() {
    let stack = observability();
    let sources = yaml(&stack.directory.join("grafana/provisioning/datasources/datasources.yml"));
    let sources: BTreeMap<_, _> = sources["datasources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|source| (source["uid"].as_str().unwrap().to_owned(), source["type"].clone()))
        .collect();
    let events: BTreeSet<_> = record()["properties"]["event"]["enum"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event.as_str().unwrap().to_owned())
        .collect();
    let event = Regex::new(r#"event=~?"([a-z_|]+)""#).unwrap();
    let fields: BTreeSet<_> =
        fields().iter().map(|name| name.rsplit('.').next().unwrap().to_owned()).collect();
    let mut asked = BTreeSet::new();
    for name in ["audit", "node"] {
        let board = json(&stack.directory.join(format!("grafana/dashboards/{name}.json")));
        let panels = board["panels"].as_array().unwrap();
        let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
        assert_eq!(ids.len(), panels.len(), "{name}");
        for panel in panels {
            for target in panel["targets"].as_array().unwrap() {
                let source = &target["datasource"];
                assert_eq!(source["type"], sources[source["uid"].as_str().unwrap()], "{}", panel["title"]);
                for found in event.captures_iter(target["expr"].as_str().unwrap()) {
                    asked.extend(found[1].split('|').map(str::to_owned));
                }
            }
            for transformation in panel["transformations"].as_array().into_iter().flatten() {
                for column in transformation["options"]["include"]["names"].as_array().into_iter().flatten() {
                    assert!(fields.contains(column.as_str().unwrap()), "{}: {column}", panel["title"]);
                }
            }
        }
    }
    assert!(asked.is_subset(&events), "{asked:?}");
    assert!(asked.len() >= 7, "{asked:?}");
}
