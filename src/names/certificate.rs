//! Names on certificates, and addresses of certificate authorities.

use super::{HostName, Invalid, RedirectTarget, Text, one_line, only};

super::text_type! {
    /// A name on a certificate: a host name, or one with `*` in the place of its first label (RFC 9525, section 6.3).
    CertificateName, "certificate name", "a host name, or one that stands for all names one label below, such as `*.example.com`",
    ["shop.example.com", "*.example.com"], name
}

super::text_type! {
    /// The directory of a certificate authority (RFC 8555, section 7.1.1).
    AuthorityDirectory, "ACME directory", "`letsencrypt`, `letsencrypt-staging`, or the `https` URL of an ACME directory",
    ["letsencrypt", "https://ca.example.com/acme/directory"], directory
}

super::text_type! {
    /// A mail address, as an authority takes it for a contact.
    EmailAddress, "mail address", "an address such as `ops@example.com`, up to 254 bytes",
    ["ops@example.com"], email
}

super::text_type! {
    /// The name of a certificate profile of an authority's.
    ProfileName, "profile", "up to 64 letters, digits, `.`, `_` and `-`",
    ["shortlived"], profile
}

super::text_type! {
    /// The id of a key that an authority gave.
    KeyId, "key id", "up to 256 visible characters",
    ["kid-1"], key_id
}

const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";
const LETS_ENCRYPT_STAGING: &str = "https://acme-staging-v02.api.letsencrypt.org/directory";

impl AuthorityDirectory {
    /// Its URL.
    pub fn url(&self) -> &str {
        match self.as_str() {
            "letsencrypt" => LETS_ENCRYPT,
            "letsencrypt-staging" => LETS_ENCRYPT_STAGING,
            url => url,
        }
    }

    /// Whether browsers can be expected to trust what it issues.
    pub fn is_trusted(&self) -> bool {
        self.url() != LETS_ENCRYPT_STAGING
    }

    /// Whether its limits are those of Let's Encrypt.
    pub fn is_lets_encrypt(url: &str) -> bool {
        url == LETS_ENCRYPT
    }
}

fn name(text: &str) -> Result<String, Invalid> {
    match text.strip_prefix("*.") {
        Some(parent) => {
            let parent = HostName::parse(parent)?;
            if !parent.as_str().contains('.') {
                return Err(Invalid::new("stands for all names of a top-level domain"));
            }
            Ok(format!("*.{parent}"))
        }
        None => Ok(HostName::parse(text)?.as_str().to_owned()),
    }
}

fn directory(text: &str) -> Result<String, Invalid> {
    if matches!(text, "letsencrypt" | "letsencrypt-staging") {
        return Ok(text.to_owned());
    }
    let known = [(LETS_ENCRYPT, "letsencrypt"), (LETS_ENCRYPT_STAGING, "letsencrypt-staging")];
    if let Some((_, name)) = known.iter().find(|(url, _)| *url == text) {
        return Ok((*name).to_owned());
    }
    if !text.starts_with("https://") {
        return Err(Invalid::new("is neither `letsencrypt`, `letsencrypt-staging` nor an `https` URL"));
    }
    Ok(RedirectTarget::parse(text)?.as_str().to_owned())
}

fn email(text: &str) -> Result<String, Invalid> {
    one_line(text, 254)?;
    let is_wrong = || Invalid::new("is no mail address").help("write it as `ops@example.com`");
    let (user, host) = text.rsplit_once('@').ok_or_else(is_wrong)?;
    let allowed = |char: char| char.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(char);
    if user.is_empty() || !user.chars().all(allowed) {
        return Err(is_wrong());
    }
    let host = HostName::parse(host).map_err(|_| is_wrong())?;
    Ok(format!("{user}@{host}"))
}

fn profile(text: &str) -> Result<String, Invalid> {
    one_line(text, 64)?;
    let allowed = |char: char| char.is_ascii_alphanumeric() || "._-".contains(char);
    only(text, allowed, "letters, digits, `.`, `_` and `-`")?;
    Ok(text.to_owned())
}

fn key_id(text: &str) -> Result<String, Invalid> {
    one_line(text, 256)?;
    only(text, |char| char.is_ascii_graphic(), "visible ASCII characters")?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_one_whole_label_in_front() {
        let kept = |text| CertificateName::parse(text).map(|name| name.to_string()).ok();
        assert_eq!(kept("*.Example.com").as_deref(), Some("*.example.com"));
        for wrong in ["*", "*.com", "a.*.com", "*a.example.com", "*.*.example.com", ""] {
            assert_eq!(kept(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_directory_is_spoken_to_in_secret() {
        let kept = |text| AuthorityDirectory::parse(text).map(|name| name.to_string()).ok();
        assert_eq!(kept(LETS_ENCRYPT).as_deref(), Some("letsencrypt"));
        assert_eq!(kept("http://ca.example.com/dir"), None);
        assert_eq!(kept("letsencript"), None);
    }
}
