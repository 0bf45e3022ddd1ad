//! The effect layer on a real nginx: a generation goes live, proven, or all is as before.

use vsa::apply::Outcome;

use crate::support::node::Ground;
use crate::support::{self};

#[test]
fn sites_are_served_and_a_change_is_served() {
    let Some(nginx) = support::nginx() else { return };
    let mut ground = Ground::managed(nginx);
    let report = ground.sites(&[("a.example", "one"), ("b.example", "two")]);
    assert_eq!(report.outcome, Outcome::Done, "{:#?}", report.errors);
    assert_eq!(ground.get("a.example").as_deref(), Some("one"));
    assert_eq!(ground.get("b.example").as_deref(), Some("two"));
    let report = ground.sites(&[("a.example", "three"), ("b.example", "two")]);
    assert_eq!(report.outcome, Outcome::Done, "{:#?}", report.errors);
    assert_eq!(ground.get("a.example").as_deref(), Some("three"));
    assert_eq!(ground.state.nodes[&ground.address].generation, 2);
}
