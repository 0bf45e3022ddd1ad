//! Who may read a generation, besides its owner.

use crate::diag::Diagnostic;
use crate::host::Host;
use crate::plan::action::Access;
use crate::plan::file::FILE_MODE;
use crate::plan::{Answer, NodeSpec, Query};

/// Access of a generation's directories and files: for nginx's workers, where they run as another user.
#[derive(Clone, Debug)]
pub(in crate::apply) struct Readers(Option<String>);

impl Readers {
    /// Asks the host for the workers' group.
    pub(in crate::apply) async fn of(host: &dyn Host, spec: &NodeSpec) -> Result<Self, Diagnostic> {
        let Some(user) = spec.worker_user.as_ref().filter(|_| host.privileged()) else {
            return Ok(Self(None));
        };
        match host.observe(&[Query::User(user.to_string())]).await.pop() {
            Some(Answer::User { gid, .. }) => Ok(Self(Some(gid.to_string()))),
            _ => Err(Diagnostic::error(format!("there is no user `{user}` for nginx's workers"))
                .help("install nginx, or name another user")
                .on(&spec.address)),
        }
    }

    fn access(&self, mode: u32) -> Access {
        Access { owner: None, group: self.0.clone(), mode }
    }

    pub(in crate::apply) fn directory(&self) -> Access {
        self.access(0o750)
    }

    pub(in crate::apply) fn file(&self) -> Access {
        self.access(FILE_MODE)
    }
}
