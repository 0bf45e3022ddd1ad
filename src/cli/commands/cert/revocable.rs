//! The issue of a certificate that is to be revoked, and who issued it.

use crate::apply::Revoking;
use crate::cli::Invocation;
use crate::diag::Diagnostic;
use crate::kinds::certificate::{Source, held, issuer, issuer_of};
use crate::plan::issuance::{Piece, REQUEST};
use crate::plan::{Answer, NodeSpec, Query};
use crate::state::Stored;

/// The last issue, as the state knows it.
pub(super) fn last(stored: &Stored, spec: &NodeSpec, node: Option<&Stored>) -> Result<Revoking, Diagnostic> {
    let not_issued = |help: &str| not_issued(stored, help);
    let held = held(stored, spec, None);
    match held.as_ref().map(|held| held.source) {
        Some(Source::Acme) => {}
        Some(Source::Certbot) => {
            return Err(not_issued("it is of certbot's account: `certbot revoke --cert-name NAME`"));
        }
        _ => {
            return Err(not_issued(
                "there is nothing to revoke: `vsa cert show` says who made it; `-issue` names a former one",
            ));
        }
    }
    let Some((held, authority)) = held.zip(issuer(stored, node)) else {
        return Err(not_issued("the state does not say by whom it was issued"));
    };
    Ok(Revoking {
        name: stored.name.to_string(),
        authority,
        account: held.account,
        directory: held.directory,
        digest: held.digest,
    })
}

/// An issue by its number, as its directory has it.
pub(super) fn numbered(
    invocation: &Invocation,
    stored: &Stored,
    spec: &NodeSpec,
    node: Option<&Stored>,
    number: u64,
) -> Result<Revoking, Diagnostic> {
    let directory = spec.certificate(&stored.name, number);
    let chain = directory.join(Piece::Fullchain.file());
    let queries = [Query::Read(directory.join(REQUEST)), Query::Digest(chain)];
    let answers = invocation.block_on(invocation.host.observe(&queries));
    let [Answer::Bytes(request), Answer::Digest(digest)] = answers.as_slice() else {
        let error = format!("issue {number} of `{}` cannot be read", stored.name);
        return Err(Diagnostic::error(error).help(format!("see what is in `{}`", directory.display())));
    };
    let request = String::from_utf8_lossy(request);
    let authority = issuer_of(&request, stored, node).ok_or_else(|| {
        not_issued(stored, &format!("issue {number} is none of an authority's: there is nothing to revoke"))
    })?;
    let (name, digest) = (stored.name.to_string(), digest.clone());
    Ok(Revoking { name, authority, account: None, directory, digest })
}

/// That an authority has nothing to do with it.
pub(super) fn not_issued(stored: &Stored, help: &str) -> Diagnostic {
    Diagnostic::error(format!("no authority has issued `{}` to this node", stored.name)).help(help.to_owned())
}
