//! Certificates as certbot lays them out: a *lineage* is all issues of one certificate, of which `live/<name>` names the
//! one in use.
//!
//! ```text
//! archive/<name>/{privkey,fullchain,cert,chain}N.pem   the files, N counting the issues
//! live/<name>/{privkey,fullchain,cert,chain}.pem       links to those in use: the paths that services name
//! renewal/<name>.conf                                  how certbot renews it
//! ```

use std::fmt;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::renewal::Renewal;
use crate::names;
use crate::plan::observation::{CertificateFacts, Ids};

/// The permission bits of a private key.
pub const KEY_MODE: u32 = 0o600;

/// Those of the other files.
pub const FILE_MODE: u32 = 0o644;

/// Those of the directories that all lineages are in, as certbot makes them.
pub const HOME_MODE: u32 = 0o700;

/// The directories of a home in which each lineage has something, the last one the configurations of their renewal.
pub const HOMES: [&str; 3] = ["live", "archive", RENEWAL];

/// That with the configurations.
pub const RENEWAL: &str = "renewal";

/// The fact of a certificate that names the lineage whose renewal by certbot was switched off for it.
pub const SWITCHED_OFF: &str = "certbot";

/// The right to read a key that its group may have been given where it is laid out.
pub const GROUP_READS: u32 = 0o040;

/// The rights of all but the owner.
const OF_OTHERS: u32 = 0o077;

/// Whether the key of an issue is open to others than its owner, who may have fewer rights than usual.
pub const fn is_open(mode: u32) -> bool {
    mode & OF_OTHERS != 0
}

/// Whether a key that is laid out is open to others than its owner and the group beside it, which may read it.
pub const fn is_open_laid_out(mode: u32) -> bool {
    is_open(mode & !GROUP_READS)
}

/// The four files of an issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Piece {
    /// The certificate alone.
    Cert,
    /// What stands between it and the root.
    Chain,
    /// Both, as servers read them.
    Fullchain,
    /// The private key.
    Privkey,
}

impl Piece {
    /// All of them, in the order of their names.
    pub const ALL: [Self; 4] = [Self::Cert, Self::Chain, Self::Fullchain, Self::Privkey];

    /// The name before `.pem`.
    pub const fn stem(self) -> &'static str {
        match self {
            Self::Cert => "cert",
            Self::Chain => "chain",
            Self::Fullchain => "fullchain",
            Self::Privkey => "privkey",
        }
    }

    /// Its name in the directory of an issue, and in `live/<name>`.
    pub const fn file(self) -> &'static str {
        match self {
            Self::Cert => "cert.pem",
            Self::Chain => "chain.pem",
            Self::Fullchain => "fullchain.pem",
            Self::Privkey => "privkey.pem",
        }
    }

    /// Its name in `archive/<name>`.
    pub fn archived(self, number: u64) -> String {
        format!("{}{number}.pem", self.stem())
    }

    /// Which piece of which issue a name in `archive/<name>` is of.
    pub fn of_archived(file: &str) -> Option<(Self, u64)> {
        let name = file.strip_suffix(".pem")?;
        Self::ALL
            .into_iter()
            .find_map(|piece| Some((piece, names::number(name.strip_prefix(piece.stem())?)?)))
    }
}

/// A certificate in a home of certbot's layout.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Lineage {
    /// What `live`, `archive` and `renewal` are in.
    home: PathBuf,
    /// Its name.
    name: String,
}

#[derive(Deserialize)]
struct Unchecked {
    home: PathBuf,
    name: String,
}

impl TryFrom<Unchecked> for Lineage {
    type Error = String;

    fn try_from(Unchecked { home, name }: Unchecked) -> Result<Self, String> {
        Self::new(home, name)
    }
}

impl Lineage {
    /// That of which certbot's renewal was switched off, by the facts of a certificate.
    pub fn switched_off(facts: &serde_json::Map<String, serde_json::Value>) -> Option<Self> {
        serde_json::from_value(facts.get(SWITCHED_OFF)?.clone()).ok()
    }

    /// Of a home, which is absolute, and a name, which is that of a directory; else says what is wrong.
    pub fn new(home: impl Into<PathBuf>, name: impl Into<String>) -> Result<Self, String> {
        let (home, name) = (home.into(), name.into());
        let is_plain = |part| !matches!(part, Component::ParentDir | Component::CurDir);
        if !home.is_absolute() || !home.components().all(is_plain) {
            return Err(format!("`{}` is not an absolute path without `..`", home.display()));
        }
        // A name with a dot before it is that of a file on its way, and no pattern of certbot's matches it.
        let is_name = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\0', '\n', '\r']);
        if !is_name {
            return Err(format!("`{}` is no name of a directory", name.escape_default()));
        }
        Ok(Self { home, name })
    }

    /// What `live`, `archive` and `renewal` are in.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The directory of its links.
    pub fn live(&self) -> PathBuf {
        self.home.join("live").join(&self.name)
    }

    /// A link, which services name.
    pub fn link(&self, piece: Piece) -> PathBuf {
        self.live().join(piece.file())
    }

    /// The directory of its files.
    pub fn archive(&self) -> PathBuf {
        self.home.join("archive").join(&self.name)
    }

    /// certbot's configuration of its renewal.
    pub fn renewal(&self) -> PathBuf {
        Self::renewals(&self.home).join(format!("{}.conf", self.name))
    }

    /// The directory of the configurations of a home.
    pub fn renewals(home: &Path) -> PathBuf {
        home.join(RENEWAL)
    }

    /// The directories of the programs that certbot starts around each renewal in a home.
    pub fn hooks(home: &Path) -> [PathBuf; 3] {
        ["pre", "deploy", "post"].map(|when| home.join("renewal-hooks").join(when))
    }

    /// The name that a configuration's file gives.
    pub fn name_of(renewal: &Path) -> Option<&str> {
        renewal.file_name()?.to_str()?.strip_suffix(".conf")
    }
}

impl fmt::Display for Lineage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.live().display())
    }
}

/// A lineage that is whole: its links lead to a key and its certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundLineage {
    /// What its configuration says.
    pub renewal: Renewal,
    /// The certificate in use.
    pub certificate: CertificateFacts,
    /// SHA-256 of `fullchain.pem` in hexadecimal.
    pub digest: String,
    /// Permission bits of the key's file.
    pub key_mode: u32,
    /// Whose the key's file is.
    pub key_ids: Ids,
    /// The number of the issue in use.
    pub number: u64,
    /// The programs in the home's `renewal-hooks`, which certbot starts around the renewal of each lineage.
    pub hook_files: Vec<PathBuf>,
}

/// A lineage that vsa lays issues out in: its links lead to the files of one issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedLineage {
    /// The number of that issue.
    pub number: u64,
    /// SHA-256 of `fullchain.pem` in hexadecimal.
    pub digest: String,
    /// Permission bits of the key's file.
    pub key_mode: u32,
    /// The id of the user whose the key's file is.
    pub key_owner: u32,
}

/// What is wrong with a lineage that vsa lays issues out in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The link or file, by its path below the home.
    pub path: String,
    /// What: `was deleted`.
    pub what: String,
    /// What stands in the way of laying it out again.
    pub obstacle: Option<Obstacle>,
}

/// What stands where something of a lineage is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// A file in the place of a link: in a home of vsa's own it is kept beside the link.
    File,
    /// What nobody lays anything out over.
    Other,
    /// It is not known: it cannot be looked at.
    Unseen,
}

/// What a link leads to, without asking; see [`plain`].
pub fn resolved(link: &Path, target: &Path) -> PathBuf {
    plain(&link.parent().unwrap_or(Path::new("/")).join(target))
}

/// A path without `.` and `..`, without asking: `..` takes the name before it away.
pub fn plain(from: &Path) -> PathBuf {
    let mut path = PathBuf::new();
    for part in from.components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            Component::CurDir => {}
            part => path.push(part),
        }
    }
    path
}

/// The way from a directory to another, both absolute.
pub fn relative(from: &Path, to: &Path) -> PathBuf {
    let same = from.components().zip(to.components()).take_while(|(one, other)| one == other).count();
    let up = from.components().skip(same).map(|_| Component::ParentDir);
    up.chain(to.components().skip(same)).collect()
}

/// A chain in PEM as its first certificate and the others, as certbot splits it. What else stands in the text is in
/// neither: words, and a private key, as other programs like it in there.
pub fn split_chain(fullchain: &str) -> (String, String) {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    const END: &str = "-----END CERTIFICATE-----";
    let mut certificates = Vec::new();
    let mut rest = fullchain;
    while let Some((_, after)) = rest.split_once(BEGIN) {
        let Some((body, after)) = after.split_once(END) else { break };
        certificates.push(format!("{BEGIN}{}{END}\n", body.replace("\r\n", "\n")));
        rest = after;
    }
    let chain = certificates.split_off(certificates.len().min(1));
    (certificates.concat(), chain.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_open_where_others_have_rights_and_not_where_its_owner_has_fewer() {
        for (mode, open, laid_out) in [
            (0o600, false, false),
            (0o400, false, false),
            (0o000, false, false),
            (0o700, false, false),
            (0o640, true, false),
            (0o440, true, false),
            (0o660, true, true),
            (0o604, true, true),
            (0o644, true, true),
            (0o444, true, true),
        ] {
            assert_eq!((is_open(mode), is_open_laid_out(mode)), (open, laid_out), "{mode:04o}");
        }
    }
}
