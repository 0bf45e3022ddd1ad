//! Tenants.

use super::*;

fn acme(given: &serde_json::Value) -> Case {
    Case::new(resource("tenant", "acme", given))
}

#[test]
fn a_new_one_gets_a_directory() {
    let case = acme(&json!({})).seen(stat("/srv/acme"), Answer::Absent);
    assert!(case.drift().is_empty() && case.findings().is_empty());
    let steps = case.steps();
    let [Operation::EnsureDirectory { path, access, owned: false }] = steps.as_slice() else {
        panic!("{steps:?}")
    };
    assert_eq!((path.to_str(), access.mode), (Some("/srv/acme"), 0o751));
}

#[test]
fn a_new_name_for_people_touches_nothing() {
    let mut case = acme(&json!({ "name": "Acme" })).known(json!({ "owned": true }));
    case = case.seen(stat("/srv/acme"), directory(0o751));
    case.desired = Some(resource("tenant", "acme", &json!({ "name": "Acme Ltd", "status": "suspended" })));
    assert!(case.steps().is_empty());
    case.desired = Some(resource("tenant", "acme", &json!({ "mode": "0750" })));
    assert_eq!(case.steps().len(), 1);
}

#[test]
fn what_somebody_did_to_its_directory_is_drift() {
    let gone = acme(&json!({})).known(json!({ "owned": true })).seen(stat("/srv/acme"), Answer::Absent);
    assert_eq!(gone.drift(), ["/srv/acme was deleted"]);
    assert_eq!(gone.steps().len(), 1);
    let open = acme(&json!({})).known(json!({ "owned": true })).seen(stat("/srv/acme"), directory(0o777));
    assert_eq!(open.drift(), ["/srv/acme mode is 0777, not 0751"]);
    let foreign = acme(&json!({ "owner": "acme" }))
        .known(json!({ "owned": true }))
        .seen(stat("/srv/acme"), directory(0o751))
        .seen(Query::User("acme".into()), Answer::User { uid: 1001, gid: 1001 });
    assert_eq!(foreign.drift(), ["/srv/acme owner is 0, not `acme` 1001"]);
}

#[test]
fn one_that_was_there_is_used_and_left_as_it_is() {
    let case = acme(&json!({})).known(json!({ "owned": false })).seen(stat("/srv/acme"), directory(0o777));
    assert!(case.drift().is_empty());
    assert!(case.gone().steps().is_empty());
}

#[test]
fn its_own_is_removed_with_it_when_empty() {
    let case = acme(&json!({})).known(json!({ "owned": true })).gone();
    assert_eq!(case.steps(), [Operation::RemoveEmptyDirectory { path: "/srv/acme".into() }]);
}

#[test]
fn what_is_in_the_way_is_named() {
    let stat_of = |file_type| Answer::Stat(Stat { file_type, mode: 0o644, uid: 0, gid: 0, empty: false });
    let file = acme(&json!({})).seen(stat("/srv/acme"), stat_of(FileType::File));
    assert_eq!(file.findings(), ["error: `/srv/acme` is in the way of a directory"]);
    let user = acme(&json!({ "owner": "nobody9" })).seen(Query::MayOwn("nobody9".into()), Answer::Absent);
    assert_eq!(user.findings(), ["error: the node has no user `nobody9`"]);
}

#[test]
fn a_key_that_cannot_name_a_directory_is_refused() {
    let mut tenant = resource("tenant", "acme", &json!({}));
    tenant.name = "../etc".into();
    assert_eq!(check(&tenant), ["error: the tenant's name `../etc` does not begin with a lower-case letter"]);
}
