//! An order by way of `instant-acme`.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use instant_acme::{AuthorizationStatus, Error, RetryPolicy};

use super::account::Account;
use super::authority::{Chain, Order, OrderStatus, Proof, Reason, Refused};
use super::client::steadily;
use super::refusal::{of_order, refused, words};
use super::wire::Wire;
use crate::host::issuers;
use crate::plan::issuance::ChallengeType;

/// The first pause between two looks at an order; each is half as long again.
const PAUSE: Duration = Duration::from_millis(100);

/// How long the last of these looks may take.
const LAST: Duration = Duration::from_secs(30);

pub(super) struct Ordered {
    order: instant_acme::Order,
    wire: Wire,
    account: Account,
    status: OrderStatus,
    renews: bool,
}

fn status(status: instant_acme::OrderStatus) -> OrderStatus {
    match status {
        instant_acme::OrderStatus::Pending => OrderStatus::Pending,
        instant_acme::OrderStatus::Ready => OrderStatus::Ready,
        instant_acme::OrderStatus::Processing => OrderStatus::Processing,
        instant_acme::OrderStatus::Valid => OrderStatus::Valid,
        instant_acme::OrderStatus::Invalid => OrderStatus::Invalid,
    }
}

fn policy(patience: Duration) -> RetryPolicy {
    RetryPolicy::new().initial_delay(PAUSE).backoff(1.5).timeout(patience)
}

/// What is waited for, however often it is begun anew for a nonce that was refused.
async fn within<T>(patience: Duration, awaited: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::time::timeout(patience + LAST, awaited).await.unwrap_or(Err(Error::Timeout(None)))
}

fn library(challenge: ChallengeType) -> instant_acme::ChallengeType {
    match challenge {
        ChallengeType::Http01 => instant_acme::ChallengeType::Http01,
        ChallengeType::Dns01 => instant_acme::ChallengeType::Dns01,
    }
}

impl Ordered {
    pub(super) fn new(mut order: instant_acme::Order, wire: Wire, account: Account) -> Self {
        let status = status(order.state().status);
        Self { order, wire, account, status, renews: false }
    }

    /// As one that renews another certificate.
    pub(super) fn renewing(self, renews: bool) -> Self {
        Self { renews, ..self }
    }

    fn refused(&self, error: Error) -> Refused {
        refused(error, &self.wire.noted())
    }

    /// What the authority found wrong with single names; the order itself says little.
    async fn complaints(&mut self) -> Refused {
        let mut names = BTreeMap::new();
        let mut reason = Reason::Order;
        let mut list = self.order.authorizations();
        while let Some(Ok(mut authorization)) = list.next().await {
            // What cannot be asked for is not said.
            let _ = authorization.refresh().await;
            let name = authorization.identifier().to_string();
            let error = authorization.challenges.iter().find_map(|challenge| challenge.error.as_ref());
            if let Some(error) = error {
                let found = super::refusal::reason(error);
                reason = if reason == Reason::Order { found } else { reason };
                names.insert(name, words(error));
            }
        }
        let detail =
            if names.is_empty() { "the order has failed" } else { "control over names was not proven" };
        Refused { names, ..Refused::new(reason, detail) }
    }
}

async fn proofs(order: &mut instant_acme::Order, challenge: ChallengeType) -> Result<Vec<Proof>, Error> {
    let mut proofs = Vec::new();
    let mut list = order.authorizations();
    while let Some(authorization) = list.next().await {
        let mut authorization = authorization?;
        if authorization.status != AuthorizationStatus::Pending {
            continue;
        }
        let name = authorization.identifier().identifier.authorized(false).to_string();
        let Some(offered) = authorization.challenge(library(challenge)) else {
            return Err(Error::Unsupported("this challenge for the name"));
        };
        let answer = offered.key_authorization();
        proofs.push(Proof {
            name,
            token: offered.token.clone(),
            authorization: answer.as_str().to_owned(),
            record: answer.dns_value(),
        });
    }
    Ok(proofs)
}

async fn begin(order: &mut instant_acme::Order, challenge: ChallengeType) -> Result<(), Error> {
    let mut list = order.authorizations();
    while let Some(authorization) = list.next().await {
        let mut authorization = authorization?;
        if authorization.status != AuthorizationStatus::Pending {
            continue;
        }
        if let Some(mut offered) = authorization.challenge(library(challenge)) {
            offered.set_ready().await?;
        }
    }
    Ok(())
}

#[async_trait]
impl Order for Ordered {
    fn url(&self) -> &str {
        self.order.url()
    }

    fn status(&self) -> OrderStatus {
        self.status
    }

    fn renews(&self) -> bool {
        self.renews
    }

    async fn proofs(&mut self, challenge: ChallengeType) -> Result<Vec<Proof>, Refused> {
        let found = steadily!(proofs(&mut self.order, challenge));
        found.map_err(|error| self.refused(error))
    }

    async fn prove(&mut self, challenge: ChallengeType, patience: Duration) -> Result<(), Refused> {
        if let Err(error) = steadily!(begin(&mut self.order, challenge)) {
            return Err(self.refused(error));
        }
        let polled = async { steadily!(self.order.poll_ready(&policy(patience))) };
        let proven = within(patience, polled).await;
        self.status = status(self.order.state().status);
        match proven {
            Ok(instant_acme::OrderStatus::Ready) => Ok(()),
            Ok(_) => Err(self.complaints().await),
            Err(Error::Api(_)) if self.status == OrderStatus::Invalid => Err(self.complaints().await),
            Err(error) => Err(self.refused(error)),
        }
    }

    async fn finalize(&mut self, request: &[u8]) -> Result<(), Refused> {
        let done = steadily!(self.order.finalize_csr(request));
        self.status = status(self.order.state().status);
        let Err(error) = done else { return Ok(()) };
        let refused = self.refused(error);
        if refused.reason != Reason::NotReady {
            return Err(refused);
        }
        // It may be at work on a request that was sent before: the order itself says how far it is.
        let url = self.url().to_owned();
        let read = steadily!(self.order.refresh()).map(|state| state.status);
        self.status = status(read.map_err(|error| of_order(error, &url, &self.wire.noted()))?);
        match self.status {
            OrderStatus::Processing | OrderStatus::Valid => Ok(()),
            OrderStatus::Invalid => Err(self.complaints().await),
            OrderStatus::Pending | OrderStatus::Ready => Err(refused),
        }
    }

    async fn certificate(&mut self, preferred: Option<&str>, patience: Duration) -> Result<Chain, Refused> {
        let polled = async { steadily!(self.order.poll_certificate(&policy(patience))) };
        let chain = within(patience, polled).await;
        let chain = chain.map_err(|error| self.refused(error))?;
        self.status = OrderStatus::Valid;
        let wanted = |pem| Ok(Chain { pem, offered: Vec::new() });
        let Some(preferred) = preferred else { return wanted(chain) };
        let topmost = |chain: &str| issuers(chain.as_bytes()).pop().unwrap_or_default();
        let mut offered = vec![topmost(&chain)];
        if offered[0] == preferred {
            return wanted(chain);
        }
        for address in self.wire.noted().alternates {
            let wire = self.wire.naming(address);
            let session = super::client::session(&self.account, &wire).await?;
            let url = self.order.url().to_owned();
            let Ok(mut order) = steadily!(session.order(url.clone())) else { continue };
            if let Ok(Some(other)) = steadily!(order.certificate()) {
                let issuer = topmost(&other);
                if issuer == preferred {
                    return wanted(other);
                }
                offered.push(issuer);
            }
        }
        Ok(Chain { pem: chain, offered })
    }
}
