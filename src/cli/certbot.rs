//! What certbot has on the node that an authority would be asked for.

use crate::diag::Diagnostic;
use crate::names::covers;
use crate::plan::{Answer, Planned, Query};

use super::Invocation;

/// Where certbot is configured unless it was told otherwise.
pub(crate) const HOME: &str = "/etc/letsencrypt";

/// Says of each certificate that an authority would be asked for whether certbot has one. One question for all.
pub(crate) fn remark(invocation: &Invocation, planned: &mut Planned) {
    let actions = planned.plan.actions.iter();
    let orders: Vec<_> =
        actions.filter_map(|action| Some((&action.resource, action.operation.order()?))).collect();
    if orders.is_empty() {
        return;
    }
    let query = Query::Lineages(invocation.base.place(HOME));
    let answer = invocation.block_on(invocation.host.observe(&[query])).pop();
    let Some(Answer::Lineages(found)) = answer else { return };
    for (resource, order) in orders {
        let covering = found.iter().find(|(_, found)| {
            found.as_ref().is_ok_and(|found| {
                let certified = &found.certificate.names;
                let is_covered = |name: &String| certified.iter().any(|certified| covers(certified, name));
                found.renewal.autorenew && order.names.iter().all(is_covered)
            })
        });
        if let Some((name, _)) = covering {
            planned.findings.push(
                Diagnostic::info(format!(
                    "certbot has a certificate for {} already: `{name}`",
                    order.names.join(", ")
                ))
                .code("certbot_lineage")
                .on(resource)
                .help(format!(
                    "`vsa cert import {name}` takes it over: no other one is asked for, and its paths stay"
                )),
            );
        }
    }
}
