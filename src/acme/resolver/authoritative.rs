//! What the servers of a zone say themselves, past all caches: they are whom an authority asks.

use std::net::{IpAddr, SocketAddr};

use futures_util::future::join_all;
use hickory_resolver::proto::rr::{RData, RecordType};

use super::{LookupError, Resolver, text};

impl Resolver {
    /// Whether a TXT value is there at all servers of the name's zone that can be reached. Where none can be reached or
    /// found, whether it is there at the servers that are asked otherwise.
    pub async fn published(&self, name: &str, value: &str) -> Result<bool, LookupError> {
        let servers = self.servers(name).await;
        let answers = join_all(servers.iter().map(|addresses| said_by(addresses, name, value))).await;
        let answers: Vec<_> = answers.into_iter().flatten().collect();
        if !answers.is_empty() {
            return Ok(answers.into_iter().all(|there| there));
        }
        match self.txt(name).await {
            Err(error) if error.failure.is_absence() => Ok(false),
            values => Ok(values?.iter().any(|there| there == value)),
        }
    }

    /// The addresses of each name server of the zone that a name is in; empty where they cannot be found out.
    async fn servers(&self, name: &str) -> Vec<Vec<IpAddr>> {
        let mut zone = Some(name);
        while let Some(name) = zone {
            // Only the top of a zone has name servers.
            match self.ask(name, RecordType::NS).await {
                // An alias leads to the servers of somebody else.
                Ok(records) if records.iter().any(|record| text(&record.name) == name) => {
                    let servers = records.into_iter().filter_map(|record| match record.data {
                        RData::NS(server) => Some(text(&server)),
                        _ => None,
                    });
                    let found = join_all(
                        servers
                            .map(|server| async move { self.addresses(&server).await.unwrap_or_default() }),
                    );
                    return found.await;
                }
                Err(error) if !error.failure.is_absence() => return Vec::new(),
                Ok(_) | Err(_) => zone = name.split_once('.').map(|(_, above)| above),
            }
        }
        Vec::new()
    }
}

/// Whether a server answers with a value; `None` where it does not answer at any of its addresses.
async fn said_by(addresses: &[IpAddr], name: &str, value: &str) -> Option<bool> {
    for address in addresses {
        let Some(server) = Resolver::of_server(SocketAddr::new(*address, 53)) else { continue };
        match server.txt(name).await {
            Ok(values) => return Some(values.iter().any(|there| there == value)),
            Err(error) if error.failure.is_absence() => return Some(false),
            Err(_) => {}
        }
    }
    None
}
