//! certbot's configuration of how a lineage is renewed: read, edited by lines, and written.
//!
//! The language is that of the Python library `configobj`: `key = value`, lists with commas, `[section]`,
//! `[[section in it]]`, quotes of one or three characters, comments. What vsa does not know of is passed over, and kept.

mod document;

use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::lineage::{Lineage, Piece};
use document::Document;

const PARAMS: &str = "renewalparams";
const AUTORENEW: &str = "autorenew";
/// What certbot starts before, after and because of a renewal.
const HOOKS: [&str; 3] = ["pre_hook", "post_hook", "renew_hook"];
/// The line that switches certbot's renewal off. Its comment tells it from one that was there before.
const SWITCHED_OFF: &str = "autorenew = False # vsa renews it";
/// The same, in the place of a line that said the contrary.
const SWITCHED_OVER: &str = "autorenew = False # vsa renews it, in the place of True";

/// What a configuration says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Renewal {
    /// The version of certbot that wrote it.
    pub version: Option<String>,
    /// The directory of the files, where it is not the usual one.
    pub archive_dir: Option<PathBuf>,
    /// The link to the certificate alone.
    pub cert: PathBuf,
    /// The link to the chain.
    pub chain: PathBuf,
    /// The link to both.
    pub fullchain: PathBuf,
    /// The link to the private key.
    pub privkey: PathBuf,
    /// `webroot`, `nginx`, `standalone`, `dns-cloudflare`, ….
    pub authenticator: Option<String>,
    /// The authority's directory.
    pub server: Option<String>,
    /// The account's directory below `accounts`.
    pub account: Option<String>,
    /// `ecdsa` or `rsa`; certbots before 2.0 made RSA keys and did not say so.
    pub key_type: Option<String>,
    /// Where the authenticator `webroot` puts its answers, for names that `webroot_map` does not name.
    pub webroot_path: Vec<PathBuf>,
    /// The same, by name.
    pub webroot_map: BTreeMap<String, PathBuf>,
    /// Whether certbot renews it.
    pub autorenew: bool,
    /// What certbot starts around a renewal, by key: `pre_hook`, `post_hook`, `renew_hook` (the deploy hook).
    pub hooks: BTreeMap<&'static str, String>,
    /// Whether certificates are asked for with the extension that has clients insist on a stapled answer (RFC 7633).
    pub must_staple: bool,
}

/// Why a configuration cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenewalError {
    /// The line, from 1, where it is in one.
    pub line: Option<usize>,
    /// What is wrong.
    pub reason: String,
}

impl RenewalError {
    fn at(line: usize, reason: impl Into<String>) -> Self {
        Self { line: Some(line + 1), reason: reason.into() }
    }
}

impl fmt::Display for RenewalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.reason),
            None => f.write_str(&self.reason),
        }
    }
}

impl std::error::Error for RenewalError {}

impl Renewal {
    /// Reads a configuration.
    pub fn parse(text: &str) -> Result<Self, RenewalError> {
        let document = Document::parse(text)?;
        let top = |key: &str| document.one(&[], key);
        let path = |piece: Piece| {
            let found = top(piece.stem())?.map(PathBuf::from);
            let reason = format!("`{} = …` is missing, which certbot needs too", piece.stem());
            found.ok_or(RenewalError { line: None, reason })
        };
        let param =
            |key: &str| document.one(&[PARAMS], key).map(|value| value.filter(|value| *value != "None"));
        let text = |value: Option<&str>| value.map(str::to_owned);
        let webroot_map = document.entries.iter().filter(|entry| entry.section == [PARAMS, "webroot_map"]);
        let webroot_map =
            webroot_map.filter_map(|entry| Some((entry.key.clone(), entry.values.first()?.into())));
        // A command with a comma in it, which nobody quoted, is read as a list: it is a command all the same.
        let hook = |key| Some((key, document.find(&[PARAMS], key)?.values.join(", ")));
        let hooks = HOOKS.into_iter().filter_map(hook).filter(|(_, hook)| !matches!(&**hook, "" | "None"));
        Ok(Self {
            version: text(top("version")?),
            archive_dir: top("archive_dir")?.map(PathBuf::from),
            cert: path(Piece::Cert)?,
            chain: path(Piece::Chain)?,
            fullchain: path(Piece::Fullchain)?,
            privkey: path(Piece::Privkey)?,
            authenticator: text(param("authenticator")?),
            server: text(param("server")?),
            account: text(param("account")?),
            key_type: text(param("key_type")?),
            webroot_path: document.find(&[PARAMS], "webroot_path").map_or_else(Vec::new, |entry| {
                entry.values.iter().filter(|path| !path.is_empty()).map(PathBuf::from).collect()
            }),
            webroot_map: webroot_map.collect(),
            autorenew: document.find(&[PARAMS], AUTORENEW).is_none_or(|entry| !entry.is_off()),
            hooks: hooks.collect(),
            must_staple: document.find(&[PARAMS], "must_staple").is_some_and(|entry| !entry.is_off()),
        })
    }

    /// The link to a piece.
    pub fn link(&self, piece: Piece) -> &Path {
        match piece {
            Piece::Cert => &self.cert,
            Piece::Chain => &self.chain,
            Piece::Fullchain => &self.fullchain,
            Piece::Privkey => &self.privkey,
        }
    }

    /// The directory of all four links; `None` where they are not in one, or have names of their own.
    pub fn live(&self) -> Option<&Path> {
        let live = self.cert.parent().filter(|live| live.is_absolute())?;
        Piece::ALL.into_iter().all(|piece| self.link(piece) == live.join(piece.file())).then_some(live)
    }
}

/// The text with certbot's renewal switched off; all else is kept as it is. Of a text where it is off, the text.
pub fn switched_off(text: &str) -> Result<String, RenewalError> {
    let document = Document::parse(text)?;
    if let Some(entry) = document.find(&[PARAMS], AUTORENEW) {
        return Ok(if entry.is_off() {
            text.to_owned()
        } else {
            document.with(entry.lines.clone(), Some(SWITCHED_OVER))
        });
    }
    Ok(match document.headers.iter().find(|(section, _)| *section == [PARAMS]) {
        Some((_, line)) => document.with(line + 1..line + 1, Some(SWITCHED_OFF)),
        None => {
            let end = document.lines.len();
            document.with(end..end, Some(&format!("[{PARAMS}]{}{SWITCHED_OFF}", document.line_end())))
        }
    })
}

/// The text with certbot's renewal switched on again: what [`switched_off`] put into it is taken out. What somebody else
/// switched off stays so, and so does what vsa wrote because there was none: it does not say how certbot would renew it.
pub fn switched_on(text: &str) -> Result<String, RenewalError> {
    let document = Document::parse(text)?;
    if document.one(&[PARAMS], "authenticator")? == Some(AUTHENTICATOR) {
        return Ok(text.to_owned());
    }
    Ok(match document.find(&[PARAMS], AUTORENEW) {
        Some(entry) if document.lines[entry.lines.start].trim() == SWITCHED_OFF => {
            document.with(entry.lines.clone(), None)
        }
        Some(entry) if document.lines[entry.lines.start].trim() == SWITCHED_OVER => {
            document.with(entry.lines.clone(), Some(&format!("{AUTORENEW} = True")))
        }
        _ => text.to_owned(),
    })
}

/// The authenticator of what vsa renews: none of certbot's is called so.
const AUTHENTICATOR: &str = "vsa";

/// The configuration of a lineage of vsa's own, or of one that has lost its own: certbot lists it, and leaves its renewal to vsa. No authenticator of
/// certbot's has the name, so that a renewal that is forced ends before anything is asked for.
pub fn of_own(lineage: &Lineage, server: Option<&str>) -> String {
    let mut text = "# Written by vsa, which renews this certificate; changes here are lost.\n".to_owned();
    let mut line = |key: &str, value: &str| {
        let _ = writeln!(text, "{key} = {}", quoted(value));
    };
    line("archive_dir", &lineage.archive().to_string_lossy());
    for piece in Piece::ALL {
        line(piece.stem(), &lineage.link(piece).to_string_lossy());
    }
    let _ = write!(text, "\n[{PARAMS}]\n{SWITCHED_OFF}\nauthenticator = {AUTHENTICATOR}\n");
    if let Some(server) = server {
        let _ = writeln!(text, "server = {}", quoted(server));
    }
    text
}

/// A value as one string, whatever is in it.
fn quoted(value: &str) -> String {
    let is_plain = !value.is_empty() && value.trim() == value && !value.contains([',', '#', '\'', '"']);
    match (is_plain, value.contains('"')) {
        (true, _) => value.to_owned(),
        (false, false) => format!("\"{value}\""),
        (false, true) if !value.contains('\'') => format!("'{value}'"),
        (false, true) => format!("'''{value}'''"),
    }
}
