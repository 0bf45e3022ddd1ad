//! Password files.

use super::*;

const HASH: &str = "secret:$2y$12$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy";

fn staff(users: &serde_json::Value) -> Resource {
    resource("auth", "staff", &json!({ "user": users }))
}

#[test]
fn the_file_has_a_line_for_each_user() {
    let users = json!({ "bob": { "password_hash": HASH }, "alice": { "password": "secret:canary" } });
    let case = Case::new(staff(&users));
    let files = case.kind().files(case.subject(), true).unwrap();
    let [file] = files.as_slice() else { panic!("{files:?}") };
    assert_eq!(&*file.path, "auth/acme/staff.htpasswd");
    assert!(file.read_per_request);
    let FileBody::Text(content) = &file.body else { panic!("a link") };
    assert!(matches!(content.pieces[0], Piece::Password { cost: 10, .. }));
    assert_eq!(
        content.sealed(|_| "f".into()),
        "alice:(bcrypt, cost 10, fingerprint f)\nbob:(hash, fingerprint f)\n"
    );
    let origins: Vec<_> = file.origins.iter().map(|(line, path)| format!("{line} {path}")).collect();
    assert_eq!(origins, ["1 user.alice", "2 user.bob"]);
    assert!(!format!("{files:?}").contains("canary"));
    let exports = case.kind().exports(case.desired.as_ref().unwrap());
    assert_eq!(exports.get("file").unwrap().as_str(), Some("auth/acme/staff.htpasswd"));
    assert!(!format!("{exports:?}").contains("canary"));
}

#[test]
fn each_user_needs_one_password() {
    assert_eq!(check(&staff(&json!({ "alice": {} }))), ["error: user `alice` has no password"]);
    assert_eq!(
        check(&staff(&json!({ "alice": { "password": "secret:x", "password_hash": HASH } }))),
        ["error: user `alice` has a password and a hash"]
    );
    assert_eq!(check(&staff(&json!({}))), ["warning: nobody can sign in: there is no `user`"]);
    assert_eq!(
        check(&staff(&json!({ "alice": { "password_hash": HASH } }))),
        ["warning: a cost of 12 makes every request slow"]
    );
}

#[test]
fn a_tenant_of_another_node_is_refused() {
    let mut auth = staff(&json!({ "alice": { "password": "secret:x" } }));
    let tenant: Object = [("name", "acme"), ("node", "other")].into_iter().collect();
    auth.attributes.insert("tenant", Value::object(tenant.of_resource(Address::new("tenant", "acme"))));
    assert_eq!(check(&auth), ["error: the tenant `acme` is on node `other`, not `local`"]);
}
