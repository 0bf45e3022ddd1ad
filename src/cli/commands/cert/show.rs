//! `vsa cert show`

use std::fmt::Write as _;

use clap::Args;

use super::known::{every, revoked_json};
use super::named::{OF_THE_STATE, named};
use super::served::{Served, served};
use crate::cli::{Exit, Failure, Invocation};
use crate::diag::{moment, rfc3339, visible};
use crate::host::clock;
use crate::plan::issuance::{Piece, Revoked};

/// Show one certificate, never its key
#[derive(Debug, Args)]
pub(super) struct Show {
    /// The certificate's label
    name: String,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Show {
    /// Runs the command.
    pub(super) fn run(&self, invocation: &Invocation) -> Result<Exit, Failure> {
        let state = invocation.existing_state()?;
        let known = named(
            every(invocation, &state),
            &self.name,
            |known| (known.address, &*known.stored.name),
            OF_THE_STATE,
        )?;
        let served = served(invocation, std::slice::from_ref(&known)).pop();
        let served = served.unwrap_or_else(|| Served::None("it was not asked".to_owned()));
        let held = &known.held;
        let live = known.live.as_ref().ok();
        let links: Vec<_> =
            held.lineages.iter().map(|lineage| lineage.live().display().to_string()).collect();
        if self.json {
            let json = serde_json::json!({
                "address": known.address,
                "name": known.stored.name,
                "node": known.stored.node,
                "names": live.map(|live| &live.names),
                "issuer": live.map(|live| &live.issuer_name),
                "serial": live.map(|live| &live.serial),
                "key_type": live.map(|live| &live.key_type),
                "not_before": live.map(|live| rfc3339(live.not_before)),
                "not_after": live.map(|live| rfc3339(live.not_after)),
                "renews": held.renews.map(rfc3339),
                "digest": held.digest,
                "source": held.source.word(),
                "issue": held.number,
                "directory": held.directory,
                "live": links,
                "authority": held.authority,
                "account": held.account,
                "order": held.order,
                "presented": served.text(),
                "revoked": held.revoked.as_ref().map(revoked_json),
                "error": known.live.as_ref().err(),
            });
            invocation.terminal.line(&format!("{json:#}"));
            return Ok(Exit::Done);
        }
        let chain = held.directory.join(Piece::Fullchain.file()).display().to_string();
        let key = held.directory.join(Piece::Privkey.file()).display().to_string();
        let lines = [
            ("names", live.map(|live| live.names.join(", "))),
            ("issuer", live.map(|live| live.issuer_name.clone())),
            ("serial", live.map(|live| live.serial.clone())),
            ("key type", live.map(|live| live.key_type.clone())),
            ("valid from", live.map(|live| moment(live.not_before))),
            ("valid until", live.map(|live| moment(live.not_after))),
            ("wrong", known.live.as_ref().err().cloned()),
            ("revoked", held.revoked.as_ref().map(Revoked::said)),
            ("renewal", held.renews.map(|renews| renewal(renews, clock().as_second()))),
            ("source", Some(held.source.word().to_owned())),
            ("authority", held.authority.clone()),
            ("account", held.account.clone()),
            ("order", held.order.clone()),
            ("SHA-256", Some(held.digest.clone())),
            ("chain", Some(chain)),
            ("key", Some(key)),
            ("live", (!links.is_empty()).then(|| links.join(", "))),
            ("served", Some(served.text())),
            ("failed", known.failed.as_ref().map(|failed| failed.why.clone())),
        ];
        let mut text = format!("{}\n", known.address);
        for (name, value) in lines {
            if let Some(value) = value {
                let _ = writeln!(text, "  {name:11} {}", visible(&value));
            }
        }
        invocation.terminal.print(&text);
        Ok(Exit::Done)
    }
}

/// When it is renewed, for people.
fn renewal(from: i64, now: i64) -> String {
    if from <= now { format!("due since {}", moment(from)) } else { format!("from {} on", moment(from)) }
}
