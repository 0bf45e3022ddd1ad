//! What vsa's client makes of an authority that is right, and of one that fails.

use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use vsa::acme::http::Http;
use vsa::acme::{Account, Authority as _, Client, Directory, NewOrder, Order, OrderStatus, Reason, Refused};
use vsa::plan::issuance::ChallengeType::Http01;
use vsa::plan::issuance::Revocation;

use crate::support::Authority;
use crate::support::authority::{Behaviour, Fault, Problem, Step, Validation, Window};
use crate::support::node::block_on;
use crate::support::private_ca::trusted;

const PATIENCE: Duration = Duration::from_secs(20);

fn names() -> Vec<String> {
    ["shop.example.com", "www.shop.example.com"].map(str::to_owned).into()
}

fn authority() -> Authority {
    Authority::start(Behaviour::new(Validation::Believes))
}

async fn client(authority: &Authority) -> Result<Client, Refused> {
    let http = Http::new(Some(&std::fs::read(authority.ca()).unwrap())).unwrap();
    let directory = Directory::read(&http, &authority.directory()).await?;
    let account = directory.register(&Account::make()?, Some("ops@example.com"), None).await?;
    directory.with(account)
}

fn new_order(names: &[String]) -> NewOrder<'_> {
    NewOrder { names, profile: None, replaces: None }
}

fn request() -> Vec<u8> {
    let params = CertificateParams::new(names()).unwrap();
    params.serialize_request(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
}

async fn finish(mut order: Box<dyn Order>) -> Result<String, Refused> {
    order.prove(Http01, PATIENCE).await?;
    order.finalize(&request()).await?;
    order.certificate(None, PATIENCE).await.map(|chain| chain.pem)
}

async fn issue(client: &Client) -> Result<String, Refused> {
    finish(client.begin(&new_order(&names())).await?).await
}

#[test]
fn a_certificate_is_renewed_when_the_authority_says_so() {
    let authority = authority();
    let short = ("short".to_owned(), "six days".to_owned(), Duration::from_hours(6 * 24));
    authority.behave(|it| it.profiles = vec![short]);
    block_on(async {
        let client = client(&authority).await.unwrap();
        assert_eq!(client.identities(), ["mock.example"]);
        let names = names();
        let order = NewOrder { profile: Some("short"), ..new_order(&names) };
        let chain = finish(client.begin(&order).await.unwrap()).await.unwrap();
        trusted(&authority.roots()[0], &chain, "shop.example.com").unwrap();
        let first = authority.issued().remove(0);
        assert_eq!(
            (first.not_after - first.not_before, first.profile.as_deref()),
            (6 * 86_400, Some("short"))
        );

        let (window, again) = client.window(&first.der).await.unwrap().unwrap();
        assert_eq!(window.start, first.not_after - 2 * 86_400);
        assert!(again <= Duration::from_hours(6) && again > Duration::from_hours(5), "{again:?}");
        authority.window(&first.id, Window { start: 1_000, end: 2_000, explanation: None });
        let (window, _) = client.window(&first.der).await.unwrap().unwrap();
        assert_eq!((window.start, window.end), (1_000, 2_000));

        let order = NewOrder { replaces: Some(&first.der), ..order };
        finish(client.begin(&order).await.unwrap()).await.unwrap();
        assert_eq!(authority.issued()[1].replaces.as_ref(), Some(&first.id));

        client.revoke(&first.der, Revocation::Superseded).await.unwrap();
        assert_eq!(authority.issued()[0].revoked, Some(4));
    });
}

#[test]
fn an_answer_about_renewal_that_makes_no_sense_is_refused() {
    let authority = authority();
    block_on(async {
        let client = client(&authority).await.unwrap();
        issue(&client).await.unwrap();
        let der = authority.issued().remove(0).der;
        let answer = |body: &str| Fault::Answer(200, vec![("Retry-After", "60".to_owned())], body.to_owned());
        let turned = r#"{"suggestedWindow":{"start":"2026-02-02T00:00:00Z","end":"2026-01-01T00:00:00Z"}}"#;
        for fault in [Fault::not_json(), answer("{}"), answer(turned), answer("")] {
            authority.fail(Step::RenewalInfo, fault, 1);
            assert_eq!(client.window(&der).await.unwrap_err().reason, Reason::Malformed);
        }
        assert!(client.window(&der).await.unwrap().is_some());
    });
}

#[test]
fn every_failure_has_a_reason() {
    let authority = authority();
    block_on(async {
        let client = client(&authority).await.unwrap();
        let now = jiff::Timestamp::now().as_second();
        let refused = async |fault| {
            authority.fail(Step::NewOrder, fault, 1);
            issue(&client).await.unwrap_err()
        };
        let limited = refused(Fault::Problem(Problem::rate_limited("120"))).await;
        assert_eq!(limited.reason, Reason::RateLimited);
        assert!((now + 120..now + 150).contains(&limited.again.unwrap()), "{limited:?}");
        let limited = refused(Fault::Problem(Problem::rate_limited("Fri, 01 Jan 2027 00:00:00 GMT"))).await;
        assert_eq!(limited.again, Some(1_798_761_600));
        assert_eq!(refused(Fault::Unavailable).await.reason, Reason::Unreachable);
        assert_eq!(refused(Fault::Closed).await.reason, Reason::Unreachable);
        assert_eq!(refused(Fault::not_json()).await.reason, Reason::Malformed);
        let problem = Problem::new(403, "caa", "CAA forbids it").of_name("shop.example.com", "caa", "no");
        let caa = refused(Fault::Problem(problem)).await;
        assert_eq!(caa.reason, Reason::Caa);
        assert_eq!(caa.names.into_iter().collect::<Vec<_>>(), [("shop.example.com".into(), "no".into())]);
        assert!(authority.orders().is_empty(), "none of them was processed");

        authority.down(true);
        let http = Http::new(Some(&std::fs::read(authority.ca()).unwrap())).unwrap();
        let down = Directory::read(&http, &authority.directory()).await.unwrap_err();
        assert_eq!(down.reason, Reason::Unreachable);
        authority.down(false);
        let strangers = Http::new(None).unwrap();
        let untrusted = Directory::read(&strangers, &authority.directory()).await.unwrap_err();
        assert_eq!(untrusted.reason, Reason::Untrusted);
    });
}

#[test]
fn an_order_fails_for_the_names_that_are_at_fault() {
    let authority = authority();
    block_on(async {
        let client = client(&authority).await.unwrap();
        let wrong = Problem::new(403, "unauthorized", "Invalid response from the server: 404");
        authority.behave(|it| it.validation = Validation::Finds(wrong));
        let refused = issue(&client).await.unwrap_err();
        assert_eq!(refused.reason, Reason::WrongProof);
        assert_eq!(refused.names["shop.example.com"], "Invalid response from the server: 404");
        assert_eq!(authority.orders()[0].status, "invalid");
        assert!(authority.issued().is_empty());

        authority.behave(|it| {
            it.validation = Validation::Believes;
            it.refuses = Some(Problem::new(403, "rejectedIdentifier", "the name is on a list"));
        });
        let refused = issue(&client).await.unwrap_err();
        assert_eq!(
            (refused.reason, refused.detail.as_str()),
            (Reason::RejectedName, "the name is on a list")
        );
        assert_eq!(authority.orders()[1].status, "invalid");
    });
}

#[test]
fn nonces_that_are_refused_time_and_again_are_no_failure() {
    let authority = authority();
    block_on(async {
        let client = client(&authority).await.unwrap();
        for step in [Step::NewOrder, Step::Challenge, Step::Finalize, Step::Certificate] {
            authority.fail(step, Fault::bad_nonce(), 4);
        }
        authority.behave(|it| it.processing = 3);
        issue(&client).await.unwrap();
        assert_eq!((authority.orders().len(), authority.issued().len()), (1, 1));
    });
}

#[test]
fn what_was_finalized_is_downloaded_by_who_comes_after() {
    let authority = authority();
    let gate = authority.hold(Step::Certificate, false);
    block_on(async {
        let client = client(&authority).await.unwrap();
        let order = client.begin(&new_order(&names())).await.unwrap();
        let url = order.url().to_owned();
        let download = tokio::spawn(finish(order));
        tokio::task::spawn_blocking({
            let gate = gate.clone();
            move || gate.wait_for_one()
        })
        .await
        .unwrap();
        download.abort();
        gate.open();

        let mut order = client.resume(&url).await.unwrap();
        assert_eq!(order.status(), OrderStatus::Valid);
        let chain = order.certificate(Some("Mock Root X2"), PATIENCE).await.unwrap().pem;
        trusted(&authority.roots()[1], &chain, "www.shop.example.com").unwrap();
        assert_eq!((authority.orders().len(), authority.issued().len()), (1, 1));
    });
}
