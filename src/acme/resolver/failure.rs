//! Why a look-up found nothing.

use std::fmt;
use std::sync::Arc;

use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;

use crate::host::reason;

/// Why there is no answer, the gravest last.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// The name is there, without such a record.
    NoData,
    /// The name does not exist (NXDOMAIN).
    NoName,
    /// The answer makes no sense.
    Malformed(String),
    /// The server does not answer such questions (REFUSED).
    Refused,
    /// The server could not find out: its RCODE, mostly SERVFAIL.
    ServerFailed(String),
    /// The server cannot be reached.
    Unreachable(String),
    /// No answer in time.
    TimedOut,
    /// None of the servers that are asked answers anything; by their addresses.
    Silent(Arc<str>),
}

/// A question that has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookupError {
    /// The name.
    pub name: String,
    /// What was asked for: `TXT`, `A or AAAA`.
    pub records: &'static str,
    /// Why there is none.
    pub failure: Failure,
}

impl Failure {
    /// Whether it is certain that there is no such record.
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::NoData | Self::NoName)
    }

    /// Whether no server has answered.
    pub fn is_silence(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::TimedOut | Self::Silent(_))
    }

    pub(super) fn of(error: &NetError) -> Self {
        match error {
            _ if error.is_nx_domain() => Self::NoName,
            _ if error.is_no_records_found() => Self::NoData,
            NetError::Timeout => Self::TimedOut,
            NetError::Io(error) => Self::Unreachable(reason(error)),
            NetError::NoConnections | NetError::Busy => Self::Unreachable(error.to_string()),
            NetError::Dns(DnsError::ResponseCode(ResponseCode::Refused)) => Self::Refused,
            NetError::Dns(DnsError::ResponseCode(code)) => Self::ServerFailed(rcode(*code)),
            other => Self::Malformed(other.to_string()),
        }
    }
}

/// A code's name in the registry of the DNS.
pub(in crate::acme) fn rcode(code: ResponseCode) -> String {
    let name = match code {
        ResponseCode::NoError => "NOERROR",
        ResponseCode::FormErr => "FORMERR",
        ResponseCode::ServFail => "SERVFAIL",
        ResponseCode::NXDomain => "NXDOMAIN",
        ResponseCode::NotImp => "NOTIMP",
        ResponseCode::Refused => "REFUSED",
        ResponseCode::NotAuth => "NOTAUTH",
        ResponseCode::NotZone => "NOTZONE",
        other => return format!("RCODE {}", u16::from(other)),
    };
    name.to_owned()
}

impl LookupError {
    pub(super) fn new(name: &str, records: &'static str, failure: Failure) -> Self {
        Self { name: name.to_owned(), records, failure }
    }

    /// Whether no server answers anybody.
    pub fn is_silent(&self) -> bool {
        matches!(self.failure, Failure::Silent(_))
    }
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, records, failure } = self;
        match failure {
            Failure::NoData => write!(f, "`{name}` has no {records} record"),
            Failure::NoName => write!(f, "`{name}` does not exist in the DNS (NXDOMAIN)"),
            Failure::Malformed(why) => {
                write!(f, "the DNS answer for `{name}` {records} makes no sense: {why}")
            }
            Failure::Refused => write!(f, "the DNS server refuses to answer for `{name}` (REFUSED)"),
            Failure::ServerFailed(code) => {
                write!(f, "the DNS servers of `{name}` could not answer for {records} ({code})")
            }
            Failure::Unreachable(why) => write!(f, "no DNS server can be reached for `{name}`: {why}"),
            Failure::Silent(servers) => write!(f, "no DNS server answers: {servers}"),
            Failure::TimedOut => write!(f, "no DNS server answered for `{name}` {records} in time"),
        }
    }
}

impl std::error::Error for LookupError {}
