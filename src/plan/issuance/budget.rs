//! What Let's Encrypt's limits leave, by the orders that the node remembers: <https://letsencrypt.org/docs/rate-limits/>.

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
    /// When one more is free, where that is later than now; `times` are in their order.
    fn free(&self, times: impl Iterator<Item = i64>, now: i64) -> Option<i64> {
        let step = self.period / self.count;
        let full = times.fold(i64::MIN, |full, time| full.max(time).saturating_add(step));
        let again = full.saturating_add(step).saturating_sub(self.period);
        (again > now).then_some(again)
    }
}

/// The limit that an order for these names would exceed, of several the one that is free last. Only Let's Encrypt's
/// limits are known. An order that renews a certificate as the authority asked for is exempt from all but that of
/// failures.
pub fn spent(ledger: &Ledger, directory: &str, names: &[String], exempt: bool, now: i64) -> Option<Spent> {
    if !AuthorityDirectory::is_lets_encrypt(directory) {
        return None;
    }
    let mut found: Vec<Spent> = Vec::new();
    let mut judge = |limit: &Limit, what: String, counts: &dyn Fn(&Ordered) -> bool| {
        let orders = ledger.orders.iter().filter(|order| order.directory == directory && counts(order));
        let again = limit.free(orders.map(|order| order.at), now);
        found.extend(again.map(|again| Spent { limit: what, again }));
    };
    for name in names {
        let what = format!("{} failed proofs in an hour for `{name}`", FAILED.count);
        judge(&FAILED, what, &|order| order.unproven && order.names.contains(name));
    }
    if !exempt {
        judge(&ORDERS, format!("{} orders in 3 hours", ORDERS.count), &|order| !order.exempt);
        let set = sorted(names);
        let what = format!("{} certificates in 7 days for exactly these names", OF_A_SET.count);
        judge(&OF_A_SET, what, &|order| is_certificate(order) && sorted(&order.names) == set);
        let mut domains: Vec<_> = names.iter().map(|name| registered_domain(name)).collect();
        domains.sort_unstable();
        domains.dedup();
        for domain in domains {
            let what = format!("{} certificates in 7 days for names of `{domain}`", OF_A_DOMAIN.count);
            let of_it = |order: &Ordered| order.names.iter().any(|name| registered_domain(name) == domain);
            judge(&OF_A_DOMAIN, what, &|order| is_certificate(order) && of_it(order));
        }
    }
    found.into_iter().max_by_key(|spent| spent.again)
}

fn is_certificate(order: &Ordered) -> bool {
    !order.exempt && !order.unproven
}

fn sorted(names: &[String]) -> Vec<&str> {
    let mut names: Vec<_> = names.iter().map(String::as_str).collect();
    names.sort_unstable();
    names
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
        Ordered { at, directory: directory(), names, exempt: false, unproven: false }
    }

    fn said(orders: Vec<Ordered>, name: &str) -> String {
        let ledger = Ledger { orders, ..Ledger::default() };
        match spent(&ledger, &directory(), &[name.to_owned()], false, NOW) {
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
        let names = ["shop.example.com".to_owned()];
        assert_eq!(spent(&ledger, &directory(), &names, true, NOW), None);
        assert_eq!(spent(&ledger, "https://ca.example/directory", &names, false, NOW), None);
        assert!(spent(&ledger, &directory(), &names, false, NOW).is_some());
    }
}
