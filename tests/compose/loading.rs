//! Interpolation, merging, `include`, `extends`, profiles: what files come to.

use insta::assert_snapshot;

use super::{Json, json, stack};

/// The keys of a service that files come to.
fn service(files: &[(&str, &str)], name: &str) -> Json {
    json(&stack(files.iter().copied()).project().services[name].node)
}

fn told(files: &[(&str, &str)]) -> String {
    let loaded = stack(files.iter().copied()).load();
    assert!(loaded.project.is_none(), "{}", loaded.told());
    loaded.told()
}

/// Two files, each the body of `services.web`, and what they come to.
fn merged(base: &str, over: &str) -> Json {
    let file = |body: &str| format!("services:\n  web: {body}\n");
    service(&[("compose.yml", &file(base)), ("compose.override.yml", &file(over))], "web")
}

#[test]
fn later_files_are_merged_by_the_rules_of_compose() {
    let cases = [
        ("{image: a, user: b}", "{image: c}", json!({"image": "c", "user": "b"})),
        ("{image: a}", "{image: null}", json!({"image": "a"})),
        ("{command: [a, b]}", "{command: c}", json!({"command": "c"})),
        ("{entrypoint: a}", "{entrypoint: [b]}", json!({"entrypoint": ["b"]})),
        (
            "{environment: {A: 1, B: 2}}",
            "{environment: [B=3, C]}",
            json!({"environment": {"A": "1", "B": "3", "C": null}}),
        ),
        ("{labels: [a=1]}", "{labels: {b: 2}}", json!({"labels": {"a": "1", "b": "2"}})),
        ("{ports: ['80:80']}", "{ports: ['443:443', '80:80']}", json!({"ports": ["80:80", "443:443"]})),
        (
            "{ports: ['8080:80']}",
            "{ports: [{target: 80, published: 8080}]}",
            json!({"ports": [{"target": "80", "published": "8080"}]}),
        ),
        (
            "{volumes: ['./a:/x', './b:/y']}",
            "{volumes: ['./c:/x:ro']}",
            json!({"volumes": ["./c:/x:ro", "./b:/y"]}),
        ),
        ("{dns: 1.1.1.1}", "{dns: [8.8.8.8, 1.1.1.1]}", json!({"dns": ["1.1.1.1", "8.8.8.8"]})),
        (
            "{env_file: a.env}",
            "{env_file: [{path: b.env, required: false}]}",
            json!({"env_file": ["a.env", {"path": "b.env", "required": "false"}]}),
        ),
        ("{tmpfs: /a}", "{tmpfs: /b}", json!({"tmpfs": ["/a", "/b"]})),
        ("{cap_add: [A]}", "{cap_add: [B, A]}", json!({"cap_add": ["A", "B"]})),
        (
            "{healthcheck: {test: [CMD, a], interval: 1s}}",
            "{healthcheck: {test: b}}",
            json!({"healthcheck": {"test": "b", "interval": "1s"}}),
        ),
        (
            "{logging: {driver: local, options: {a: 1}}}",
            "{logging: {driver: json-file}}",
            json!({"logging": {"driver": "json-file"}}),
        ),
        (
            "{logging: {driver: local, options: {a: 1}}}",
            "{logging: {options: {b: 2}}}",
            json!({"logging": {"driver": "local", "options": {"a": "1", "b": "2"}}}),
        ),
        ("{build: .}", "{build: {args: [A=1]}}", json!({"build": {"context": ".", "args": {"A": "1"}}})),
        (
            "{ulimits: {nofile: 1}}",
            "{ulimits: {nofile: {soft: 1, hard: 2}}}",
            json!({"ulimits": {"nofile": {"soft": "1", "hard": "2"}}}),
        ),
        (
            "{extra_hosts: {a: 1.1.1.1}}",
            "{extra_hosts: ['b:2.2.2.2']}",
            json!({"extra_hosts": ["a:1.1.1.1", "b:2.2.2.2"]}),
        ),
        ("{security_opt: [a]}", "{security_opt: [b]}", json!({"security_opt": ["a", "b"]})),
        ("{ports: ['80:80'], user: a}", "{ports: !reset []}", json!({"user": "a"})),
        ("{ports: ['80:80']}", "{ports: !override ['81:81']}", json!({"ports": ["81:81"]})),
        (
            "{environment: {A: 1, B: 2}}",
            "{environment: {A: !reset null}}",
            json!({"environment": {"B": "2"}}),
        ),
        ("{environment: {A: 1}}", "!override {image: x}", json!({"image": "x"})),
    ];
    for (base, over, expected) in cases {
        assert_eq!(merged(base, over), expected, "{base} {over}");
    }
}

#[test]
fn what_cannot_be_merged_shows_both_places() {
    let files = [
        ("compose.yml", "services:\n  web:\n    image: a\n    healthcheck:\n      test: a\n"),
        ("compose.override.yml", "services:\n  web:\n    healthcheck: [a]\n"),
    ];
    assert_snapshot!(told(&files), @r"
error[compose_merge]: `services.web.healthcheck` cannot be merged: a sequence over a mapping
 --> compose.override.yml:3:18
  |
3 |     healthcheck: [a]
  |                  ^^^
  |
 ::: compose.yml:5:7
  |
5 |       test: a
  |       ------- over this
  |
  = help: write both in one form, or tag the later one with `!override`
");
}

#[test]
fn anchors_aliases_and_merge_keys_are_read_as_yaml_means_them() {
    let file = "x-base: &base\n  image: a\n  environment: &env {A: 1}\nx-more: &more\n  image: b\n  user: u\nservices:\n  web:\n    <<: [*base, *more]\n    environment:\n      <<: *env\n      B: 2\n  db:\n    <<: *more\n    image: c\n";
    let files = [("compose.yml", file)];
    assert_eq!(
        service(&files, "web"),
        json!({"image": "a", "user": "u", "environment": {"A": "1", "B": "2"}})
    );
    assert_eq!(service(&files, "db"), json!({"image": "c", "user": "u"}));
}

#[test]
fn what_readers_of_yaml_disagree_on_is_refused() {
    let cases = [
        ("services:\n  a: {image: x}\n  a: {image: y}\n", "the key `a` stands twice"),
        (
            "services:\n  a: {image: x}\n---\nservices: {}\n",
            "a compose file is one YAML document, and this one has more",
        ),
        ("a: &a [*a]\n", "an alias stands inside of its own anchor"),
        (
            "services:\n  a: &b {image: x}\n  c:\n    <<: *b\n    <<: *b\n",
            "two merge keys `<<` in one mapping",
        ),
        (
            "services:\n  a:\n    \"<<\": {image: x}\n",
            "readers of YAML disagree on a `<<` in quotes or with a tag",
        ),
        ("services:\n  a: {privileged: !!binary dHJ1ZQ==}\n", "this tag has no meaning in a compose file"),
        ("services:\n  a: {image: !lower X}\n", "this tag has no meaning in a compose file"),
        (
            "services:\n  a: {ports: [!reset '80']}\n",
            "`!reset` and `!override` stand before the value of a key",
        ),
        ("? [a]\n: b\n", "a key is a text"),
        ("- a\n", "a compose file is a mapping, and this is a sequence"),
        ("", "the compose file is empty"),
        ("a: [\n", "this is not YAML"),
        (
            "services:\n  web: {ports: [55:06]}\n",
            "without quotes this is a number of base 60 to some readers of YAML",
        ),
        ("services:\n  web: {ports: [{target: 0xCEA}]}\n", "this is not a port"),
        ("services:\n  web: {ports: [{target: 06352}]}\n", "this is not a port"),
    ];
    for (text, expected) in cases {
        let told = told(&[("compose.yml", text)]);
        let first = told.lines().next().unwrap();
        assert!(first.ends_with(&format!(": {expected}")), "{text:?}: {told}");
    }
}

#[test]
fn an_alias_bomb_ends_soon() {
    let level = |level: usize, number: usize| {
        let before = format!("*a{}, ", level - 1).repeat(number);
        format!("a{level}: &a{level} [{before}]\n")
    };
    let wide: String = (1..30).map(|number| level(number, 10)).collect();
    let deep: String = (1..5_000).map(|number| level(number, 1)).collect();
    let start = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    assert!(
        told(&[("compose.yml", &format!("{start}{wide}"))]).contains("the compose file has too many values")
    );
    assert!(told(&[("compose.yml", &format!("{start}{deep}"))]).contains("values are nested too deeply"));
}

#[test]
fn variables_are_filled_in_everywhere_but_keys() {
    let file = "services:\n  web:\n    image: \"shop:${TAG:-1}\"\n    environment:\n      $A: ${A}\n      B: '$$x'\n    ports: [\"${PORT?}:80\"]\n";
    let project = stack([("compose.yml", file)]).env("A", "1").env("PORT", "8080").project();
    let web = &project.services["web"];
    assert_eq!(
        json(&web.node),
        json!({"image": "shop:1", "environment": {"$A": "1", "B": "$x"}, "ports": ["8080:80"]})
    );
    assert_eq!(web.ports[0].short(), "8080:80/tcp");
}

#[test]
fn a_wrong_dollar_and_a_missing_variable_are_shown_in_place() {
    let file = "services:\n  web:\n    image: \"${IMAGE:?say which}\"\n    command: echo $(date)\n    user: $NOBODY\n";
    assert_snapshot!(told(&[("compose.yml", file)]), @r#"
error[compose_interpolation]: the variable `IMAGE` is required
 --> compose.yml:3:15
  |
3 |     image: "${IMAGE:?say which}"
  |               ^^^^^^^^^^^^^^^^
  |
  = note: say which
  = help: set `IMAGE` in `env`

error[compose_interpolation]: a `$` begins no variable here
 --> compose.yml:4:19
  |
4 |     command: echo $(date)
  |                   ^^
  |
  = help: write `$$` for a dollar sign, `${NAME}` or `${NAME:-default}` for a variable

warning[compose_unset_variable]: the variable `NOBODY` is not set
 --> compose.yml:5:12
  |
5 |     user: $NOBODY
  |            ^^^^^^ an empty text takes its place
  |
  = help: set `NOBODY` in `env`, or write a default: `${NOBODY:-default}`
"#);
}

#[test]
fn a_secret_is_in_no_diagnostic() {
    let file = "services:\n  web:\n    image: x\n    privileged: ${WORD}\n    volumes: [\"/etc/${WORD}:/x\", \"/etc/hunter2:/y\"]\n    runtime: ${WORD}\n";
    let more =
        format!("{file}    networks: [\"${{WORD}}\"]\n    ports: [\"${{WORD}}\"]\n    extends: ${{WORD}}\n");
    for (file, number) in [(file, 4), (&more, 1)] {
        let stack = stack([("compose.yml", file)]).secret("WORD", "hunter2");
        let (found, told) = stack.findings(&[], super::Purpose::Safety);
        assert_eq!(found.len(), number, "{told}");
        assert!(!told.contains("hunter2"), "{told}");
        assert_eq!(told.contains("/etc/*******:/y"), number == 4, "{told}");
    }
}

#[test]
fn included_files_bring_their_directory_and_their_variables() {
    let files = [
        (
            "compose.yml",
            "include:\n  - db/compose.yml\n  - path: [cache/a.yml, cache/b.yml]\n    project_directory: .\n    env_file: cache/x.env\nservices:\n  web: {image: w, depends_on: [db]}\n",
        ),
        ("db/compose.yml", "services:\n  db:\n    image: \"db:${TAG}\"\n    volumes: [./data:/data]\n"),
        ("db/.env", "TAG=7\n"),
        ("cache/a.yml", "services:\n  cache: {image: \"c:${TAG}\", volumes: [./x:/x]}\n"),
        ("cache/b.yml", "services:\n  cache: {command: \"run ${TAG}\"}\n"),
        ("cache/x.env", "TAG=8\n"),
    ];
    let project = stack(files).project();
    let names: Vec<_> = project.services.keys().map(|name| &**name).collect();
    assert_eq!(names, ["cache", "db", "web"]);
    assert_eq!(json(&project.services["db"].node)["image"], "db:7");
    assert_eq!(
        json(&project.services["cache"].node),
        json!({"image": "c:8", "command": "run 8", "volumes": ["./x:/x"]})
    );
    let paths: Vec<_> = project.paths().into_iter().collect();
    assert_eq!(paths, ["/srv/acme/shop/compose/db/data", "/srv/acme/shop/compose/x"]);
    // What is known from outside goes before what a file says.
    let project = stack(files).env("TAG", "9").project();
    assert_eq!(json(&project.services["db"].node)["image"], "db:9");
}

#[test]
fn an_included_service_is_not_defined_twice() {
    let files = [
        ("compose.yml", "include: [other.yml]\nservices:\n  web: {image: a}\n"),
        ("other.yml", "services:\n  web: {image: b}\n"),
    ];
    assert_snapshot!(told(&files), @r"
error[compose_include]: `services.web` is also defined by an included file
 --> compose.yml:3:3
  |
3 |   web: {image: a}
  |   ^^^
  |
 ::: other.yml:2:3
  |
2 |   web: {image: b}
  |   --- the included one
  |
  = help: rename one, or change the included one in an override file of its own `include` entry
");
    let same = [files[0], ("other.yml", "services:\n  web: {image: a}\n")];
    assert_eq!(service(&same, "web"), json!({"image": "a"}));
}

#[test]
fn extended_services_are_merged_from_the_bottom_of_the_chain() {
    let files = [
        (
            "compose.yml",
            "services:\n  web:\n    extends: {service: base, file: common/base.yml}\n    environment: [B=2]\n    ports: !reset []\n  worker:\n    extends: web\n    command: work\n",
        ),
        (
            "common/base.yml",
            "services:\n  base:\n    extends: root\n    ports: ['80:80']\n    volumes: [./d:/d]\n  root:\n    image: r\n    environment: {A: 1, B: 1}\n",
        ),
    ];
    let web = json!({"image": "r", "environment": {"A": "1", "B": "2"}, "volumes": ["./d:/d"]});
    assert_eq!(service(&files, "web"), web);
    assert_eq!(service(&files, "worker")["command"], "work");
    let project = stack(files).project();
    assert!(project.paths().contains("/srv/acme/shop/compose/common/d"));
}

#[test]
fn circles_and_what_is_missing_are_told() {
    let cases: [&[(&str, &str)]; 8] = [
        &[("compose.yml", "services:\n  a: {extends: b}\n  b: {extends: {service: a}}\n")],
        &[("compose.yml", "services:\n  a: {extends: {service: a, file: compose.yml}}\n")],
        &[("compose.yml", "include: [x.yml]\n"), ("x.yml", "include: [compose.yml]\n")],
        &[("compose.yml", "services:\n  a: {extends: bb}\n  b: {image: x}\n")],
        &[("compose.yml", "include: [nothing.yml]\n")],
        &[("compose.yml", "services:\n  a: {image: x, networks: [bakc]}\nnetworks:\n  back: {}\n")],
        &[("compose.yml", "services:\n  a: {image: x, volumes: ['data:/d']}\n")],
        &[("compose.yml", "services:\n  a: {image: x, depends_on: [b]}\n")],
    ];
    let told: Vec<_> = cases.iter().map(|files| told(files)).collect();
    assert_snapshot!(told.join("----\n"), @r"
error[compose_extends]: services extend each other
 --> compose.yml:2:16
  |
2 |   a: {extends: b}
  |                ^
----
error[compose_extends]: services extend each other
 --> compose.yml:2:16
  |
2 |   a: {extends: {service: a, file: compose.yml}}
  |                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
----
error[compose_include]: the files include each other
 --> x.yml:1:11
  |
1 | include: [compose.yml]
  |           ^^^^^^^^^^^
----
error[compose_extends]: there is no service `bb` to extend
 --> compose.yml:2:16
  |
2 |   a: {extends: bb}
  |                ^^
  |
  = help: did you mean `b`?
----
error[compose_no_file]: there is no included file `nothing.yml`
 --> compose.yml:1:11
  |
1 | include: [nothing.yml]
  |           ^^^^^^^^^^^
----
error[compose_undefined]: there is no network `bakc`
 --> compose.yml:2:28
  |
2 |   a: {image: x, networks: [bakc]}
  |                            ^^^^ named by the service `a`
  |
  = help: did you mean `back`?
----
error[compose_undefined]: there is no volume `data`
 --> compose.yml:2:27
  |
2 |   a: {image: x, volumes: ['data:/d']}
  |                           ^^^^^^^^^ named by the service `a`
----
error[compose_undefined]: there is no service `b`
 --> compose.yml:2:30
  |
2 |   a: {image: x, depends_on: [b]}
  |                              ^ named by the service `a`
  |
  = help: did you mean `a`?
");
}

#[test]
fn profiles_choose_services() {
    let file = "services:\n  web: {image: a}\n  debug: {image: b, profiles: [dev]}\n";
    let active = |stack: super::Stack| {
        let project = stack.project();
        project.active().map(|service| service.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(active(stack([("compose.yml", file)])), ["web"]);
    assert_eq!(active(stack([("compose.yml", file)]).profile("dev")), ["debug", "web"]);
    assert_eq!(active(stack([("compose.yml", file)]).env("COMPOSE_PROFILES", "x, dev")), ["debug", "web"]);
}

#[test]
fn variables_of_containers_say_where_they_come_from() {
    let files = [
        (
            "compose.yml",
            "services:\n  web:\n    image: x\n    env_file: [../env/.env, {path: none.env, required: false}]\n    environment:\n      - A=1\n      - PASSWORD\n      - NOT_SET\n",
        ),
        ("../env/.env", "A=0\nTOKEN=t0ken\n"),
    ];
    let project = stack(files).secret("PASSWORD", "hunter2").project();
    let web = &project.services["web"];
    let found: Vec<_> = web
        .environment
        .iter()
        .map(|(name, variable)| format!("{name} {} {:?}", variable.value.shown(), variable.origin))
        .collect();
    assert_eq!(
        found,
        ["A 1 Written", "PASSWORD (sensitive value) Inherited", "TOKEN (sensitive value) File"]
    );
}
