//! What vsa asks of a certificate authority, and why one refuses.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use crate::diag::said;
use crate::plan::issuance::{ChallengeType, Revocation, Window};

/// An authority, as one account of it sees it (RFC 8555).
#[async_trait]
pub trait Authority: Send + Sync + fmt::Debug {
    /// The account's address.
    fn account(&self) -> &str;

    /// By which names CAA records call the authority (`caaIdentities`); nothing where it does not say.
    fn identities(&self) -> &[String];

    /// Begins an order. It counts against the authority's limits from here on.
    async fn begin(&self, order: &NewOrder<'_>) -> Result<Box<dyn Order>, Refused>;

    /// Takes up an order that was begun before.
    async fn resume(&self, url: &str) -> Result<Box<dyn Order>, Refused>;

    /// When a certificate (DER) should be renewed, and how long that may be relied on (RFC 9773); nothing where the
    /// authority does not say.
    async fn window(&self, certificate: &[u8]) -> Result<Option<(Window, Duration)>, Refused>;

    /// Revokes a certificate (DER), which the account was issued.
    async fn revoke(&self, certificate: &[u8], reason: Revocation) -> Result<(), Refused>;
}

/// An order under way.
#[async_trait]
pub trait Order: Send {
    /// Its address, by which it is taken up again.
    fn url(&self) -> &str;

    /// How far it is.
    fn status(&self) -> OrderStatus;

    /// Whether it was begun as the renewal of another certificate (RFC 9773, section 5), and the authority took that.
    fn renews(&self) -> bool;

    /// What shall be shown for the names whose control is not proven yet.
    async fn proofs(&mut self, challenge: ChallengeType) -> Result<Vec<Proof>, Refused>;

    /// Has the authority look at the proofs, and waits until it has.
    async fn prove(&mut self, challenge: ChallengeType, patience: Duration) -> Result<(), Refused>;

    /// Asks for the certificate, with a certificate request (DER). Where that was done before, and only the answer did not
    /// come, the order goes on from there.
    async fn finalize(&mut self, request: &[u8]) -> Result<(), Refused>;

    /// Waits for the certificate. Of several chains, the one whose topmost certificate was issued by `preferred`, where
    /// there is one.
    async fn certificate(&mut self, preferred: Option<&str>, patience: Duration) -> Result<Chain, Refused>;
}

/// A certificate with its chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// As PEM.
    pub pem: String,
    /// By whom the topmost certificates of all chains were issued, where none of them is the preferred one.
    pub offered: Vec<String>,
}

/// What an order is for.
#[derive(Clone, Copy, Debug)]
pub struct NewOrder<'a> {
    /// The names, `*.` before those that stand for all below.
    pub names: &'a [String],
    /// A profile of the authority's.
    pub profile: Option<&'a str>,
    /// The certificate (DER) that it renews, so that limits do not count (RFC 9773, section 5).
    pub replaces: Option<&'a [u8]>,
}

/// How far an order is (RFC 8555, section 7.1.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderStatus {
    /// Control over some names is to be proven.
    Pending,
    /// A certificate request is waited for.
    Ready,
    /// The authority is at work.
    Processing,
    /// The certificate is there.
    Valid,
    /// It has failed, for good.
    Invalid,
}

/// What proves control over a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The name, without `*.`.
    pub name: String,
    /// The challenge's token: the name of a file (http-01).
    pub token: String,
    /// The file's content (http-01).
    pub authorization: String,
    /// The value of the TXT record (dns-01).
    pub record: String,
}

/// Why an authority did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What sort of reason.
    pub reason: Reason,
    /// The authority's own words, or the network's.
    pub detail: String,
    /// When it may be asked again, in seconds since 1970, where it says so.
    pub again: Option<i64>,
    /// What is said about single names.
    pub names: BTreeMap<String, String>,
}

/// What sort of reason an authority has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Nobody answers.
    Unreachable,
    /// It answers too slowly.
    Slow,
    /// Its own certificate is not trusted.
    Untrusted,
    /// What it says is no ACME.
    Malformed,
    /// It has been asked too often.
    RateLimited,
    /// Its nonces were refused again and again.
    BadNonce,
    /// What it found at the name is not the proof.
    WrongProof,
    /// It did not reach the name's server.
    Connection,
    /// It did not resolve the name.
    Dns,
    /// CAA records forbid it.
    Caa,
    /// It does not issue for this name.
    RejectedName,
    /// It wants an account of its own, which is named by a key.
    ExternalAccount,
    /// It does not know the account, or no longer.
    Account,
    /// It has no such profile.
    Profile,
    /// The certificate was renewed already.
    AlreadyReplaced,
    /// The certificate is revoked already.
    AlreadyRevoked,
    /// The certificate is not this account's, or the key not the certificate's.
    NotOwner,
    /// The order has failed, or is not there any more.
    Order,
    /// It does not take a request for a certificate now.
    NotReady,
    /// Anything else.
    Other,
}

impl Refused {
    /// With no more than a sentence.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: said(&detail.into()), again: None, names: BTreeMap::new() }
    }
}

impl Refused {
    /// Whether it says nothing about what was asked, but that nobody could be asked now.
    pub fn is_passing(&self) -> bool {
        use Reason::{BadNonce, Malformed, NotReady, RateLimited, Slow, Unreachable, Untrusted};
        matches!(self.reason, Unreachable | Slow | Untrusted | Malformed | RateLimited | BadNonce | NotReady)
    }

    /// Whether the authority itself has answered: what it was asked for was not done.
    pub fn is_answer(&self) -> bool {
        use Reason::{Malformed, Slow, Unreachable, Untrusted};
        !matches!(self.reason, Unreachable | Slow | Untrusted | Malformed)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for Refused {}
