//! Laws of all text types, and examples that are easy to get wrong.

use proptest::prelude::*;

use super::*;

const TYPES: &[&TextType] = &[
    &Account::TYPE,
    &AddressRange::TYPE,
    &AuthorityDirectory::TYPE,
    &CertificateName::TYPE,
    &CommandWord::TYPE,
    &DirectoryMode::TYPE,
    &DisplayName::TYPE,
    &DomainName::TYPE,
    &EmailAddress::TYPE,
    &Duration::TYPE,
    &FileName::TYPE,
    &FilePath::TYPE,
    &HeaderName::TYPE,
    &HeaderValue::TYPE,
    &HostName::TYPE,
    &NameServer::TYPE,
    &Policy::TYPE,
    &password::PASSWORD,
    &password::PASSWORD_HASH,
    &Rate::TYPE,
    &Realm::TYPE,
    &RedirectTarget::TYPE,
    &ResolverAddress::TYPE,
    &Size::TYPE,
    &Slug::TYPE,
    &Snippet::TYPE,
    &UpstreamAddress::TYPE,
    &UriPath::TYPE,
    &UserName::TYPE,
    &ImageReference::TYPE,
    &KeyId::TYPE,
    &ProfileName::TYPE,
    &RelativePath::TYPE,
    &ServiceName::TYPE,
    &StackSource::TYPE,
    &VariableName::TYPE,
    &VariableValue::TYPE,
];

fn check(text: &str) -> Result<(), TestCaseError> {
    for ty in TYPES {
        if let Ok(canonical) = (ty.canonical)(text) {
            prop_assert_eq!(
                (ty.canonical)(&canonical),
                Ok(canonical.clone()),
                "{} is not idempotent",
                ty.name
            );
            prop_assert!(canonical.len() <= 16_384);
            prop_assert!(!canonical.contains(['\0', '\r']), "{} takes control bytes", ty.name);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn canonical_is_idempotent_on_any_text(text in any::<String>()) {
        check(&text)?;
    }

    #[test]
    fn canonical_is_idempotent_on_likely_text(
        text in "(http://|https://|unix:|/|\\[)?[a-zA-Z0-9.:/_ \\-$;\"\\]äß]{0,24}(/|:[0-9]{1,6}|r/s|ms|m|\\.)?"
    ) {
        check(&text)?;
    }
}

#[test]
fn the_examples_of_each_type_are_accepted() {
    for ty in TYPES {
        for example in ty.examples {
            assert!((ty.canonical)(example).is_ok(), "{} refuses its example {example:?}", ty.name);
        }
    }
}

#[test]
fn overlong_and_empty_texts_are_refused() {
    for ty in TYPES {
        assert!((ty.canonical)(&"a".repeat(20_000)).is_err(), "{} takes 20000 characters", ty.name);
    }
    for ty in
        TYPES.iter().filter(|ty| !matches!(ty.name, "header value" | "nginx snippet" | "variable value"))
    {
        assert!((ty.canonical)("").is_err(), "{} takes an empty text", ty.name);
    }
}

fn canonical<T: Text>(text: &str) -> String {
    match T::parse(text) {
        Ok(value) => value.as_str().to_owned(),
        Err(invalid) => format!("{text} {}", invalid.reason),
    }
}

#[test]
fn upstream_addresses() {
    let cases = [
        ("127.0.0.1:3000", "http://127.0.0.1:3000"),
        ("http://LocalHost", "http://localhost:80"),
        ("https://api.example.com/", "https://api.example.com:443"),
        ("[::1]:3000", "http://[::1]:3000"),
        ("unix:/run//app.sock", "http://unix:/run/app.sock"),
        ("acme_web_1:8080", "http://acme_web_1:8080"),
        ("127.0.0.1", "127.0.0.1 has no port"),
        ("http://a.example/x", "http://a.example/x has a path"),
        ("http://a.example:0", "http://a.example:0 has the port \"0\", not a number from 1 to 65535"),
        ("gopher://a.example", "gopher://a.example has the scheme \"gopher\""),
    ];
    for (text, expected) in cases {
        assert_eq!(canonical::<UpstreamAddress>(text), expected);
    }
    assert!(UpstreamAddress::parse("web:80").is_ok_and(|address| address.is_name()));
    assert!(UpstreamAddress::parse("[::1]:80").is_ok_and(|address| !address.is_name()));
}

#[test]
fn a_dollar_stands_only_in_known_variables() {
    assert!(HeaderValue::parse("id $request_id/${host}.").is_ok());
    for bad in ["$", "a$", "$5", "$secret", "${host", "$http_cookie", "$$host", "${}"] {
        assert!(HeaderValue::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn address_ranges_have_no_stray_bits() {
    assert_eq!(canonical::<AddressRange>("10.0.0.0/8"), "10.0.0.0/8");
    assert_eq!(canonical::<AddressRange>("10.0.0.7/32"), "10.0.0.7");
    assert!(AddressRange::parse("10.1.0.0/8").is_err());
}
