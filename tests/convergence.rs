//! From any configuration to any other: an apply does all of it, and nothing is left to do. `VSA_SOAK=1` takes a longer
//! way through more of them.

use std::fmt::Write as _;

use crate::support::canary::Canary;
use crate::support::{Random, Workspace, count};

const TENANTS: [&str; 2] = ["acme", "beta"];
const DOMAINS: [&str; 5] =
    ["a.example.com", "b.example.com", "münchen.example", "shop.example.org", "x.y.example.net"];
const ALIASES: [&str; 4] =
    ["www.a.example.com", "b2.example.com", "xn--mnchen-3ya.example.net", "old.example.org"];
/// What a domain may have beside its tenant.
const OPTIONS: [&str; 14] = [
    "maintenance = true",
    "alias_mode = \"serve\"",
    "https_redirect = false",
    "access_log = \"own\"",
    "error_log = \"own\"",
    "gzip = false",
    "websocket = true",
    "headers = { X-Site = \"of $host\" }",
    "allow = [\"127.0.0.0/8\", \"::1\"]",
    "csp {\n enabled = false\n }",
    "hsts {\n max_age = \"30d\"\n include_subdomains = true\n }",
    "rate_limit {\n rate = \"7r/s\"\n burst = 3\n }",
    "location \"/api/\" {\n upstream {\n address = \"127.0.0.1:9\"\n }\n }",
    "location \"/old\" {\n redirect {\n to = \"https://b.example.com/new\"\n }\n }",
];

struct Writer<'a> {
    random: &'a mut Random,
    root: String,
}

impl Writer<'_> {
    fn chance(&mut self, of_ten: u64) -> bool {
        self.random.below(10) < of_ten
    }

    fn one_of<'s>(&mut self, texts: &[&'s str]) -> &'s str {
        let at = usize::try_from(self.random.below(texts.len() as u64)).unwrap();
        texts[at]
    }

    /// A configuration; its passwords are elements of `var.passwords`.
    fn configuration(&mut self) -> String {
        let mut text = "variable \"passwords\" {\n type = map(string)\n sensitive = true\n}\n".to_owned();
        for tenant in TENANTS {
            let status = self.one_of(&["active", "active", "suspended"]);
            let _ =
                writeln!(text, "tenant \"{tenant}\" {{\n name = \"{tenant}\"\n status = \"{status}\"\n}}");
            if self.chance(6) {
                self.auth(&mut text, tenant);
            }
        }
        let mut free = ALIASES.to_vec();
        for domain in DOMAINS {
            if self.chance(6) {
                self.domain(&mut text, domain, &mut free);
            }
        }
        if self.chance(5) {
            let keys = ["one", "two", "three"].map(|key| format!("\"{key}.example.com\""));
            let keys = &keys[..usize::try_from(self.random.below(4)).unwrap()];
            let _ = writeln!(
                text,
                "domain \"each\" {{\n for_each = toset([{}])\n tenant = tenant.acme\n root = \"{}\"\n}}",
                keys.join(", "),
                self.root
            );
            text.push_str("output \"urls\" {\n value = [for site in domain.each : site.url]\n}\n");
        }
        if self.chance(5) {
            text.push_str("output \"passwords\" {\n value = var.passwords\n sensitive = true\n}\n");
        }
        text
    }

    fn auth(&mut self, text: &mut String, tenant: &str) {
        let realm = self.one_of(&["Staff", "Only 'us'; {all}"]);
        let _ = writeln!(
            text,
            "auth \"{tenant}-staff\" {{\n tenant = tenant.{tenant}\n cost = 4\n realm = \"{realm}\""
        );
        for user in ["alice", "bob"] {
            if user == "alice" || self.chance(5) {
                let _ = writeln!(text, " user \"{user}\" {{\n password = var.passwords[\"{user}\"]\n }}");
            }
        }
        text.push_str("}\n");
    }

    fn domain(&mut self, text: &mut String, name: &str, free: &mut Vec<&str>) {
        let tenant = self.one_of(&TENANTS);
        let _ = writeln!(text, "domain \"{name}\" {{\n tenant = tenant.{tenant}");
        if text.contains(&format!("auth \"{tenant}-staff\"")) && self.chance(5) {
            let _ = writeln!(text, " auth = auth.{tenant}-staff");
        }
        let aliases: Vec<_> = (0..self.random.below(3)).filter_map(|_| free.pop()).collect();
        let _ = writeln!(text, " aliases = {aliases:?}");
        match self.random.below(3) {
            0 => writeln!(text, " root = \"{}\"", self.root),
            1 => writeln!(text, " upstream {{\n address = \"127.0.0.1:9\"\n }}"),
            _ => writeln!(text, " redirect {{\n to = \"https://example.com/\"\n }}"),
        }
        .unwrap();
        for option in OPTIONS {
            let needs_upstream = option.starts_with("websocket") && !text.ends_with("127.0.0.1:9\"\n }\n");
            if !needs_upstream && self.chance(2) {
                let _ = writeln!(text, " {option}");
            }
        }
        let tls = self.one_of(&["", "", " tls {\n enabled = false\n }\n"]);
        text.push_str(tls);
        text.push_str("}\n");
    }
}

#[test]
fn an_apply_leaves_nothing_to_do_and_no_secret_behind() {
    let Some(mut workspace) = Workspace::managed() else { return };
    let mut random = Random::from_environment();
    let root = workspace.path().join("www").to_string_lossy().into_owned();
    let mut canaries = Vec::new();
    let mut passwords = [random.token(), random.token()];
    for step in 0..count(6, 120) {
        let changed = usize::try_from(random.below(3)).unwrap();
        if let Some(password) = passwords.get_mut(changed) {
            *password = random.token();
        }
        canaries.extend(passwords.iter().map(|password| Canary::new(password)));
        let [alice, bob] = &passwords;
        workspace.env("VSA_VAR_passwords", format!(r#"{{ alice = "{alice}", bob = "{bob}" }}"#));
        let http2 = if random.below(2) == 0 { "http2 = false" } else { "" };
        let text = Writer { random: &mut random, root: root.clone() }.configuration();
        workspace.write_node(http2).write("main.hcl", &text);
        let run = workspace.vsa(["apply", "-auto-approve"]);
        assert_eq!(run.exit, Some(0), "step {step}\n{text}\n{run}");
        let plan = workspace.vsa(["plan", "-detailed-exitcode", "-full"]);
        assert_eq!(plan.exit, Some(0), "step {step}\n{text}\n{plan}");
        let said = [&run.stdout, &run.stderr, &plan.stdout, &plan.stderr];
        for canary in &canaries {
            assert!(said.iter().all(|said| canary.in_bytes(said.as_bytes()).is_empty()), "{run}{plan}");
        }
    }
    let found: Vec<_> = canaries.iter().flat_map(|canary| canary.in_files(workspace.path())).collect();
    assert!(found.is_empty(), "{found:#?}");
    drop(workspace.vsa(["destroy", "-auto-approve"]).code(0));
    drop(workspace.vsa(["state", "list"]).code(0));
}

#[test]
fn an_output_of_null_is_kept() {
    let Some(workspace) = Workspace::managed() else { return };
    workspace.write("main.hcl", "output \"none\" {\n  value = null\n}\n");
    drop(workspace.apply());
    drop(workspace.vsa(["plan", "-detailed-exitcode"]).code(0));
    assert_eq!(workspace.vsa(["output", "none"]).code(0).stdout.trim(), "null");
}
