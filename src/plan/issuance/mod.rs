//! Certificates by ACME as plain data: who issues, how control over names is proven, what is remembered of both.

pub mod account;
mod authority;
pub mod budget;
mod dns;
mod ledger;
pub mod lineage;
mod order;
mod remembered;
pub mod renewal;
mod request;
mod revoked;
mod schema;
mod settings;

pub use authority::{Authority, ChallengeType, Window, host_of};
pub use dns::{CLOUDFLARE_API, DnsProvider, HETZNER_API, TsigAlgorithm};
pub use ledger::{Ledger, Ordered};
pub use lineage::{Damage, FoundLineage, Lineage, Obstacle, Piece, PublishedLineage};
pub use order::{CertificateOrder, DNS_SECRET, EAB_KEY, ORDER_KEY};
pub use remembered::{Failed, LONGEST_WAIT, Remembered, RenewalInfo, TxtRecord, UnderWay};
pub use renewal::Renewal;
pub use request::{Maker, REQUEST, asked_authority, asked_key_type, asked_names, asks_the_same};
pub use revoked::{REVOKED, Revocation, Revoked};
pub use schema::block;
pub use settings::{ExternalAccount, Settings};
