//! Answers of this machine.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::access::{self, Identities};
use super::{lineages, nginx_processes, probe, process, published, served, tree};
use crate::digest::hex;
use crate::host::{first_certificate, is_key_of, open_file, private_key, read_file};
use crate::plan::issuance::{Ledger, account};
use crate::plan::observation::{FileType, Stat};
use crate::plan::{Answer, Query};

/// Answers all questions but those for Docker, at once.
pub(super) fn all(queries: &[Query]) -> Vec<Option<Answer>> {
    let identities = Identities::default();
    queries.par_iter().map(|query| one(query, &identities)).collect()
}

fn one(query: &Query, identities: &Identities) -> Option<Answer> {
    Some(match query {
        Query::Stat(path) => answer(stat(path).map(Answer::Stat)),
        Query::Digest(path) => answer(digest(path).map(Answer::Digest)),
        Query::Read(path) => answer(read_file(path).map(Answer::Bytes)),
        Query::Tail { path, offset } => answer(tail(path, *offset)),
        Query::Entries(path) => answer(entries(path).map(Answer::Entries)),
        Query::Tree(path) => answer(tree::tree(path).map(Answer::Tree)),
        Query::Linked { directory, read, unread, rare } => {
            answer(tree::linked(directory, [read, unread, rare]).map(Answer::Tree))
        }
        Query::Glob(pattern) => glob(pattern),
        Query::Certificate(path) => match read_pem(path) {
            Ok(bytes) => first_certificate(&bytes).map_or_else(Answer::Failed, Answer::Certificate),
            Err(error) => answer(Err(error)),
        },
        Query::Ledger(path) => match read_file(path) {
            Ok(bytes) => {
                Ledger::parse(&bytes).map_or_else(Answer::Failed, |ledger| Answer::Ledger(Arc::new(ledger)))
            }
            Err(error) => answer(Err(error)),
        },
        Query::PrivateKey { key, certificate } => match read_pem(key).map(Zeroizing::new) {
            Ok(bytes) => {
                let alone = private_key(&bytes);
                let wrong = alone.err().or_else(|| another_certificates(&bytes, certificate));
                Answer::PrivateKey { wrong }
            }
            Err(error) if error.kind() == ErrorKind::InvalidInput => {
                Answer::PrivateKey { wrong: Some(error.to_string()) }
            }
            Err(error) => answer(Err(error)),
        },
        Query::Account(path) => answer(account(path)),
        Query::Lineages(home) => answer(lineages::all(home).map(Answer::Lineages)),
        Query::Published(home) => answer(published::all(home).map(Answer::Published)),
        Query::Served { port, names } => served::all(*port, names),
        Query::Marker { port, host } => probe::marker(*port, host),
        Query::Master(pid_file) => process::master(pid_file),
        Query::CommandLine(process) => process::command_line(*process),
        Query::Stopped(process) => process::stopped(*process),
        Query::NginxProcesses => nginx_processes::all(),
        Query::Children(process) => process::children(*process),
        Query::NginxVersion(program) => process::version(program),
        Query::User(name) => access::user(name),
        Query::Group(name) => access::group(name),
        Query::Myself => access::myself(),
        Query::MayMake(path) => access::may_make(path),
        Query::MayOwn(user) => access::may_own(user),
        Query::MayGroup(group) => access::may_group(group),
        Query::Readable { user, path } => identities.readable(user, path),
        Query::Containers { .. }
        | Query::ProjectContainers { .. }
        | Query::Networks { .. }
        | Query::Volumes { .. }
        | Query::Engine { .. }
        | Query::Images { .. }
        | Query::Services { .. }
        | Query::ContainerNginx { .. }
        | Query::ContainerMarker { .. }
        | Query::ContainerProcesses(_)
        | Query::ContainerStopped { .. }
        | Query::ComposeTool
        | Query::ComposeHashes(_) => return None,
    })
}

/// What is not there is an answer, not an error.
pub(super) fn answer(result: io::Result<Answer>) -> Answer {
    result.unwrap_or_else(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => Answer::Absent,
        _ => Answer::Failed(error.to_string()),
    })
}

/// How large a PEM file may be, in bytes: many times the longest chain.
const LARGEST_PEM: u64 = 1 << 20;

pub(super) fn read_pem(path: &Path) -> io::Result<Vec<u8>> {
    if open_file(path)?.metadata()?.len() > LARGEST_PEM {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is too large for a PEM file"));
    }
    read_file(path)
}

/// Whether a file holds an account, or the key of one that its authority does not know yet. It is not taken out.
fn account(path: &Path) -> io::Result<Answer> {
    let text = Zeroizing::new(read_file(path)?);
    Ok(Answer::PrivateKey { wrong: account::wrong(&text).map(str::to_owned) })
}

/// That a key is not the one of a certificate. Where that cannot be told, nginx will.
pub(super) fn another_certificates(key: &[u8], certificate: &Path) -> Option<String> {
    let is_its_own = is_key_of(key, &read_pem(certificate).ok()?)?;
    (!is_its_own).then(|| format!("it is not the key of `{}`", certificate.display()))
}

fn stat(path: &Path) -> io::Result<Stat> {
    let metadata = fs::symlink_metadata(path)?;
    let file_type = file_type(metadata.file_type(), path)?;
    let is_empty = || fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
    let empty = file_type == FileType::Directory && is_empty();
    let mode = metadata.permissions().mode() & 0o7777;
    Ok(Stat { file_type, mode, uid: metadata.uid(), gid: metadata.gid(), empty })
}

fn entries(directory: &Path) -> io::Result<BTreeMap<String, FileType>> {
    let mut entries = BTreeMap::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // The directory says it: thousands of entries are not looked at.
        entries.insert(name, file_type(entry.file_type()?, &entry.path())?);
    }
    Ok(entries)
}

fn file_type(kind: fs::FileType, path: &Path) -> io::Result<FileType> {
    Ok(if kind.is_symlink() {
        FileType::Link(fs::read_link(path)?)
    } else if kind.is_dir() {
        FileType::Directory
    } else if kind.is_file() {
        FileType::File
    } else {
        FileType::Other
    })
}

/// SHA-256 of what is left of a file that was `size` bytes long; a file that grows meanwhile is read no further.
pub(super) fn digest_of(file: &mut File, size: u64, buffer: &mut Vec<u8>) -> io::Result<String> {
    const CHUNK: u64 = 1 << 16;
    let mut hash = Sha256::new();
    buffer.resize(usize::try_from(size.min(CHUNK)).unwrap_or_default(), 0);
    let mut left = size;
    while left > 0 {
        match file.read(buffer)? {
            0 => break,
            count => {
                hash.update(&buffer[..count]);
                left = left.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
            }
        }
    }
    Ok(hex(&hash.finalize()))
}

fn digest(path: &Path) -> io::Result<String> {
    let mut file = open_file(path)?;
    let size = file.metadata()?.len();
    digest_of(&mut file, size, &mut Vec::new())
}

fn tail(path: &Path, offset: u64) -> io::Result<Answer> {
    let mut file = open_file(path)?;
    let size = file.metadata()?.len();
    let mut bytes = Vec::new();
    if offset < size {
        file.seek(SeekFrom::Start(offset))?;
        file.take(size - offset).read_to_end(&mut bytes)?;
    }
    Ok(Answer::Tail { bytes, end: size })
}

/// As `glob(3)`, which nginx uses: a leading dot is matched only by a dot.
fn glob(pattern: &str) -> Answer {
    let options = glob::MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        require_literal_leading_dot: true,
    };
    let paths = match glob::glob_with(pattern, options) {
        Ok(paths) => paths,
        Err(error) => return Answer::Failed(error.msg.to_owned()),
    };
    let mut files = BTreeMap::new();
    for path in paths {
        let read = path.map_err(io::Error::from).and_then(|path| {
            if path.is_dir() { Ok(None) } else { read_file(&path).map(|bytes| Some((path, bytes))) }
        });
        match read {
            Ok(file) => files.extend(file),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Answer::Failed(error.to_string()),
        }
    }
    Answer::Files(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(query: &Query) -> Answer {
        one(query, &Identities::default()).unwrap()
    }

    #[test]
    fn what_is_no_file_is_neither_waited_for_nor_read_to_its_end() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let large = directory.path().join("large");
        File::create(&large).unwrap().set_len(1 << 40).unwrap();
        let failed = |query: Query| match answered(&query) {
            Answer::Failed(why) | Answer::PrivateKey { wrong: Some(why) } => why,
            other => format!("{other:?}"),
        };
        for (path, what) in [(pipe, "a named pipe"), ("/dev/zero".into(), "a device")] {
            let key = Query::PrivateKey { key: path.clone(), certificate: path.clone() };
            for query in [
                Query::Read(path.clone()),
                Query::Digest(path.clone()),
                Query::Certificate(path.clone()),
                key,
            ] {
                assert_eq!(failed(query), format!("it is {what}, not a file"));
            }
        }
        assert_eq!(failed(Query::Certificate(large.clone())), "it is too large for a PEM file");
        let key = Query::PrivateKey { key: large.clone(), certificate: large };
        assert_eq!(failed(key), "it is too large for a PEM file");
    }

    #[test]
    fn a_key_of_another_certificate_is_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let pair = |name: &str| {
            let rcgen::CertifiedKey { cert, signing_key } =
                rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
            let (certificate, key) =
                (directory.path().join(format!("{name}.crt")), directory.path().join(format!("{name}.key")));
            fs::write(&certificate, cert.pem()).unwrap();
            fs::write(&key, signing_key.serialize_pem()).unwrap();
            (certificate, key)
        };
        let ((one, its_key), (two, _)) = (pair("one"), pair("two"));
        let asked = |certificate: &Path| {
            answered(&Query::PrivateKey { key: its_key.clone(), certificate: certificate.to_owned() })
        };
        assert_eq!(asked(&one), Answer::PrivateKey { wrong: None });
        let wrong = Some(format!("it is not the key of `{}`", two.display()));
        assert_eq!(asked(&two), Answer::PrivateKey { wrong });
        assert_eq!(asked(&directory.path().join("none")), Answer::PrivateKey { wrong: None });
    }

    #[test]
    fn a_tail_begins_where_it_is_told_and_survives_a_shorter_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "one\ntwo\n").unwrap();
        let tail = |offset| answered(&Query::Tail { path: file.path().to_owned(), offset });
        assert_eq!(tail(4), Answer::Tail { bytes: b"two\n".to_vec(), end: 8 });
        assert_eq!(tail(u64::MAX), Answer::Tail { bytes: Vec::new(), end: 8 });
    }
}
