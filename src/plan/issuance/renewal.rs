//! certbot's configuration of how a lineage is renewed: read, edited by lines, and written.
//!
//! The language is that of the Python library `configobj`: `key = value`, lists with commas, `[section]`,
//! `[[section in it]]`, quotes of one or three characters, comments. What vsa does not know of is passed over, and kept.

use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::lineage::{Lineage, Piece};

const PARAMS: &str = "renewalparams";
const AUTORENEW: &str = "autorenew";
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
/// switched off stays so.
pub fn switched_on(text: &str) -> Result<String, RenewalError> {
    let document = Document::parse(text)?;
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

/// The configuration of a lineage of vsa's own: certbot lists it, and leaves its renewal to vsa. No authenticator of
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
    let _ = write!(text, "\n[{PARAMS}]\n{SWITCHED_OFF}\nauthenticator = vsa\n");
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

/// A value with its key.
struct Entry {
    /// The names of the sections that it is in, the outer before the inner.
    section: Vec<String>,
    key: String,
    /// One, unless it is a list.
    values: Vec<String>,
    /// Whether it is a list.
    is_list: bool,
    /// Its lines, from 0.
    lines: Range<usize>,
}

impl Entry {
    /// Whether it says no, as the library has it.
    fn is_off(&self) -> bool {
        let word = self.values.first().map(|word| word.to_ascii_lowercase());
        !self.is_list && matches!(word.as_deref(), Some("false" | "off" | "no" | "0"))
    }
}

/// A configuration, line by line.
struct Document<'a> {
    /// With their ends.
    lines: Vec<&'a str>,
    entries: Vec<Entry>,
    /// Sections with the lines of their headers.
    headers: Vec<(Vec<String>, usize)>,
}

impl<'a> Document<'a> {
    fn parse(text: &'a str) -> Result<Self, RenewalError> {
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let mut document = Self { lines, entries: Vec::new(), headers: Vec::new() };
        let mut section: Vec<String> = Vec::new();
        let mut number = 0;
        while let Some(line) = document.lines.get(number) {
            let line = line.trim().trim_start_matches('\u{feff}');
            let start = number;
            number += 1;
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if line.starts_with('[') {
                let (depth, name) = header(line).map_err(|reason| RenewalError::at(start, reason))?;
                if depth > section.len() + 1 {
                    let reason = format!("section `{name}` is nested too deeply");
                    return Err(RenewalError::at(start, reason));
                }
                section.truncate(depth - 1);
                section.push(name);
                if document.headers.iter().any(|(other, _)| *other == section) {
                    return Err(RenewalError::at(
                        start,
                        format!("section `{}` is there twice", section.join(".")),
                    ));
                }
                document.headers.push((section.clone(), start));
                continue;
            }
            let (key, value) = pair(line).map_err(|reason| RenewalError::at(start, reason))?;
            let (values, is_list) = match ["\"\"\"", "'''"].into_iter().find(|quote| value.starts_with(quote))
            {
                Some(quote) => {
                    let text = document.long(&value[3..], quote, &mut number);
                    let text = text.ok_or_else(|| {
                        RenewalError::at(start, format!("the {quote} of `{key}` has no end"))
                    })?;
                    (vec![text], false)
                }
                None => values(value).map_err(|reason| RenewalError::at(start, reason))?,
            };
            if document.entries.iter().any(|entry| entry.section == section && entry.key == key) {
                return Err(RenewalError::at(start, format!("`{key}` is there twice")));
            }
            document.entries.push(Entry {
                section: section.clone(),
                key,
                values,
                is_list,
                lines: start..number,
            });
        }
        Ok(document)
    }

    /// A value between quotes of three characters, which begins with `first` and may go on in the lines from `number` on.
    fn long(&self, first: &str, quote: &str, number: &mut usize) -> Option<String> {
        if let Some((text, _)) = first.split_once(quote) {
            return Some(text.to_owned());
        }
        let mut text = vec![first];
        loop {
            let line = self.lines.get(*number)?.trim_end_matches(['\r', '\n']);
            *number += 1;
            match line.split_once(quote) {
                Some((end, _)) => {
                    text.push(end);
                    return Some(text.join("\n"));
                }
                None => text.push(line),
            }
        }
    }

    fn find(&self, section: &[&str], key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.section == section && entry.key == key)
    }

    /// A value that is no list.
    fn one(&self, section: &[&str], key: &str) -> Result<Option<&str>, RenewalError> {
        let Some(entry) = self.find(section, key) else { return Ok(None) };
        match (entry.is_list, entry.values.first()) {
            (false, Some(value)) => Ok(Some(value)),
            _ => Err(RenewalError::at(
                entry.lines.start,
                format!("`{key}` is a list: write a value with a comma in it between quotes"),
            )),
        }
    }

    fn line_end(&self) -> &'static str {
        if self.lines.first().is_some_and(|line| line.ends_with("\r\n")) { "\r\n" } else { "\n" }
    }

    /// The text with another line, or none, in the place of some.
    fn with(&self, lines: Range<usize>, line: Option<&str>) -> String {
        let end = self.line_end();
        let mut text = self.lines[..lines.start].concat();
        if let Some(line) = line {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push_str(end);
            }
            text.push_str(line);
            text.push_str(end);
        }
        text + &self.lines[lines.end..].concat()
    }
}

/// Depth and name of a section.
fn header(line: &str) -> Result<(usize, String), String> {
    let bracket = |side: char| move |c: char| c == side || c == ' ' || c == '\t';
    let inner = line.trim_start_matches(bracket('['));
    let depth = line[..line.len() - inner.len()].matches('[').count();
    let (name, rest) = match inner.chars().next() {
        Some(quote @ ('"' | '\'')) => inner[1..].split_once(quote).ok_or("the section's quote has no end")?,
        _ => inner.find(']').map(|end| inner.split_at(end)).ok_or("the section's `[` has no `]`")?,
    };
    let after = rest.trim_start_matches(bracket(']'));
    let closed = rest[..rest.len() - after.len()].matches(']').count();
    if closed != depth {
        return Err(format!("the section has {depth} `[` and {closed} `]`"));
    }
    if !(after.is_empty() || after.starts_with('#')) {
        return Err(format!("`{after}` stands after a section"));
    }
    Ok((depth, name.trim().to_owned()))
}

/// A key, and what stands after its `=`.
fn pair(line: &str) -> Result<(String, &str), String> {
    let missing = || format!("`{line}` is neither `key = value` nor a section");
    let (key, rest) = match line.chars().next() {
        Some(quote @ ('"' | '\'')) => line[1..].split_once(quote).ok_or_else(missing)?,
        _ => line.find('=').map(|end| line.split_at(end)).ok_or_else(missing)?,
    };
    let value = rest.trim_start().strip_prefix('=').ok_or_else(missing)?;
    match key.trim() {
        "" => Err(missing()),
        key => Ok((key.to_owned(), value.trim())),
    }
}

/// The values after a `=`, and whether they are a list.
fn values(text: &str) -> Result<(Vec<String>, bool), String> {
    let mut values = Vec::new();
    let mut rest = text.trim_start();
    let mut commas = false;
    loop {
        let value = match rest.chars().next() {
            None | Some('#') => break,
            Some(quote @ ('"' | '\'')) => {
                let (value, after) = rest[1..].split_once(quote).ok_or("a quote has no end")?;
                rest = after.trim_start();
                value.to_owned()
            }
            Some(_) => {
                let (value, after) = rest.split_at(rest.find([',', '#']).unwrap_or(rest.len()));
                rest = after;
                value.trim().to_owned()
            }
        };
        // A comma that stands alone is an empty list.
        if !(value.is_empty() && rest.starts_with(',') && values.is_empty()) {
            values.push(value);
        }
        match rest.strip_prefix(',') {
            Some(after) => {
                commas = true;
                rest = after.trim_start();
            }
            None if rest.is_empty() || rest.starts_with('#') => break,
            None => return Err(format!("`{rest}` stands after a quoted value")),
        }
    }
    if values.is_empty() && !commas {
        values.push(String::new());
    }
    Ok((values, commas))
}
