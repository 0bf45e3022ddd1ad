//! What the stories of lineages share: certificates, certbot, and what stands in a home of its.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use vsa::address::Address;
use vsa::apply::{Outcome, Report};
use vsa::host::{first_certificate, is_key_of};
use vsa::plan::issuance::lineage::split_chain;
use vsa::plan::issuance::{FoundLineage, Lineage, Piece};
use vsa::plan::{Answer, Operation, Query, Undo};

use crate::support;
use crate::support::node::{Ground, block_on};

pub(super) const NAME: &str = "shop.example";

/// An authority, and certificates of it with their keys as PEM files.
pub(super) struct Authority {
    pub(super) directory: tempfile::TempDir,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    root: String,
}

impl Authority {
    pub(super) fn new() -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "Authority of a test");
        let root = params.self_signed(&key).unwrap().pem();
        Self { directory: tempfile::tempdir().unwrap(), issuer: rcgen::Issuer::new(params, key), root }
    }

    /// Writes another certificate, for 90 days from now; gives the operation that copies it into an issue of a node's.
    pub(super) fn issue(&self, ground: &Ground, issue: u64) -> (Operation, PathBuf) {
        let (certificate, key) = self.files(issue);
        let directory = ground.spec().certificate(NAME, issue);
        let request = format!("issue {issue}");
        (
            Operation::CopyCertificate { issue, request, directory: directory.clone(), certificate, key },
            directory,
        )
    }

    /// Chain and key of an issue of this number.
    pub(super) fn files(&self, issue: u64) -> (PathBuf, PathBuf) {
        let path = |what: &str| self.directory.path().join(format!("{what}{issue}.pem"));
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
        let mut params = rcgen::CertificateParams::new([NAME.to_owned(), format!("www.{NAME}")]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, NAME);
        params.use_authority_key_identifier_extension = true;
        params.serial_number = Some(rcgen::SerialNumber::from_slice(&[0xa0, u8::try_from(issue).unwrap()]));
        let now = std::time::SystemTime::now();
        params.not_before = now.into();
        params.not_after = (now + std::time::Duration::from_hours(24 * 90)).into();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        fs::write(path("chain"), format!("{certificate}{}", self.root)).unwrap();
        fs::write(path("key"), key.serialize_pem()).unwrap();
        (path("chain"), path("key"))
    }
}

/// The certbot program, or `None` with a line that says the test is skipped.
pub(super) fn certbot() -> Option<PathBuf> {
    let found = Some(PathBuf::from("/usr/bin/certbot")).filter(|path| path.exists());
    if found.is_none() {
        support::skipped("certbot is not installed; run `make setup`");
    }
    found
}

/// What certbot says about a home: standard output, then what it complains about.
pub(super) fn says(home: &Path, arguments: &[&str]) -> String {
    let scratch = tempfile::tempdir().unwrap();
    let mut command = Command::new("/usr/bin/certbot");
    command.args(arguments).arg("--config-dir").arg(home);
    command.arg("--work-dir").arg(scratch.path()).arg("--logs-dir").arg(scratch.path());
    let Output { stdout, stderr, .. } = command.output().unwrap();
    format!("{}{}", String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// The lineages that certbot lists, each with what it says of it.
pub(super) fn listed(home: &Path) -> Vec<String> {
    let text = says(home, &["certificates"]);
    assert!(!text.contains("were invalid"), "{text}");
    let blocks = text.split("Certificate Name: ").skip(1).map(|block| {
        let lines =
            block.lines().filter(|line| !line.contains("- - -") && !line.contains("Saving debug log"));
        lines.map(str::trim).collect::<Vec<_>>().join("\n")
    });
    blocks.collect()
}

/// Has certbot's own code make a lineage of the first certificate of an authority.
pub(super) fn made_by_certbot(home: &Path, authority: &Authority) -> Option<Lineage> {
    const MAKE: &str = r#"
import sys
from certbot import configuration
from certbot._internal import cli, storage
from certbot._internal.plugins import disco
home, name, webroot, cert, chain, key = sys.argv[1:]
arguments = ["certonly", "--config-dir", home, "--webroot", "--webroot-path", webroot, "-d", name,
             "--server", "https://ca.example/directory", "--pre-hook", "echo a, b"]
parsed = cli.prepare_and_parse_args(disco.PluginsRegistry.find_all(), arguments)
parsed.authenticator = "webroot"
parsed.account = "0123456789abcdef"
read = lambda path: open(path, "rb").read()
config = configuration.NamespaceConfig(parsed)
storage.RenewableCert.new_lineage(name, read(cert), read(key), read(chain), config)
"#;
    certbot()?;
    let (fullchain, key) = authority.files(1);
    let (cert, chain) = split_chain(&fs::read_to_string(fullchain).unwrap());
    let path = |name: &str| authority.directory.path().join(name);
    fs::write(path("cert"), cert).unwrap();
    fs::write(path("rest"), chain).unwrap();
    let output = Command::new("/usr/bin/python3")
        .args(["-c", MAKE])
        .args([home, Path::new(NAME), authority.directory.path(), &path("cert"), &path("rest"), &key])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(Lineage::new(home, NAME).unwrap())
}

/// A node that serves one site.
pub(super) fn ground() -> Option<Ground> {
    let mut ground = Ground::managed(support::nginx()?);
    done(&ground.sites(&[("a.example", "one")]));
    Some(ground)
}

pub(super) fn done(report: &Report) {
    assert_eq!(report.outcome, Outcome::Done, "{:?}", report.errors);
}

/// Applies operations of a certificate, one after the other.
pub(super) fn apply(ground: &mut Ground, operations: Vec<Operation>) -> Report {
    let files = {
        let mut files = ground.base();
        files.push(ground.site("a.example", "one"));
        files
    };
    let of = |operation| (Address::new("certificate", NAME), operation);
    let mut run = ground.run(files, operations.into_iter().map(of).collect());
    for action in &mut run.actions {
        action.undo = match action.operation {
            Operation::PublishCertificate { .. } => Undo::FormerLinks,
            Operation::StopCertbot { .. } => Undo::FormerFile,
            _ => continue,
        };
    }
    ground.apply(run)
}

pub(super) fn own(ground: &Ground) -> Lineage {
    Lineage::new(ground.root(), NAME).unwrap()
}

pub(super) fn publish(lineage: &Lineage, directory: &Path) -> Operation {
    let server = Some("https://ca.example/directory".to_owned());
    Operation::PublishCertificate { lineage: lineage.clone(), directory: directory.to_owned(), server }
}

/// What fails, so that a run is taken back.
pub(super) fn nothing_to_copy(ground: &Ground) -> Operation {
    Operation::CopyCertificate {
        issue: 9,
        request: "none".to_owned(),
        directory: ground.spec().certificate(NAME, 9),
        certificate: "/none.pem".into(),
        key: "/none.key".into(),
    }
}

/// Everything in a home: what each name leads to, mode and bytes.
pub(super) fn tree(home: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut left = vec![home.to_owned()];
    while let Some(path) = left.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        let shown = if metadata.is_symlink() {
            format!("-> {}", fs::read_link(&path).unwrap().display())
        } else if metadata.is_dir() {
            left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            format!("{:o}", metadata.mode())
        } else {
            format!("{:o} {}", metadata.mode(), String::from_utf8_lossy(&fs::read(&path).unwrap()))
        };
        found.insert(path.strip_prefix(home).unwrap().to_owned(), shown);
    }
    found
}

/// The parts of a home that are of lineages.
pub(super) fn lineages_of(home: &Path) -> BTreeMap<PathBuf, String> {
    let mut tree = tree(home);
    tree.retain(|path, _| ["live", "archive", "renewal"].iter().any(|part| path.starts_with(part)));
    tree
}

/// The serial number that the published links lead to, which is that of a certificate with its key.
pub(super) fn published(lineage: &Lineage) -> String {
    let read = |piece| fs::read(lineage.link(piece)).unwrap();
    let (chain, key) = (read(Piece::Fullchain), read(Piece::Privkey));
    assert_eq!(is_key_of(&key, &chain), Some(true), "key and certificate belong together");
    assert_eq!([read(Piece::Cert), read(Piece::Chain)].concat(), chain);
    first_certificate(&chain).unwrap().serial
}

pub(super) fn found(ground: &Ground, home: &Path) -> BTreeMap<String, Result<FoundLineage, String>> {
    match block_on(ground.host.observe(&[Query::Lineages(home.to_owned())])).pop() {
        Some(Answer::Lineages(found)) => found,
        other => panic!("{other:?}"),
    }
}

pub(super) fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}
