//! Look-ups in the DNS, as an authority makes them: the hosts file has no say, and nothing is remembered.

mod authoritative;
mod caa;
mod failure;
mod silence;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::system_conf::read_system_conf;

pub(super) use failure::rcode;
pub use failure::{Failure, LookupError};
use silence::Silence;

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

/// Asks DNS servers. Of servers none of which answers, the first question that finds that out is the last one; clones share
/// what is known of that.
#[derive(Clone)]
pub struct Resolver {
    inner: TokioResolver,
    /// Nothing where one server is asked for what it knows itself.
    silence: Option<Silence>,
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
        let settings = if addresses.is_empty() {
            read_system_conf()
        } else {
            Ok((asking(&addresses), ResolverOpts::default()))
        };
        let resolver = settings.and_then(|(config, options)| {
            let silence = Silence::of(&said(&config));
            Ok(Self { silence: Some(silence), ..Self::with(config, options)? })
        });
        resolver.map_err(|error| {
            Diagnostic::error(format!("the system's DNS servers are not known: {error}"))
                .code("dns")
                .help("name servers in `/etc/resolv.conf`, or set `resolvers` in the `acme` block")
        })
    }

    /// Asks one server for what it knows itself.
    fn of_server(address: SocketAddr) -> Option<Self> {
        let mut options = ResolverOpts::default();
        options.recursion_desired = false;
        Self::with(asking(&[address]), options).ok()
    }

    fn with(config: ResolverConfig, mut options: ResolverOpts) -> Result<Self, NetError> {
        options.timeout = ANSWERS;
        options.attempts = RETRIES;
        options.cache_size = 0;
        options.use_hosts_file = ResolveHosts::Never;
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        *builder.options_mut() = options;
        Ok(Self { inner: builder.build()?, silence: None })
    }

    /// The servers that are asked, where it is known that none of them answers.
    pub async fn silence(&self) -> Option<Arc<str>> {
        match self.silence.as_ref()?.known().await {
            Some(Failure::Silent(servers)) => Some(servers),
            _ => None,
        }
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
        let records = self.answered(asked, kind).await.map_err(failed)?;
        if records.is_empty() { Err(failed(Failure::NoData)) } else { Ok(records) }
    }

    async fn answered(&self, name: Name, kind: RecordType) -> Result<Vec<Record>, Failure> {
        let Some(silence) = &self.silence else { return self.answered_once(name, kind).await };
        if let Some(silent) = silence.known().await {
            return Err(silent);
        }
        let answer = self.answered_once(name, kind).await;
        match answer {
            Err(failure) if failure.is_silence() => {
                let root = self.answered_once(Name::root(), RecordType::NS);
                let anybody = async { !root.await.is_err_and(|failure| failure.is_silence()) };
                Err(silence.found_out(anybody).await.unwrap_or(failure))
            }
            answer => answer,
        }
    }

    async fn answered_once(&self, name: Name, kind: RecordType) -> Result<Vec<Record>, Failure> {
        let answer = tokio::time::timeout(QUESTION, self.inner.lookup(name, kind)).await;
        let answer = answer.map_err(|_| Failure::TimedOut)?.map_err(|error| Failure::of(&error))?;
        Ok(answer.answers().iter().filter(|record| record.record_type() == kind).cloned().collect())
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

fn asking(servers: &[SocketAddr]) -> ResolverConfig {
    let servers = servers.iter().map(|server| {
        let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
            connection.port = server.port();
            connection
        });
        NameServerConfig::new(server.ip(), true, connections.into())
    });
    ResolverConfig::from_parts(None, Vec::new(), servers.collect())
}

/// The servers that are asked, for people.
fn said(config: &ResolverConfig) -> Vec<String> {
    let said = |server: &NameServerConfig| {
        let port = server.connections.first().map_or(53, |connection| connection.port);
        if port == 53 { server.ip.to_string() } else { SocketAddr::new(server.ip, port).to_string() }
    };
    let mut servers: Vec<_> = config.name_servers().iter().map(said).collect();
    servers.dedup();
    servers
}

#[cfg(test)]
mod tests {
    use super::socket_address;
    use crate::names::{ResolverAddress, Text as _};

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
