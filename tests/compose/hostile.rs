//! Compose files of hostile tenants, each with its harmless twin.

use insta::assert_snapshot;

use vsa::compose::rules::{Allow, check};

use super::{Purpose, stack};

/// The file of cases: `=== code`, `--- path` and the file's text, `=== harmless` and the same again.
const CASES: &str = include_str!("hostile.txt");

type Files<'a> = Vec<(&'a str, &'a str)>;

fn files(text: &str) -> Files<'_> {
    let file = |part| {
        let part: &str = part;
        part.split_once('\n').unwrap()
    };
    text.split("--- ").skip(1).map(file).collect()
}

/// The code, the hostile files, the harmless ones.
fn cases() -> Vec<(&'static str, Files<'static>, Files<'static>)> {
    let parts: Vec<_> = CASES.split("=== ").skip(1).collect();
    let case = |pair: &[&'static str]| {
        let code = pair[0].lines().next().unwrap();
        assert!(pair[1].starts_with("harmless"), "{code} has no twin");
        (code, files(pair[0]), files(pair[1]))
    };
    parts.chunks(2).map(case).collect()
}

#[test]
fn every_hostile_file_is_caught_in_its_line() {
    let mut wrong = Vec::new();
    for (number, (code, hostile, harmless)) in cases().into_iter().enumerate() {
        let here = hostile.iter().find_map(|(path, text)| {
            let line = text.lines().position(|line| line.contains("# HERE"))?;
            Some(format!("{path}:{}", line + 1))
        });
        let here = here.unwrap_or_else(|| panic!("no line is marked: {hostile:?}"));
        let (found, told) = stack(hostile).findings(&[], Purpose::Safety);
        if !found.iter().any(|(of, at)| of == code && *at == here) {
            wrong.push(format!("{number}: {code} at {here} was not found\n{found:?}\n{told}"));
        }
        let (found, told) = stack(harmless).findings(&[], Purpose::Safety);
        if !found.is_empty() {
            wrong.push(format!("{number}: the harmless twin of {code}: {found:?}\n{told}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_rule_of_safety_has_a_hostile_file() {
    let cases = cases();
    assert!(cases.len() >= 90, "only {} cases", cases.len());
    // Variables come from elsewhere than a file.
    let rules = vsa::compose::rules::RULES.iter().filter(|rule| rule.purpose == Purpose::Safety);
    let bare: Vec<_> = rules.filter(|rule| !cases.iter().any(|(code, ..)| *code == rule.code)).collect();
    assert_eq!(format!("{bare:?}"), "[engine_variable]");
    let web = stack([("compose.yml", "services:\n  web: {image: x}\n")]);
    for (name, hostile) in
        [("COMPOSE_FILE", true), ("DOCKER_HOST", true), ("DOCKER_IMAGE", false), ("COMPOSE_PROFILES", false)]
    {
        let (found, told) = web.clone().env(name, "x").findings(&[], Purpose::Safety);
        assert_eq!(found.iter().any(|(code, _)| code == "compose_engine_variable"), hostile, "{name} {told}");
    }
}

#[test]
fn a_finding_is_allowed_by_name() {
    let file = "services:\n  web: {image: x, privileged: true}\n  db: {image: y, privileged: true}\n";
    let codes = |allowed: &[&str]| {
        let (found, _) = stack([("compose.yml", file)]).findings(allowed, Purpose::Safety);
        found.into_iter().map(|(code, at)| format!("{code} {at}")).collect::<Vec<_>>()
    };
    assert_eq!(codes(&["privileged:web"]), ["compose_privileged compose.yml:3"]);
    assert_eq!(codes(&["privileged"]), Vec::<String>::new());
    assert_eq!(codes(&["privileged", "bind:web"]), ["compose_unused_allow -"]);
    let unknown = vsa::compose::rules::Allow::parse("priviledged:web", None).unwrap_err();
    assert_eq!(
        (unknown.summary.as_str(), unknown.help[0].as_str()),
        ("there is no rule `priviledged`", "did you mean `privileged`?")
    );
}

#[test]
fn a_finding_shows_the_line_and_what_to_do() {
    let files = [
        ("compose.yml", "services:\n  web:\n    extends: {service: base, file: base.yml}\n"),
        ("base.yml", "services:\n  base:\n    image: x\n    volumes:\n      - ${ROOT:-/}etc:/etc\n"),
    ];
    let stack = stack(files);
    let loaded = stack.load();
    let found = vsa::compose::rules::check(&loaded.project.unwrap(), &[], Purpose::Safety);
    let told = vsa::diag::render_all(found.iter(), &loaded.sources, vsa::diag::Style::default());
    assert_snapshot!(told, @r#"
error[compose_bind]: `/etc` is not below the tenant's directory
 --> base.yml:5:9
  |
5 |       - ${ROOT:-/}etc:/etc
  |         ^^^^^^^^^^^^^^^^^^
  |
 ::: compose.yml:2:3
  |
2 |   web:
  |   --- of this service
  |
  = help: mount what is below the stack's `data` directory, as `../data/name:/path`, or a named volume; files of the stack itself with `:ro`
  = help: to allow it: `allow = ["bind:web"]`
"#);
}

#[test]
fn what_a_good_stack_does_is_asked_for_apart() {
    let file = "services:\n  web: {image: nginx}\n";
    let (found, _) = stack([("compose.yml", file)]).findings(&[], Purpose::Practice);
    let codes: Vec<_> = found.iter().map(|(code, _)| code.as_str()).collect();
    let expected =
        ["compose_no_healthcheck", "compose_no_memory_limit", "compose_no_restart", "compose_latest_tag"];
    assert_eq!(codes, expected);
    let good = "services:\n  web:\n    image: nginx:1.27\n    restart: unless-stopped\n    mem_limit: 64m\n    healthcheck: {test: [CMD, \"true\"]}\n";
    let (found, told) = stack([("compose.yml", good)]).findings(&[], Purpose::Practice);
    assert!(found.is_empty(), "{told}");
}

/// `VSA_UPDATE_DOCS=1` writes the page instead of comparing it.
#[test]
fn the_page_of_the_rules_is_up_to_date() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/compose-rules.md");
    let page = vsa::compose::rules::page();
    if std::env::var_os("VSA_UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let text = std::fs::read_to_string(path).unwrap_or_default();
    assert!(text == page, "docs/compose-rules.md is old: run `VSA_UPDATE_DOCS=1 make test`");
}

#[test]
fn links_are_judged_by_where_they_lead() {
    let files = [(
        "compose.yml",
        "services:
  web:
    image: x
    volumes: [../data/own:/a, ../data/etc:/b, ../data/sock:/c, held:/d]
    secrets: [key]
volumes:
  held:
    driver_opts: {type: none, o: bind, device: /srv/acme/shop/data/held}
secrets:
  key: {file: ../data/key}
",
    )];
    let project = stack(files).project();
    let data = |name: &str| format!("/srv/acme/shop/data/{name}");
    let paths: Vec<_> = project.paths().into_iter().collect();
    assert_eq!(paths, ["etc", "held", "key", "own", "sock"].map(data));
    assert!(check(&project, &[], Purpose::Safety).is_empty(), "as texts they are fine");
    let leads =
        [("own", "/srv/acme/shop/data/x"), ("etc", "/etc"), ("held", "/root"), ("key", "/etc/shadow")];
    let leads = leads.into_iter().chain([("sock", "/run/docker.sock")]);
    let project = project.with_links(leads.map(|(name, to)| (data(name), to.to_owned())).collect());
    let found = check(&project, &[], Purpose::Safety);
    let summaries: Vec<_> = found.iter().map(|told| told.summary.as_str()).collect();
    assert_eq!(
        summaries,
        [
            "`../data/etc` leads to `/etc` by a symbolic link, which is not below the tenant's directory",
            "the mount holds the socket of the container engine",
            "`/srv/acme/shop/data/held` leads to `/root` by a symbolic link, which is not below the tenant's directory",
            "`../data/key` leads to `/etc/shadow` by a symbolic link, which is not below the stack's directory",
        ]
    );
    let allowed = ["/etc", "/root", "/run/docker.sock", "foreign_file"];
    let allowed: Vec<_> = allowed.iter().map(|text| Allow::parse(text, None).unwrap()).collect();
    assert!(check(&project, &allowed, Purpose::Safety).is_empty(), "each can be allowed");
}
