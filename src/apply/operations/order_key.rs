//! The key of an order, beside the issues of its certificate: on disk before it is sent to be certified, so that no
//! certificate is without one.

use std::path::{Path, PathBuf};

use super::certificates::order_key;
use super::unissued::Failed;
use super::{Context, make_missing};
use crate::acme::OrderStatus;
use crate::apply::certificate::Key;
use crate::apply::generation::Readers;
use crate::apply::issuance::private;
use crate::diag::Diagnostic;
use crate::host::FileOperation;
use crate::plan::{Answer, NodeSpec, Query};
use crate::value::Secret;

/// The key of the order that is under way for a certificate.
pub(super) struct OrderKey<'a> {
    pub(super) context: Context<'a>,
    /// The directory of the issue that it is for.
    pub(super) issue: &'a Path,
    /// Its type, as the kind calls it.
    pub(super) key_type: &'a str,
}

impl OrderKey<'_> {
    fn file(&self) -> PathBuf {
        order_key(self.issue)
    }

    /// The one that is there.
    pub(super) async fn kept(&self) -> Option<Key> {
        match self.context.host.observe(&[Query::Read(self.file())]).await.pop() {
            Some(Answer::Bytes(bytes)) => Key::parse(&Secret::new(String::from_utf8(bytes).ok()?)).ok(),
            _ => None,
        }
    }

    /// Takes it away.
    pub(super) async fn remove(&self) -> Result<(), Diagnostic> {
        Ok(self.context.host.files(vec![FileOperation::Remove { path: self.file() }]).await?)
    }

    /// The one that is there, or a new one, for an order with this status.
    ///
    /// # Errors
    /// The one that was sent is not there, or a new one cannot be kept.
    pub(super) async fn of(&self, status: OrderStatus) -> Result<Key, Failed> {
        if let Some(key) = self.kept().await {
            return Ok(key);
        }
        if !can_be_new(status) {
            let error =
                format!("the key of the order for `{}` has gone", NodeSpec::certificate_name(self.issue));
            let error = Diagnostic::error(error).help("a new order is begun once its pause has ended");
            return Err(Failed::passing(error));
        }
        let key_type = self.key_type.to_owned();
        let made = tokio::task::spawn_blocking(move || Key::make(&key_type)).await;
        let key = made
            .map_err(|_| Failed::node(Diagnostic::error("making a key was given up")))?
            .map_err(Failed::node)?;
        let path = self.file();
        let Context { host, spec, .. } = self.context;
        let readers = Readers::of(host, spec).await.map_err(Failed::node)?;
        let parent = path.parent().unwrap_or(&path);
        let mut operations = make_missing(host, parent, &readers.directory()).await;
        let bytes = key.pem.as_bytes().to_vec().into();
        operations.push(FileOperation::Replace { path, access: private(), bytes });
        host.files(operations).await.map_err(Failed::node)?;
        Ok(key)
    }
}

/// Whether no key was sent to the authority yet.
pub(super) fn can_be_new(status: OrderStatus) -> bool {
    matches!(status, OrderStatus::Pending | OrderStatus::Ready)
}
