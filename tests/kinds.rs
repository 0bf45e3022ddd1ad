//! Tenants, password files and certificates: what a plan makes of them, without any node.

use std::sync::Arc;

use semver::Version;
use serde_json::json;
use vsa::address::Address;
use vsa::diag::{Diagnostics, Severity};
use vsa::kinds::registry;
use vsa::plan::observation::{CertificateFacts, FileType, Ids, Leaf, Stat};
use vsa::plan::{
    Answer, FileBody, Kind, Nginx, Node, NodeSpec, Observations, Operation, Piece, ProxyMode, Query,
    Refreshed, Step, Subject,
};
use vsa::resource::Resource;
use vsa::schema::{Block, Default as Absent, Nesting};
use vsa::state::{Key, Status, Stored, attributes};
use vsa::value::{Object, Value};

const NOW: i64 = 1_767_225_600;
const DAY: i64 = 86_400;

fn node_address() -> Address {
    Address::new("node", "local")
}

fn node() -> Node {
    let spec = NodeSpec {
        address: node_address(),
        name: "local".into(),
        mode: ProxyMode::Managed,
        root: "/node".into(),
        srv_root: "/srv".into(),
        nginx: "/usr/sbin/nginx".into(),
        nginx_conf: "/etc/nginx/nginx.conf".into(),
        include_file: "/etc/nginx/conf.d/vsa.conf".into(),
        pid_file: "/node/run/nginx.pid".into(),
        http_port: 8080,
        https_port: 8443,
        worker_user: None,
        default_server: true,
        drain_seconds: 30,
        docker: vsa::plan::Docker::default(),
        container: None,
        network: None,
    };
    let nginx = Nginx { version: Version::new(1, 22, 1), openssl: None, modules: Vec::new() };
    Node { spec, configuration: std::path::PathBuf::from("/"), nginx }
}

fn object(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::NULL,
        serde_json::Value::Bool(bool) => Value::from(*bool),
        serde_json::Value::Number(number) => Value::from(number.as_i64().unwrap()),
        serde_json::Value::String(text) => match text.strip_prefix("secret:") {
            Some(secret) => Value::from(secret).with_sensitive(true),
            None => Value::from(text.as_str()),
        },
        serde_json::Value::Array(elements) => Value::tuple(elements.iter().map(object)),
        serde_json::Value::Object(entries) => {
            Value::object(entries.iter().map(|(name, value)| (name.as_str(), object(value))).collect())
        }
    }
}

/// Fills in what a schema says of absent attributes.
fn complete(block: &Block, given: &Object) -> Object {
    let mut whole = Object::new();
    for attribute in &block.attributes {
        let value = given.get(&attribute.name).cloned().unwrap_or_else(|| match &attribute.default {
            Absent::Value(value) => value.clone(),
            _ => Value::NULL,
        });
        whole.insert(Arc::clone(&attribute.name), value);
    }
    for nested in &block.blocks {
        let given = given.get(&nested.name).and_then(Value::as_object);
        assert!(matches!(nested.nesting, Nesting::Labelled(_)), "another nesting");
        let entries = given.into_iter().flatten();
        let entries = entries.map(|(label, value)| {
            (Arc::clone(label), Value::object(complete(&nested.body, value.as_object().unwrap())))
        });
        whole.insert(Arc::clone(&nested.name), Value::object(entries.collect()));
    }
    whole
}

/// A resource as the configuration would declare it; texts that begin with `secret:` are sensitive.
fn resource(kind: &str, name: &str, given: &serde_json::Value) -> Resource {
    let schema = registry().get(kind).unwrap().schema();
    let given = object(given);
    let mut attributes = complete(&schema.body, given.as_object().unwrap());
    let reference = |kind: &str, name: &str, more: &[(&str, &str)]| {
        let mut exports: Object = [("name", name)].into_iter().collect();
        for (name, value) in more {
            exports.insert(*name, *value);
        }
        Value::object(exports.of_resource(Address::new(kind, name)))
    };
    attributes.insert("node", reference("node", "local", &[]));
    if kind == "auth" {
        attributes.insert("tenant", reference("tenant", "acme", &[("node", "local")]));
    }
    Resource {
        address: Address::new(kind, name),
        name: name.into(),
        attributes,
        depends_on: [node_address()].into(),
        source: None,
        implied_by: None,
        exports: Arc::new(Object::new()),
        trees: std::collections::BTreeMap::new(),
    }
}

fn stored(resource: &Resource, facts: serde_json::Value) -> Stored {
    Stored {
        status: Status::Live,
        node: node_address(),
        name: resource.name.clone(),
        attributes: attributes::encode(resource, Some(&Key::new(&[1; 32]))),
        facts: serde_json::from_value(facts).unwrap(),
        placed: std::collections::BTreeMap::new(),
        depends_on: resource.depends_on.clone(),
    }
}

/// One resource before its kind.
struct Case {
    node: Node,
    address: Address,
    desired: Option<Resource>,
    prior: Option<Stored>,
    observed: Observations,
    now: i64,
    memo: vsa::plan::Memo,
}

impl Case {
    fn new(desired: Resource) -> Self {
        let address = desired.address.clone();
        Self {
            node: node(),
            address,
            desired: Some(desired),
            prior: None,
            observed: Observations::default(),
            now: NOW,
            memo: vsa::plan::Memo::default(),
        }
    }

    fn known(mut self, facts: serde_json::Value) -> Self {
        self.prior = self.desired.as_ref().map(|resource| stored(resource, facts));
        self
    }

    fn gone(mut self) -> Self {
        self.desired = None;
        self
    }

    fn seen(mut self, query: Query, answer: Answer) -> Self {
        self.observed.extend([(query, answer)]);
        self
    }

    fn kind(&self) -> &dyn Kind {
        registry().get(self.address.kind()).unwrap()
    }

    fn subject(&self) -> Subject<'_> {
        Subject {
            address: &self.address,
            desired: self.desired.as_ref(),
            prior: self.prior.as_ref(),
            node: &self.node,
            observed: &self.observed,
            endpoints: &vsa::plan::NO_ENDPOINTS,
            destroy_data: false,
            now: self.now,
            memo: &self.memo,
        }
    }

    fn steps(&self) -> Vec<Operation> {
        self.kind().steps(self.subject()).into_iter().map(|Step { operation, .. }| operation).collect()
    }

    fn refresh(&self) -> Refreshed {
        self.kind().refresh(self.subject())
    }

    fn drift(&self) -> Vec<String> {
        self.refresh().drift.iter().map(|drift| format!("{} {}", drift.subject, drift.what)).collect()
    }

    fn findings(&self) -> Vec<String> {
        shown(&self.refresh().findings)
    }

    fn link(&self) -> String {
        let files = self.kind().files(self.subject(), false).unwrap();
        match &files[0].body {
            FileBody::Link { target, .. } => target.to_string(),
            FileBody::Text(_) => panic!("no link"),
        }
    }
}

fn shown(diagnostics: &Diagnostics) -> Vec<String> {
    let severity = |severity| match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "info",
    };
    diagnostics.iter().map(|it| format!("{}: {}", severity(it.severity), it.summary)).collect()
}

fn check(resource: &Resource) -> Vec<String> {
    let mut diagnostics = Diagnostics::new();
    registry().get(resource.address.kind()).unwrap().check(resource, &mut diagnostics);
    shown(&diagnostics)
}

fn directory(mode: u32) -> Answer {
    Answer::Stat(Stat { file_type: FileType::Directory, mode, uid: 0, gid: 0, empty: true })
}

fn stat(path: &str) -> Query {
    Query::Stat(path.into())
}

mod tenant {
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
        case.desired =
            Some(resource("tenant", "acme", &json!({ "name": "Acme Ltd", "status": "suspended" })));
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
        let case =
            acme(&json!({})).known(json!({ "owned": false })).seen(stat("/srv/acme"), directory(0o777));
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
        assert_eq!(
            check(&tenant),
            ["error: the tenant's name `../etc` does not begin with a lower-case letter"]
        );
    }
}

mod auth {
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
}

mod certificate {
    use super::*;

    const REQUEST: &str = "node.local self_signed ecdsa-p256 365 shop.example.com";

    fn linked() -> Query {
        let directory = "/node/current/certificates".into();
        Query::Linked { directory, read: "fullchain.pem", unread: "privkey.pem" }
    }

    fn link(issue: u32) -> Leaf {
        Leaf::Link(format!("/node/certificates/shop.example.com/{issue}").into())
    }

    fn tree<const N: usize>(leaves: [(&str, Leaf); N]) -> Answer {
        Answer::Tree(leaves.map(|(path, leaf)| (path.to_owned(), leaf)).into())
    }

    fn chain(digest: &str) -> (&'static str, Leaf) {
        (
            "shop.example.com/fullchain.pem",
            Leaf::File { digest: digest.into(), mode: 0o644, ids: Ids::default() },
        )
    }

    fn key(mode: u32) -> (&'static str, Leaf) {
        ("shop.example.com/privkey.pem", Leaf::Unread { mode, is_anothers: false })
    }

    fn shop(given: &serde_json::Value) -> Case {
        Case::new(resource("certificate", "shop.example.com", given))
    }

    /// Issued twice, with this many days left.
    fn issued(days_left: i64) -> Case {
        shop(&json!({}))
            .known(
                json!({ "issue": 2, "request": REQUEST, "not_after": NOW + days_left * DAY, "digest": "d" }),
            )
            .seen(linked(), tree([("shop.example.com", link(2)), chain("d"), key(0o600)]))
    }

    #[test]
    fn a_new_one_is_issued_for_its_label() {
        let case = shop(&json!({}));
        assert_eq!(case.link(), "/node/certificates/shop.example.com/1");
        assert_eq!(
            case.steps(),
            [Operation::IssueSelfSigned {
                issue: 1,
                request: REQUEST.into(),
                directory: "/node/certificates/shop.example.com/1".into(),
                names: vec!["shop.example.com".into()],
                key_type: "ecdsa-p256".into(),
                days: 365,
            }]
        );
    }

    #[test]
    fn one_with_time_left_stays() {
        let case = issued(200);
        assert!(case.steps().is_empty() && case.drift().is_empty());
        assert_eq!(case.refresh().due, None);
        assert_eq!(case.link(), "/node/certificates/shop.example.com/2");
    }

    #[test]
    fn a_third_of_the_lifetime_before_its_end_it_is_renewed() {
        assert_eq!(issued(122).refresh().due, None);
        let case = issued(121);
        assert_eq!(case.refresh().due.unwrap(), "renewal is due: it ends on 2026-05-02");
        assert_eq!(case.link(), "/node/certificates/shop.example.com/3");
        assert!(matches!(case.steps().as_slice(), [Operation::IssueSelfSigned { issue: 3, .. }]));
    }

    #[test]
    fn a_change_of_what_is_asked_for_makes_another_issue() {
        let names = json!({ "names": ["shop.example.com", "www.shop.example.com"] });
        let mut case = issued(200);
        case.desired = Some(resource("certificate", "shop.example.com", &names));
        assert_eq!(case.link(), "/node/certificates/shop.example.com/3");
        let mut case = issued(200);
        case.desired = Some(resource("certificate", "shop.example.com", &json!({ "renew_before": "5d" })));
        assert!(case.steps().is_empty(), "the margin is not part of the certificate");
    }

    #[test]
    fn a_touched_one_is_issued_again() {
        let it = || ("shop.example.com", link(2));
        let drift = |answer| issued(200).seen(linked(), answer).drift();
        assert_eq!(
            drift(tree([it(), chain("d")])),
            ["certificates/shop.example.com/2/privkey.pem was deleted"]
        );
        assert_eq!(
            drift(tree([it(), key(0o600)])),
            ["certificates/shop.example.com/2/fullchain.pem was deleted"]
        );
        assert_eq!(
            drift(tree([it(), chain("x"), key(0o600)])),
            ["certificates/shop.example.com/2/fullchain.pem was edited"]
        );
        assert_eq!(
            drift(tree([it(), chain("d"), (key(0).0, Leaf::Link("/tmp/other.key".into()))])),
            ["certificates/shop.example.com/2/privkey.pem was edited"]
        );
        assert_eq!(
            drift(tree([it(), chain("d"), key(0o644)])),
            [
                "certificates/shop.example.com/2/privkey.pem may have been read by others: its mode is 0644, not 0600"
            ]
        );
        assert_eq!(issued(200).seen(linked(), tree([it()])).link(), "/node/certificates/shop.example.com/3");
    }

    #[test]
    fn one_that_nginx_does_not_read_is_looked_at_alone() {
        let alone = || Query::Entries("/node/certificates/shop.example.com/2".into());
        let elsewhere = || tree([("shop.example.com", link(1)), chain("x"), key(0o600)]);
        for answer in [elsewhere, || tree([]), || Answer::Absent] {
            let case = || issued(200).seen(linked(), answer());
            assert_eq!(case().kind().queries(case().subject()), [linked(), alone()]);
            let files = |names: &[&str]| {
                Answer::Entries(names.iter().map(|name| ((*name).to_owned(), FileType::File)).collect())
            };
            let drift = |answer| case().seen(alone(), answer).drift();
            assert!(drift(files(&["fullchain.pem", "privkey.pem"])).is_empty());
            assert_eq!(
                drift(files(&["fullchain.pem"])),
                ["certificates/shop.example.com/2/privkey.pem was deleted"]
            );
            assert_eq!(drift(Answer::Absent), ["certificates/shop.example.com/2/fullchain.pem was deleted"]);
        }
    }

    #[test]
    fn one_that_goes_takes_its_keys_along() {
        assert_eq!(
            issued(200).gone().steps(),
            [Operation::RemoveCertificate { directory: "/node/certificates/shop.example.com/2".into() }]
        );
    }

    #[test]
    fn one_that_comes_back_spares_what_old_generations_keep() {
        let kept = ["2", "10", "notes"].map(|name| (name.to_owned(), FileType::Directory)).into();
        let former = Query::Entries("/node/certificates/shop.example.com".into());
        assert_eq!(
            shop(&json!({})).seen(former, Answer::Entries(kept)).link(),
            "/node/certificates/shop.example.com/11"
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let check = |name: &str, given: &serde_json::Value| check(&resource("certificate", name, given));
        let trusted = "warning: browsers do not trust a self-signed certificate";
        assert_eq!(check("shop.example.com", &json!({})), [trusted]);
        assert!(check("shop.example.com", &json!({ "issuer": "self_signed" })).is_empty());
        assert_eq!(
            check("site", &json!({ "issuer": "self_signed" })),
            ["error: `names` is missing: `site` is no name of a site"]
        );
        assert_eq!(
            check("shop.example.com", &json!({ "issuer": "acme" })),
            ["error: certificates by ACME are not supported yet"]
        );
        assert_eq!(
            check("shop.example.com", &json!({ "issuer": "files", "certificate": "a.pem" })),
            ["error: `a.pem` does not begin at the root", "error: issuer `files` needs `key`"]
        );
        assert_eq!(
            check("shop.example.com", &json!({ "issuer": "self_signed", "days": 5, "renew_before": "120h" })),
            ["error: with 5 days and `renew_before` of that or more it would be renewed at every apply"]
        );
    }

    mod from_files {
        use super::*;

        const FILES: &str = "node.local files /etc/a.pem /etc/a.key";

        fn facts(days_left: i64, names: &[&str]) -> Answer {
            Answer::Certificate(CertificateFacts {
                not_before: NOW - (90 - days_left) * DAY,
                not_after: NOW + days_left * DAY,
                names: names.iter().map(ToString::to_string).collect(),
                issuer: "Some CA".into(),
            })
        }

        fn source(answer: Answer, digest: &str) -> Case {
            shop(&json!({ "issuer": "files", "certificate": "/etc/a.pem", "key": "/etc/a.key" }))
                .seen(Query::Certificate("/etc/a.pem".into()), answer)
                .seen(Query::Digest("/etc/a.pem".into()), Answer::Digest(digest.into()))
        }

        fn copied(answer: Answer, digest: &str) -> Case {
            source(answer, digest)
                .known(json!({ "issue": 1, "request": FILES, "not_after": NOW + 60 * DAY, "digest": "d" }))
        }

        #[test]
        fn it_is_copied_once() {
            let right = || facts(60, &["*.example.com"]);
            assert!(matches!(
                source(right(), "d").steps().as_slice(),
                [Operation::CopyCertificate { issue: 1, .. }]
            ));
            let case = copied(right(), "d");
            assert!(case.steps().is_empty() && case.findings().is_empty());
            assert_eq!(case.refresh().due, None);
        }

        #[test]
        fn a_new_one_in_its_place_is_copied_again() {
            let case = copied(facts(89, &["shop.example.com"]), "e");
            assert_eq!(case.refresh().due.unwrap(), "`/etc/a.pem` was renewed: it ends on 2026-03-31");
            assert!(matches!(case.steps().as_slice(), [Operation::CopyCertificate { issue: 2, .. }]));
        }

        #[test]
        fn its_end_is_a_finding() {
            let right = &["shop.example.com"];
            assert_eq!(
                copied(facts(29, right), "d").findings(),
                ["warning: `/etc/a.pem` ends on 2026-01-30"]
            );
            assert_eq!(
                copied(facts(-1, right), "d").findings(),
                ["warning: `/etc/a.pem` ended on 2025-12-31"]
            );
            assert_eq!(copied(facts(29, right), "d").refresh().due, None);
        }

        #[test]
        fn one_that_cannot_be_used_stops_only_what_needs_it() {
            let wrong = || facts(60, &["other.example"]);
            assert_eq!(
                source(wrong(), "d").findings(),
                ["error: `/etc/a.pem` is not for `shop.example.com`"]
            );
            assert_eq!(
                copied(wrong(), "e").findings(),
                ["warning: `/etc/a.pem` is not for `shop.example.com`"]
            );
            assert_eq!(copied(wrong(), "e").refresh().due, None);
            assert_eq!(source(Answer::Absent, "d").findings(), ["error: there is no `/etc/a.pem`"]);
            let broken = Answer::Failed("it is not a PEM file".into());
            assert_eq!(
                source(broken, "d").findings(),
                ["error: `/etc/a.pem` cannot be used: it is not a PEM file"]
            );
            let key = || Query::PrivateKey { key: "/etc/a.key".into(), certificate: "/etc/a.pem".into() };
            let no_key = source(facts(60, &["shop.example.com"]), "d").seen(key(), Answer::Absent);
            assert_eq!(no_key.findings(), ["error: there is no `/etc/a.key`"]);
            let wrong = Answer::PrivateKey { wrong: Some("there is no private key in it".into()) };
            let other = source(facts(60, &["shop.example.com"]), "d").seen(key(), wrong);
            assert_eq!(
                other.findings(),
                ["error: `/etc/a.key` cannot be used: there is no private key in it"]
            );
        }
    }
}
