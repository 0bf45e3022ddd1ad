//! Certificates in certbot's layout, as they are found.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use zeroize::Zeroizing;

use super::observe::read_pem;
use crate::digest::sha256;
use crate::host::{HostError, first_certificate, is_key_of, private_key, read_file_within};
use crate::plan::issuance::lineage::resolved;
use crate::plan::issuance::{FoundLineage, Lineage, Piece, Renewal};
use crate::plan::observation::Ids;

/// How large a renewal configuration may be, in bytes: many times the longest list of names.
const LARGEST_RENEWAL: u64 = 1 << 20;

/// The lineages of a home by name.
pub(super) fn all(home: &Path) -> io::Result<BTreeMap<String, Result<FoundLineage, String>>> {
    let entries: Vec<_> = fs::read_dir(Lineage::renewals(home))?.collect::<io::Result<_>>()?;
    let hooks = hook_files(home);
    let found = entries.into_par_iter().filter_map(|entry| {
        let path = entry.path();
        let name = Lineage::name_of(&path).filter(|name| !name.starts_with('.'))?;
        Some((name.to_owned(), one(home, name, &path, &hooks)))
    });
    Ok(found.collect())
}

/// The programs that certbot starts around each renewal: executable, and no editor's backup.
fn hook_files(home: &Path) -> Vec<PathBuf> {
    let directories = Lineage::hooks(home).into_iter().filter_map(|directory| fs::read_dir(directory).ok());
    let files = directories.flatten().flatten().map(|entry| entry.path());
    let is_hook = |path: &PathBuf| {
        let is_program =
            |metadata: fs::Metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0;
        !path.to_string_lossy().ends_with('~') && fs::metadata(path).is_ok_and(is_program)
    };
    let mut hooks: Vec<PathBuf> = files.filter(is_hook).collect();
    hooks.sort();
    hooks
}

fn one(home: &Path, name: &str, path: &Path, hooks: &[PathBuf]) -> Result<FoundLineage, String> {
    let lineage = Lineage::new(home, name)?;
    let text = read_file_within(path, LARGEST_RENEWAL).map_err(cannot("read", path))?;
    let text = String::from_utf8(text).map_err(|_| format!("`{}` is not UTF-8", path.display()))?;
    let renewal = Renewal::parse(&text).map_err(|error| format!("`{}`, {error}", path.display()))?;
    let live = renewal.live().ok_or_else(|| {
        let names = "`cert.pem`, `chain.pem`, `fullchain.pem` and `privkey.pem` of one directory";
        format!("`{}`: its four links are not {names}", path.display())
    })?;
    let usual = lineage.archive();
    let archive = same("links", live, &lineage.live(), path)
        .and_then(|_| same("files", renewal.archive_dir.as_ref().unwrap_or(&usual), &usual, path))?;
    let mut number = 0;
    for piece in Piece::ALL {
        let found = target(renewal.link(piece), &archive, piece)?;
        if piece == Piece::Fullchain {
            number = found;
        }
    }
    let chain = read_pem(&renewal.fullchain).map_err(cannot("read", &renewal.fullchain))?;
    let certificate =
        first_certificate(&chain).map_err(|reason| format!("`{}`: {reason}", renewal.fullchain.display()))?;
    let key = Zeroizing::new(read_pem(&renewal.privkey).map_err(cannot("read", &renewal.privkey))?);
    let shown = renewal.privkey.display();
    private_key(&key).map_err(|reason| format!("`{shown}`: {reason}"))?;
    if is_key_of(&key, &chain) == Some(false) {
        return Err(format!("`{shown}` is not the key of `{}`", renewal.fullchain.display()));
    }
    let metadata = fs::metadata(&renewal.privkey).map_err(cannot("look at", &renewal.privkey))?;
    Ok(FoundLineage {
        certificate,
        digest: sha256(&chain),
        key_mode: metadata.permissions().mode() & 0o7777,
        key_ids: Ids { uid: metadata.uid(), gid: metadata.gid() },
        number,
        hook_files: hooks.to_vec(),
        renewal,
    })
}

/// A directory, which has to be the usual one of its home, whatever links are on the way: a home that was copied from
/// elsewhere names that place still.
fn same(what: &str, named: &Path, usual: &Path, renewal: &Path) -> Result<PathBuf, String> {
    let [found, wanted] = [named, usual].map(|path| path.canonicalize().map_err(cannot("find", path)));
    let found = found?;
    if wanted.is_ok_and(|wanted| wanted == found) {
        return Ok(found);
    }
    let (renewal, named, usual) = (renewal.display(), named.display(), usual.display());
    Err(format!("`{renewal}`: its {what} are in `{named}`, not in `{usual}`"))
}

/// The number of the file in the archive that a link leads to.
fn target(link: &Path, archive: &Path, piece: Piece) -> Result<u64, String> {
    let shown = link.display();
    let target = fs::read_link(link).map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => format!("`{shown}` is not there"),
        ErrorKind::InvalidInput => format!("`{shown}` is not a link"),
        _ => cannot("read the link", link)(error),
    })?;
    let file = resolved(link, &target);
    let inside =
        file.parent().and_then(|parent| parent.canonicalize().ok()).is_some_and(|parent| parent == archive);
    let named = file.file_name().and_then(|name| Piece::of_archived(name.to_str()?));
    match named {
        Some((found, number)) if inside && found == piece => match fs::metadata(&file) {
            Ok(_) => Ok(number),
            Err(_) => Err(format!("`{shown}` leads to `{}`, which is not there", file.display())),
        },
        _ => {
            let wanted = archive.join(format!("{}N.pem", piece.stem()));
            Err(format!("`{shown}` leads to `{}`, not to `{}`", file.display(), wanted.display()))
        }
    }
}

fn cannot(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> String {
    let path = path.to_owned();
    move |error| HostError::new(what, path, error).to_string()
}
