//! Servers none of which answers: each question would wait for them in vain.

use std::sync::Arc;

use tokio::sync::Mutex;

use super::Failure;

/// Whether nobody answers at all; clones know the same.
#[derive(Clone)]
pub(super) struct Silence {
    /// Who is asked, for people.
    servers: Arc<str>,
    is_known: Arc<Mutex<bool>>,
}

impl Silence {
    /// Of these servers, as far as is known now.
    pub(super) fn of(servers: &[String]) -> Self {
        Self { servers: servers.join(", ").into(), is_known: Arc::default() }
    }

    /// That nobody answers, where that is known; whoever finds it out just now is waited for.
    pub(super) async fn known(&self) -> Option<Failure> {
        self.is_known.lock().await.then(|| self.failure())
    }

    /// After a question that nobody has answered: whether nobody answers at all, found out by one who asks what any server
    /// has an answer to. A name whose own servers are down says nothing about the others.
    pub(super) async fn found_out(&self, anybody_answers: impl Future<Output = bool>) -> Option<Failure> {
        let mut is_known = self.is_known.lock().await;
        if !*is_known {
            *is_known = !anybody_answers.await;
        }
        is_known.then(|| self.failure())
    }

    fn failure(&self) -> Failure {
        Failure::Silent(Arc::clone(&self.servers))
    }
}
