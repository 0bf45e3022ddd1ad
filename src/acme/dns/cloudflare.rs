//! Cloudflare's API, version 4 (<https://developers.cloudflare.com/api/>).

use async_trait::async_trait;
use hyper::Method;
use serde_json::{Value, json};

use super::api::{Answer, Api, zones};
use super::{DnsChallenges, DnsError, TxtRecord};

/// How long others may remember the record, in seconds: the shortest time that every plan has.
const TTL: u32 = 60;

/// The codes of a record that is there already.
const THERE: [i64; 2] = [81057, 81058];

/// Zones at Cloudflare.
#[derive(Debug)]
pub(super) struct Cloudflare(pub(super) Api);

impl Cloudflare {
    /// The id of the zone that a name is in.
    async fn zone(&self, name: &str) -> Result<String, DnsError> {
        for zone in zones(name) {
            let answer = self.0.send(&Method::GET, &format!("/zones?name={zone}"), None).await?;
            let found = self.result(&answer, "list zones", zone)?;
            if let Some(id) = found.get(0).and_then(|zone| zone["id"].as_str()) {
                return Ok(id.to_owned());
            }
        }
        Err(self.0.no_zone(name))
    }

    /// What was asked for, or why it was refused.
    fn result<'a>(&self, answer: &'a Answer, what: &str, zone: &str) -> Result<&'a Value, DnsError> {
        if answer.status.is_success() && answer.body["success"] == true {
            return Ok(&answer.body["result"]);
        }
        let said = errors(answer).map(|(code, message)| format!("{message} (code {code})"));
        Err(self.0.refused(what, zone, answer.status, &said.collect::<Vec<_>>().join(", ")))
    }
}

fn errors(answer: &Answer) -> impl Iterator<Item = (i64, &str)> {
    let all = answer.body["errors"].as_array().into_iter().flatten();
    all.map(|error| {
        (error["code"].as_i64().unwrap_or_default(), error["message"].as_str().unwrap_or_default())
    })
}

#[async_trait]
impl DnsChallenges for Cloudflare {
    async fn publish(&self, record: &TxtRecord) -> Result<(), DnsError> {
        let name = record.name.to_string();
        let zone = self.zone(&name).await?;
        let body = json!({ "type": "TXT", "name": name, "content": quoted(&record.value), "ttl": TTL });
        let answer = self.0.send(&Method::POST, &format!("/zones/{zone}/dns_records"), Some(&body)).await?;
        if errors(&answer).any(|(code, _)| THERE.contains(&code)) {
            return Ok(());
        }
        self.result(&answer, &format!("add a TXT record at `{name}`"), &name).map(drop)
    }

    async fn withdraw(&self, record: &TxtRecord) -> Result<(), DnsError> {
        let name = record.name.to_string();
        let zone = self.zone(&name).await?;
        let path = format!("/zones/{zone}/dns_records?type=TXT&name={name}&per_page=100");
        let answer = self.0.send(&Method::GET, &path, None).await?;
        let listed = self.result(&answer, &format!("list the TXT records at `{name}`"), &name)?;
        let own = listed.as_array().into_iter().flatten().filter(|listed| {
            let content = listed["content"].as_str().unwrap_or_default();
            content == record.value || content == quoted(&record.value)
        });
        for id in own.filter_map(|listed| listed["id"].as_str()) {
            let path = format!("/zones/{zone}/dns_records/{id}");
            let answer = self.0.send(&Method::DELETE, &path, None).await?;
            self.result(&answer, &format!("remove a TXT record at `{name}`"), &name)?;
        }
        Ok(())
    }
}

/// A value as it stands in a zone file; one of a challenge holds no quote.
fn quoted(value: &str) -> String {
    format!("\"{value}\"")
}
