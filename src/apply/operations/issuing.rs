//! A certificate from an authority: from the order to the files, taken up wherever an earlier run was ended.

use std::time::Duration;

use super::certificates::{Issue, Origin, existing, install, order_key};
use super::order_key::{OrderKey, can_be_new};
use super::unissued::{Cause, Failed};
use super::{Context, Facts, guarding};
use crate::acme::guard;
use crate::acme::{Authority as _, Chain, Client, NewOrder, Order, OrderStatus, Reason, Refused, explain};
use crate::apply::certificate::{self, Pair};
use crate::apply::issuance::Unasked;
use crate::diag::Diagnostic;
use crate::host::{FileOperation, first_der, is_key_of, pause};
use crate::plan::issuance::{
    CertificateOrder, ChallengeType, EAB_KEY, Ledger, Ordered, Remembered, UnderWay, asks_the_same,
};
use crate::plan::{Answer, NodeSpec, Query};

/// How long it may take to issue.
const ISSUES: Duration = Duration::from_mins(3);

/// One certificate under way.
pub(super) struct Issuing<'a> {
    pub(super) context: Context<'a>,
    issue: Issue<'a>,
    pub(super) order: &'a CertificateOrder,
    /// The certificate's name.
    pub(super) name: &'a str,
}

/// Has a certificate issued, unless it is there.
pub(super) async fn issue(
    context: Context<'_>,
    issue: Issue<'_>,
    order: &CertificateOrder,
) -> Result<Facts, Diagnostic> {
    let issuing = Issuing { context, issue, order, name: NodeSpec::certificate_name(issue.directory) };
    if let Some(facts) = existing(context, issue).await {
        forget(context, issue).await?;
        return Ok(facts);
    }
    let result = Box::pin(issuing.all()).await;
    let now = context.host.now().await;
    let with = order.circumstances(context.spec, context.secrets);
    let (directory, names) = (&order.authority.directory, &order.names);
    match result {
        Ok(facts) => {
            context.issuance.remember(context.spec, issuing.name, Remembered::succeed).await.map(|()| facts)
        }
        Err(failed) => {
            let failed = Failed { error: context.masks.error(failed.error), ..failed };
            // That it cannot be written down is no news beside the failure.
            let noted = context.issuance.change(context.spec, |ledger| {
                if failed.unproven {
                    ledger.unproven(now, directory, names);
                }
                let remembered = ledger.of(issuing.name);
                if failed.lost {
                    remembered.order = None;
                }
                let (why, asked) = (&failed.error.summary, (issue.request, with.as_str()));
                match failed.cause {
                    Cause::Node => remembered.stumble(now, why, asked),
                    cause => {
                        remembered.fail(now, why, asked, failed.again).passing = cause == Cause::Passing;
                    }
                }
            });
            let _ = noted.await;
            if failed.lost {
                // The key of an order that leads nowhere is of no use to another one.
                let _ = issuing.key().remove().await;
            }
            Err(failed.error)
        }
    }
}

/// Takes an issue that is there already.
pub(super) async fn adopt(context: Context<'_>, issue: Issue<'_>) -> Result<Facts, Diagnostic> {
    let Some(facts) = existing(context, issue).await else {
        let error = format!("the certificate in `{}` cannot be used any more", issue.directory.display());
        return Err(Diagnostic::error(error).help("plan again: its files changed since they were looked at"));
    };
    forget(context, issue).await?;
    Ok(facts)
}

/// Forgets the order of what is there: taken up again, it would give the same certificate with the same key.
pub(super) async fn forget(context: Context<'_>, issue: Issue<'_>) -> Result<(), Diagnostic> {
    let Context { host, spec, issuance, .. } = context;
    let name = NodeSpec::certificate_name(issue.directory);
    let is_known = issuance.look(spec, |ledger| {
        ledger.certificates.get(name).is_some_and(|known| known.failed.is_some() || known.order.is_some())
    });
    if is_known.await? {
        issuance.remember(spec, name, Remembered::succeed).await?;
    }
    Ok(host.files(vec![FileOperation::Remove { path: order_key(issue.directory) }]).await?)
}

impl Issuing<'_> {
    pub(super) fn refused(&self, refused: &Refused) -> Failed {
        self.context.issuance.refused(self.context.spec, &self.order.authority, refused);
        let authority = &self.order.authority;
        let account = self.context.spec.account(authority);
        let error = explain(refused, &authority.directory, self.name, &account);
        let lost = refused.reason == Reason::Order;
        let cause = if refused.is_passing() { Cause::Passing } else { Cause::Lasting };
        Failed { error, again: refused.again, unproven: false, lost, cause }
    }

    /// As [`Self::refused`], where the authority has looked at proofs.
    pub(super) fn not_proven(&self, refused: &Refused) -> Failed {
        let unproven =
            matches!(refused.reason, Reason::WrongProof | Reason::Connection | Reason::Dns | Reason::Caa);
        Failed { unproven, ..self.refused(refused) }
    }

    fn key(&self) -> OrderKey<'_> {
        OrderKey { context: self.context, issue: self.issue.directory, key_type: &self.order.key_type }
    }

    pub(super) fn tell(&self, what: &str) {
        (self.context.told)(self.name, &self.context.masks.text(what));
    }

    async fn all(&self) -> Result<Facts, Failed> {
        let Context { spec, issuance, secrets, .. } = self.context;
        let key = secrets.get(EAB_KEY);
        let client = issuance.authority(spec, &self.order.authority, key).await;
        let client = client.map_err(|failed| match failed {
            Unasked::Refused(refused) => self.refused(&refused),
            Unasked::Here(error) => Failed::node(*error),
        })?;
        for remark in issuance.remarks() {
            self.tell(&remark);
        }
        if let Some(refused) = issuance.outage(self.context.spec, &self.order.authority) {
            return Err(self.refused(&refused));
        }
        let (mut order, remarks) = self.begin(&client).await?;
        self.sweep().await?;
        if order.status() == OrderStatus::Pending {
            self.tell("being proven");
            self.prove(&mut *order).await.map_err(|failed| failed.with(&remarks))?;
        }
        let key = self.key().of(order.status()).await?;
        if matches!(order.status(), OrderStatus::Pending | OrderStatus::Ready) {
            let request = certificate::request(&key, &self.order.names)?;
            pause::before();
            let asked = order.finalize(&request).await;
            pause::after();
            asked.map_err(|refused| self.not_proven(&refused))?;
        }
        self.tell("being issued");
        let chain = order.certificate(self.order.preferred_chain.as_deref(), ISSUES).await;
        let Chain { pem: chain, offered } = chain.map_err(|refused| self.refused(&refused))?;
        issuance.issued(self.context.spec, &self.order.authority);
        if let Some(preferred) = self.order.preferred_chain.as_ref().filter(|_| !offered.is_empty()) {
            let offered = offered.join("`, `");
            self.tell(&format!(
                "no chain by `{preferred}` is offered, but by `{offered}`: the usual one is taken"
            ));
        }
        let wrong = match is_key_of(key.pem.as_bytes(), chain.as_bytes()) {
            Some(true) => None,
            Some(false) => Some("is not for the key that was sent"),
            None => Some("is none: it cannot be read"),
        };
        if let Some(wrong) = wrong {
            let error = format!("the authority's certificate for `{}` {wrong}", self.name);
            // Taken up again it would be the same.
            let error = Diagnostic::error(error).help("a new order is begun once its pause has ended");
            return Err(Failed { lost: true, ..Failed::passing(error) });
        }
        let account = client.account().to_owned();
        let origin = Origin { account, order: order.url().to_owned() };
        let installed = install(self.context, self.issue, Pair { key: key.pem, chain }, Some(&origin)).await;
        let facts = installed.map_err(|error| {
            let help =
                "mend that: the next apply takes up the order, and the certificate is not asked for twice";
            Failed::node(error.help(help))
        })?;
        self.key().remove().await.map_err(Failed::node)?;
        Ok(facts)
    }

    /// Takes up the order that is under way, or begins one.
    async fn begin(&self, client: &Client) -> Result<(Box<dyn Order>, Vec<String>), Failed> {
        let Context { host, spec, issuance, .. } = self.context;
        let account = client.account().to_owned();
        let (name, request) = (self.name, self.issue.request);
        let former = issuance.look(spec, |ledger| ledger.certificates.get(name)?.order.clone()).await;
        let former = former.map_err(Failed::node)?;
        let former =
            former.filter(|former| asks_the_same(&former.request, request) && former.account == account);
        if let Some(former) = former {
            let has_key = self.key().kept().await.is_some();
            let goes_on = |status| status != OrderStatus::Invalid && (has_key || can_be_new(status));
            match client.resume(&former.url).await {
                Ok(order) if goes_on(order.status()) => {
                    self.tell("taken up where it was left");
                    return Ok((order, Vec::new()));
                }
                // It may well be there: another one would be wasted.
                Err(refused) if refused.is_passing() || refused.reason == Reason::Account => {
                    return Err(self.refused(&refused));
                }
                // One that has failed or is not known any more is given up.
                Ok(_) | Err(_) => {}
            }
        }
        let replaced = match &self.order.replaces {
            Some(path) => match host.observe(&[Query::Read(path.clone())]).await.pop() {
                Some(Answer::Bytes(bytes)) => first_der(&bytes),
                _ => None,
            },
            None => None,
        };
        let exempt = replaced.is_some() && client.directory().has_renewal_info();
        let ordered = self.order.ordered(host.now().await, exempt);
        let remarks = self.guard(client, &ordered).await?;
        let new = NewOrder {
            names: &self.order.names,
            profile: self.order.profile.as_deref(),
            replaces: replaced.as_deref(),
        };
        // The key of an order that was given up is of no use to another one.
        if let Err(error) = self.key().remove().await {
            issuance.change(spec, |ledger| ledger.not_ordered(&ordered)).await.map_err(Failed::node)?;
            return Err(Failed::node(error));
        }
        let order = match client.begin(&new).await {
            Ok(order) => order,
            Err(refused) => {
                // Without an answer nobody knows whether it was begun.
                let change = |ledger: &mut Ledger| {
                    if refused.is_answer() {
                        ledger.not_ordered(&ordered);
                    } else {
                        ledger.really(&ordered, |noted| noted.unanswered = true);
                    }
                };
                issuance.change(spec, change).await.map_err(Failed::node)?;
                return Err(self.refused(&refused));
            }
        };
        if ordered.exempt && !order.renews() {
            let changed =
                issuance.change(spec, |ledger| ledger.really(&ordered, |noted| noted.exempt = false));
            changed.await.map_err(Failed::node)?;
        }
        let under_way = UnderWay { url: order.url().to_owned(), account, request: request.to_owned() };
        let facts = Facts::from_iter([
            ("order".to_owned(), under_way.url.as_str().into()),
            ("account".to_owned(), under_way.account.as_str().into()),
        ]);
        let noted = issuance.remember(spec, name, |remembered| remembered.order = Some(under_way)).await;
        noted.and_then(|()| (self.context.note)(facts)).map_err(Failed::node)?;
        self.tell("ordered");
        Ok((order, remarks))
    }

    /// Finds out whether an order is worth it, and takes note of it; with what is not certain.
    async fn guard(&self, client: &Client, ordered: &Ordered) -> Result<Vec<String>, Failed> {
        let Context { spec, issuance, .. } = self.context;
        guarding::profile(client.directory(), self.order)?;
        if self.order.challenge == ChallengeType::Dns01 {
            // Where the record belongs could not be found out.
            let resolver = issuance.resolver(self.order).map_err(Failed::node)?;
            guard::answered(&resolver).await.map_err(Failed::node)?;
        }
        let mut remarks = Vec::new();
        if self.order.check_names {
            self.tell("being looked at");
            remarks = guarding::guard(self.context, self.order, client).await?;
            for remark in &remarks {
                self.tell(remark);
            }
        }
        // Noted before it is begun, so that those that are begun at the same time count.
        let spent = issuance.order(spec, ordered, self.order.check_names).await.map_err(Failed::node)?;
        let Some(spent) = spent else { return Ok(remarks) };
        let error = guarding::budget(&spent, &ordered.directory, self.name);
        Err(Failed { again: Some(spent.again), ..Failed::passing(error) })
    }
}
