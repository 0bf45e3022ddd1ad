//! Certificates by ACME as plain data: who issues, how control over names is proven, what is remembered of both.

mod authority;
mod dns;
pub mod lineage;
pub mod renewal;

pub use authority::{Authority, ChallengeType, Window};
pub use dns::{CLOUDFLARE_API, DnsProvider, HETZNER_API, TsigAlgorithm};
pub use lineage::{FoundLineage, Lineage, Piece};
pub use renewal::Renewal;
