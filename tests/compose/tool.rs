//! What files come to, by vsa and by the Compose tool itself, where one is installed.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;
use std::sync::Arc;

use serde::Deserialize;
use vsa::compose::diff::Diff;
use vsa::compose::write_variable;

use super::{Stack, stack};
use crate::support::docker::PLUGIN;
use crate::support::skipped;

type Pairs = &'static [(&'static str, &'static str)];

/// Files and variables that the first Compose reads as well; each is read by both, and the two may not differ.
const SAMPLES: [(&str, Pairs, Pairs); 8] = [
    (
        "merging",
        &[
            (
                "compose.yml",
                "version: '2.4'\nservices:\n  web:\n    image: a:1\n    command: [a, b]\n    environment: {A: 1, B: 2}\n    labels: [x=1, y=2]\n    ports: ['80:80', '127.0.0.1:81:81']\n    volumes: ['./a:/x', 'v:/y']\n    dns: 1.1.1.1\n    cap_add: [CHOWN]\n    tmpfs: /run\n    extra_hosts: {h: 10.0.0.1}\nvolumes:\n  v: {}\n",
            ),
            (
                "compose.override.yml",
                "version: '2.4'\nservices:\n  web:\n    image: a:2\n    command: c d\n    environment: [B=3, C=4]\n    labels: {y: '3', z: '4'}\n    ports: ['443:443', '80:80']\n    volumes: ['./b:/x:ro']\n    dns: [8.8.8.8]\n    cap_add: [KILL, CHOWN]\n    tmpfs: [/tmp]\n    extra_hosts: ['i:10.0.0.2']\n",
            ),
        ],
        &[],
    ),
    (
        "interpolation",
        &[(
            "compose.yml",
            "version: '2.4'\nservices:\n  web:\n    image: \"a:${TAG:-1}\"\n    command: \"$A ${A} $$A $${A} ${NONE-d} ${EMPTY-d} ${EMPTY:-d} ${NONE:-x y}\"\n    environment:\n      K: ${A}\n      L: '$A'\n    ports: [\"${PORT}:80\"]\n",
        )],
        &[("A", "one"), ("EMPTY", ""), ("PORT", "8080")],
    ),
    (
        "anchors",
        &[(
            "compose.yml",
            "version: '2.4'\nx-base: &base\n  image: a:1\n  environment: &env {A: '1', B: '1'}\nx-more: &more {image: b:1, user: u}\nservices:\n  web:\n    <<: [*base, *more]\n    environment:\n      <<: *env\n      B: '2'\n  db:\n    <<: *more\n    hostname: db\n",
        )],
        &[],
    ),
    (
        "extends",
        &[
            (
                "compose.yml",
                "version: '2.4'\nservices:\n  web:\n    extends: {service: base, file: common/base.yml}\n    environment: [B=2]\n    volumes: ['./e:/e']\n  worker:\n    extends: {service: web}\n    command: work\n",
            ),
            (
                "common/base.yml",
                "version: '2.4'\nservices:\n  base:\n    extends: {service: root}\n    ports: ['80:80']\n    volumes: ['./d:/d']\n  root:\n    image: r:1\n    environment: {A: '1', B: '1'}\n",
            ),
        ],
        &[],
    ),
    (
        "ports",
        &[(
            "compose.yml",
            "version: '3.8'\nservices:\n  web:\n    image: a:1\n    ports:\n      - '8000:9000'\n      - '127.0.0.1:53:53/udp'\n      - {target: 80, published: 8080}\n      - '3000'\n",
        )],
        &[],
    ),
    (
        "mounts",
        &[(
            "compose.yml",
            "version: '3.8'\nservices:\n  web:\n    image: a:1\n    volumes:\n      - /anonymous\n      - named:/n:ro\n      - ../up:/up\n      - /abs/./x:/abs\n      - {type: bind, source: ./long, target: /long, read_only: true}\nvolumes:\n  named:\n    driver_opts: {type: tmpfs, device: tmpfs}\n",
        )],
        &[],
    ),
    (
        "dependencies",
        &[(
            "compose.yml",
            "version: '2.4'\nservices:\n  web:\n    image: a:1\n    depends_on: {db: {condition: service_healthy}}\n    networks:\n      front: {aliases: [www]}\n      back: {}\n  db:\n    image: b:1\n    networks: [back]\n    healthcheck: {test: [CMD, 'true'], interval: 5s, retries: 3}\n    logging: {driver: json-file, options: {max-size: 10m}}\nnetworks:\n  front: {}\n  back: {internal: true}\n",
        )],
        &[],
    ),
    (
        "variables",
        &[
            (
                "compose.yml",
                "version: '2.4'\nservices:\n  web:\n    image: a:1\n    env_file: x.env\n    environment: {A: over}\n",
            ),
            ("x.env", "A=file\nB=plain\nC=has=equals\n# D=1\n\n"),
        ],
        &[],
    ),
];

/// What the tool prints for the files.
fn printed(sample: &Stack, directory: &std::path::Path) -> Option<String> {
    let input = &sample.0;
    for (path, text) in &input.files {
        let path = directory.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, &**text).unwrap();
    }
    let mut command = Command::new("docker-compose");
    for entry in &input.entries {
        command.args(["-f", entry]);
    }
    command
        .arg("config")
        .current_dir(directory)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.envs(input.environment.iter().map(|(name, value)| (&**name, &*value.text)));
    let output = match command.output() {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => panic!("docker-compose: {error}"),
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn files_come_to_what_the_compose_tool_makes_of_them() {
    for (name, files, variables) in SAMPLES {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path().join("acme/shop/compose");
        let place = directory.to_str().unwrap().to_owned();
        let mut ours = stack(files.iter().copied());
        ours.0.directories.project.clone_from(&place);
        ours = variables.iter().fold(ours, |stack, (name, value)| stack.env(name, value));
        let Some(text) = printed(&ours, &directory) else {
            eprintln!("skipped: there is no docker-compose");
            return;
        };
        let mut theirs = ours.clone();
        theirs.0.files.insert("compose.yml".into(), Arc::from(text.as_str()));
        theirs.0.entries = vec!["compose.yml".into()];
        let diff = Diff::between(Some(&ours.project()), Some(&theirs.project()));
        assert!(diff.is_empty(), "{name}:\n{}\n{text}", super::changes::lines(&diff));
    }
}

/// Texts of up to four of the characters that mean something in an `.env` file or to those who read one.
fn awkward() -> Vec<String> {
    let parts = ["'", "\"", "\\", "$", "${", "}", "#", " ", "\n", "\r", "\t", "a", "é", "="];
    let mut texts = vec![String::new()];
    for _ in 0..3 {
        let longer = texts.iter().flat_map(|text| parts.map(|part| format!("{text}{part}")));
        texts = longer.chain([String::new()]).collect();
    }
    texts
}

/// The environment of the service `web`, as a Compose tool understands it.
#[derive(Deserialize)]
struct Understood {
    services: BTreeMap<String, BTreeMap<String, serde_json::Value>>,
}

#[test]
fn a_value_that_is_written_is_the_value_that_each_tool_reads() {
    let directory = tempfile::tempdir().unwrap();
    let texts: Vec<(String, String)> =
        awkward().into_iter().filter_map(|text| Some((write_variable(&text).ok()?, text))).collect();
    assert!(texts.len() > 1_500, "{}", texts.len());
    let (mut file, mut environment) = (String::new(), String::new());
    for (number, (written, _)) in texts.iter().enumerate() {
        writeln!(file, "V{number}={written}").unwrap();
        writeln!(environment, "      V{number}: ${{V{number}}}").unwrap();
    }
    std::fs::write(directory.path().join(".env"), file).unwrap();
    let compose = format!("version: '2.4'\nservices:\n  web:\n    image: a\n    environment:\n{environment}");
    std::fs::write(directory.path().join("compose.yml"), compose).unwrap();
    let plugin = format!("{PLUGIN}/docker/cli-plugins/docker-compose");
    let mut tools = 0;
    // The first prints YAML alone; the YAML of the second loses line breaks at the start of a text.
    for (tool, form) in [("docker-compose", &[][..]), (&plugin, &["--format", "json"])] {
        let mut command = Command::new(tool);
        command.args(["--env-file", ".env", "--file", "compose.yml", "config"]).args(form);
        command.current_dir(&directory);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let output = match command.env_clear().env("PATH", path).output() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            output => output.unwrap(),
        };
        assert!(output.status.success(), "{tool}: {}", String::from_utf8_lossy(&output.stderr));
        let understood: Understood = serde_saphyr::from_slice(&output.stdout).unwrap();
        for (number, (written, text)) in texts.iter().enumerate() {
            let read = understood.services["web"]["environment"][format!("V{number}")].as_str();
            // What is printed is to be read by the tool again.
            let read = read.map(|read| read.replace("$$", "$"));
            assert_eq!(read.as_deref(), Some(text.as_str()), "{tool}: {written}");
        }
        tools += 1;
    }
    if tools == 0 {
        skipped("no Compose tool is installed");
    }
}
