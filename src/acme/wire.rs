//! What stands between `instant-acme` and the network: bounds on time, and what it does not pass on of an answer.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderValue, LINK, RETRY_AFTER};
use hyper::{Method, Request};
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use jiff::Timestamp;
use jiff::fmt::rfc2822;

use super::http::{Http, HttpError, Response};
use crate::host::clock;

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a window of renewal is relied on unless the authority says it, in seconds (RFC 9773, section 4.3.3).
const RELIABLE: &str = "21600";

/// What answers said beside their bodies.
#[derive(Clone, Debug, Default)]
pub(super) struct Noted {
    /// When an authority that refused may be asked again, in seconds since 1970.
    pub(super) again: Option<i64>,
    /// The authority's clock, in seconds since 1970.
    pub(super) date: Option<i64>,
    /// Where other chains of the certificate are (RFC 8555, section 7.4.2).
    pub(super) alternates: Vec<String>,
}

/// The network as `instant-acme` sees it.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    http: Http,
    /// The directory, which is asked for once.
    directory: Arc<(String, Bytes)>,
    noted: Arc<Mutex<Noted>>,
    /// The chain that shall be seen in the place of the usual one.
    chain: Option<String>,
}

impl Wire {
    /// With a directory that was read before.
    pub(super) fn new(http: Http, address: String, directory: Bytes) -> Self {
        let directory = Arc::new((address, directory));
        Self { http, directory, noted: Arc::default(), chain: None }
    }

    /// Another one that takes notes of its own.
    pub(super) fn fresh(&self) -> Self {
        Self { noted: Arc::default(), ..self.clone() }
    }

    /// Another one, by which orders name this chain: the library knows only the one that an order names.
    pub(super) fn naming(&self, chain: String) -> Self {
        Self { chain: Some(chain), noted: Arc::default(), ..self.clone() }
    }

    /// What was noted so far.
    pub(super) fn noted(&self) -> Noted {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn note(&self, response: &Response) {
        let header = |name| response.headers.get(name).and_then(|value| value.to_str().ok());
        let date = date(&response.headers);
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        noted.date = date.or(noted.date);
        if !response.status.is_success() {
            let after = header(RETRY_AFTER).map(str::trim);
            noted.again = after.and_then(|after| match after.parse::<i64>() {
                Ok(seconds) => Some(clock().as_second().saturating_add(seconds)),
                Err(_) => moment(after),
            });
        }
        let links: Vec<_> = response.headers.get_all(LINK).iter().filter_map(alternate).collect();
        if !links.is_empty() {
            noted.alternates = links;
        }
    }

    /// With the chain that is wanted where an order names another one.
    fn renamed(&self, body: Bytes) -> Bytes {
        let Some(chain) = &self.chain else { return body };
        match serde_json::from_slice::<serde_json::Value>(&body) {
            Ok(serde_json::Value::Object(mut order)) if order.contains_key("finalize") => {
                order.insert("certificate".to_owned(), chain.as_str().into());
                serde_json::Value::Object(order).to_string().into()
            }
            _ => body,
        }
    }
}

/// The clock of who answered, in seconds since 1970.
pub(super) fn date(headers: &HeaderMap) -> Option<i64> {
    headers.get(DATE).and_then(|value| value.to_str().ok()).and_then(moment)
}

/// A date of HTTP (RFC 9110, section 5.6.7), in seconds since 1970.
fn moment(text: &str) -> Option<i64> {
    rfc2822::parse(text).ok().map(|time| Timestamp::from(&time).as_second())
}

/// Whether a `Retry-After` header is seconds or a date.
fn says_when(header: Option<&HeaderValue>) -> bool {
    let text = header.and_then(|value| value.to_str().ok()).map(str::trim);
    text.is_some_and(|text| text.parse::<u32>().is_ok() || moment(text).is_some())
}

/// Whether a `Retry-After` header says no pause at all.
fn is_now(header: Option<&HeaderValue>) -> bool {
    header.and_then(|value| value.to_str().ok()).is_some_and(|text| text.trim().parse() == Ok(0))
}

/// The address in a `Link` header (RFC 8288) that names another chain.
fn alternate(header: &HeaderValue) -> Option<String> {
    let (address, parameters) = header.to_str().ok()?.trim().strip_prefix('<')?.split_once('>')?;
    let relation = parameters.split(';').filter_map(|parameter| parameter.trim().strip_prefix("rel="));
    let mut relation = relation.map(|relation| relation.trim_matches('"'));
    relation.any(|relation| relation == "alternate").then(|| address.to_owned())
}

impl HttpClient for Wire {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let wire = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let is_window = parts.method == Method::GET;
            if parts.method == Method::GET && parts.uri == wire.directory.0.as_str() {
                return Ok(hyper::Response::new(Full::new(wire.directory.1.clone())).into());
            }
            let address = parts.uri.to_string();
            let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
            let request = Request::from_parts(parts, Full::new(body));
            let response = wire.http.exchange(request, PATIENCE).await;
            let response = response.map_err(|error| Error::Other(Box::new(error)))?;
            wire.note(&response);
            let is_json = response.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
            let is_json = is_json.is_some_and(|kind| kind.contains("json"));
            if !response.status.is_success() && !is_json {
                // A proxy before the authority, or an error page: no problem document to read.
                let status = response.status.as_u16();
                return Err(Error::Other(Box::new(match status {
                    404 | 410 => HttpError::Gone(status, address),
                    _ => HttpError::Unreachable(format!("it answers with status {status}")),
                })));
            }
            let mut answer = hyper::Response::new(Full::new(wire.renamed(response.body)));
            *answer.status_mut() = response.status;
            *answer.headers_mut() = response.headers;
            if is_now(answer.headers().get(RETRY_AFTER)) {
                // The library would ask again and again without a pause.
                answer.headers_mut().remove(RETRY_AFTER);
            }
            if is_window && !says_when(answer.headers().get(RETRY_AFTER)) {
                // The library takes a window for nothing that does not say how long it can be relied on.
                answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(RELIABLE));
            }
            Ok(answer.into())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_http() {
        assert_eq!(moment("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(moment("yesterday"), None);
    }

    #[test]
    fn no_pause_at_all_is_none_of_the_authoritys() {
        let values = ["0", " 00 ", "1", "soon"].map(HeaderValue::from_static);
        assert_eq!(values.map(|value| is_now(Some(&value))), [true, true, false, false]);
        assert!(!is_now(None));
    }

    #[test]
    fn other_chains_are_found_among_links() {
        let link = |text| alternate(&HeaderValue::from_static(text));
        assert_eq!(link("<https://ca/1>;rel=\"alternate\""), Some("https://ca/1".to_owned()));
        assert_eq!(link("<https://ca/1>; title=x; rel=alternate"), Some("https://ca/1".to_owned()));
        assert_eq!(link("<https://ca/dir>;rel=\"index\""), None);
        assert_eq!(link("nonsense"), None);
    }
}
