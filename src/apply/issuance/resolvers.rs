//! DNS servers that a run asks: those that answer nobody are waited for once, not for each certificate.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::acme::resolver::Resolver;
use crate::diag::Diagnostic;
use crate::names::{ResolverAddress, Text as _};

/// By the addresses of the servers; with none, the system's are asked.
#[derive(Debug, Default)]
pub(super) struct Resolvers(Mutex<BTreeMap<Vec<String>, Resolver>>);

impl Resolvers {
    /// Who asks these servers.
    pub(super) fn of(&self, servers: &[ResolverAddress]) -> Result<Resolver, Diagnostic> {
        let names = servers.iter().map(|server| server.as_str().to_owned()).collect();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.get(&names) {
            return Ok(known.clone());
        }
        let made = Resolver::new(servers)?;
        all.insert(names, made.clone());
        Ok(made)
    }
}
