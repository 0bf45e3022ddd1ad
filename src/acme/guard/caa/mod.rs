//! Who may issue for a name, by its CAA records (RFC 8659) and what accounts and challenges they are bound to (RFC 8657).

mod record;

use record::issuer;
pub use record::{CaaRecord, CaaSet};

use crate::diag::Diagnostic;

/// The properties that are understood here: a critical one beside them forbids.
const UNDERSTOOD: [&str; 4] = ["issue", "issuewild", "iodef", "issuemail"];

/// What an authority will ask itself.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The name, `*.` before one that stands for all below.
    pub name: &'a str,
    /// How CAA records call the authority (`caaIdentities`). Where it does not say, any of them may be meant.
    pub identities: &'a [String],
    /// The account's address.
    pub account: &'a str,
    /// How control is proven: `http-01`, `dns-01`.
    pub challenge: &'a str,
}

/// Why CAA records forbid a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forbidden {
    /// The name that the certificate is for.
    pub name: String,
    /// The name that has the records.
    pub owner: String,
    /// The records that decide, as they stand in a zone file.
    pub records: Vec<String>,
    /// What they say.
    pub reason: String,
    /// What to do.
    pub help: String,
}

impl From<Forbidden> for Diagnostic {
    fn from(forbidden: Forbidden) -> Self {
        let Forbidden { name, owner, records, reason, help } = forbidden;
        Self::error(format!("the CAA records of `{owner}` forbid a certificate for `{name}`: {reason}"))
            .code("caa")
            .detail(
                records.iter().map(|record| format!("{owner}. CAA {record}")).collect::<Vec<_>>().join("\n"),
            )
            .help(help)
    }
}

/// Why one record does not let this authority issue.
fn refusal(record: &CaaRecord, asked: &Asked<'_>) -> Option<Reason> {
    let Some(issuer) = issuer(&record.value) else { return Some(Reason::Authority) };
    let meant = |identity: &String| identity.eq_ignore_ascii_case(issuer.domain);
    if issuer.domain.is_empty() || !(asked.identities.is_empty() || asked.identities.iter().any(meant)) {
        return Some(Reason::Authority);
    }
    let named = |tag: &'static str| {
        issuer
            .parameters
            .iter()
            .filter(move |(name, _)| name.eq_ignore_ascii_case(tag))
            .map(|(_, value)| *value)
    };
    // One account alone can be named (RFC 8657, section 3); of two, neither may.
    let accounts: Vec<_> = named("accounturi").collect();
    if !accounts.is_empty() && accounts != [asked.account] {
        return Some(Reason::Account);
    }
    let methods: Vec<_> = named("validationmethods").collect();
    let takes = |methods: &str| methods.split(',').any(|method| method.trim() == asked.challenge);
    let taken = match methods[..] {
        [] => true,
        [methods] => takes(methods),
        _ => false,
    };
    if !taken {
        return Some(Reason::Challenge);
    }
    None
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reason {
    Authority,
    Account,
    Challenge,
}

/// Whether the records let this authority issue for this name.
///
/// # Errors
/// They do not, with those that decide.
pub fn check(set: &CaaSet, asked: &Asked<'_>) -> Result<(), Forbidden> {
    let forbidden = |records: Vec<&CaaRecord>, reason: String, help: String| Forbidden {
        name: asked.name.to_owned(),
        owner: set.owner.clone(),
        records: records.into_iter().map(ToString::to_string).collect(),
        reason,
        help,
    };
    let unknown = |record: &&CaaRecord| record.is_critical() && !UNDERSTOOD.iter().any(|tag| record.is(tag));
    if let Some(record) = set.records.iter().find(unknown) {
        let reason =
            format!("the property `{}` is critical, and no authority has to understand it", record.tag);
        return Err(forbidden(
            vec![record],
            reason,
            "remove that record, or its critical flag (128)".to_owned(),
        ));
    }
    let all = |tag: &str| set.records.iter().filter(|record| record.is(tag)).collect::<Vec<_>>();
    let wildcard = asked.name.starts_with("*.");
    let (tag, deciding) = match all("issuewild") {
        wild if wildcard && !wild.is_empty() => ("issuewild", wild),
        _ => ("issue", all("issue")),
    };
    if deciding.is_empty() {
        return Ok(());
    }
    // The record that comes nearest to allowing it says best what is missing.
    let refusals = deciding.iter().map(|record| refusal(record, asked)).collect::<Option<Vec<_>>>();
    let Some(nearest) = refusals.and_then(|refusals| refusals.into_iter().max()) else { return Ok(()) };
    let identity = asked.identities.first().map_or("<the authority>", String::as_str);
    let add = format!("{}. CAA 0 {tag} \"{identity}\"", set.owner);
    let (reason, help) = match nearest {
        Reason::Authority if asked.identities.is_empty() => {
            ("they let nobody issue".to_owned(), format!("add `{add}`, with the authority's domain"))
        }
        Reason::Authority => (
            format!("`{}` is not among those who may issue", asked.identities.join("`, `")),
            format!("add `{add}`"),
        ),
        Reason::Account => (
            format!("the account `{}` is not the one that may ask", asked.account),
            format!("set `accounturi={}` in that record, or remove the parameter", asked.account),
        ),
        Reason::Challenge => (
            format!("control may not be proven by `{}`", asked.challenge),
            format!(
                "add `{}` to its `validationmethods`, or set `challenge` to one that stands there",
                asked.challenge
            ),
        ),
    };
    Err(forbidden(deciding, reason, help))
}

#[cfg(test)]
mod tests {
    use super::{Asked, CaaRecord, CaaSet, check};
    use crate::diag::Diagnostic;

    const ACCOUNT: &str = "https://acme.example/account/1";

    /// What is said of a name whose records are these, each as it stands in a zone file.
    fn said(name: &str, records: &[&str]) -> String {
        let records = records.iter().map(|record| {
            let mut parts = record.splitn(3, ' ');
            let mut next = || parts.next().unwrap();
            CaaRecord { flags: next().parse().unwrap(), tag: next().to_owned(), value: next().to_owned() }
        });
        let set = CaaSet { owner: "example.com".to_owned(), records: records.collect() };
        let identities = ["letsencrypt.org".to_owned()];
        let asked = Asked { name, identities: &identities, account: ACCOUNT, challenge: "http-01" };
        match check(&set, &asked) {
            Ok(()) => "allowed".to_owned(),
            Err(forbidden) => {
                let diagnostic = Diagnostic::from(forbidden);
                format!(
                    "{}\n{}\nhelp: {}",
                    diagnostic.summary,
                    diagnostic.detail,
                    diagnostic.help.join("\nhelp: ")
                )
            }
        }
    }

    #[test]
    fn the_named_authority_may_issue() {
        for records in [
            &[][..],
            &["0 issue letsencrypt.org"],
            &["0 ISSUE LetsEncrypt.org"],
            &["0 issue ca.example", "0 issue letsencrypt.org"],
            &["0 issue letsencrypt.org; policy=ev"],
            &["0 issue letsencrypt.org ;validationmethods=dns-01,http-01"],
            &["0 issue letsencrypt.org; accounturi=https://acme.example/account/1"],
            // The first does not let the account, the second lets everybody.
            &[
                "0 issue letsencrypt.org; accounturi=https://acme.example/account/2",
                "0 issue letsencrypt.org",
            ],
            // Nothing is said about who may issue.
            &["0 iodef mailto:ops@example.com"],
            &["128 iodef mailto:ops@example.com"],
            &["0 contactemail ops@example.com"],
            &["0 issuewild ;"],
            &["128 issue letsencrypt.org"],
        ] {
            assert_eq!(said("shop.example.com", records), "allowed", "{records:?}");
        }
    }

    #[test]
    fn whom_nobody_named_may_not_issue() {
        insta::assert_snapshot!(said("shop.example.com", &["0 issue ca.example", "0 iodef mailto:a@example.com"]), @r#"
        the CAA records of `example.com` forbid a certificate for `shop.example.com`: `letsencrypt.org` is not among those who may issue
        example.com. CAA 0 issue "ca.example"
        help: add `example.com. CAA 0 issue "letsencrypt.org"`
        "#);
        insta::assert_snapshot!(said("shop.example.com", &["0 issue ;"]), @r#"
        the CAA records of `example.com` forbid a certificate for `shop.example.com`: `letsencrypt.org` is not among those who may issue
        example.com. CAA 0 issue ";"
        help: add `example.com. CAA 0 issue "letsencrypt.org"`
        "#);
        for malformed in
            ["0 issue %%%", "0 issue letsencrypt.org; x", "0 issue ", "0 issue letsencrypt.org.example"]
        {
            assert!(said("shop.example.com", &[malformed]).contains("not among those"), "{malformed}");
        }
    }

    #[test]
    fn wildcards_have_a_property_of_their_own() {
        let (own, none) = (
            &["0 issue ca.example", "0 issuewild letsencrypt.org"],
            &["0 issue letsencrypt.org", "0 issuewild ;"],
        );
        assert_eq!(said("*.example.com", own), "allowed");
        assert_eq!(said("*.example.com", &["0 issue letsencrypt.org"]), "allowed");
        assert_eq!(said("example.com", none), "allowed");
        insta::assert_snapshot!(said("*.example.com", none), @r#"
        the CAA records of `example.com` forbid a certificate for `*.example.com`: `letsencrypt.org` is not among those who may issue
        example.com. CAA 0 issuewild ";"
        help: add `example.com. CAA 0 issuewild "letsencrypt.org"`
        "#);
    }

    #[test]
    fn a_record_may_be_bound_to_an_account_and_to_challenges() {
        insta::assert_snapshot!(
            said("example.com", &["0 issue letsencrypt.org; accounturi=https://acme.example/account/2"]),
            @r#"
            the CAA records of `example.com` forbid a certificate for `example.com`: the account `https://acme.example/account/1` is not the one that may ask
            example.com. CAA 0 issue "letsencrypt.org; accounturi=https://acme.example/account/2"
            help: set `accounturi=https://acme.example/account/1` in that record, or remove the parameter
            "#
        );
        insta::assert_snapshot!(
            said("example.com", &["0 issue ca.example", "0 issue letsencrypt.org; validationmethods=dns-01"]),
            @r#"
            the CAA records of `example.com` forbid a certificate for `example.com`: control may not be proven by `http-01`
            example.com. CAA 0 issue "ca.example"
            example.com. CAA 0 issue "letsencrypt.org; validationmethods=dns-01"
            help: add `http-01` to its `validationmethods`, or set `challenge` to one that stands there
            "#
        );
    }

    #[test]
    fn a_critical_property_that_nobody_knows_forbids() {
        insta::assert_snapshot!(said("example.com", &["0 issue letsencrypt.org", "128 future x"]), @r#"
        the CAA records of `example.com` forbid a certificate for `example.com`: the property `future` is critical, and no authority has to understand it
        example.com. CAA 128 future "x"
        help: remove that record, or its critical flag (128)
        "#);
        assert_ne!(said("example.com", &["1 future x"]), "allowed");
        assert_eq!(said("example.com", &["0 future x"]), "allowed");
    }

    #[test]
    fn an_authority_that_does_not_say_its_name_may_be_any_but_nobody() {
        let set = |value: &str| CaaSet {
            owner: "example.com".to_owned(),
            records: vec![CaaRecord { flags: 0, tag: "issue".to_owned(), value: value.to_owned() }],
        };
        let asked = Asked { name: "example.com", identities: &[], account: ACCOUNT, challenge: "dns-01" };
        assert_eq!(check(&set("ca.example"), &asked), Ok(()));
        assert!(check(&set(";"), &asked).is_err());
    }
}
