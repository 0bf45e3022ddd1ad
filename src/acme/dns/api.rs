//! What the providers with an HTTP API share.

use std::net::IpAddr;
use std::time::Duration;

use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Method, StatusCode, Uri};
use serde_json::Value;

use super::DnsError;
use crate::acme::http::{Http, Response};
use crate::value::Secret;

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// As often a request is sent that the provider has no time for.
const TRIES: u32 = 4;

/// The longest pause before a request is sent again.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A provider's HTTP API: JSON, with a token.
pub(super) struct Api {
    http: Http,
    /// The provider's name, for people.
    pub(super) provider: &'static str,
    base: String,
    authorization: HeaderValue,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api")
            .field("provider", &self.provider)
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}

impl Api {
    /// # Errors
    /// The token would go over the network in the clear, or cannot be sent.
    pub(super) fn new(
        provider: &'static str,
        base: &str,
        token: &Secret,
        http: Http,
    ) -> Result<Self, DnsError> {
        let base = base.trim_end_matches('/');
        if !is_private(base) {
            return Err(DnsError::new(
                format!(
                    "the API token of {provider} is not sent to `{base}`, which is no `https://` address"
                ),
                base,
                "write an address that begins with `https://` in `api`, or leave `api` away",
            ));
        }
        let mut authorization =
            HeaderValue::from_str(&format!("Bearer {}", token.expose().trim())).map_err(|_| {
                let what = format!("the API token of {provider} holds characters that no token has");
                DnsError::new(what, base, "copy the token again, without anything around it")
            })?;
        authorization.set_sensitive(true);
        Ok(Self { http, provider, base: base.to_owned(), authorization })
    }

    /// Sends a request; one that the provider has no time for is sent again.
    pub(super) async fn send(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, DnsError> {
        let mut pause = Duration::from_secs(1);
        let mut tries = 1;
        loop {
            let answer = self.once(method, path, body).await?;
            let busy = matches!(answer.status.as_u16(), 409 | 423 | 429) || answer.status.is_server_error();
            if !busy || tries == TRIES {
                return Ok(answer);
            }
            tokio::time::sleep(answer.again.unwrap_or(pause).min(LONGEST_PAUSE)).await;
            pause *= 2;
            tries += 1;
        }
    }

    async fn once(&self, method: &Method, path: &str, body: Option<&Value>) -> Result<Answer, DnsError> {
        let headers = [
            (AUTHORIZATION, self.authorization.clone()),
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        ];
        let body = body.map(ToString::to_string).unwrap_or_default();
        let address = format!("{}{path}", self.base);
        let answer = self.http.send(method.clone(), &address, &headers, body, PATIENCE).await;
        let Response { status, headers, body } = answer.map_err(|error| {
            DnsError::new(
                format!("the API of {} gives no answer: {error}", self.provider),
                address,
                "check the network of this machine, and `api`",
            )
        })?;
        let again = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Ok(Answer { status, body, again: again.map(Duration::from_secs) })
    }

    /// Why a request was refused: `what` was tried, `said` is the provider's own reason.
    pub(super) fn refused(&self, what: &str, zone: &str, status: StatusCode, said: &str) -> DnsError {
        let help = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                "make an API token that may read zones and change the records of this one, and check that it has not expired"
            }
            StatusCode::TOO_MANY_REQUESTS => "wait: the provider has been asked too often",
            status if status.is_server_error() => "wait, and look at the provider's status page",
            _ => "look at the zone in the provider's console",
        };
        let said = if said.is_empty() { String::new() } else { format!(": {said}") };
        DnsError::new(format!("{} does not {what} ({}){said}", self.provider, status.as_u16()), zone, help)
    }

    /// No zone of the token's holds a name.
    pub(super) fn no_zone(&self, name: &str) -> DnsError {
        DnsError::new(
            format!("no zone of {} that the API token may see holds `{name}`", self.provider),
            self.base.clone(),
            "check that the domain's zone is with this provider, in the account of the token, and that the token may read it",
        )
    }
}

/// What a provider answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// `null` where it is no JSON.
    pub(super) body: Value,
    again: Option<Duration>,
}

/// The names that a zone of a name may have, the longest first; never a single label.
pub(super) fn zones(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |name| name.split_once('.').map(|(_, above)| above))
        .filter(|name| name.contains('.'))
}

/// Whether nobody on the way reads what is sent to an address.
fn is_private(base: &str) -> bool {
    let Ok(address) = base.parse::<Uri>() else { return false };
    let host = address.host().unwrap_or_default().trim_matches(['[', ']']);
    let loopback = host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    match address.scheme_str() {
        Some("https") => !host.is_empty(),
        Some("http") => loopback,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{is_private, zones};

    #[test]
    fn the_longest_zone_is_looked_for_first() {
        let all: Vec<_> = zones("_acme-challenge.shop.example.com").collect();
        assert_eq!(all, ["_acme-challenge.shop.example.com", "shop.example.com", "example.com"]);
    }

    #[test]
    fn a_token_is_not_sent_in_the_clear() {
        for good in ["https://api.example.com/v1", "http://127.0.0.1:8080", "http://[::1]:8080/x"] {
            assert!(is_private(good), "{good}");
        }
        for bad in [
            "http://api.example.com",
            "http://localhost.example.com",
            "ftp://127.0.0.1",
            "api.example.com",
            "",
        ] {
            assert!(!is_private(bad), "{bad}");
        }
    }
}
