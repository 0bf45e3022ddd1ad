//! What a `certificate` block says.

use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;

use super::DAY;
use crate::address::Address;
use crate::names::{AuthorityDirectory, CertificateName, Duration, FileName, FilePath, Text as _};
use crate::plan::issuance::{Lineage, Maker, Settings};
use crate::resource::Resource;
use crate::state::Stored;

/// Who makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum Issuer {
    #[serde(rename = "letsencrypt")]
    LetsEncrypt,
    #[serde(rename = "letsencrypt-staging")]
    LetsEncryptStaging,
    #[serde(rename = "acme")]
    Acme,
    #[serde(rename = "self_signed")]
    SelfSigned,
    #[serde(rename = "files")]
    Files,
}

/// What a `certificate` block says.
#[derive(Debug, Deserialize)]
pub(super) struct Attributes {
    pub(super) names: Option<Vec<CertificateName>>,
    pub(super) issuer: Option<Issuer>,
    pub(super) certificate: Option<FilePath>,
    pub(super) key: Option<FilePath>,
    pub(super) key_type: Arc<str>,
    pub(super) days: u32,
    pub(super) renew_before: Option<Duration>,
    pub(super) must_staple: Option<bool>,
    pub(super) certbot: Option<FilePath>,
    pub(super) lineage: Option<FileName>,
    pub(super) acme: Option<Settings>,
    node: Node,
}

/// Its node, as the block refers to it.
#[derive(Debug, Deserialize)]
struct Node {
    #[serde(default)]
    acme: Option<Settings>,
}

impl Attributes {
    pub(super) fn issuer(&self) -> Issuer {
        let by_acme = self.acme.is_some() || self.node.acme.is_some();
        self.issuer.unwrap_or(if by_acme { Issuer::Acme } else { Issuer::SelfSigned })
    }

    /// Which authority issues it, and how; `None` where none does.
    pub(super) fn settings(&self) -> Option<Settings> {
        let said = self.acme.as_ref().or(self.node.acme.as_ref());
        let directory = match self.issuer() {
            Issuer::SelfSigned | Issuer::Files => return None,
            Issuer::Acme => return said.cloned(),
            Issuer::LetsEncrypt => "letsencrypt",
            Issuer::LetsEncryptStaging => "letsencrypt-staging",
        };
        let directory = AuthorityDirectory::parse(directory).ok()?;
        let mut settings = said.cloned().unwrap_or_else(|| Settings::of(directory.clone()));
        // Another authority's root and account are of no use to this one.
        (settings.directory, settings.ca, settings.eab) = (directory, None, None);
        Some(settings)
    }

    /// Whether browsers can be expected to trust it.
    pub(super) fn is_trusted(&self) -> bool {
        match self.issuer() {
            Issuer::SelfSigned => false,
            Issuer::Files => true,
            _ => self.settings().is_none_or(|settings| settings.directory.is_trusted()),
        }
    }

    /// The files that somebody else keeps.
    pub(super) fn source(&self) -> Option<(PathBuf, PathBuf)> {
        let (certificate, key) = (self.certificate.as_ref()?, self.key.as_ref()?);
        (self.issuer() == Issuer::Files).then(|| (certificate.as_str().into(), key.as_str().into()))
    }

    /// The lineage of certbot's that it is taken over from.
    pub(super) fn lineage(&self, resource: &Resource) -> Option<Lineage> {
        let name = self.lineage.as_ref().map_or(&*resource.name, |name| name.as_str());
        Lineage::new(self.certbot.as_ref()?.as_str(), name).ok()
    }

    /// Whether the state has it for the names that it is wanted for now.
    pub(super) fn is_applied(&self, resource: &Resource, stored: &Stored) -> bool {
        let applied = applied_names(stored).unwrap_or_else(|| vec![Arc::clone(&stored.name)]);
        applied.iter().map(|name| &**name).eq(names(resource, self).iter().map(String::as_str))
    }

    /// What makes a new issue necessary when it changes, as one line.
    pub(super) fn request(&self, resource: &Resource, node: &Address) -> String {
        let names = names(resource, self).join(" ");
        if let Some((certificate, key)) = self.source() {
            let files = format_args!("{} {}", certificate.display(), key.display());
            return Maker::Files.request(node, files);
        }
        match self.settings() {
            Some(settings) => {
                let profile = settings.profile.as_ref().map_or("-", |profile| profile.as_str());
                let directory = settings.directory.url();
                Maker::Acme.request(node, format_args!("{directory} {} {profile} {names}", self.key_type))
            }
            None => Maker::SelfSigned.request(node, format_args!("{} {} {names}", self.key_type, self.days)),
        }
    }

    /// What stands for a certificate that is not issued yet, as one line.
    pub(super) fn stand_in(&self, resource: &Resource, node: &Address) -> String {
        Maker::StandIn.request(node, format_args!("{}", names(resource, self).join(" ")))
    }

    /// How many seconds before its end a certificate of this lifetime is renewed: a third of it, half of a short one.
    pub(super) fn margin(&self, lifetime: i64) -> i64 {
        margin(self.renew_before.as_ref(), lifetime)
    }
}

/// As [`Attributes::margin`], of what is said about it: two thirds at most, so that a new one is never due.
pub(super) fn margin(renew_before: Option<&Duration>, lifetime: i64) -> i64 {
    let usual = if lifetime < 10 * DAY { lifetime / 2 } else { lifetime / 3 };
    let said = renew_before.map(|before| i64::try_from(before.seconds()).unwrap_or(i64::MAX));
    said.map_or(usual, |said| said.min(lifetime / 3 * 2))
}

/// The names that it is for: its own where it says none.
pub(super) fn names(resource: &Resource, attributes: &Attributes) -> Vec<String> {
    match &attributes.names {
        Some(names) => names.iter().map(ToString::to_string).collect(),
        None => vec![resource.name.to_string()],
    }
}

/// The names that the state has it for; `None` where it says none.
pub(super) fn applied_names(stored: &Stored) -> Option<Vec<Arc<str>>> {
    #[derive(Deserialize)]
    struct Applied {
        names: Option<Vec<Arc<str>>>,
    }
    serde_json::from_str::<Applied>(stored.attributes.get()).ok()?.names
}
