//! What goes on where some certificates cannot be had, and what tries them again.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::issuing::{live, site};
use super::story::{NAME, Story};
use crate::support::Workspace;
use crate::support::authority::{Fault, Step};
use crate::support::private_ca::trusted;
use crate::support::processes::wait_until;

#[test]
fn what_was_issued_is_kept_where_another_one_fails() {
    let Some(story) = Story::new() else { return };
    let names = [NAME, "good.example.org"];
    let (directory, port) = (story.authority.directory(), story.ground.http_port());
    story.configure(&directory, port, "", &names);
    story.dns.caa("example.com", &[("issue", "ca.example")]);
    let run = story.ground.vsa(["apply", "-auto-approve", "-on-failure=keep"]).code(6);
    let _ = run
        .says("forbid a certificate for `shop.example.com`")
        .says("a certificate could not be issued: the rest goes on without")
        .says("Applied in part.")
        .says("Issued: certificate[\"good.example.org\"]")
        .says("a certificate could not be issued; all else is applied");
    assert_eq!(story.authority.issued().len(), 1);
    // The other one is served, without being asked for again, and something stands for the first.
    for name in names {
        assert_eq!(story.ground.https(name, "/").status, 200);
    }
    story.ground.assert_nothing_to_do();
    assert!(super::issuing::live(&story.ground, names[1]).contains("CERTIFICATE"), "it is laid out too");
    assert_eq!(story.authority.orders().len(), 1);
    story.dns.caa("example.com", &[]);
    story.is_left_to_renewals(2);
    assert_eq!(story.ground.https(names[1], "/").status, 200);
}

#[test]
fn what_may_mend_a_failure_is_tried_at_once() {
    let Some(story) = Story::new() else { return };
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    story.configure(&story.authority.directory(), port, "", &[NAME]);
    let _ = story.fails();
    // With nothing changed it waits, and a site that was applied goes on without it.
    let _ = story.ground.apply().says("could not be issued, and waits");
    story.write("", NAME);
    let _ = story.ground.vsa(["plan"]).code(0).says("issue a certificate for shop.example.com");
    story.ground.apply();
    story.has(1);
}

#[test]
fn a_name_more_that_cannot_be_had_fails_no_second_apply() {
    let Some(story) = Story::new() else { return };
    story.ground.apply();
    let more = |name: &str| {
        let text = fs::read_to_string(story.ground.configuration().join("main.hcl")).unwrap();
        let aliases = format!("aliases = [\"{name}\"]\n  tenant = tenant.acme\n  root");
        story.ground.write("main.hcl", text.replace("tenant = tenant.acme\n  root", &aliases));
    };
    more("www.example.net");
    story.dns.caa("example.net", &[("issue", "ca.example")]);
    let _ = story.fails();
    // It was not applied without that name yet: it is tried, once its pause has ended.
    story.later();
    let _ = story.fails();
    let waits = "`shop.example.com` could not be issued for `www.example.net`, and waits";
    let _ = story.ground.apply().says(waits);
    story.later();
    let _ = story.ground.apply().says(waits);
    assert_eq!((story.authority.orders().len(), story.ground.https(NAME, "/").status), (1, 200));
    let _ = story.ground.vsa(["cert", "renew"]).code(5).says("forbid a certificate");
    story.dns.caa("example.net", &[]);
    story.later();
    let _ = story.ground.vsa(["cert", "renew"]).code(0);
    trusted(&story.authority.roots()[0], &live(&story.ground, NAME), "www.example.net").unwrap();
    story.ground.assert_nothing_to_do();
}

#[test]
fn what_the_limits_of_an_authority_do_not_leave_is_planned_without() {
    let Some(ground) = Workspace::managed() else { return };
    let ports = format!("http_port  = {}\n    https_port = {}", ground.http_port(), ground.https_port());
    let node = format!(
        "node \"local\" {{\n  proxy {{\n    {ports}\n  }}\n  acme {{\n    email = \"ops@example.com\"\n  }}\n}}\n"
    );
    let sites: String =
        (0..52).map(|number| site(&ground, &format!("site-{number:02}.example.com"), "")).collect();
    ground.write("main.hcl", node + "tenant \"acme\" {}\n" + &sites + &site(&ground, "shop.example.org", ""));
    let _ = ground
        .vsa(["plan"])
        .code(0)
        .says("`site-50.example.com` is not ordered now")
        .says("the same holds for `certificate[\"site-51.example.com\"]`")
        .says("50 certificates in 7 days for names of `example.com`");
    let plan = ground.plan();
    let actions = plan["vsa"]["actions"].as_array().unwrap();
    let orders = actions.iter().filter(|action| action["operation"].to_string().contains("\"order\":"));
    assert_eq!(orders.count(), 51);
}

#[test]
fn one_run_tells_of_all_names_that_fail() {
    let Some(story) = Story::new() else { return };
    let names = ["a.example.com", "b.example.net", "c.example.org", "d.example.com"];
    story.configure(&story.authority.directory(), story.ground.http_port(), "", &names);
    for domain in ["example.com", "example.net"] {
        story.dns.caa(domain, &[("issue", "ca.example")]);
    }
    let run = story.ground.vsa(["apply", "-auto-approve", "-parallelism=1"]).code(5);
    for name in ["a.example.com", "b.example.net"] {
        assert!(run.stderr.contains(&format!("forbid a certificate for `{name}`")), "{name}: {run}");
    }
    let run = run.says("the same holds for `certificate[\"d.example.com\"]`");
    assert!(!run.stderr.contains("taken back certificate"), "what was issued is kept: {run}");
    let run = run.says("what was issued is kept for the next one");
    assert_eq!(story.authority.issued().len(), 1, "{run}");
    // It is there still.
    story.ground.apply();
    assert_eq!((story.authority.issued().len(), story.authority.orders().len()), (1, 1));
    trusted(&story.authority.roots()[0], &live(&story.ground, names[2]), names[2]).unwrap();
}

#[test]
fn an_authority_that_is_down_is_asked_once_a_run() {
    let Some(story) = Story::new() else { return };
    let names: Vec<String> = (0..12).map(|number| format!("site-{number}.example.com")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    story.configure(&story.authority.directory(), story.ground.http_port(), "", &names);
    story.authority.fail(Step::Directory, Fault::Unavailable, 100);
    let run = story.ground.vsa(["apply", "-auto-approve"]).code(5);
    assert_eq!(run.stderr.matches("error[authority_down]").count(), 1, "{run}");
    let _ = run.says("the same holds for `certificate[\"site-").says(" and 7 more");
    assert_eq!(story.authority.count(Step::Directory), 1);
}

#[test]
fn an_authority_that_breaks_down_is_not_waited_for_by_each_certificate() {
    let Some(story) = Story::new() else { return };
    let names: Vec<String> = (0..12).map(|number| format!("site-{number}.example.com")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    story.configure(&story.authority.directory(), story.ground.http_port(), "", &names);
    story.authority.fail(Step::Finalize, Fault::Unavailable, 100);
    let run = story.ground.vsa(["apply", "-auto-approve", "-parallelism=1"]).code(5);
    assert_eq!(run.stderr.matches("error[authority_down]").count(), 1, "{run}");
    let _ = run.says("the same holds for `certificate[\"site-").says(" and 7 more");
    assert_eq!((story.authority.orders().len(), story.authority.count(Step::Finalize)), (3, 3));
}

#[test]
fn who_wants_an_end_gets_no_second_run() {
    let Some(story) = Story::new() else { return };
    let names = [NAME, "good.example.org"];
    story.configure(&story.authority.directory(), story.ground.http_port(), "", &names);
    story.dns.caa("example.com", &[("issue", "ca.example")]);
    let gate = story.authority.hold(Step::Certificate, false);
    let mut command = story.ground.command(["apply", "-auto-approve", "-on-failure=keep"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    gate.wait_for_one();
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
    story.authority.mend();
    gate.open();
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("the run was interrupted"), "{told}");
    assert!(!told.contains("the rest goes on without"), "{told}");
    // What was issued is kept, and the next apply goes on.
    assert_eq!(story.authority.issued().len(), 1);
    story.dns.caa("example.com", &[]);
    story.later();
    story.ground.apply();
    assert_eq!(story.authority.issued().len(), 2);
}

/// A command on a terminal.
fn terminal(command: &Command) -> Child {
    let words: Vec<_> = std::iter::once(command.get_program()).chain(command.get_args()).collect();
    let line = words.iter().map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ");
    let mut terminal = Command::new("script");
    terminal.args(["-qec", &line, "/dev/null"]).current_dir(command.get_current_dir().unwrap()).env_clear();
    terminal.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

/// What a command says on a terminal, where somebody gives these answers.
fn on_a_terminal(command: &Command, answers: &str) -> String {
    let mut child = terminal(command);
    child.stdin.take().unwrap().write_all(answers.as_bytes()).unwrap();
    String::from_utf8_lossy(&child.wait_with_output().unwrap().stdout).into_owned()
}

#[test]
fn a_second_plan_is_shown_and_asked_about() {
    let Some(story) = Story::new() else { return };
    let names = [NAME, "good.example.org"];
    story.configure(&story.authority.directory(), story.ground.http_port(), "", &names);
    story.dns.caa("example.com", &[("issue", "ca.example")]);
    let answered = |answers: &str| {
        let told = on_a_terminal(&story.ground.command(["apply", "-on-failure=keep"]), answers);
        assert!(told.contains("could not be issued, and waits"), "{told}");
        assert!(told.contains("the rest goes on without"), "{told}");
        (told.matches("Do you want to perform these actions?").count(), told)
    };
    let (asked, told) = answered("yes\nno\n");
    assert_eq!(asked, 2, "{told}");
    assert!(told.contains("not approved: nothing more was changed"), "{told}");
    assert_eq!(story.authority.issued().len(), 1);
    story.later();
    let (asked, told) = answered("yes\nyes\n");
    assert_eq!(asked, 2, "{told}");
    assert!(told.contains("Applied in part."), "{told}");
    assert_eq!(story.ground.https(names[1], "/").status, 200);
}

#[test]
fn who_wants_an_end_at_the_second_question_gets_it_at_once() {
    let Some(story) = Story::new() else { return };
    let names = [NAME, "good.example.org"];
    story.configure(&story.authority.directory(), story.ground.http_port(), "", &names);
    story.dns.caa("example.com", &[("issue", "ca.example")]);
    let command = story.ground.command(["apply", "-on-failure=keep"]);
    let mut child = terminal(&command);
    let (mut keys, mut screen) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut told = String::new();
    let mut asked = |times: usize, told: &mut String| {
        while told.matches("Enter a value:").count() < times {
            let mut bytes = [0; 4096];
            let read = screen.read(&mut bytes).unwrap();
            assert!(read > 0, "{told}");
            told.push_str(&String::from_utf8_lossy(&bytes[..read]));
        }
    };
    asked(1, &mut told);
    keys.write_all(b"yes\n").unwrap();
    asked(2, &mut told);
    // Ctrl-C.
    keys.write_all(b"\x03").unwrap();
    let ended = wait_until(Duration::from_secs(20), || child.try_wait().unwrap().is_some());
    if !ended {
        // Whoever waits still gets an answer, so that nothing is left behind.
        keys.write_all(b"no\n").unwrap();
    }
    screen.read_to_string(&mut told).unwrap();
    assert!(ended, "{told}");
    assert!(told.contains("the run was interrupted"), "{told}");
    assert!(!told.contains("not approved"), "{told}");
    assert_eq!(story.authority.issued().len(), 1);
}

#[test]
fn a_key_that_others_may_have_read_is_used_until_there_is_another_one() {
    let Some(story) = Story::new() else { return };
    story.ground.apply();
    let first = live(&story.ground, NAME);
    let key = story.ground.node_root().join("certificates").join(NAME).join("1/privkey.pem");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    story.dns.caa("example.com", &[("issue", "ca.example")]);
    let _ = story.fails();
    let _ = story.ground.apply().says("could not be renewed, and waits").says("may have been read by others");
    assert_eq!(live(&story.ground, NAME), first, "it is valid still");
    trusted(&story.authority.roots()[0], &first, NAME).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let state = story.ground.configuration().join("state/default.json");
    let text = fs::read_to_string(&state).unwrap();
    // Put back from a copy, it is the one's who runs vsa, and not the one's who ran it then.
    assert!(text.contains("\"owner\":0"), "{text}");
    fs::write(&state, text.replace("\"owner\":0", "\"owner\":1000")).unwrap();
    story.ground.assert_nothing_to_do();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    story.dns.caa("example.com", &[]);
    story.later();
    let asked = story.authority.requests().len();
    let _ = story.ground.apply().says("could not be renewed, and waits");
    assert_eq!(story.authority.requests().len(), asked, "it is left to renewals, as any that failed");
    let _ = story.ground.vsa(["cert", "renew"]).code(0).says("0 added, 1 changed, 0 destroyed");
    assert_ne!(live(&story.ground, NAME), first);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    story.has(2);
}
