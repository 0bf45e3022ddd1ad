//! Programs that are told when another certificate is served, and those of certbot's that nobody starts any more.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::imports::Imports;
use super::renewing::{issued, past};
use crate::support::Workspace;

const NAME: &str = "one.example.com";

/// A program below a configuration's directory.
fn program(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A program that writes down what it is told, and which issue nginx serves just then.
struct Told {
    hook: PathBuf,
    to: PathBuf,
    text: String,
}

impl Told {
    fn new(ground: &Workspace) -> Self {
        let [hook, to] = ["hook", "told"].map(|name| ground.configuration().join(name));
        let text = format!(
            "echo \"$* $RENEWED_LINEAGE $RENEWED_DOMAINS $(basename $(readlink {}/current/certificates/{NAME}))\" >> {}",
            ground.node_root().display(),
            to.display()
        );
        program(&hook, &text);
        Self { hook, to, text }
    }

    /// As an `acme` block names it.
    fn named(&self) -> String {
        format!("on_renewal = [\"{}\", \"reload\"]", self.hook.display())
    }

    fn said(&self) -> Vec<String> {
        fs::read_to_string(&self.to).unwrap_or_default().lines().map(str::to_owned).collect()
    }
}

#[test]
fn a_program_is_told_once_nginx_serves_another_certificate() {
    let Some(ground) = Workspace::managed() else { return };
    let told = Told::new(&ground);
    let authority = issued(&ground, &[NAME], &told.named());
    let live = ground.node_root().join("live").join(NAME).display().to_string();
    let line = |issue: u64| format!("reload {live} {NAME} {issue}");
    assert_eq!(told.said(), [line(1)], "of the first one too");
    ground.assert_nothing_to_do();
    let _ = ground.vsa(["apply", "-auto-approve"]).code(0);
    assert_eq!(told.said().len(), 1, "nothing else has it told");

    authority.behave(|it| it.window = Some(past()));
    let plan = ground.vsa(["cert", "renew", "-force", "-plan"]).code(0);
    let _ = plan.says(&format!("tell `{} reload` of the certificate in {live}", told.hook.display()));
    let _ = ground.vsa(["cert", "renew", "-force"]).code(0);
    assert_eq!(told.said(), [line(1), line(2)]);

    // That it fails fails no renewal.
    program(&told.hook, &format!("{}\necho first >&2\necho 'postfix is not there' >&2\nexit 3", told.text));
    let run = ground.vsa(["cert", "renew", "-force"]).code(0);
    let _ = run
        .says("warning[on_renewal]")
        .says("ended with exit code 3: postfix is not there")
        .says("start it by hand")
        .says("0 added, 1 changed, 0 destroyed");
    assert_eq!(told.said().len(), 3);
    assert!(!ground.read("state/default.json").contains("on_renewal_failed"));
    ground.assert_nothing_to_do();
}

#[test]
fn a_run_that_was_killed_before_it_told_is_finished_by_the_next_one() {
    let Some(ground) = Workspace::managed() else { return };
    let told = Told::new(&ground);
    let authority = issued(&ground, &[NAME], &told.named());
    authority.behave(|it| it.window = Some(past()));
    // The names change, so that an apply has another one issued.
    let text = ground.read("main.hcl");
    ground.write("main.hcl", text.replace("  root   =", "  aliases = [\"m.one.example.com\"]\n  root   ="));
    let mut child = ground.stopped_at("phase:clean_up:1").unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(told.said().len(), 1);
    ground.apply();
    let said = told.said();
    assert!(said.len() == 2 && said[1].ends_with(" one.example.com m.one.example.com 2"), "{said:?}");
    ground.assert_nothing_to_do();
}

#[test]
fn what_certbot_starts_is_named_before_a_lineage_is_taken_over() {
    let Some(imports) = Imports::new() else { return };
    let ground = &imports.ground;
    imports.configure("");
    let renewal = imports.home().join("renewal/shop.example.com.conf");
    let text = fs::read_to_string(&renewal).unwrap();
    let more = "must_staple = True\nrenew_hook = systemctl reload postfix, dovecot\npre_hook = None\n[renewalparams]\n";
    let (more, section) = more.split_at(more.find("[renewalparams]").unwrap());
    fs::write(&renewal, text.replace(section, &format!("{section}{more}"))).unwrap();
    let hooks = imports.home().join("renewal-hooks");
    program(&hooks.join("deploy/reload"), "true");
    program(&hooks.join("deploy/reload~"), "true");
    fs::write(hooks.join("deploy/README"), "not a program").unwrap();
    let home = imports.home().display().to_string();
    let import = ["cert", "import", "-from", &home];
    let _ =
        ground.vsa(import.iter().copied().chain(["-list"])).code(0).says("renewed by certbot, with hooks");
    let run = ground.vsa(import.iter().copied().chain(["shop.example.com", "-auto-approve"])).code(0);
    let silent = ["pre_hook", "README", "reload~"];
    assert!(!silent.iter().any(|hook| run.stderr.contains(hook)), "{run}");
    let _ = run
        .says("warning[certbot_hooks]: certbot starts hooks when it renews `shop.example.com`, and vsa does not")
        .says("`renew_hook = systemctl reload postfix, dovecot`")
        .says(&hooks.join("deploy/reload").display().to_string())
        .says("`on_renewal`")
        .says("warning[must_staple]");
    // It is said when there is something to decide, and not for ever.
    let applied = ground.vsa(["apply", "-auto-approve"]).code(0);
    assert!(!applied.stderr.contains("certbot_hooks"), "{applied}");
    ground.assert_nothing_to_do();
}
