//! certbot, which leaves a lineage alone and gets it back.

use super::{Context, Facts, access, fact, former};
use crate::apply::journal::Before;
use crate::diag::Diagnostic;
use crate::host::FileOperation;
use crate::plan::action::Access;
use crate::plan::issuance::lineage::{FILE_MODE, SWITCHED_OFF};
use crate::plan::issuance::{Lineage, renewal};
use crate::plan::{Answer, Query};

/// Switches certbot's renewal of a lineage off.
pub(in super::super) async fn stop_certbot(
    context: Context<'_>,
    lineage: &Lineage,
    before: &Before,
) -> Result<Facts, Diagnostic> {
    let (path, name) = (lineage.renewal(), lineage.name());
    let changed = change(context, lineage, renewal::switched_off, before).await.map_err(|reason| {
        let error = format!("cannot switch off certbot's renewal of `{name}`: {reason}");
        Diagnostic::error(error).help(format!(
            "mend `{}`, or take the lineage from certbot with `certbot delete --cert-name {name}` when its \
             certificate is not needed",
            path.display(),
        ))
    })?;
    if let Some(write) = changed {
        let keep = FileOperation::HardLink { from: path.clone(), to: former(&path) };
        context.host.files(vec![keep, write]).await?;
    }
    Ok(fact(SWITCHED_OFF, serde_json::json!({ "home": lineage.home(), "name": name })))
}

/// Switches certbot's renewal of a lineage on again, where [`stop_certbot`] switched it off.
pub(in super::super) async fn resume_certbot(
    context: Context<'_>,
    lineage: &Lineage,
    before: &Before,
) -> Result<Facts, Diagnostic> {
    let changed = change(context, lineage, renewal::switched_on, before).await.map_err(|reason| {
        Diagnostic::error(format!("cannot leave `{}` to certbot again: {reason}", lineage.name())).help(
            format!(
                "take the line with `autorenew` out of `{}`, so that certbot renews it",
                lineage.renewal().display()
            ),
        )
    })?;
    context.host.files(changed.into_iter().collect()).await?;
    Ok(fact(SWITCHED_OFF, serde_json::Value::Null))
}

/// What writes the configuration of a lineage as a change makes it; `None` where it is that already, or certbot knows
/// nothing of the lineage any more.
async fn change(
    context: Context<'_>,
    lineage: &Lineage,
    change: fn(&str) -> Result<String, renewal::RenewalError>,
    before: &Before,
) -> Result<Option<FileOperation>, String> {
    let path = lineage.renewal();
    let shown = path.display();
    let text = match context.host.observe(&[Query::Read(path.clone())]).await.pop() {
        Some(Answer::Bytes(bytes)) => {
            String::from_utf8(bytes).map_err(|_| format!("`{shown}` is not UTF-8"))?
        }
        Some(Answer::Absent) => return Ok(None),
        Some(Answer::Failed(reason)) => return Err(format!("cannot read `{shown}`: {reason}")),
        _ => return Err(format!("`{shown}` was not read")),
    };
    let changed = change(&text).map_err(|error| format!("`{shown}`, {error}"))?;
    let access = kept_access(before);
    Ok((changed != text).then(|| FileOperation::Replace { path, access, bytes: changed.into() }))
}

/// The access that a configuration had.
fn kept_access(before: &Before) -> Access {
    match before.access {
        Some((mode, uid, gid)) => Access { owner: Some(uid.to_string()), group: Some(gid.to_string()), mode },
        None => access(FILE_MODE),
    }
}
