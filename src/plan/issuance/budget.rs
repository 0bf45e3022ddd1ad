//! What Let's Encrypt's limits leave, by the orders that the node remembers: <https://letsencrypt.org/docs/rate-limits/>.

use std::collections::{BTreeSet, HashMap};

use super::{Ledger, Ordered};
use crate::names::{AuthorityDirectory, registered_domain};

const HOUR: i64 = 60 * 60;
const DAY: i64 = 24 * HOUR;

/// A limit: so many at once, which come back evenly over the period, in seconds.
struct Limit {
    count: i64,
    period: i64,
}

const ORDERS: Limit = Limit { count: 300, period: 3 * HOUR };
const OF_A_DOMAIN: Limit = Limit { count: 50, period: 7 * DAY };
const OF_A_SET: Limit = Limit { count: 5, period: 7 * DAY };
const FAILED: Limit = Limit { count: 5, period: HOUR };

/// A limit that is spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spent {
    /// Which one, in one line.
    pub limit: String,
    /// When it is free again, in seconds since 1970.
    pub again: i64,
}

impl Limit {
    /// The time that one more takes up, in seconds.
    fn step(&self) -> i64 {
        self.period / self.count
    }

    /// When one more is free, of which so much is taken up, where that is later than now.
    fn free(&self, taken_until: i64, now: i64) -> Option<i64> {
        let again = taken_until.saturating_add(self.step()).saturating_sub(self.period);
        (again > now).then_some(again)
    }
}

/// What counts together against a limit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Counted {
    /// Orders of the account.
    Orders,
    /// Certificates for exactly these names, sorted.
    Set(Vec<String>),
    /// Certificates for names of a registered domain.
    Domain(String),
    /// Failed proofs of a name.
    Failed(String),
}

impl Counted {
    fn limit(&self) -> &'static Limit {
        match self {
            Self::Orders => &ORDERS,
            Self::Set(_) => &OF_A_SET,
            Self::Domain(_) => &OF_A_DOMAIN,
            Self::Failed(_) => &FAILED,
        }
    }

    /// In one line.
    fn text(&self) -> String {
        let count = self.limit().count;
        match self {
            Self::Orders => format!("{count} orders in 3 hours"),
            Self::Set(_) => format!("{count} certificates in 7 days for exactly these names"),
            Self::Domain(domain) => format!("{count} certificates in 7 days for names of `{domain}`"),
            Self::Failed(name) => format!("{count} failed proofs in an hour for `{name}`"),
        }
    }
}

/// What the limits leave. Only Let's Encrypt's are known.
#[derive(Clone, Debug, Default)]
pub struct Budget {
    /// By directories: until when, in seconds since 1970, is taken up of each.
    taken: HashMap<String, HashMap<Counted, i64>>,
}

impl Budget {
    /// What orders leave now that a node remembers.
    pub fn of(ledger: &Ledger, now: i64) -> Self {
        let mut budget = Self::default();
        for order in ledger.orders.iter().filter(|order| order.counts(now)) {
            budget.count(order);
        }
        budget
    }

    /// Counts an order, which is not older than those before it.
    pub fn count(&mut self, order: &Ordered) {
        if !AuthorityDirectory::is_lets_encrypt(&order.directory) {
            return;
        }
        let mut counted = Vec::new();
        if order.unproven {
            counted.extend(order.names.iter().cloned().map(Counted::Failed));
        }
        if !order.exempt {
            counted.push(Counted::Orders);
            // One that was not answered was not gone on with: no certificate came of it.
            if !order.unproven && !order.unanswered {
                counted.extend(certificates(&order.names));
            }
        }
        let taken = self.taken.entry(order.directory.clone()).or_default();
        for counted in counted {
            let step = counted.limit().step();
            let until = taken.entry(counted).or_insert(i64::MIN);
            *until = order.at.max(*until).saturating_add(step);
        }
    }

    /// The limit that an order would exceed, of several the one that is free last. An order that renews a certificate
    /// as the authority asked for is exempt from all but that of failures.
    pub fn spent(&self, order: &Ordered) -> Option<Spent> {
        let taken = self.taken.get(&order.directory)?;
        let mut counted: Vec<_> = order.names.iter().cloned().map(Counted::Failed).collect();
        if !order.exempt {
            counted.push(Counted::Orders);
            counted.extend(certificates(&order.names));
        }
        let spent = counted.iter().filter_map(|counted| {
            let again = counted.limit().free(*taken.get(counted)?, order.at)?;
            Some(Spent { limit: counted.text(), again })
        });
        spent.max_by_key(|spent| spent.again)
    }
}

/// What a certificate for these names counts as.
fn certificates(names: &[String]) -> impl Iterator<Item = Counted> {
    let mut set = names.to_vec();
    set.sort_unstable();
    let domains: BTreeSet<&str> = names.iter().map(|name| registered_domain(name)).collect();
    let domains: Vec<_> = domains.into_iter().map(|domain| Counted::Domain(domain.to_owned())).collect();
    std::iter::once(Counted::Set(set)).chain(domains)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn directory() -> String {
        use crate::names::Text as _;
        AuthorityDirectory::parse("letsencrypt").unwrap().url().to_owned()
    }

    fn ordered(at: i64, name: &str) -> Ordered {
        let names = vec![name.to_owned()];
        Ordered { at, directory: directory(), names, exempt: false, unproven: false, unanswered: false }
    }

    fn said(orders: Vec<Ordered>, name: &str) -> String {
        let ledger = Ledger { orders, ..Ledger::default() };
        match Budget::of(&ledger, NOW).spent(&ordered(NOW, name)) {
            Some(spent) => format!("{}, free in {} s", spent.limit, spent.again - NOW),
            None => "free".to_owned(),
        }
    }

    #[test]
    fn a_set_of_names_has_five_certificates_a_week() {
        let orders = |count| (0..count).map(|_| ordered(NOW, "shop.example.com")).collect::<Vec<_>>();
        assert_eq!(said(orders(4), "shop.example.com"), "free");
        insta::assert_snapshot!(said(orders(5), "shop.example.com"), @"5 certificates in 7 days for exactly these names, free in 120960 s");
        assert_eq!(said(orders(5), "www.example.com"), "free");
        // One comes back after a fifth of the week.
        let old = (0..5).map(|_| ordered(NOW - 7 * DAY / 5, "shop.example.com")).collect();
        assert_eq!(said(old, "shop.example.com"), "free");
    }

    #[test]
    fn a_registered_domain_has_fifty() {
        let orders = |count, domain: &str| -> Vec<_> {
            (0..count).map(|number| ordered(NOW, &format!("s{number}.{domain}"))).collect()
        };
        assert_eq!(said(orders(49, "example.co.uk"), "new.example.co.uk"), "free");
        insta::assert_snapshot!(said(orders(50, "example.co.uk"), "*.new.example.co.uk"), @"50 certificates in 7 days for names of `example.co.uk`, free in 12096 s");
        assert_eq!(said(orders(50, "example.co.uk"), "new.another.co.uk"), "free");
        let exempt = orders(50, "example.com").into_iter().map(|order| Ordered { exempt: true, ..order });
        assert_eq!(said(exempt.collect(), "new.example.com"), "free");
        let unproven = orders(50, "example.com").into_iter().map(|order| Ordered { unproven: true, ..order });
        assert_eq!(said(unproven.collect(), "new.example.com"), "free", "nothing was issued");
        let unanswered = |order| Ordered { unanswered: true, ..order };
        let lost = || orders(300, "example.com").into_iter().map(unanswered);
        assert_eq!(said(lost().take(50).collect(), "new.example.com"), "free", "nothing was issued");
        assert_eq!(said(lost().collect(), "new.example.com"), "300 orders in 3 hours, free in 36 s");
    }

    #[test]
    fn an_account_has_three_hundred_orders() {
        let orders = (0..300).map(|number| ordered(NOW, &format!("shop.s{number}.com")));
        insta::assert_snapshot!(said(orders.collect(), "new.example.com"), @"300 orders in 3 hours, free in 36 s");
    }

    #[test]
    fn a_name_may_fail_five_times_an_hour() {
        let failed = |at| Ordered { unproven: true, ..ordered(at, "shop.example.com") };
        let orders: Vec<_> = (0..5).map(|_| failed(NOW)).collect();
        insta::assert_snapshot!(said(orders, "shop.example.com"), @"5 failed proofs in an hour for `shop.example.com`, free in 720 s");
        assert_eq!(said((0..5).map(|_| failed(NOW - 800)).collect(), "shop.example.com"), "free");
    }

    #[test]
    fn renewals_that_the_authority_asked_for_are_exempt_and_other_authorities_unknown() {
        let orders: Vec<_> = (0..5).map(|_| ordered(NOW, "shop.example.com")).collect();
        let ledger = Ledger { orders, ..Ledger::default() };
        let (budget, order) = (Budget::of(&ledger, NOW), ordered(NOW, "shop.example.com"));
        let another = Ordered { directory: "https://ca.example/directory".to_owned(), ..order.clone() };
        assert_eq!(budget.spent(&Ordered { exempt: true, ..order.clone() }), None);
        assert_eq!(budget.spent(&another), None);
        assert!(budget.spent(&order).is_some());
    }
}
