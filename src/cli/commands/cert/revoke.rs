//! `vsa cert revoke`

use clap::{Args, ValueEnum};

use super::KIND;
use super::named::{OF_THE_STATE, named};
use super::revocable::{last, not_issued, numbered};
use crate::apply::{self, RevokedBy};
use crate::audit::{Entry, Event};
use crate::cli::arguments::{LockFlags, VariableFlags};
use crate::cli::{Exit, Failure, Invocation};
use crate::diag::Diagnostic;
use crate::kinds::certificate::roots;
use crate::plan::issuance::Revocation;

/// Have a certificate revoked by the authority that issued it
#[derive(Debug, Args)]
pub(super) struct Revoke {
    /// The certificate's label
    name: String,
    /// A former issue of it, by its number: the name of its directory below `certificates/`
    #[arg(long, value_name = "NUMBER")]
    issue: Option<u64>,
    /// Why
    #[arg(long, value_enum, default_value_t = ReasonFlag::Unspecified)]
    reason: ReasonFlag,
    /// Revoke it without asking
    #[arg(long)]
    auto_approve: bool,
    #[command(flatten)]
    variables: VariableFlags,
    #[command(flatten)]
    lock: LockFlags,
}

/// Why a certificate is revoked (RFC 5280, section 5.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ReasonFlag {
    /// No reason is given
    Unspecified,
    /// Somebody else may have the key
    KeyCompromise,
    /// Another certificate has taken its place
    Superseded,
    /// The site is no more
    CessationOfOperation,
}

impl From<ReasonFlag> for Revocation {
    fn from(reason: ReasonFlag) -> Self {
        match reason {
            ReasonFlag::Unspecified => Self::Unspecified,
            ReasonFlag::KeyCompromise => Self::KeyCompromise,
            ReasonFlag::Superseded => Self::Superseded,
            ReasonFlag::CessationOfOperation => Self::CessationOfOperation,
        }
    }
}

/// Whether the authority was not asked, because nothing that is trusted has signed its own certificate.
fn is_untrusted<T>(revoked: &Result<T, Diagnostic>) -> bool {
    revoked.as_ref().is_err_and(|error| error.code == Some("authority_untrusted"))
}

impl Revoke {
    /// Runs the command.
    pub(super) fn run(&self, invocation: &Invocation) -> Result<Exit, Failure> {
        // What the audit log is depends on it.
        let _ = invocation.load(&self.variables)?;
        let _lock = invocation.lock(self.lock)?;
        let state = invocation.existing_state()?;
        let all = state.resources.iter().filter(|(address, _)| address.kind() == KIND);
        let (address, stored) =
            named(all, &self.name, |(address, stored)| (*address, &*stored.name), OF_THE_STATE)?;
        let spec = state.nodes.get(&stored.node).map(|node| &node.spec);
        let spec = spec.ok_or_else(|| not_issued(stored, "its node is not in the state"))?;
        let node = state.resources.get(&stored.node);
        let mut revoking = match self.issue {
            Some(number) => numbered(invocation, stored, spec, node, number)?,
            None => last(stored, spec, node)?,
        };
        let terminal = invocation.terminal;
        if !self.auto_approve {
            if !terminal.interactive {
                return Err(Diagnostic::error("nobody is there to approve the revocation")
                    .help("run it with `-auto-approve`")
                    .into());
            }
            let which = self.issue.map_or_else(String::new, |number| format!("issue {number} of "));
            let question =
                format!("Do you really want to have {which}`{address}` revoked? It cannot be taken back.");
            if !terminal.confirm(&question, &|| false) {
                return Err(Diagnostic::error("not approved: nothing was changed").into());
            }
        }
        let reason = Revocation::from(self.reason);
        let entry = |event| {
            Entry::new(event).resource(address).action(format!("revoke {} ({reason:?})", revoking.digest))
        };
        invocation.record(&[entry(Event::ActionStarted)])?;
        let revoke =
            |revoking: &_| invocation.block_on(apply::revoke(&invocation.host, spec, revoking, reason));
        let mut revoked = revoke(&revoking);
        // Who is asked no more has its root named no more beside it: one of those that are may be its own.
        let on_the_node = state.resources.iter().filter(|(address, other)| {
            **address == stored.node || other.node == stored.node && address.kind() == KIND
        });
        let mut others = roots(on_the_node.map(|(_, stored)| stored));
        others.retain(|root| revoking.authority.ca.as_ref() != Some(root));
        for root in others {
            if !is_untrusted(&revoked) {
                break;
            }
            revoking.authority.ca = Some(root);
            let again = revoke(&revoking);
            if !is_untrusted(&again) {
                revoked = again;
            }
        }
        let by = revoked.map_err(|error| {
            invocation.record_done(vec![entry(Event::ActionFailed).detail(error.summary.clone())]);
            Failure::from(error)
        })?;
        invocation.record_done(vec![entry(Event::ActionDone)]);
        match by {
            RevokedBy::Account => {}
            RevokedBy::OwnKey => terminal.note(
                "it was revoked with its own key: the node has not the account that it was issued to, and some authorities \
                 take that for a key that others have",
            ),
            RevokedBy::Before => terminal.note("its authority says that it was revoked before"),
        }
        let which = self.issue.map_or_else(String::new, |number| format!("Issue {number} of "));
        terminal.line(&format!("{which}{address} is revoked."));
        if self.issue.is_some() {
            return Ok(Exit::Done);
        }
        terminal.line(
            "It is served on until another one takes its place: `vsa cert renew` or `vsa apply` has that issued, with a new key.",
        );
        terminal.line("Its files stay, and so do browsers that have seen it: few of them ask whether a certificate is revoked.");
        Ok(Exit::Done)
    }
}
