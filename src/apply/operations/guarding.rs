//! What is found out before an authority is asked for a certificate.

use uuid::Uuid;

use super::Context;
use super::unissued::Failed;
use crate::acme::guard::{self, Probe, caa};
use crate::acme::resolver::Resolver;
use crate::acme::{Authority as _, Client, Directory};
use crate::apply::issuance::{Shown, WELL_KNOWN};
use crate::diag::{Diagnostic, moment, said};
use crate::plan::issuance::budget::Spent;
use crate::plan::issuance::{CertificateOrder, ChallengeType, host_of};

/// How many profiles of an authority are listed at most.
const SHOWN: usize = 20;

/// Whether the authority can be asked with success, as far as that is known here; with what is not certain.
pub(super) async fn guard(
    context: Context<'_>,
    order: &CertificateOrder,
    client: &Client,
) -> Result<Vec<String>, Failed> {
    guard::clock(client.directory().ahead(), host_of(&order.authority.directory)).map_err(Failed::node)?;
    let resolver = context.issuance.resolver(order).map_err(Failed::node)?;
    let challenge = match order.challenge {
        ChallengeType::Http01 => "http-01",
        ChallengeType::Dns01 => "dns-01",
    };
    let (identities, account) = (client.identities(), client.account());
    let remarks = match order.challenge {
        ChallengeType::Http01 => {
            let addresses = guard::resolve(&resolver, &order.names).await;
            let addresses = looked_up(&resolver, addresses).await?;
            probe(context, order, &addresses).await?
        }
        ChallengeType::Dns01 => Vec::new(),
    };
    let asked = caa::Asked { name: "", identities, account, challenge };
    looked_up(&resolver, guard::allowed(&resolver, &order.names, asked).await).await?;
    Ok(remarks)
}

/// What was looked up. That no DNS server answers anybody is the node's own affair, and said instead of what came of it.
pub(super) async fn looked_up<T>(resolver: &Resolver, found: Result<T, Diagnostic>) -> Result<T, Failed> {
    if found.is_err() {
        guard::answered(resolver).await.map_err(Failed::node)?;
    }
    Ok(found?)
}

/// Whether the authority has the profile that is wanted; found out before an order is begun.
pub(super) fn profile(directory: &Directory, order: &CertificateOrder) -> Result<(), Diagnostic> {
    let Some(wanted) = &order.profile else { return Ok(()) };
    let profiles = directory.profiles();
    if profiles.iter().any(|(name, _)| name == wanted) {
        return Ok(());
    }
    let host = host_of(&order.authority.directory);
    let error =
        Diagnostic::error(format!("the authority {host} has no profile `{wanted}`")).code("no_such_profile");
    if profiles.is_empty() {
        return Err(error.detail("it has no profiles at all").help("leave `profile` away"));
    }
    let listed = profiles.iter().take(SHOWN).map(|(name, about)| said(&format!("{name}: {about}")));
    let names = profiles.iter().map(|(name, _)| name.as_str());
    Err(error.detail(format!("it has these:\n{}", listed.collect::<Vec<_>>().join("\n"))).did_you_mean(
        wanted,
        names,
        |error| error.help("name one of these, or leave `profile` away"),
    ))
}

/// Has a file of its own shown, and asks for it as the authority would.
async fn probe(
    context: Context<'_>,
    order: &CertificateOrder,
    addresses: &guard::Addresses,
) -> Result<Vec<String>, Failed> {
    let (name, content) = (format!("vsa-{}", Uuid::new_v4().simple()), Uuid::new_v4().simple().to_string());
    let path = format!("/{WELL_KNOWN}/{name}");
    let shown = Shown::show(context.host, context.spec, context.issuance, [(name, content.clone())]).await;
    let shown = shown.map_err(Failed::node)?;
    let probe = Probe { port: order.validation_port, path: &path, content: &content };
    let found = guard::probe(addresses, probe).await;
    let hidden = shown.hide().await;
    let remarks = found?;
    hidden.map_err(Failed::node)?;
    Ok(remarks)
}

/// That a limit of the authority's is spent.
pub(super) fn budget(spent: &Spent, directory: &str, certificate: &str) -> Diagnostic {
    let help = format!(
        "it is free again from {} on; several names can share one certificate (`names`)",
        moment(spent.again)
    );
    Diagnostic::error(format!(
        "the authority {} would not issue `{certificate}`: its limit of {} is spent",
        host_of(directory),
        spent.limit
    ))
    .code("rate_limited")
    .detail("the authority was not asked")
    .help(help)
}
