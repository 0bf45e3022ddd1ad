//! Answers of this machine.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::access::{self, Identities};
use super::{orphans, probe, process};
use crate::digest::hex;
use crate::host::{first_certificate, is_key_of, open_file, private_key, read_file};
use crate::plan::observation::{FileType, Ids, Leaf, Stat};
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
        Query::Tree(path) => answer(tree(path).map(Answer::Tree)),
        Query::Linked { directory, read, unread } => {
            answer(linked(directory, read, unread).map(Answer::Tree))
        }
        Query::Glob(pattern) => glob(pattern),
        Query::Certificate(path) => match read_pem(path) {
            Ok(bytes) => first_certificate(&bytes).map_or_else(Answer::Failed, Answer::Certificate),
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
        Query::Marker { port, host } => probe::marker(*port, host),
        Query::Master(pid_file) => process::master(pid_file),
        Query::CommandLine(process) => process::command_line(*process),
        Query::Stopped(process) => process::stopped(*process),
        Query::Orphans => orphans::orphans(),
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
        | Query::Networks { .. }
        | Query::Engine { .. }
        | Query::Images { .. }
        | Query::Services { .. }
        | Query::ContainerNginx { .. }
        | Query::ContainerMarker { .. }
        | Query::ContainerProcesses(_)
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

fn read_pem(path: &Path) -> io::Result<Vec<u8>> {
    if open_file(path)?.metadata()?.len() > LARGEST_PEM {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is too large for a PEM file"));
    }
    read_file(path)
}

/// That a key is not the one of a certificate. Where that cannot be told, nginx will.
fn another_certificates(key: &[u8], certificate: &Path) -> Option<String> {
    let is_its_own = is_key_of(key, &read_pem(certificate).ok()?)?;
    (!is_its_own).then(|| format!("it is not the key of `{}`", certificate.display()))
}

fn stat(path: &Path) -> io::Result<Stat> {
    let metadata = fs::symlink_metadata(path)?;
    let kind = metadata.file_type();
    let mut empty = false;
    let file_type = if kind.is_symlink() {
        FileType::Link(fs::read_link(path)?)
    } else if kind.is_dir() {
        empty = fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
        FileType::Directory
    } else if kind.is_file() {
        FileType::File
    } else {
        FileType::Other
    };
    let mode = metadata.permissions().mode() & 0o7777;
    Ok(Stat { file_type, mode, uid: metadata.uid(), gid: metadata.gid(), empty })
}

fn entries(directory: &Path) -> io::Result<BTreeMap<String, FileType>> {
    let mut entries = BTreeMap::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        entries.insert(name, stat(&entry.path())?.file_type);
    }
    Ok(entries)
}

/// SHA-256 of what is left of a file that was `size` bytes long; a file that grows meanwhile is read no further.
fn digest_of(file: &mut File, size: u64, buffer: &mut Vec<u8>) -> io::Result<String> {
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

/// Leaves below a directory by their path.
fn tree(directory: &Path) -> io::Result<BTreeMap<String, Leaf>> {
    let mut found = Vec::new();
    let mut level = vec![String::new()];
    while !level.is_empty() {
        let listed: Vec<_> =
            level.par_iter().map(|prefix| list(directory, prefix)).collect::<io::Result<_>>()?;
        level.clear();
        for Listed { leaves, directories } in listed {
            found.extend(leaves);
            level.extend(directories);
        }
    }
    let leaves: Vec<_> = found
        .into_par_iter()
        .map_init(Vec::new, |buffer, (path, is_link)| {
            let place = directory.join(&path);
            let leaf = if is_link { fs::read_link(&place).map(Leaf::Link) } else { file(&place, buffer) };
            Ok((path, leaf?))
        })
        .collect::<io::Result<_>>()?;
    Ok(leaves.into_iter().collect())
}

/// The links directly in a directory, with what the directories that they name hold of two files.
fn linked(directory: &Path, read: &str, unread: &str) -> io::Result<BTreeMap<String, Leaf>> {
    let links = list(directory, "")?.leaves.into_par_iter().filter(|(_, is_link)| *is_link);
    let found: Vec<_> = links
        .map_init(Vec::new, |buffer, (name, _)| {
            let link = directory.join(&name);
            let target = fs::read_link(&link)?;
            let place = directory.join(&target);
            let mut found = Vec::with_capacity(3);
            found
                .extend(there(leaf(&place.join(read), buffer))?.map(|leaf| (format!("{name}/{read}"), leaf)));
            found.extend(
                there(key(&place.join(unread), &place.join(read)))?
                    .map(|leaf| (format!("{name}/{unread}"), leaf)),
            );
            found.push((name, Leaf::Link(target)));
            Ok(found)
        })
        .collect::<io::Result<_>>()?;
    Ok(found.into_iter().flatten().collect())
}

fn there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        result => result.map(Some),
    }
}

fn leaf(path: &Path, buffer: &mut Vec<u8>) -> io::Result<Leaf> {
    match file(path, buffer) {
        Err(error) if error.raw_os_error() == Some(Errno::ELOOP as i32) => {
            fs::read_link(path).map(Leaf::Link)
        }
        leaf => leaf,
    }
}

/// A private key. It is read only where it was written after its certificate: vsa writes them the other way round.
fn key(path: &Path, certificate: &Path) -> io::Result<Leaf> {
    let metadata = fs::symlink_metadata(path)?;
    if metadata.is_symlink() {
        return fs::read_link(path).map(Leaf::Link);
    }
    let is_later =
        || Ok::<_, io::Error>(metadata.modified()? > fs::symlink_metadata(certificate)?.modified()?);
    let is_anothers = is_later().unwrap_or(false)
        && read_pem(path)
            .map(Zeroizing::new)
            .is_ok_and(|key| private_key(&key).is_err() || another_certificates(&key, certificate).is_some());
    Ok(Leaf::Unread { mode: metadata.permissions().mode() & 0o7777, is_anothers })
}

/// A file that is no link. What is neither is refused unread: opening a pipe would wait for its writer.
fn file(path: &Path, buffer: &mut Vec<u8>) -> io::Result<Leaf> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let mut file = File::options().read(true).custom_flags(flags.bits()).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mode = metadata.permissions().mode() & 0o7777;
    let ids = Ids { uid: metadata.uid(), gid: metadata.gid() };
    Ok(Leaf::File { digest: digest_of(&mut file, metadata.len(), buffer)?, mode, ids })
}

/// What stands directly in a directory.
struct Listed {
    /// Files and links by their path below the tree's root, and whether each is a link.
    leaves: Vec<(String, bool)>,
    /// Paths of directories below the tree's root, each with a `/` at its end.
    directories: Vec<String>,
}

/// What stands in `directory/prefix`. What is neither a file nor a link is left out: opening a pipe would wait for its
/// writer.
fn list(directory: &Path, prefix: &str) -> io::Result<Listed> {
    let mut listed = Listed { leaves: Vec::new(), directories: Vec::new() };
    for entry in fs::read_dir(directory.join(prefix))? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if kind.is_dir() {
            listed.directories.push(path + "/");
        } else if kind.is_file() || kind.is_symlink() {
            listed.leaves.push((path, kind.is_symlink()));
        }
    }
    Ok(listed)
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
    fn a_tree_has_digests_modes_and_targets() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("sites")).unwrap();
        fs::write(directory.path().join("sites/a.conf"), "abc").unwrap();
        fs::set_permissions(directory.path().join("sites/a.conf"), fs::Permissions::from_mode(0o640))
            .unwrap();
        std::os::unix::fs::symlink("/dev/null", directory.path().join("log")).unwrap();
        let Answer::Tree(tree) = answered(&Query::Tree(directory.path().to_owned())) else {
            panic!("no tree")
        };
        let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".to_owned();
        let ids = Ids { uid: nix::unistd::geteuid().as_raw(), gid: nix::unistd::getegid().as_raw() };
        assert_eq!(tree["sites/a.conf"], Leaf::File { digest, mode: 0o640, ids });
        assert_eq!(tree["log"], Leaf::Link("/dev/null".into()));
        assert_eq!(answered(&Query::Tree(directory.path().join("none"))), Answer::Absent);
    }

    #[test]
    fn links_lead_to_the_files_of_what_they_name() {
        let directory = tempfile::tempdir().unwrap();
        let made = directory.path().join("made");
        fs::create_dir(&made).unwrap();
        fs::write(made.join("chain"), "abc").unwrap();
        std::os::unix::fs::symlink("chain", made.join("key")).unwrap();
        let links = directory.path().join("links");
        fs::create_dir(&links).unwrap();
        for (name, target) in [("shop", made.as_path()), ("gone", Path::new("/nowhere"))] {
            std::os::unix::fs::symlink(target, links.join(name)).unwrap();
        }
        let query = Query::Linked { directory: links, read: "chain", unread: "key" };
        let Answer::Tree(tree) = answered(&query) else { panic!("no tree") };
        assert_eq!(tree.keys().collect::<Vec<_>>(), ["gone", "shop", "shop/chain", "shop/key"]);
        assert_eq!(tree["shop/key"], Leaf::Link("chain".into()));
        assert!(matches!(&tree["shop/chain"], Leaf::File { digest, .. } if digest.starts_with("ba7816bf")));
        assert_eq!(tree["gone"], Leaf::Link("/nowhere".into()));
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
