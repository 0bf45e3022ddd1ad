//! Registered domains, by the public suffix list.

/// The domain that somebody registered to have a name below it: `example.co.uk` of `shop.example.co.uk`. A name under
/// which names are registered (`co.uk`) is its own. What the list (<https://publicsuffix.org>) does not know counts as
/// such a name where it is a single label.
pub fn registered_domain(name: &str) -> &str {
    let name = name.strip_prefix("*.").unwrap_or(name);
    psl::domain_str(name).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::registered_domain;

    #[test]
    fn the_registered_domain_is_one_label_below_a_public_suffix() {
        for (name, registered) in [
            ("shop.example.com", "example.com"),
            ("example.com", "example.com"),
            ("*.example.com", "example.com"),
            ("shop.example.co.uk", "example.co.uk"),
            ("a.b.example.co.uk", "example.co.uk"),
            // Suffixes of companies count too, as authorities count them.
            ("me.github.io", "me.github.io"),
            ("a.me.github.io", "me.github.io"),
            // `*.ck` but for `www.ck`.
            ("a.b.c.ck", "b.c.ck"),
            ("a.www.ck", "www.ck"),
            ("shop.xn--85x722f.xn--55qx5d.cn", "xn--85x722f.xn--55qx5d.cn"),
        ] {
            assert_eq!(registered_domain(name), registered, "{name}");
        }
    }

    #[test]
    fn a_public_suffix_is_its_own() {
        for name in ["co.uk", "com", "github.io"] {
            assert_eq!(registered_domain(name), name);
        }
    }

    #[test]
    fn a_suffix_that_is_not_known_is_one_label() {
        assert_eq!(registered_domain("shop.example.internal"), "example.internal");
        assert_eq!(registered_domain("localhost"), "localhost");
    }
}
