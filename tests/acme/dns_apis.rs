//! DNS by providers' own APIs, by recorded answers.

use serde_json::{Value, json};
use vsa::acme::dns::DnsChallenges;
use vsa::plan::issuance::DnsProvider;
use vsa::value::Secret;

use super::dns::{EXAMPLE, made, record, said};
use crate::support::node::block_on;
use crate::support::recorded::{Exchange, Recorded};

const NAME: &str = "_acme-challenge.shop.example.com";

/// Cloudflare's answer, as its API documentation has it.
fn cloudflare(result: &Value) -> Value {
    json!({ "success": true, "errors": [], "messages": [], "result": result })
}

fn cloudflare_refuses(code: u32, message: &str) -> Value {
    json!({ "success": false, "errors": [{ "code": code, "message": message }], "messages": [], "result": null })
}

/// How Cloudflare is asked for the zone of [`NAME`].
fn cloudflare_zone() -> Vec<Exchange> {
    let zone = json!({ "id": "023e105f4ecef8ad9ca31a8372d0c353", "name": EXAMPLE, "status": "active", "type": "full" });
    vec![
        Exchange::new("GET /zones?name=_acme-challenge.shop.example.com", 200, cloudflare(&json!([]))),
        Exchange::new("GET /zones?name=shop.example.com", 200, cloudflare(&json!([]))),
        Exchange::new("GET /zones?name=example.com", 200, cloudflare(&json!([zone]))),
    ]
}

fn at_cloudflare(api: &Recorded) -> Box<dyn DnsChallenges> {
    made(&DnsProvider::Cloudflare { api: api.address.clone() }, Some(&Secret::new(TOKEN))).unwrap()
}

const TOKEN: &str = "token-of-the-test";

#[test]
fn cloudflare_adds_a_record_and_removes_it_alone() {
    let add = || json!({ "type": "TXT", "name": NAME, "content": "\"value\"", "ttl": 60 });
    let listed = |id: &str, content: &str| json!({ "id": id, "type": "TXT", "name": NAME, "content": content, "ttl": 60 });
    let mut exchanges = cloudflare_zone();
    let path = "POST /zones/023e105f4ecef8ad9ca31a8372d0c353/dns_records";
    exchanges.push(
        Exchange::new(path, 200, cloudflare(&listed("372e67954025e0ba6aaa6d586b9e0b59", "\"value\"")))
            .told(add()),
    );
    exchanges.extend(cloudflare_zone());
    let there = cloudflare_refuses(81058, "An identical record already exists.");
    exchanges.push(Exchange::new(path, 400, there).told(add()));
    exchanges.extend(cloudflare_zone());
    let all = json!([listed("1111", "\"of-the-wildcard\""), listed("2222", "\"value\"")]);
    exchanges.push(Exchange::new(
        "GET /zones/023e105f4ecef8ad9ca31a8372d0c353/dns_records?type=TXT&name=_acme-challenge.shop.example.com&per_page=100",
        200,
        cloudflare(&all),
    ));
    let delete = "DELETE /zones/023e105f4ecef8ad9ca31a8372d0c353/dns_records/2222";
    exchanges.push(Exchange::new(delete, 200, cloudflare(&json!({ "id": "2222" }))));
    let api = Recorded::start(TOKEN, exchanges);
    let challenges = at_cloudflare(&api);
    block_on(async {
        for _ in 0..2 {
            challenges.publish(&record(NAME, "value")).await.unwrap();
        }
        challenges.withdraw(&record(NAME, "value")).await.unwrap();
    });
    api.assert_told();
}

#[test]
fn cloudflare_says_why_it_does_not() {
    let refused = |exchanges| {
        let api = Recorded::start(TOKEN, exchanges);
        let failed = block_on(at_cloudflare(&api).publish(&record(NAME, "value"))).unwrap_err();
        api.assert_told();
        said(failed, &api.address)
    };
    let zones = "GET /zones?name=_acme-challenge.shop.example.com";
    let authentication = cloudflare_refuses(10000, "Authentication error");
    insta::assert_snapshot!(refused(vec![Exchange::new(zones, 403, authentication)]), @r#"
    Cloudflare does not list zones (403): Authentication error (code 10000)
    help: make an API token that may read zones and change the records of this one, and check that it has not expired
    "#);
    let none = [
        "GET /zones?name=_acme-challenge.shop.example.com",
        "GET /zones?name=shop.example.com",
        "GET /zones?name=example.com",
    ];
    let none = none.map(|request| Exchange::new(request, 200, cloudflare(&json!([]))));
    insta::assert_snapshot!(refused(none.into()), @r#"
    no zone of Cloudflare that the API token may see holds `_acme-challenge.shop.example.com`
    help: check that the domain's zone is with this provider, in the account of the token, and that the token may read it
    "#);
    let settings = DnsProvider::Cloudflare { api: "http://api.example.com".to_owned() };
    insta::assert_snapshot!(said(made(&settings, Some(&Secret::new(TOKEN))).unwrap_err(), "PLACE"), @r#"
    the API token of Cloudflare is not sent to `http://api.example.com`, which is no `https://` address
    help: write an address that begins with `https://` in `api`, or leave `api` away
    "#);
}

/// How Hetzner is asked for the zone of [`NAME`].
fn hetzner_zone() -> Vec<Exchange> {
    let none = || json!({ "error": { "code": "not_found", "message": "zone not found", "details": null } });
    let zone =
        json!({ "zone": { "id": 42, "name": EXAMPLE, "mode": "primary", "ttl": 3600, "status": "ok" } });
    vec![
        Exchange::new("GET /zones/_acme-challenge.shop.example.com", 404, none()),
        Exchange::new("GET /zones/shop.example.com", 404, none()),
        Exchange::new("GET /zones/example.com", 200, zone),
    ]
}

fn hetzner_action(status: &str, error: &Value) -> Value {
    let command = "add_rrset_records";
    json!({ "action": { "id": 7, "command": command, "status": status, "progress": 50, "error": error } })
}

fn at_hetzner(api: &Recorded) -> Box<dyn DnsChallenges> {
    made(&DnsProvider::Hetzner { api: api.address.clone() }, Some(&Secret::new(TOKEN))).unwrap()
}

const HETZNER_RECORDS: &str = "GET /zones/example.com/rrsets/_acme-challenge.shop/TXT";
const HETZNER_ADD: &str = "POST /zones/example.com/rrsets/_acme-challenge.shop/TXT/actions/add_records";
const HETZNER_REMOVE: &str = "POST /zones/example.com/rrsets/_acme-challenge.shop/TXT/actions/remove_records";

fn hetzner_records(values: &[&str]) -> Value {
    let records: Vec<_> = values.iter().map(|value| json!({ "value": value, "comment": "" })).collect();
    json!({ "rrset": { "id": "_acme-challenge.shop/TXT", "name": "_acme-challenge.shop", "type": "TXT", "ttl": 60, "records": records } })
}

#[test]
fn hetzner_adds_a_record_and_removes_it_alone() {
    let none = json!({ "error": { "code": "not_found", "message": "rrset not found", "details": null } });
    let value = json!([{ "value": "\"value\"" }]);
    let mut exchanges = hetzner_zone();
    exchanges.push(Exchange::new(HETZNER_RECORDS, 404, none));
    // Another change of the zone is under way: it is asked again.
    let locked = json!({ "error": { "code": "locked", "message": "resource is locked" } });
    let add = || json!({ "ttl": 60, "records": value });
    exchanges.push(Exchange::new(HETZNER_ADD, 423, locked).told(add()));
    exchanges.push(Exchange::new(HETZNER_ADD, 201, hetzner_action("running", &Value::Null)).told(add()));
    exchanges.push(Exchange::new("GET /actions/7", 200, hetzner_action("running", &Value::Null)));
    exchanges.push(Exchange::new("GET /actions/7", 200, hetzner_action("success", &Value::Null)));
    // It is there already.
    exchanges.extend(hetzner_zone());
    exchanges.push(Exchange::new(HETZNER_RECORDS, 200, hetzner_records(&["\"value\""])));
    exchanges.extend(hetzner_zone());
    exchanges.push(Exchange::new(
        HETZNER_RECORDS,
        200,
        hetzner_records(&["\"of-the-wildcard\"", "\"value\""]),
    ));
    let remove = json!({ "records": value });
    exchanges.push(Exchange::new(HETZNER_REMOVE, 201, hetzner_action("success", &Value::Null)).told(remove));
    // It is gone already.
    exchanges.extend(hetzner_zone());
    exchanges.push(Exchange::new(HETZNER_RECORDS, 200, hetzner_records(&["\"of-the-wildcard\""])));
    let api = Recorded::start(TOKEN, exchanges);
    let challenges = at_hetzner(&api);
    block_on(async {
        for _ in 0..2 {
            challenges.publish(&record(NAME, "value")).await.unwrap();
        }
        for _ in 0..2 {
            challenges.withdraw(&record(NAME, "value")).await.unwrap();
        }
    });
    api.assert_told();
}

#[test]
fn hetzner_says_why_it_does_not() {
    let refused = |exchanges| {
        let api = Recorded::start(TOKEN, exchanges);
        let failed = block_on(at_hetzner(&api).publish(&record(NAME, "value"))).unwrap_err();
        api.assert_told();
        said(failed, &api.address)
    };
    let unauthorized =
        json!({ "error": { "code": "unauthorized", "message": "unable to authenticate", "details": null } });
    let zone = "GET /zones/_acme-challenge.shop.example.com";
    insta::assert_snapshot!(refused(vec![Exchange::new(zone, 401, unauthorized)]), @r#"
    Hetzner does not show a zone (401): unable to authenticate
    help: make an API token that may read zones and change the records of this one, and check that it has not expired
    "#);
    let mut exchanges = hetzner_zone();
    exchanges.push(Exchange::new(HETZNER_RECORDS, 200, hetzner_records(&[])));
    let error = json!({ "code": "action_failed", "message": "Action failed" });
    let add = json!({ "ttl": 60, "records": [{ "value": "\"value\"" }] });
    exchanges.push(Exchange::new(HETZNER_ADD, 201, hetzner_action("error", &error)).told(add));
    insta::assert_snapshot!(refused(exchanges), @r#"
    Hetzner does not add a TXT record at `_acme-challenge.shop.example.com` (201): Action failed
    help: look at the zone in the provider's console
    "#);
}
