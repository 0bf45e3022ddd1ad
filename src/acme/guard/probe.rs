//! Whether a name's addresses answer with what the node shows (http-01).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::future::join_all;
use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{HOST, HeaderValue, LOCATION};

use super::names::{Addresses, is_public, wanted};
use super::together;
use crate::acme::http::{Http, HttpError, Response};
use crate::diag::Diagnostic;
use crate::host::{is_own, outgoing};

/// How long an address may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often an answer that is wrong is asked for again: nginx's former workers may still answer.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(300);

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Probe<'a> {
    /// At which port the authority will ask.
    pub port: u16,
    /// The path.
    pub path: &'a str,
    /// What the node shows there.
    pub content: &'a str,
}

/// What an address answers.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Found {
    /// What the node shows.
    Shown,
    /// It sends the authority on, to the same name.
    Redirects,
    /// Something else.
    Other(String),
    /// Nothing.
    Nobody(String),
}

/// Asks all addresses of all names, and says what may be wrong and cannot be known from here.
///
/// # Errors
/// An address answers something else, or nobody answers where somebody should.
pub async fn probe(addresses: &Addresses, probe: Probe<'_>) -> Result<Vec<String>, Diagnostic> {
    let http = Http::plain()?;
    let http = &http;
    let asked = addresses.iter().map(|(name, addresses)| async move {
        let found = join_all(addresses.iter().map(|address| ask(http, name, *address, probe)));
        let found: Vec<_> = addresses.iter().copied().zip(found.await).collect();
        judge(name, probe.port, &found, is_own, &outgoing())
    });
    let (remarks, errors): (Vec<_>, Vec<_>) = join_all(asked).await.into_iter().partition(Result::is_ok);
    together(errors.into_iter().filter_map(Result::err).collect())?;
    Ok(remarks.into_iter().flatten().flatten().collect())
}

async fn ask(http: &Http, name: &str, address: IpAddr, probe: Probe<'_>) -> Found {
    let mut tries = 0;
    loop {
        tries += 1;
        let found = ask_once(http, name, address, probe).await;
        if tries == TRIES || !matches!(found, Found::Other(_)) {
            return found;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn ask_once(http: &Http, name: &str, address: IpAddr, probe: Probe<'_>) -> Found {
    let url = format!("http://{}{}", SocketAddr::new(address, probe.port), probe.path);
    let Ok(host) = HeaderValue::from_str(name) else {
        return Found::Other("the name cannot be asked for".to_owned());
    };
    match http.send(Method::GET, &url, &[(HOST, host)], Bytes::new(), PATIENCE).await {
        Ok(response) => answer(name, probe, &response),
        Err(HttpError::Unreachable(why)) => Found::Nobody(why),
        Err(HttpError::Slow(patience)) => Found::Nobody(format!("no answer within {} s", patience.as_secs())),
        Err(error) => Found::Other(error.to_string()),
    }
}

fn answer(name: &str, probe: Probe<'_>, response: &Response) -> Found {
    let status = response.status;
    if status.is_success() {
        let is_shown = response.body.trim_ascii() == probe.content.as_bytes();
        return if is_shown { Found::Shown } else { Found::Other("another page".to_owned()) };
    }
    let place = response.headers.get(LOCATION).and_then(|place| place.to_str().ok());
    match place.filter(|_| status.is_redirection()) {
        Some(place) => {
            let host = place
                .split_once("://")
                .map_or(name, |(_, rest)| rest.split(['/', ':', '?']).next().unwrap_or_default());
            if host.eq_ignore_ascii_case(name) {
                Found::Redirects
            } else {
                Found::Other(format!("a redirect to `{}`", place.escape_default()))
            }
        }
        None => Found::Other(format!("status {}", status.as_u16())),
    }
}

/// What the answers say of a name.
fn judge(
    name: &str,
    port: u16,
    found: &[(IpAddr, Found)],
    is_own: impl Fn(IpAddr) -> bool,
    outgoing: &[IpAddr],
) -> Result<Vec<String>, Diagnostic> {
    let mut remarks = Vec::new();
    let is_answer = |found: &Found| matches!(found, Found::Shown | Found::Redirects);
    let answered = found.iter().any(|(_, found)| is_answer(found));
    // Nothing stands before the node, so that another address of the name must be the node's too.
    let answers_directly = found.iter().any(|(address, found)| is_answer(found) && is_own(*address));
    // The node has an address of that family that is reached from everywhere: nothing translates it.
    let is_direct =
        |address: &IpAddr| outgoing.iter().any(|own| own.is_ipv4() == address.is_ipv4() && is_public(own));
    for (address, found) in found {
        match found {
            Found::Shown => {}
            Found::Redirects => {
                remarks.push(format!("`{name}` at {address} redirects what the authority asks for"));
            }
            Found::Other(what) if is_own(*address) => {
                return Err(Diagnostic::error(format!(
                    "something else than vsa's nginx answers for `{name}` at port {port} of this node ({address}): {what}"
                ))
                .code("challenge_blocked")
                .help(format!(
                    "see what listens there (`ss -ltnp 'sport = :{port}'`), and that nothing before nginx answers \
                     `/.well-known/acme-challenge/`; or prove control with `challenge = \"dns-01\"`"
                )));
            }
            Found::Other(what) => {
                return Err(Diagnostic::error(format!(
                    "`{name}` leads to {address}, which is not this node, and answers something else: {what}"
                ))
                .code("leads_elsewhere")
                .help(alone(address)));
            }
            Found::Nobody(why) if is_own(*address) && !answered => {
                return Err(Diagnostic::error(format!(
                    "nobody answers for `{name}` at port {port} of this node ({address}): {why}"
                ))
                .code("challenge_blocked")
                .help(format!(
                    "let nginx listen there (`http_port`), and the firewall let port {port} in: the authority asks at it"
                )));
            }
            Found::Nobody(why) => {
                if !is_own(*address) && (is_direct(address) || (address.is_ipv6() && answers_directly)) {
                    return Err(Diagnostic::error(format!(
                        "`{name}` leads to {address}, which is not this node, and where nobody answers: {why}"
                    ))
                    .code("leads_elsewhere")
                    .help(alone(address)));
                }
                // A router that translates addresses often does not let the node reach itself by its public address.
                remarks.push(format!("`{name}` at {address} cannot be reached from here: {why}"));
            }
        }
    }
    Ok(remarks)
}

/// What to do about a record that leads elsewhere.
fn alone(address: &IpAddr) -> String {
    let records = format!("let its A and AAAA records name this node alone: {}", wanted());
    if address.is_ipv6() {
        format!(
            "{records}; authorities ask the address of an AAAA record first, so take away one that is old"
        )
    } else {
        records
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::{Found, judge};

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// What is said where 10.0.0.2 and 198.51.100.2 are the node's, and the second leads out or the first does.
    fn said(found: &[(&str, Found)], outgoing: &str) -> String {
        let found: Vec<_> = found.iter().map(|(address, found)| (ip(address), found.clone())).collect();
        let own = |address| [ip("10.0.0.2"), ip("198.51.100.2")].contains(&address);
        match judge("shop.example.com", 80, &found, own, &[ip(outgoing)]) {
            Ok(remarks) => format!("fine; {}", remarks.join("; ")),
            Err(error) => error.summary,
        }
    }

    fn refused() -> Found {
        Found::Nobody("connection refused".to_owned())
    }

    #[test]
    fn an_answer_of_somebody_else_is_an_error() {
        let other = Found::Other("status 404".to_owned());
        insta::assert_snapshot!(said(&[("203.0.113.9", other.clone())], "10.0.0.2"), @"`shop.example.com` leads to 203.0.113.9, which is not this node, and answers something else: status 404");
        insta::assert_snapshot!(said(&[("198.51.100.2", Found::Shown), ("203.0.113.9", other.clone())], "198.51.100.2"), @"`shop.example.com` leads to 203.0.113.9, which is not this node, and answers something else: status 404");
        insta::assert_snapshot!(said(&[("198.51.100.2", other)], "198.51.100.2"), @"something else than vsa's nginx answers for `shop.example.com` at port 80 of this node (198.51.100.2): status 404");
    }

    #[test]
    fn an_address_where_nobody_answers_may_be_a_router_that_does_not_let_us_in() {
        insta::assert_snapshot!(said(&[("203.0.113.9", refused())], "10.0.0.2"), @"fine; `shop.example.com` at 203.0.113.9 cannot be reached from here: connection refused");
        insta::assert_snapshot!(said(&[("203.0.113.9", refused())], "198.51.100.2"), @"`shop.example.com` leads to 203.0.113.9, which is not this node, and where nobody answers: connection refused");
        insta::assert_snapshot!(said(&[("198.51.100.2", refused())], "198.51.100.2"), @"nobody answers for `shop.example.com` at port 80 of this node (198.51.100.2): connection refused");
        insta::assert_snapshot!(said(&[("198.51.100.2", Found::Shown), ("2001:db8::9", refused())], "198.51.100.2"), @"`shop.example.com` leads to 2001:db8::9, which is not this node, and where nobody answers: connection refused");
    }

    #[test]
    fn each_address_must_lead_to_this_node() {
        // An old record beside a right one: authorities ask IPv6 first.
        let said = |shown: &str, old: &str, outgoing: &str| {
            said(&[(shown, Found::Shown), (old, refused())], outgoing)
        };
        insta::assert_snapshot!(said("198.51.100.2", "203.0.113.9", "198.51.100.2"), @"`shop.example.com` leads to 203.0.113.9, which is not this node, and where nobody answers: connection refused");
        insta::assert_snapshot!(said("10.0.0.2", "2001:db8::9", "10.0.0.2"), @"`shop.example.com` leads to 2001:db8::9, which is not this node, and where nobody answers: connection refused");
        // Something stands before the node: what it can be reached by is not known here.
        insta::assert_snapshot!(said("203.0.113.1", "2001:db8::9", "10.0.0.2"), @"fine; `shop.example.com` at 2001:db8::9 cannot be reached from here: connection refused");
        insta::assert_snapshot!(said("203.0.113.1", "203.0.113.9", "10.0.0.2"), @"fine; `shop.example.com` at 203.0.113.9 cannot be reached from here: connection refused");
        insta::assert_snapshot!(said("198.51.100.2", "10.0.0.2", "198.51.100.2"), @"fine; `shop.example.com` at 10.0.0.2 cannot be reached from here: connection refused");
    }

    #[test]
    fn the_authority_follows_a_redirect_to_the_same_name() {
        insta::assert_snapshot!(said(&[("203.0.113.9", Found::Redirects)], "198.51.100.2"), @"fine; `shop.example.com` at 203.0.113.9 redirects what the authority asks for");
    }
}
