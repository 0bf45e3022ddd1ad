//! What is written down of orders, where the authority does not begin them.

use super::story::{NAME, Story};
use crate::support::authority::{Fault, Problem, Step};

#[test]
fn a_closed_account_is_no_wrong_name() {
    let Some(story) = Story::new() else { return };
    story.ground.apply();
    let closed = Problem::new(403, "unauthorized", "the account is deactivated");
    story.authority.fail(Step::NewOrder, Fault::Problem(closed), 1);
    let told = story.told(&story.ground.vsa(["cert", "renew", "-force", NAME]).code(5).stderr);
    insta::assert_snapshot!(told, @r#"
    error[account_refused]: the authority [authority] does not issue `shop.example.com`: the account is deactivated
     |
     = on: certificate["shop.example.com"]
     = help: the account was closed, or is of another authority: remove its file below `accounts/` of the node's directory, and a new one is made
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
