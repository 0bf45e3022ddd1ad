//! Look-ups in the DNS, as an authority makes them: the hosts file has no say, and nothing is remembered.

mod authoritative;
mod failure;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::future::join;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::{ResolverBuilder, TokioResolver};

pub(super) use failure::rcode;
pub use failure::{Failure, LookupError};

use super::guard::caa::{CaaRecord, CaaSet};
use crate::diag::Diagnostic;
use crate::names::{ResolverAddress, Text as _};

/// How long a server is waited for before the question is sent again.
const ANSWERS: Duration = Duration::from_secs(3);

/// How often a question is sent again.
const RETRIES: usize = 1;

/// How long a question may take, all servers and aliases counted.
const QUESTION: Duration = Duration::from_secs(20);

/// As many aliases are followed, one after the other.
const ALIASES: usize = 8;

/// Asks DNS servers.
#[derive(Clone)]
pub struct Resolver {
    inner: TokioResolver,
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Resolver")
    }
}

impl Resolver {
    /// Asks these servers; with none, those of `/etc/resolv.conf`.
    ///
    /// # Errors
    /// That file cannot be read, or names no server.
    pub fn new(servers: &[ResolverAddress]) -> Result<Self, Diagnostic> {
        let addresses: Vec<_> = servers.iter().map(socket_address).collect();
        let builder =
            if addresses.is_empty() { TokioResolver::builder_tokio() } else { Ok(asking(&addresses)) };
        let inner = builder.and_then(|builder| finish(builder, true)).map_err(|error| {
            Diagnostic::error(format!("the system's DNS servers are not known: {error}"))
                .code("dns")
                .help("name servers in `/etc/resolv.conf`, or set `resolvers` in the `acme` block")
        })?;
        Ok(Self { inner })
    }

    /// Asks one server for what it knows itself.
    fn of_server(address: SocketAddr) -> Option<Self> {
        finish(asking(&[address]), false).ok().map(|inner| Self { inner })
    }

    /// The IPv4 and IPv6 addresses of a name, aliases followed.
    pub async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, LookupError> {
        let (v4, v6) = join(self.ask(name, RecordType::A), self.ask(name, RecordType::AAAA)).await;
        let (found, failed): (Vec<_>, Vec<_>) = [v4, v6].into_iter().partition(Result::is_ok);
        let mut addresses: Vec<_> =
            found.into_iter().flatten().flatten().filter_map(|record| record.data.ip_addr()).collect();
        if addresses.is_empty() {
            // That one sort is missing says nothing where the other could not be asked for.
            let failure =
                failed.into_iter().filter_map(Result::err).max_by_key(|error| error.failure.clone());
            let failure = failure.map_or(Failure::NoData, |error| error.failure);
            return Err(LookupError::new(name, "A or AAAA", failure));
        }
        addresses.sort_unstable();
        addresses.dedup();
        Ok(addresses)
    }

    /// The values of a name's TXT records.
    pub async fn txt(&self, name: &str) -> Result<Vec<String>, LookupError> {
        let records = self.ask(name, RecordType::TXT).await?;
        let values = records.iter().filter_map(|record| match &record.data {
            RData::TXT(text) => Some(String::from_utf8_lossy(&text.txt_data.concat()).into_owned()),
            _ => None,
        });
        Ok(values.collect())
    }

    /// The CAA records that count for a name: its own, else those of the nearest name above it (RFC 8659, section 3).
    /// For `*.example.com` they are those of `example.com`.
    ///
    /// # Errors
    /// A server could not say whether there are any: no authority issues then.
    pub async fn caa(&self, name: &str) -> Result<CaaSet, LookupError> {
        climb(name, |name| async move {
            let records = self.ask(&name, RecordType::CAA).await?;
            let owner = records.first().map(|record| text(&record.name)).unwrap_or_default();
            let records = records.into_iter().filter_map(|record| match record.data {
                RData::CAA(caa) => Some(CaaRecord {
                    flags: caa.flags(),
                    value: String::from_utf8_lossy(&caa.value).into_owned(),
                    tag: caa.tag,
                }),
                _ => None,
            });
            Ok(CaaSet { owner, records: records.collect() })
        })
        .await
    }

    /// The name that aliases (CNAME) of a name lead to; itself where it is none, whether it exists or not.
    pub async fn canonical(&self, name: &str) -> Result<String, LookupError> {
        let mut name = name.to_owned();
        for _ in 0..ALIASES {
            let records = match self.ask(&name, RecordType::CNAME).await {
                Err(error) if error.failure.is_absence() => return Ok(name),
                records => records?,
            };
            let target = records.iter().find_map(|record| match &record.data {
                RData::CNAME(target) => Some(text(target)),
                _ => None,
            });
            name = match target {
                Some(target) => target,
                None => return Ok(name),
            };
        }
        Err(LookupError::new(
            &name,
            "CNAME",
            Failure::Malformed(format!("more than {ALIASES} aliases in a row")),
        ))
    }

    /// The records of one type at a name, or where its aliases lead to; never an empty list.
    async fn ask(&self, name: &str, kind: RecordType) -> Result<Vec<Record>, LookupError> {
        let failed = |failure| LookupError::new(name, kind.into(), failure);
        let mut asked =
            Name::from_ascii(name).map_err(|error| failed(Failure::Malformed(error.to_string())))?;
        // Else the system's search list would be tried.
        asked.set_fqdn(true);
        let answer = tokio::time::timeout(QUESTION, self.inner.lookup(asked, kind)).await;
        let answer = answer.map_err(|_| failed(Failure::TimedOut))?;
        let answer = answer.map_err(|error| failed(Failure::of(&error)))?;
        let records: Vec<_> =
            answer.answers().iter().filter(|record| record.record_type() == kind).cloned().collect();
        if records.is_empty() { Err(failed(Failure::NoData)) } else { Ok(records) }
    }
}

/// A name without the dot at its end.
pub(super) fn text(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_ascii_lowercase()
}

fn socket_address(server: &ResolverAddress) -> SocketAddr {
    let text = server.as_str();
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    // The type has only let one of the two through.
    text.parse()
        .or_else(|_| bare.parse().map(|ip| SocketAddr::new(ip, 53)))
        .unwrap_or_else(|_| SocketAddr::from(([127, 0, 0, 1], 53)))
}

fn asking(servers: &[SocketAddr]) -> ResolverBuilder<TokioRuntimeProvider> {
    let servers = servers.iter().map(|server| {
        let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
            connection.port = server.port();
            connection
        });
        NameServerConfig::new(server.ip(), true, connections.into())
    });
    let config = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
    TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
}

fn finish(
    mut builder: ResolverBuilder<TokioRuntimeProvider>,
    recursion: bool,
) -> Result<TokioResolver, hickory_resolver::net::NetError> {
    let options = builder.options_mut();
    options.timeout = ANSWERS;
    options.attempts = RETRIES;
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options.recursion_desired = recursion;
    builder.build()
}

/// Asks for a name and all above it, until one has records.
async fn climb<F, A>(name: &str, ask: F) -> Result<CaaSet, LookupError>
where
    F: Fn(String) -> A,
    A: Future<Output = Result<CaaSet, LookupError>>,
{
    let mut next = Some(name.strip_prefix("*.").unwrap_or(name));
    while let Some(name) = next {
        match ask(name.to_owned()).await {
            Ok(set) if !set.records.is_empty() => return Ok(set),
            Err(error) if !error.failure.is_absence() => return Err(error),
            Ok(_) | Err(_) => next = name.split_once('.').map(|(_, above)| above),
        }
    }
    Ok(CaaSet::default())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::{Failure, LookupError, climb, socket_address};
    use crate::acme::guard::caa::{CaaRecord, CaaSet};
    use crate::names::{ResolverAddress, Text as _};

    /// The owner of the records that count for a name, and which names were asked for, where `answers` is all that the
    /// DNS says of CAA.
    fn climbed(
        name: &str,
        answers: &[(&str, Result<&str, Failure>)],
    ) -> (Result<String, Failure>, Vec<String>) {
        let asked = RefCell::new(Vec::new());
        let answer = |name: String| {
            asked.borrow_mut().push(name.clone());
            let answer = answers.iter().find(|(known, _)| *known == name).map(|(_, answer)| answer.clone());
            let answer = answer.unwrap_or(Err(Failure::NoName));
            async move {
                let value = answer.map_err(|failure| LookupError::new(&name, "CAA", failure))?;
                let record = CaaRecord { flags: 0, tag: "issue".to_owned(), value: value.to_owned() };
                Ok(CaaSet { owner: name, records: vec![record] })
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let set = runtime.block_on(climb(name, answer));
        (set.map(|set| set.owner).map_err(|error| error.failure), asked.into_inner())
    }

    #[test]
    fn the_nearest_caa_records_count() {
        let ca = Ok("ca.example");
        let (owner, asked) = climbed("a.b.example.com", &[("example.com", ca.clone()), ("com", ca.clone())]);
        assert_eq!(owner, Ok("example.com".to_owned()));
        assert_eq!(asked, ["a.b.example.com", "b.example.com", "example.com"]);
        let (owner, _) =
            climbed("b.example.com", &[("b.example.com", ca.clone()), ("example.com", ca.clone())]);
        assert_eq!(owner, Ok("b.example.com".to_owned()));
        let (owner, asked) =
            climbed("*.example.com", &[("b.example.com", Err(Failure::NoData)), ("com", ca)]);
        assert_eq!((owner, asked), (Ok("com".to_owned()), vec!["example.com".to_owned(), "com".to_owned()]));
    }

    #[test]
    fn no_records_up_to_the_top_let_everybody_issue() {
        let (owner, asked) = climbed("shop.example.com", &[("example.com", Err(Failure::NoData))]);
        assert_eq!(owner, Ok(String::new()));
        assert_eq!(asked, ["shop.example.com", "example.com", "com"]);
    }

    #[test]
    fn a_server_that_fails_ends_the_climb() {
        for failure in [Failure::ServerFailed("SERVFAIL".to_owned()), Failure::TimedOut, Failure::Refused] {
            let (owner, asked) = climbed(
                "shop.example.com",
                &[("shop.example.com", Err(failure.clone())), ("example.com", Ok("ca.example"))],
            );
            assert_eq!((owner, asked.len()), (Err(failure), 1));
        }
    }

    #[test]
    fn a_resolver_has_port_53_unless_another_is_said() {
        for (text, address) in [
            ("192.0.2.53", "192.0.2.53:53"),
            ("127.0.0.1:8053", "127.0.0.1:8053"),
            ("2001:db8::53", "[2001:db8::53]:53"),
            ("[2001:db8::53]:8053", "[2001:db8::53]:8053"),
        ] {
            let server = ResolverAddress::parse(text).unwrap();
            assert_eq!(socket_address(&server).to_string(), address);
        }
    }
}
