//! What a swarm is given of a project, as text.

use insta::assert_snapshot;

use vsa::compose::swarm::{Deployment, Order, Part, Setup, Updating, blob_name};
use vsa::plan::{Blob, BlobKind, BlobSource};

use super::{Stack, stack};

const RUNNING: Setup = Setup { start_first: false, stopped: false };

fn content(blob: &Blob) -> Option<(Vec<u8>, bool)> {
    match &blob.source {
        BlobSource::File(path) => Some((path.to_string_lossy().into_owned().into_bytes(), false)),
        BlobSource::Variable(name) if name == "NOBODY" => None,
        BlobSource::Variable(name) => Some((name.clone().into_bytes(), true)),
    }
}

fn deployment(stack: &Stack, setup: Setup) -> Deployment {
    Deployment::of(&stack.project(), setup, &content)
}

/// The text, with what may not be shown in angle brackets.
fn text(deployment: &Deployment) -> String {
    let parts = deployment.document().unwrap().into_iter().map(|part| match part {
        Part::Shown(text) => text,
        Part::Hidden(text) => format!("<{}>", text.expose()),
    });
    parts.collect()
}

#[test]
fn all_is_filled_in_and_nothing_is_left_to_be_read_twice() {
    let compose = "services:\n  web:\n    image: shop:1\n    command: [serve, --price, \"5 $$\", \"yes\"]\n    environment: {LEVEL: info, TOKEN: \"${TOKEN}\", PLAIN: 07}\n    ports: ['8080-8081:80-81', {target: 90, published: 9090, mode: host}]\n    volumes: ['../data/up:/up:ro', 'cache:/cache', {type: tmpfs, target: /tmp, tmpfs: {size: 1000}}]\n    healthcheck: {test: [CMD, true], interval: 5s, retries: 3, start_interval: 1s}\n    secrets: [db, {source: api, target: key, mode: 0440}]\n    configs: [site]\n    restart: always\n    depends_on: [db]\n    init: yes\n    deploy: {replicas: 2, resources: {limits: {cpus: 0.5, memory: 64m}}, update_config: {parallelism: 1}}\n  db:\n    image: db:1\n    networks: [back]\n    deploy: {update_config: {order: stop-first, failure_action: pause}}\n  off:\n    image: off:1\n    profiles: [off]\nvolumes:\n  cache: {}\nnetworks:\n  back: {internal: true}\nsecrets:\n  db: {environment: DB}\n  api: {file: ./api.key}\nconfigs:\n  site: {file: ./site.conf}\n";
    let stack = stack([("compose.yml", compose)]).secret("TOKEN", "hush \"$1\"");
    let made = deployment(&stack, RUNNING);
    assert_snapshot!(text(&made), @r#"
    # Written by vsa, from the stack's own files. A change made here is drift.
    version: "3.9"
    services:
      db:
        deploy:
          labels:
            "vsa.directory": "/srv/acme/shop"
          update_config:
            failure_action: "pause"
            order: "stop-first"
        image: "db:1"
        networks:
          back: null
      web:
        command:
          - "serve"
          - "--price"
          - "5 $$"
          - "yes"
        configs:
          -
            source: "site"
        deploy:
          labels:
            "vsa.directory": "/srv/acme/shop"
          replicas: 2
          resources:
            limits:
              cpus: "0.5"
              memory: "64m"
          update_config:
            failure_action: "rollback"
            parallelism: 1
        environment:
          "LEVEL": "info"
          "PLAIN": "07"
          "TOKEN": <"hush \"$$1\"">
        healthcheck:
          interval: "5s"
          retries: 3
          test:
            - "CMD"
            - "true"
        image: "shop:1"
        init: true
        ports:
          -
            protocol: "tcp"
            published: 8080
            target: 80
          -
            protocol: "tcp"
            published: 8081
            target: 81
          -
            mode: "host"
            protocol: "tcp"
            published: 9090
            target: 90
        secrets:
          -
            source: "db"
          -
            mode: 0440
            source: "api"
            target: "key"
        volumes:
          -
            read_only: true
            source: "/srv/acme/shop/data/up"
            target: "/up"
            type: "bind"
          -
            source: "cache"
            target: "/cache"
            type: "volume"
          -
            target: "/tmp"
            tmpfs:
              size: 1000
            type: "tmpfs"
    networks:
      back:
        attachable: true
        internal: true
      default:
        attachable: true
    volumes:
      cache: {}
    secrets:
      api:
        external: true
        name: "acme-shop_api_9cefad4bdd67"
      db:
        external: true
        name: <"acme-shop_db_37bbbd834881">
    configs:
      site:
        external: true
        name: "acme-shop_site_711d439f405c"
    "#);
    let names: Vec<_> = made.blobs.iter().map(|blob| (blob.kind, blob.name.as_str())).collect();
    assert_eq!(names, [(BlobKind::Secret, "api"), (BlobKind::Secret, "db"), (BlobKind::Config, "site")]);
    assert!(made.unknown.is_empty());
    assert_eq!(made.mounted.len(), 1);
}

#[test]
fn what_is_said_of_updates_makes_no_task_another() {
    let with = |deploy: &str, variable: &str| {
        let text = format!(
            "services:\n  web:\n    image: a\n    environment: {{A: {variable}}}\n    deploy: {deploy}\n"
        );
        deployment(&stack([("compose.yml", text.as_str())]), RUNNING)
    };
    let before = with("{replicas: 1}", "x");
    assert!(
        before.same_tasks(&with("{replicas: 3, placement: {constraints: [node.role == worker]}, update_config: {delay: 5s}, labels: {a: b}}", "x"), "web")
    );
    assert!(!before.same_tasks(&with("{replicas: 1}", "y"), "web"));
    assert!(!before.same_tasks(&with("{resources: {limits: {memory: 1g}}}", "x"), "web"));
    let secret = |value: &str| {
        let text = "services:\n  web:\n    image: a\n    secrets: [s]\nsecrets:\n  s: {environment: S}\n";
        let content = |_: &Blob| Some((value.as_bytes().to_vec(), true));
        Deployment::of(&stack([("compose.yml", text)]).project(), RUNNING, &content)
    };
    assert!(secret("one").same_tasks(&secret("one"), "web"));
    assert!(!secret("one").same_tasks(&secret("two"), "web"), "another secret has another name");
}

#[test]
fn a_name_tells_another_content_and_a_stopped_stack_has_no_tasks() {
    assert_ne!(blob_name("a-shop", "db", b"one"), blob_name("a-shop", "db", b"two"));
    assert!(blob_name("a-shop", "db", b"one").starts_with("a-shop_db_"));
    assert!(blob_name(&"a".repeat(60), "db", b"one").len() <= 64);
    let text_of = "services:\n  web:\n    image: a\n    deploy: {replicas: 3}\n  agent:\n    image: b\n    deploy: {mode: global}\n";
    let stopped = deployment(&stack([("compose.yml", text_of)]), Setup { start_first: true, stopped: true });
    let lines: Vec<String> = text(&stopped)
        .lines()
        .map(str::trim)
        .filter(|line| ["replicas", "- \"node.id", "order"].iter().any(|start| line.starts_with(start)))
        .map(str::to_owned)
        .collect();
    assert_snapshot!(lines.join("\n"), @r#"
    - "node.id == stopped"
    order: "start-first"
    replicas: 0
    order: "start-first"
    "#);
    let unknown = "services:\n  web:\n    image: a\n    secrets: [s]\nsecrets:\n  s: {environment: NOBODY}\n";
    let made = deployment(&stack([("compose.yml", unknown)]), RUNNING);
    assert_eq!((made.blobs.len(), made.unknown.len()), (0, 1));
}

#[test]
fn an_update_leaves_no_gap_where_others_go_on() {
    let of = |deploy: &str, start_first: bool| {
        let text = format!("services:\n  web:\n    image: a\n    deploy: {deploy}\n");
        let project = stack([("compose.yml", text.as_str())]).project();
        Updating::of(&project.services["web"], start_first)
    };
    let one_at_once = of("{}", false);
    assert_eq!(one_at_once, Updating { order: Order::StopFirst, parallelism: 1 });
    assert!(!one_at_once.is_gapless(1) && one_at_once.is_gapless(2));
    assert!(of("{}", true).is_gapless(1));
    assert!(!of("{update_config: {order: stop-first}}", true).is_gapless(1), "what the file says counts");
    assert!(!of("{update_config: {parallelism: 0}}", false).is_gapless(5));
}
