//! Orders that are taken up where they were left: no key of a certificate that may be there is thrown away.

use std::fs;

use serde_json::json;

use super::story::{NAME, Story};
use crate::support::authority::{Fault, Problem, Step};

fn page(status: u16) -> Fault {
    Fault::Answer(status, vec![("Content-Type", "text/html".to_owned())], "<html></html>".to_owned())
}

#[test]
fn a_request_that_was_sent_before_is_the_one_that_counts() {
    let Some(story) = Story::new() else { return };
    // It has issued, and its answer is lost; then it says what it knew a while ago.
    story.authority.fail_answer(Step::Finalize, Fault::Unavailable, 1);
    let _ = story.fails();
    assert_eq!(story.authority.issued().len(), 1);
    let base = story.authority.directory().replace("/directory", "");
    let late = json!({
        "status": "ready",
        "identifiers": [{ "type": "dns", "value": NAME }],
        "authorizations": [format!("{base}/authorization/0")],
        "finalize": format!("{base}/finalize/0"),
    });
    let late = Fault::Answer(200, vec![("Content-Type", "application/json".to_owned())], late.to_string());
    story.authority.fail(Step::Order, late.clone(), 2);
    story.later();
    let told = story.fails();
    assert!(told.contains("the order is valid") && told.contains("taken up"), "{told}");
    assert!(story.private() > 0, "the key that was sent is there");
    // Its node has got another name meanwhile.
    let mut ledger = story.ledger();
    let request = &mut ledger["certificates"][NAME]["order"]["request"];
    *request = format!("node.former {}", request.as_str().unwrap().split_once(' ').unwrap().1).into();
    fs::write(story.ground.node_root().join("accounts/ledger.json"), ledger.to_string()).unwrap();
    story.authority.fail(Step::Order, late, 1);
    story.goes_on(1);
    assert_eq!(story.authority.issued().len(), 1);
}

#[test]
fn an_order_is_given_up_where_the_authority_says_that_it_is_gone() {
    let Some(story) = Story::new() else { return };
    story.authority.fail(Step::Finalize, Fault::Unavailable, 1);
    let _ = story.fails();
    let broken = Fault::Problem(Problem::new(500, "serverInternal", "the database is away"));
    for (step, fault) in [(Step::NewNonce, page(404)), (Step::Order, broken), (Step::Finalize, page(404))] {
        story.authority.fail(step, fault, 1);
        story.later();
        let told = story.fails();
        assert!(told.contains("cannot be asked for"), "{told}");
        assert!(story.private() > 0, "the key that was sent is there");
        assert!(story.ledger()["certificates"][NAME]["order"].is_object());
        story.authority.mend();
    }
    assert_eq!(story.authority.orders().len(), 1);
    story.authority.fail(Step::Order, page(404), 1);
    story.goes_on(2);
}
