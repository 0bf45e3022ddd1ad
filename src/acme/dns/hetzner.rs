//! DNS in the API of Hetzner Cloud (<https://docs.hetzner.cloud/reference/cloud#dns>).

use std::time::Duration;

use async_trait::async_trait;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::api::{Answer, Api, zones};
use super::{DnsChallenges, DnsError, TxtRecord};

/// How long others may remember the record, in seconds: the shortest time that is taken.
const TTL: u32 = 60;

/// What is asked for takes effect a little later: how often, and how far apart, that is looked for.
const LOOKS: u32 = 60;
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

/// Zones at Hetzner.
#[derive(Debug)]
pub(super) struct Hetzner(pub(super) Api);

impl Hetzner {
    /// The zone that a name is in.
    async fn zone<'a>(&self, name: &'a str) -> Result<&'a str, DnsError> {
        for zone in zones(name) {
            let answer = self.0.send(&Method::GET, &format!("/zones/{zone}"), None).await?;
            if answer.status == StatusCode::NOT_FOUND {
                continue;
            }
            self.taken(&answer, "show a zone", zone)?;
            return Ok(zone);
        }
        Err(self.0.no_zone(name))
    }

    /// Nothing, or why it was refused.
    fn taken(&self, answer: &Answer, what: &str, zone: &str) -> Result<(), DnsError> {
        if answer.status.is_success() {
            return Ok(());
        }
        let said = answer.body["error"]["message"].as_str().unwrap_or_default();
        Err(self.0.refused(what, zone, answer.status, said))
    }

    /// Waits until what was asked for has been done.
    async fn done(&self, mut answer: Answer, what: &str, zone: &str) -> Result<(), DnsError> {
        for _ in 0..LOOKS {
            self.taken(&answer, what, zone)?;
            let action = &answer.body["action"];
            match (action["status"].as_str(), action["id"].as_u64()) {
                (Some("running"), Some(id)) => {
                    tokio::time::sleep(BETWEEN_LOOKS).await;
                    answer = self.0.send(&Method::GET, &format!("/actions/{id}"), None).await?;
                }
                (Some("error"), _) => {
                    let said = action["error"]["message"].as_str().unwrap_or_default();
                    return Err(self.0.refused(what, zone, answer.status, said));
                }
                _ => return Ok(()),
            }
        }
        Err(self.0.refused(what, zone, StatusCode::GATEWAY_TIMEOUT, "it is still at it"))
    }

    /// The path of the TXT records at a name of a zone.
    fn path(name: &str, zone: &str) -> String {
        let inside = name.strip_suffix(zone).map_or(name, |inside| inside.trim_end_matches('.'));
        format!("/zones/{zone}/rrsets/{}/TXT", if inside.is_empty() { "@" } else { inside })
    }

    /// Whether a value is among the TXT records at a path.
    async fn has(&self, path: &str, record: &TxtRecord, zone: &str) -> Result<bool, DnsError> {
        let answer = self.0.send(&Method::GET, path, None).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(false);
        }
        self.taken(&answer, &format!("list the TXT records at `{}`", record.name), zone)?;
        let listed = answer.body["rrset"]["records"].as_array().into_iter().flatten();
        Ok(listed.filter_map(|listed| listed["value"].as_str()).any(|value| value == quoted(&record.value)))
    }
}

#[async_trait]
impl DnsChallenges for Hetzner {
    async fn publish(&self, record: &TxtRecord) -> Result<(), DnsError> {
        let name = record.name.to_string();
        let zone = self.zone(&name).await?;
        let path = Self::path(&name, zone);
        if self.has(&path, record, zone).await? {
            return Ok(());
        }
        let body = json!({ "ttl": TTL, "records": [value(record)] });
        let answer = self.0.send(&Method::POST, &format!("{path}/actions/add_records"), Some(&body)).await?;
        self.done(answer, &format!("add a TXT record at `{name}`"), zone).await
    }

    async fn withdraw(&self, record: &TxtRecord) -> Result<(), DnsError> {
        let name = record.name.to_string();
        let zone = self.zone(&name).await?;
        let path = Self::path(&name, zone);
        if !self.has(&path, record, zone).await? {
            return Ok(());
        }
        let body = json!({ "records": [value(record)] });
        let answer =
            self.0.send(&Method::POST, &format!("{path}/actions/remove_records"), Some(&body)).await?;
        self.done(answer, &format!("remove a TXT record at `{name}`"), zone).await
    }
}

fn value(record: &TxtRecord) -> Value {
    json!({ "value": quoted(&record.value) })
}

/// A value as it stands in a zone file; one of a challenge holds no quote.
fn quoted(value: &str) -> String {
    format!("\"{value}\"")
}
