//! What a plan shows of two projects, and what a swarm makes of one.

use insta::assert_snapshot;

use vsa::compose::diff::{Change, Diff, Shown};
use vsa::compose::swarm;
use vsa::diag::{Diagnostic, Style, render_all};

use super::{Stack, stack};

/// A diff as lines.
pub fn lines(diff: &Diff) -> String {
    let shown = |shown: &Shown| match shown {
        Shown::Absent => "(none)".to_owned(),
        Shown::Hidden => "(hidden)".to_owned(),
        Shown::Text(text) => text.clone(),
    };
    let mut lines = Vec::new();
    for service in &diff.services {
        lines.push(format!("{} {:?}", service.service, service.change));
        for change in &service.attributes {
            lines.push(format!(
                "  {}: {} -> {}",
                change.attribute,
                shown(&change.before),
                shown(&change.after)
            ));
        }
    }
    lines.extend(diff.data.iter().map(|data| format!("{} {:?}", data.name, data.fate)));
    lines.join("\n")
}

fn before() -> Stack {
    let text = "services:\n  web:\n    image: shop:1\n    command: [serve, --port, '80']\n    environment: {LEVEL: info, TOKEN: \"${TOKEN}\", OLD: x}\n    ports: ['127.0.0.1:8080:80']\n    volumes: ['../data/up:/up', 'cache:/cache', '../data/gone:/gone']\n    healthcheck: {test: [CMD, true], interval: 5s}\n    networks: [back]\n  db:\n    image: db:1\n    volumes: ['db:/var/lib/db']\n  old:\n    image: old:1\nvolumes:\n  cache: {}\n  db: {}\nnetworks:\n  back: {}\n";
    stack([("compose.yml", text)]).secret("TOKEN", "one-secret")
}

fn after() -> Stack {
    let text = "services:\n  web:\n    image: shop:2\n    command: [serve, --token, \"${TOKEN}\"]\n    environment: {LEVEL: debug, TOKEN: \"${TOKEN}\", NEW: y}\n    ports: ['127.0.0.1:8081:80']\n    volumes: ['../data/up:/up:ro', 'cache:/cache']\n    healthcheck: {test: [CMD, true], interval: 9s}\n    networks: {back: {aliases: [shop]}}\n    deploy: {resources: {limits: {memory: 64m}}}\n  db:\n    image: db:1\n    volumes: ['db:/var/lib/db']\n  new:\n    image: new:1\n  debug:\n    image: debug:1\n    profiles: [debug]\nvolumes:\n  cache: {}\n  db: {}\nnetworks:\n  back: {}\n";
    stack([("compose.yml", text)]).secret("TOKEN", "two-secret")
}

#[test]
fn two_projects_differ_attribute_by_attribute() {
    let (one, two) = (before().project(), after().project());
    let diff = Diff::between(Some(&one), Some(&two));
    assert_snapshot!(lines(&diff), @r"
new Added
  image: (none) -> new:1
old Removed
  image: old:1 -> (none)
web Changed
  command: [serve, --port, 80] -> (hidden)
  deploy.resources.limits.memory: (none) -> 64m
  environment.LEVEL: (hidden) -> (hidden)
  environment.NEW: (none) -> (hidden)
  environment.OLD: (hidden) -> (none)
  environment.TOKEN: (hidden) -> (hidden)
  healthcheck.interval: 5s -> 9s
  image: shop:1 -> shop:2
  networks.back: joined -> joined as shop
  ports: 127.0.0.1:8080:80/tcp -> (none)
  ports: (none) -> 127.0.0.1:8081:80/tcp
  volumes./gone: ../data/gone -> (none)
  volumes./up: ../data/up -> ../data/up:ro
/srv/acme/shop/data/gone NoLongerUsed
/srv/acme/shop/data/up Stays
acme-shop_cache Stays
acme-shop_db Stays
");
    let json = serde_json::to_string(&diff).unwrap();
    assert!(!json.contains("one-secret") && !json.contains("two-secret"), "{json}");
}

#[test]
fn a_secret_that_alone_changes_is_a_change_that_is_not_seen() {
    let one = before().project();
    let two = before().secret("TOKEN", "two-secret").project();
    let diff = Diff::between(Some(&one), Some(&two));
    assert_eq!(diff.services.len(), 1);
    assert_eq!(diff.services[0].attributes.len(), 1);
    assert_eq!(
        (diff.services[0].attributes[0].attribute.as_str(), &diff.services[0].attributes[0].after),
        ("environment.TOKEN", &Shown::Hidden)
    );
    assert!(Diff::between(Some(&one), Some(&one)).is_empty());
}

#[test]
fn what_is_written_otherwise_and_means_the_same_is_no_change() {
    let one = "services:\n  web:\n    image: x:1\n    environment: [A=1]\n    ports: ['8080:80']\n    volumes: ['./d:/d']\n    depends_on: [db]\n    build: .\n  db: {image: y:1}\n";
    let two = "x-image: &image x:1\nservices:\n  db: {image: y:1}\n  web:\n    build: {context: .}\n    depends_on: {db: {condition: service_started}}\n    volumes: [{type: bind, source: ./d, target: /d}]\n    ports: [{target: 80, published: '8080', protocol: tcp}]\n    environment: {A: 1}\n    image: *image\n";
    let (one, two) = (stack([("compose.yml", one)]).project(), stack([("compose.yml", two)]).project());
    let diff = Diff::between(Some(&one), Some(&two));
    assert!(diff.is_empty(), "{}", lines(&diff));
}

#[test]
fn a_stack_that_comes_or_goes_says_so_of_every_service() {
    let project = before().project();
    let made = Diff::between(None, Some(&project));
    assert!(made.services.iter().all(|service| service.change == Change::Added), "{made:?}");
    let gone = Diff::between(Some(&project), None);
    assert_eq!(gone.services.len(), 3);
    assert!(gone.services.iter().all(|service| service.change == Change::Removed), "{gone:?}");
    let data: Vec<_> = gone.data.iter().map(|data| format!("{} {:?}", data.name, data.fate)).collect();
    assert!(data.contains(&"acme-shop_db NoLongerUsed".to_owned()), "{data:?}");
}

#[test]
fn a_swarm_is_told_what_it_does_not_do() {
    let text = "services:\n  web:\n    build: .\n    container_name: web\n    restart: always\n    mem_limit: 64m\n    depends_on: {db: {condition: service_healthy}}\n    ports: ['127.0.0.1:8080:80']\n    volumes: ['./d:/d']\n  db:\n    image: db:1\n    deploy: {placement: {constraints: ['node.hostname == a']}}\n    volumes: ['db:/d']\nvolumes:\n  db: {}\n";
    let loaded = stack([("compose.yml", text)]).load();
    let started_last = swarm::Setup { start_first: false, stopped: false };
    let started_first = swarm::Setup { start_first: true, ..started_last };
    let found = swarm::lint(loaded.project.as_ref().unwrap(), started_last);
    let told = render_all(found.iter(), &loaded.sources, Style::default());
    let lines: Vec<_> = told
        .lines()
        .filter(|line| line.contains("]: ") || line.contains("-->") || line.contains("help"))
        .collect();
    assert_snapshot!(lines.join("\n"), @r"
error[swarm_refused]: a swarm builds no images, and this service has no `image`
 --> compose.yml:3:12
  = help: build the image, push it to a registry that all nodes reach, and name it in `image`
warning[swarm_ignored]: a swarm ignores `container_name`
 --> compose.yml:4:5
  = help: the tasks of a service have names of their own: reach it by the service's name
warning[swarm_ignored]: a swarm ignores `restart`
 --> compose.yml:5:5
  = help: write `deploy.restart_policy`
error[swarm_refused]: a swarm refuses `mem_limit`
 --> compose.yml:6:5
  = help: write `deploy.resources.limits.memory`
warning[swarm_ignored]: a swarm does not wait for `db`
 --> compose.yml:7:34
  = help: let the program try again until what it needs is there
error[swarm_published_port]: a swarm publishes on all addresses of all nodes, whatever address is written
 --> compose.yml:8:13
  = help: remove the port, and point a `domain` at the service
warning[swarm_local_data]: `./d` is there on one node, and the service may run on any
 --> compose.yml:9:15
  = help: keep the service where its data is: `deploy.placement.constraints: [node.hostname == …]`
");
    let good = "services:\n  web:\n    image: x:1\n    networks: [n]\n    deploy: {replicas: 2, restart_policy: {condition: any}}\nnetworks:\n  n: {driver: overlay}\n";
    let good = stack([("compose.yml", good)]).project();
    assert!(swarm::lint(&good, started_last).is_empty());

    // Nobody asks a task without a health check whether it answers.
    let unchecked = |text: &str, setup| {
        let loaded = stack([("compose.yml", text)]).load();
        let found = swarm::lint(loaded.project.as_ref().unwrap(), setup);
        let told = |found: &Diagnostic| {
            let at = loaded.sources.position(found.primary.as_ref().unwrap().span);
            format!("{} at {}:{}", found.code.unwrap(), at.line, at.column)
        };
        found.iter().map(told).collect::<Vec<_>>()
    };
    let web = "services:\n  web:\n    image: x:1\n";
    let first = format!("{web}    deploy: {{update_config: {{order: start-first}}}}\n");
    assert_eq!(unchecked(web, started_last), Vec::<String>::new());
    assert_eq!(unchecked(web, started_first), ["swarm_unchecked at 2:3"]);
    assert_eq!(unchecked(&first, started_last), ["swarm_unchecked at 4:37"]);
    let checks = [
        ("{test: [CMD, x]}", 0),
        ("{test: [CMD, x], disable: \"no\"}", 0),
        ("{disable: true}", 1),
        ("{disable: \"yes\"}", 1),
        ("{test: [NONE]}", 1),
        ("{test: NONE}", 1),
    ];
    for (check, expected) in checks {
        let checked = format!("{first}    healthcheck: {check}\n");
        assert_eq!(unchecked(&checked, started_first).len(), expected, "{check}");
    }
}
