//! What is written down of orders, where the authority does not begin them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::story::{NAME, Story};
use crate::support::authority::{Fault, Problem, Step};

/// The file of the one account that the node has.
fn account(story: &Story) -> PathBuf {
    let entries = fs::read_dir(story.ground.node_root().join("accounts")).unwrap();
    let mut paths = entries.map(|entry| entry.unwrap().path());
    paths.find(|path| !path.ends_with("ledger.json")).unwrap()
}

/// A story with its account.
fn begun() -> Option<(Story, PathBuf)> {
    let story = Story::new()?;
    story.ground.apply();
    let account = account(&story);
    Some((story, account))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn what_others_may_read_of_accounts_is_shown_and_closed() {
    let Some((story, account)) = begun() else { return };
    let ground = &story.ground;
    let directory = account.parent().unwrap();
    let ledger = directory.join("ledger.json");
    let all = [(&*account, 0o600, 0o644), (&*ledger, 0o600, 0o666), (directory, 0o700, 0o755)];
    for (path, wanted, open) in all {
        assert_eq!(mode(path), wanted);
        fs::set_permissions(path, fs::Permissions::from_mode(open)).unwrap();
    }
    let mut plan = ground.vsa(["plan"]).code(0);
    for (path, wanted, open) in all {
        plan = plan.says(&format!("{} mode is {open:04o}, not {wanted:04o}", path.display()));
    }
    ground.apply();
    for (path, wanted, _) in all {
        assert_eq!(mode(path), wanted, "{}", path.display());
    }
    story.has(1);
}

#[test]
fn an_account_that_cannot_be_used_is_told_by_the_plan() {
    let Some((story, account)) = begun() else { return };
    let ground = &story.ground;
    let kept = fs::read(&account).unwrap();
    for broken in [&b"\xff\xfe"[..], b"{\"id\": \"https://ca.example/1\"}"] {
        fs::write(&account, broken).unwrap();
        let plan = ground.vsa(["plan"]).code(0).says("warning[unusable_account]");
        let _ = plan.says(&account.display().to_string()).says("put a copy of it back");
        let renewed = ground.vsa(["cert", "renew", "-force", NAME]).code(5);
        let _ = renewed.says(&account.display().to_string());
    }
    fs::write(&account, kept).unwrap();
    let run = ground.vsa(["plan"]).code(0);
    assert!(!run.stderr.contains("unusable_account"), "{run}");
}

#[test]
fn an_account_of_another_authority_is_told_with_its_file() {
    let Some((story, account)) = begun() else { return };
    let kept = fs::read_to_string(&account).unwrap();
    let host = story.authority.directory().split('/').nth(2).unwrap().to_owned();
    let mut of_another: serde_json::Value = serde_json::from_str(&kept).unwrap();
    let id = of_another["id"].as_str().unwrap().replace(&host, "ca.example");
    of_another["id"] = id.as_str().into();
    let mut with_another = of_another.clone();
    with_another["directory"] = "https://ca.example/directory".into();
    // As some say that they do not know an account's address.
    let malformed = Problem::new(400, "malformed", "the key id has another prefix");
    story.authority.fail(Step::NewOrder, Fault::Problem(malformed), 1);
    for (text, why) in [(of_another, "another prefix"), (with_another, "an account with another authority")] {
        fs::write(&account, text.to_string()).unwrap();
        let renewed = story.ground.vsa(["cert", "renew", "-force", NAME]).code(5);
        let renewed = renewed.says("error[account_refused]").says(why);
        let _ = renewed.says(&format!("move `{}` away, and a new one is made", account.display()));
    }
    fs::write(&account, kept).unwrap();
    let _ = story.ground.vsa(["cert", "renew", "-force", NAME]).code(0);
}

#[test]
fn a_directory_in_an_accounts_place_is_told_and_left_as_it_is() {
    let Some((story, account)) = begun() else { return };
    fs::rename(&account, account.with_extension("aside")).unwrap();
    fs::create_dir(&account).unwrap();
    fs::set_permissions(&account, fs::Permissions::from_mode(0o755)).unwrap();
    let plan = story.ground.vsa(["plan", "-detailed-exitcode"]).code(0);
    let _ = plan.says("warning[unusable_account]").says("it is a directory, not a file");
    story.ground.apply();
    assert_eq!(mode(&account), 0o755);
    fs::remove_dir(&account).unwrap();
    fs::rename(account.with_extension("aside"), &account).unwrap();
    story.has(1);
}

#[test]
fn a_closed_account_is_no_wrong_name() {
    let Some((story, account)) = begun() else { return };
    let closed = Problem::new(403, "unauthorized", "the account is deactivated");
    story.authority.fail(Step::NewOrder, Fault::Problem(closed), 1);
    let told = story.told(&story.ground.vsa(["cert", "renew", "-force", NAME]).code(5).stderr);
    let file = account.file_name().unwrap().display().to_string();
    let told = told.replace(&file, "[account].json");
    insta::assert_snapshot!(told, @r#"
    error[account_refused]: the authority [authority] does not issue `shop.example.com`: the account is deactivated
     |
     = on: certificate["shop.example.com"]
     = help: the account was closed, or is of another authority: move `[ground]/site/.vsa/nodes/local/accounts/[account].json` away, and a new one is made
    "#);
    let orders = story.ledger()["orders"].clone();
    assert_eq!(orders.as_array().unwrap().len(), 1, "the new one was not begun");
    assert!(orders[0].get("unproven").is_none(), "the former one was proven: {orders}");
}

#[test]
fn an_order_whose_answer_does_not_come_may_have_been_begun() {
    let Some(story) = Story::new() else { return };
    story.authority.fail_answer(Step::NewOrder, Fault::Closed, 1);
    let _ = story.fails();
    let orders = || story.ledger()["orders"].clone();
    assert_eq!((orders().as_array().unwrap().len(), orders()[0]["unanswered"].as_bool()), (1, Some(true)));
    story.goes_on(2);
    assert!(orders()[1].get("unanswered").is_none(), "{}", orders());
}

#[test]
fn a_renewal_that_the_authority_does_not_take_for_one_counts() {
    let Some(story) = Story::new() else { return };
    story.ground.apply();
    let exempt = |number: usize| story.ledger()["orders"][number].get("exempt").is_some();
    let renew = || drop(story.ground.vsa(["cert", "renew", "-force", NAME]).code(0));
    renew();
    assert!(exempt(1), "{}", story.ledger());
    let replaced = Problem::new(409, "alreadyReplaced", "the certificate was replaced before");
    story.authority.fail(Step::NewOrder, Fault::Problem(replaced), 1);
    renew();
    assert!(!exempt(2), "{}", story.ledger());
    story.has(3);
}

#[test]
fn an_order_that_fails_says_nothing_about_the_certificate_that_is_there() {
    let Some(story) = Story::new() else { return };
    story.ground.apply();
    let shown = || story.ground.vsa(["cert", "show", NAME, "-json"]).code(0).json()["order"].clone();
    let first = shown();
    assert!(first.is_string(), "{first}");
    story.authority.fail(Step::Finalize, Fault::Unavailable, 1);
    let _ = story.ground.vsa(["cert", "renew", "-force", NAME]).code(5);
    assert_eq!(story.authority.orders().len(), 2);
    assert_eq!(shown(), first);
    story.later();
    let _ = story.ground.vsa(["cert", "renew", "-force", NAME]).code(0);
    assert_ne!(shown(), first);
}
