//! Rules over a `certificate` block that the schema cannot say.

use super::DAY;
use super::attributes::{Attributes, Issuer};
use crate::diag::{Diagnostic, Diagnostics};
use crate::names::{Duration, HostName, Text as _};
use crate::plan::issuance::ChallengeType;
use crate::resource::{Path, Resource};

/// How many names one certificate of a public authority may have.
const MOST_NAMES: usize = 100;

/// Reports what is wrong with it.
pub(super) fn check(resource: &Resource, attributes: &Attributes, diagnostics: &mut Diagnostics) {
    let root = Path::root();
    let mut report = |path: &Path, diagnostic: Diagnostic| {
        diagnostics.push(diagnostic.at(resource.span(path)).on(&resource.address));
    };
    if let Err(invalid) = HostName::parse(&resource.name) {
        let summary = format!("the name `{}` {invalid}", resource.name.escape_default());
        report(
            &root,
            Diagnostic::error(summary).help("it names a directory: write it as a label or host name"),
        );
    }
    match &attributes.names {
        Some(names) if names.is_empty() => {
            let diagnostic = Diagnostic::error("a certificate needs a name");
            report(&root.name("names"), diagnostic.help("leave `names` away to use the label"));
        }
        None if !resource.name.contains('.') && &*resource.name != "localhost" => {
            let diagnostic =
                Diagnostic::error(format!("`names` is missing: `{}` is no name of a site", resource.name));
            report(&root, diagnostic.help("add `names = [\"shop.example.com\"]`"));
        }
        _ => {}
    }
    certbot(resource, attributes, &mut report);
    match attributes.issuer() {
        Issuer::Acme | Issuer::LetsEncrypt | Issuer::LetsEncryptStaging => {
            acme(resource, attributes, &mut report);
        }
        Issuer::Files => {
            for (name, path) in [("certificate", &attributes.certificate), ("key", &attributes.key)] {
                match path {
                    None => report(
                        &root.name("issuer"),
                        Diagnostic::error(format!("issuer `files` needs `{name}`"))
                            .help(format!("add `{name} = \"/etc/…\"`, a PEM file on the node")),
                    ),
                    Some(path) if !path.is_absolute() => report(
                        &root.name(name),
                        Diagnostic::error(format!("`{path}` does not begin at the root"))
                            .help("name the file by its whole path on the node"),
                    ),
                    Some(_) => {}
                }
            }
        }
        Issuer::SelfSigned => {
            files_of_no_use(attributes, "a self-signed certificate", &mut report);
            if attributes.issuer.is_none() {
                report(
                    &root,
                    Diagnostic::warning("browsers do not trust a self-signed certificate")
                        .code("self_signed")
                        .help("`issuer = \"files\"` takes one that they trust; `issuer = \"self_signed\"` says that this is meant"),
                );
            }
            let renew_before = attributes.renew_before.as_ref().map_or(0, Duration::seconds);
            if renew_before >= u64::from(attributes.days) * DAY.unsigned_abs() {
                let diagnostic = Diagnostic::error(format!(
                    "with {} days and `renew_before` of that or more it would be renewed at every apply",
                    attributes.days
                ));
                report(
                    &root.name("renew_before"),
                    diagnostic.help("make `renew_before` shorter than `days`"),
                );
            }
        }
    }
}

/// That the files of another issuer are named.
fn files_of_no_use(attributes: &Attributes, whose: &str, report: &mut dyn FnMut(&Path, Diagnostic)) {
    for (name, path) in [("certificate", &attributes.certificate), ("key", &attributes.key)] {
        if path.is_some() {
            let diagnostic = Diagnostic::error(format!("`{name}` is of no use to {whose}"));
            report(&Path::root().name(name), diagnostic.help("add `issuer = \"files\"`, or leave it away"));
        }
    }
}

/// Rules for those that are taken over from certbot.
fn certbot(resource: &Resource, attributes: &Attributes, report: &mut dyn FnMut(&Path, Diagnostic)) {
    let root = Path::root();
    let Some(home) = &attributes.certbot else {
        if attributes.lineage.is_some() {
            let diagnostic = Diagnostic::error("`lineage` is of no use without `certbot`");
            report(&root.name("lineage"), diagnostic.help("add `certbot = \"/etc/letsencrypt\"`"));
        }
        return;
    };
    let at = root.name("certbot");
    if !home.is_absolute() {
        let diagnostic = Diagnostic::error(format!("`{home}` does not begin at the root"));
        report(&at, diagnostic.help("name the directory by its whole path on the node: `/etc/letsencrypt`"));
    } else if attributes.lineage(resource).is_none() {
        let diagnostic = Diagnostic::error("`lineage` is no name of a lineage");
        report(&at, diagnostic.help("it is the name of a file in certbot's `renewal`, without `.conf`"));
    }
    if matches!(attributes.issuer(), Issuer::SelfSigned | Issuer::Files) {
        let diagnostic =
            Diagnostic::error("a certificate of certbot's is renewed by an authority, and none is named");
        report(
            &at,
            diagnostic.help("add `acme { email = \"…\" }` to the node, or `issuer = \"letsencrypt\"`"),
        );
    }
}

/// Rules for those that an authority issues.
fn acme(resource: &Resource, attributes: &Attributes, report: &mut dyn FnMut(&Path, Diagnostic)) {
    let root = Path::root();
    let Some(settings) = attributes.settings() else {
        let diagnostic = Diagnostic::error("no authority is named");
        return report(
            &root.name("issuer"),
            diagnostic.help("add `acme { email = \"…\" }` to the node, or to the certificate"),
        );
    };
    let whose = "a certificate that an authority issues";
    files_of_no_use(attributes, whose, report);
    let days = root.name("days");
    // It has a value in any case: what is not written stands where the block does.
    if resource.span(&days) != resource.span(&root) {
        let diagnostic = Diagnostic::error(format!("`days` is of no use to {whose}"));
        report(
            &days,
            diagnostic.help(
                "leave it away: the authority says how long it is valid, by `profile` where it has some",
            ),
        );
    }
    if let Some(ca) = settings.ca.as_ref().filter(|ca| !ca.is_absolute()) {
        let diagnostic = Diagnostic::error(format!("`{ca}` does not begin at the root"));
        let at = if attributes.acme.is_some() { root.name("acme").name("ca") } else { root.clone() };
        report(&at, diagnostic.help("name the file by its whole path on the node, in `acme { ca = … }`"));
    }
    if attributes.must_staple == Some(true) {
        report(
            &root.name("must_staple"),
            Diagnostic::error("`must_staple` is not asked for")
                .detail(
                    "browsers would refuse the site whenever nginx has no OCSP answer at hand, and authorities end OCSP: \
                     Let's Encrypt answers none since 2025, and issues no such certificate",
                )
                .help("leave it away; a short lifetime (`profile`) limits what a stolen key is worth"),
        );
    }
    let names = super::names(resource, attributes);
    let wildcard = names.iter().position(|name| name.starts_with("*."));
    if let Some(index) = wildcard.filter(|_| settings.challenge() != ChallengeType::Dns01) {
        let diagnostic = Diagnostic::error(format!("`{}` cannot be proven by `http-01`", names[index]));
        report(
            &root.name("names").index(index),
            diagnostic
                .help("wildcards need `challenge = \"dns-01\"` in `acme`, and who changes the DNS records"),
        );
    }
    let providers = settings.dns_blocks();
    if settings.challenge() == ChallengeType::Dns01 && providers.is_empty() {
        let diagnostic = Diagnostic::error("nobody is named who changes DNS records");
        report(
            &root,
            diagnostic
                .help("add `rfc2136 {}`, `exec {}`, `cloudflare {}` or `hetzner {}` to the `acme` block"),
        );
    }
    if let [first, second, ..] = providers.as_slice() {
        let diagnostic = Diagnostic::error(format!("both `{first}` and `{second}` change DNS records"));
        report(&root, diagnostic.help("keep one of them in the `acme` block"));
    }
    if names.len() > MOST_NAMES {
        let diagnostic = Diagnostic::error(format!("{} names are too many for one certificate", names.len()));
        report(&root.name("names"), diagnostic.help(format!("{MOST_NAMES} at most: make several")));
    }
}
