//! The generation that the `current` link names: what nginx reads when it starts or reloads, whatever the state says.

use super::{Manifest, read_manifest};
use crate::diag::Diagnostic;
use crate::host::Host;
use crate::plan::observation::FileType;
use crate::plan::{Answer, NodeSpec, Query};

/// Its number; `None` where there is no link, or one to something else.
pub(in crate::apply) async fn current(host: &dyn Host, spec: &NodeSpec) -> Option<u64> {
    match host.observe(&[Query::Stat(spec.current())]).await.pop() {
        Some(Answer::Stat(stat)) => match &stat.file_type {
            FileType::Link(target) => NodeSpec::number(target),
            _ => None,
        },
        _ => None,
    }
}

/// Its manifest; `None` where it has none, because the link names nothing that is complete.
///
/// # Errors
/// It cannot be read, or not be understood.
pub(in crate::apply) async fn current_manifest(
    host: &dyn Host,
    spec: &NodeSpec,
) -> Result<Option<Manifest>, Diagnostic> {
    read_manifest(host, &spec.current()).await
}
