//! How a stack runs the services that sites name.

use super::wanted::Wanted;
use super::{observe, rolling, swarm};
use crate::compose::Service;
use crate::diag::Diagnostic;
use crate::plan::{ProxyMode, Serving, Subject};

/// The most containers of one service: each has a port of its own.
const MOST: u32 = 100;

/// How it runs a service.
pub(super) fn serving(subject: Subject<'_>, name: &str) -> Result<Serving, Diagnostic> {
    let once = Serving { replicas: 1, fresh: false };
    // Where its files cannot be read, that is said already.
    let Some(wanted) = Wanted::of(subject) else { return Ok(once) };
    let Some(project) = &wanted.project else { return Ok(once) };
    if swarm::is_on(wanted) && subject.node.spec.mode != ProxyMode::Container {
        return Err(swarm::unreachable(subject, name));
    }
    let error = |what: &str| Err(Diagnostic::error(format!("`{}` {what} `{name}`", subject.address)));
    let service = match project.services.get(name) {
        Some(service) if service.active => service,
        Some(service) => {
            let profiles: Vec<_> =
                service.texts("profiles").iter().map(|name| format!("`{}`", name.shown())).collect();
            return error("does not run the service").map_err(|error| {
                error.help(format!(
                    "it runs with the profile {}: name that in `profiles`",
                    profiles.join(" or ")
                ))
            });
        }
        None => {
            let known: Vec<&str> = project.active().map(|service| &*service.name).collect();
            return error("has no service").map_err(|error| {
                let all: Vec<_> = known.iter().map(|name| format!("`{name}`")).collect();
                error.did_you_mean(name, known, |error| error.help(format!("it has {}", all.join(", "))))
            });
        }
    };
    match replicas(service) {
        Some(0) => error("has no containers of the service").map_err(|error| {
            error.help("its Compose file says `replicas: 0` or `scale: 0`: let it have one, or more")
        }),
        Some(replicas) => {
            // What is replaced by another project has its ports until that one serves.
            let is_another =
                subject.prior.is_some_and(|prior| observe::is_another(subject, prior, &wanted.stack));
            let fresh = is_another || rolling::is_due(subject, wanted, name, replicas);
            Ok(Serving { replicas, fresh })
        }
        None => error("has too many containers of the service")
            .map_err(|error| error.help(format!("`replicas` or `scale` is a number up to {MOST}"))),
    }
}

/// How many containers a service has.
pub(super) fn replicas(service: &Service) -> Option<u16> {
    service.replicas().filter(|replicas| *replicas <= MOST).and_then(|replicas| u16::try_from(replicas).ok())
}
