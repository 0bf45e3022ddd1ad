//! Which certificate somebody means: by its label, or by its address.

use crate::address::Address;
use crate::diag::Diagnostic;

/// The one of this name; its label is enough where no other one has it. `place` is where they are looked for, `help` what is
/// to be done where there is none.
pub(super) fn named<'a, T>(
    all: impl IntoIterator<Item = T>,
    name: &str,
    of: impl Fn(&T) -> (&'a Address, &'a str),
    (place, help): (&str, &str),
) -> Result<T, Diagnostic> {
    let is_it = |one: &T| {
        let (address, label) = of(one);
        label == name || address.to_string() == name
    };
    let (mut found, others): (Vec<_>, Vec<_>) = all.into_iter().partition(is_it);
    if found.len() > 1 {
        let addresses: Vec<_> = found.iter().map(|one| format!("`{}`", of(one).0)).collect();
        return Err(Diagnostic::error(format!("there are {} certificates `{name}`", found.len()))
            .help(format!("say which one: {}", addresses.join(", "))));
    }
    found.pop().ok_or_else(|| {
        Diagnostic::error(format!("there is no certificate `{name}` in the {place}")).did_you_mean(
            name,
            others.iter().map(|one| of(one).1),
            |error| error.help(help.to_owned()),
        )
    })
}

/// Where certificates of the state are shown.
pub(super) const OF_THE_STATE: (&str, &str) = ("state", "`vsa cert status` shows those that there are");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_of_two_is_no_name() {
        let all = [("a", "shop.example.com"), ("b", "shop.example.com"), ("c", "blog.example.com")]
            .map(|(name, label)| (Address::new("certificate", name), label));
        let one = |name: &str| {
            let found = named(&all, name, |(address, label)| (address, label), OF_THE_STATE);
            found.map(|(address, _)| address.to_string()).map_err(|error| (error.summary, error.help))
        };
        assert_eq!(one("blog.example.com").unwrap(), "certificate.c");
        assert_eq!(one("certificate.b").unwrap(), "certificate.b");
        let (summary, help) = one("shop.example.com").unwrap_err();
        assert_eq!(summary, "there are 2 certificates `shop.example.com`");
        assert!(format!("{help:?}").contains("say which one: `certificate.a`, `certificate.b`"), "{help:?}");
        assert!(one("blog.example.co").unwrap_err().0.contains("there is no certificate"));
    }
}
