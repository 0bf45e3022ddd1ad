//! A name server that takes signed updates (RFC 2136, RFC 8945).
#![expect(clippy::disallowed_methods, reason = "updates go to a server of the DNS, not to a node")]

mod answer;

use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hickory_proto::op::{Message, Query, update_message};
use hickory_proto::rr::rdata::TXT;
use hickory_proto::rr::rdata::tsig::TsigAlgorithm as Algorithm;
use hickory_proto::rr::{Name, RData, Record, RecordSet, RecordType, TSigner};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use self::answer::Refusal;
use super::{DnsChallenges, DnsError, TxtRecord};
use crate::acme::resolver::{rcode, text};
use crate::host::reason;
use crate::names::{DomainName, NameServer, Text as _};
use crate::plan::issuance::TsigAlgorithm;
use crate::value::Secret;

/// How long connection, question and answer may take together.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long others may remember the record, in seconds: it is there for minutes.
const TTL: u32 = 60;

/// How far the clocks of both may be apart, in seconds (RFC 8945, section 10).
const FUDGE: u16 = 300;

/// A server that takes updates signed with a key. They go over TCP, as updates may (RFC 2136, section 6.2): a server
/// that is not there is noticed at once.
pub(super) struct Rfc2136 {
    server: NameServer,
    zone: Option<DomainName>,
    signer: TSigner,
}

impl std::fmt::Debug for Rfc2136 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rfc2136")
            .field("server", &self.server)
            .field("zone", &self.zone)
            .finish_non_exhaustive()
    }
}

impl Rfc2136 {
    /// # Errors
    /// The key is no Base64.
    pub(super) fn new(
        server: &NameServer,
        zone: Option<&DomainName>,
        key_name: &DomainName,
        algorithm: TsigAlgorithm,
        key: &Secret,
    ) -> Result<Self, DnsError> {
        let bad = |why: String| {
            DnsError::new(
                format!("the key `{key_name}` cannot be used: {why}"),
                server.as_str(),
                "give it as `tsig-keygen` writes it behind `secret`: Base64",
            )
        };
        let bytes = STANDARD.decode(key.expose().trim()).map_err(|_| bad("it is no Base64".to_owned()))?;
        let algorithm = match algorithm {
            TsigAlgorithm::HmacSha256 => Algorithm::HmacSha256,
            TsigAlgorithm::HmacSha384 => Algorithm::HmacSha384,
            TsigAlgorithm::HmacSha512 => Algorithm::HmacSha512,
        };
        let name = Name::from_ascii(key_name.as_str()).map_err(|error| bad(error.to_string()))?;
        let signer = TSigner::new(bytes, algorithm, name, FUDGE).map_err(|error| bad(error.to_string()))?;
        Ok(Self { server: server.clone(), zone: zone.cloned(), signer })
    }

    /// Has the server add a value to a name, or take it away.
    async fn update(&self, record: &TxtRecord, add: bool) -> Result<(), DnsError> {
        let name = self.name(record.name.as_str())?;
        let zone = match &self.zone {
            Some(zone) => self.name(zone.as_str())?,
            None => self.zone_of(&name).await?,
        };
        if !zone.zone_of(&name) {
            return Err(DnsError::new(
                format!("the DNS record `{}` is not in the zone `{}`", record.name, text(&zone)),
                text(&zone),
                "set `zone` in the `rfc2136` block to one that holds the name, or leave it away",
            ));
        }
        let value = RData::TXT(TXT::new(vec![record.value.clone()]));
        let entries = RecordSet::from(Record::from_rdata(name, TTL, value));
        let mut message = if add {
            update_message::append(entries, zone.clone(), false, false)
        } else {
            update_message::delete_by_rdata(entries, zone.clone(), false)
        };
        let now = u64::try_from(crate::host::clock().as_second()).unwrap_or_default();
        let unsigned = |error: hickory_proto::ProtoError| self.failed(&format!("cannot be signed: {error}"));
        let verifier = message.finalize(&self.signer, now).map_err(unsigned)?;
        let bytes = self.exchange(&message).await?;
        let answered = self.read(&bytes, &message)?;
        if let Some(refusal) = answer::refusal(&answered, now) {
            return Err(self.refused(record, &zone, &refusal));
        }
        // Whoever does not know the key could have answered that all is well.
        match verifier.map(|mut verifier| verifier.verify(&bytes)) {
            Some(Ok(_)) => Ok(()),
            _ => Err(self.failed("answered without a valid signature")),
        }
    }

    /// The zone of the server that a name is in.
    async fn zone_of(&self, name: &Name) -> Result<Name, DnsError> {
        let mut message = Message::query();
        message.metadata.recursion_desired = false;
        message.add_query(Query::query(name.clone(), RecordType::SOA));
        let bytes = self.exchange(&message).await?;
        let answered = self.read(&bytes, &message)?;
        // The name's own, where it is the top of a zone; else that of whoever says that it is not.
        let mut all = answered.answers.iter().chain(&answered.authorities);
        // Who has the root by itself says only that there is no such name.
        let is_top = |entry: &&Record| entry.record_type() == RecordType::SOA && !entry.name.is_root();
        let top = all.find(|entry| is_top(entry) && entry.name.zone_of(name));
        top.map(|entry| entry.name.clone()).ok_or_else(|| {
            let code = rcode(answered.metadata.response_code);
            DnsError::new(
                format!(
                    "the DNS server `{}` serves no zone that holds `{}` ({code})",
                    self.server,
                    text(name)
                ),
                self.server.as_str(),
                "name the zone's primary server in `server`, or set `zone`",
            )
        })
    }

    fn refused(&self, record: &TxtRecord, zone: &Name, refusal: &Refusal) -> DnsError {
        let (server, zone, key) = (&self.server, text(zone), text(self.signer.signer_name()));
        let algorithm = self.signer.algorithm();
        let (why, help) = match refusal {
            Refusal::BadKey => (
                format!("it does not know the key `{key}` with {algorithm} (BADKEY)"),
                "check `key_name` and `key_algorithm` against the server's `key` statement".to_owned(),
            ),
            Refusal::BadSignature => (
                format!("its key `{key}` is another one (BADSIG)"),
                "copy the key's secret from the server's `key` statement again".to_owned(),
            ),
            Refusal::BadTime(apart) => {
                let apart = apart.map_or(String::new(), |seconds| match seconds {
                    0.. => format!(": it is {seconds} s ahead"),
                    _ => format!(": it is {} s behind", seconds.unsigned_abs()),
                });
                let help = "set both clocks by NTP (`timedatectl set-ntp true`)".to_owned();
                (
                    format!("its clock differs from this machine's by more than {FUDGE} s{apart} (BADTIME)"),
                    help,
                )
            }
            Refusal::Refused => (
                format!("the key `{key}` may not change that name (REFUSED)"),
                format!(
                    "allow it, in BIND with: update-policy {{ grant {key} name {}. TXT; }};",
                    record.name
                ),
            ),
            Refusal::NotAuthoritative => (
                format!("it does not serve the zone `{zone}` (NOTAUTH)"),
                "name the zone's primary server in `server`, or correct `zone`".to_owned(),
            ),
            Refusal::NotInZone => (
                format!("the name is not in the zone `{zone}` (NOTZONE)"),
                "correct `zone`, or leave it away".to_owned(),
            ),
            Refusal::Other(code) => (
                format!("it answers {code}"),
                "look into the server's log: it says why it does not take the update".to_owned(),
            ),
        };
        let what = format!("the DNS server `{server}` does not change `{}`: {why}", record.name);
        DnsError::new(what, zone, help)
    }

    /// Sends a message, and waits for what comes back.
    async fn exchange(&self, message: &Message) -> Result<Vec<u8>, DnsError> {
        let unwritable = |error: hickory_proto::ProtoError| self.failed(&format!("cannot be asked: {error}"));
        let bytes = message.to_vec().map_err(unwritable)?;
        let talk = async {
            let mut stream = TcpStream::connect((self.server.host(), self.server.port())).await?;
            // Two bytes of length go before a message (RFC 1035, section 4.2.2); one of ours is never longer.
            let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
            stream.write_all(&[&length.to_be_bytes()[..], &bytes].concat()).await?;
            let mut answer = vec![0; usize::from(stream.read_u16().await?)];
            stream.read_exact(&mut answer).await?;
            Ok::<_, std::io::Error>(answer)
        };
        let unreachable = |why: &str| {
            DnsError::new(
                format!("the DNS server `{}` cannot be reached: {why}", self.server),
                self.server.as_str(),
                "check `server` in the `rfc2136` block, that the server runs, and that TCP is let through to it",
            )
        };
        match tokio::time::timeout(PATIENCE, talk).await {
            Ok(talk) => talk.map_err(|error| unreachable(&reason(&error))),
            Err(_) => Err(unreachable(&format!("no answer within {} s", PATIENCE.as_secs()))),
        }
    }

    fn read(&self, bytes: &[u8], question: &Message) -> Result<Message, DnsError> {
        let answered = Message::from_vec(bytes);
        let answered =
            answered.map_err(|error| self.failed(&format!("answered what makes no sense: {error}")))?;
        if answered.metadata.id == question.metadata.id {
            Ok(answered)
        } else {
            Err(self.failed("answered another question"))
        }
    }

    fn name(&self, name: &str) -> Result<Name, DnsError> {
        let parsed =
            Name::from_ascii(name).map_err(|error| self.failed(&format!("cannot have `{name}`: {error}")));
        parsed.map(|mut name| {
            name.set_fqdn(true);
            name
        })
    }

    fn failed(&self, what: &str) -> DnsError {
        DnsError::new(
            format!("the DNS server `{}` {what}", self.server),
            self.server.as_str(),
            "check that `server` in the `rfc2136` block is the zone's primary server",
        )
    }
}

#[async_trait]
impl DnsChallenges for Rfc2136 {
    async fn publish(&self, record: &TxtRecord) -> Result<(), DnsError> {
        self.update(record, true).await
    }

    async fn withdraw(&self, record: &TxtRecord) -> Result<(), DnsError> {
        self.update(record, false).await
    }
}
