//! Certificates in certbot's layout: certbot itself makes them, reads what vsa published, and leaves it alone.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use vsa::address::Address;
use vsa::apply::{Outcome, Report};
use vsa::host::{FileOperation, HostError, first_certificate, is_key_of};
use vsa::plan::issuance::lineage::{relative, resolved, split_chain};
use vsa::plan::issuance::renewal::{switched_off, switched_on};
use vsa::plan::issuance::{FoundLineage, Lineage, Piece, Renewal};
use vsa::plan::{Answer, Operation, Query, Undo};

use crate::support::faulty::{Deed, Faulty};
use crate::support::node::{Ground, block_on};
use crate::support::{self};

const NAME: &str = "shop.example";

/// An authority, and certificates of it with their keys as PEM files.
struct Authority {
    directory: tempfile::TempDir,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    root: String,
}

impl Authority {
    fn new() -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "Authority of a test");
        let root = params.self_signed(&key).unwrap().pem();
        Self { directory: tempfile::tempdir().unwrap(), issuer: rcgen::Issuer::new(params, key), root }
    }

    /// Writes another certificate, for 90 days from now; gives the operation that copies it into an issue of a node's.
    fn issue(&self, ground: &Ground, issue: u64) -> (Operation, PathBuf) {
        let (certificate, key) = self.files(issue);
        let directory = ground.spec().certificate(NAME, issue);
        let request = format!("issue {issue}");
        (
            Operation::CopyCertificate { issue, request, directory: directory.clone(), certificate, key },
            directory,
        )
    }

    /// Chain and key of an issue of this number.
    fn files(&self, issue: u64) -> (PathBuf, PathBuf) {
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
fn certbot() -> Option<PathBuf> {
    let found = Some(PathBuf::from("/usr/bin/certbot")).filter(|path| path.exists());
    if found.is_none() {
        support::skipped("certbot is not installed; run `make setup`");
    }
    found
}

/// What certbot says about a home: standard output, then what it complains about.
fn says(home: &Path, arguments: &[&str]) -> String {
    let scratch = tempfile::tempdir().unwrap();
    let mut command = Command::new("/usr/bin/certbot");
    command.args(arguments).arg("--config-dir").arg(home);
    command.arg("--work-dir").arg(scratch.path()).arg("--logs-dir").arg(scratch.path());
    let Output { stdout, stderr, .. } = command.output().unwrap();
    format!("{}{}", String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// The lineages that certbot lists, each with what it says of it.
fn listed(home: &Path) -> Vec<String> {
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
fn made_by_certbot(home: &Path, authority: &Authority) -> Option<Lineage> {
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
fn ground() -> Option<Ground> {
    let mut ground = Ground::managed(support::nginx()?);
    done(&ground.sites(&[("a.example", "one")]));
    Some(ground)
}

fn done(report: &Report) {
    assert_eq!(report.outcome, Outcome::Done, "{:?}", report.errors);
}

/// Applies operations of a certificate, one after the other.
fn apply(ground: &mut Ground, operations: Vec<Operation>) -> Report {
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

fn own(ground: &Ground) -> Lineage {
    Lineage::new(ground.root(), NAME).unwrap()
}

fn publish(lineage: &Lineage, directory: &Path) -> Operation {
    let server = Some("https://ca.example/directory".to_owned());
    Operation::PublishCertificate { lineage: lineage.clone(), directory: directory.to_owned(), server }
}

/// What fails, so that a run is taken back.
fn nothing_to_copy(ground: &Ground) -> Operation {
    Operation::CopyCertificate {
        issue: 9,
        request: "none".to_owned(),
        directory: ground.spec().certificate(NAME, 9),
        certificate: "/none.pem".into(),
        key: "/none.key".into(),
    }
}

/// Everything in a home: what each name leads to, mode and bytes.
fn tree(home: &Path) -> BTreeMap<PathBuf, String> {
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
fn lineages_of(home: &Path) -> BTreeMap<PathBuf, String> {
    let mut tree = tree(home);
    tree.retain(|path, _| ["live", "archive", "renewal"].iter().any(|part| path.starts_with(part)));
    tree
}

/// The serial number that the published links lead to, which is that of a certificate with its key.
fn published(lineage: &Lineage) -> String {
    let read = |piece| fs::read(lineage.link(piece)).unwrap();
    let (chain, key) = (read(Piece::Fullchain), read(Piece::Privkey));
    assert_eq!(is_key_of(&key, &chain), Some(true), "key and certificate belong together");
    assert_eq!([read(Piece::Cert), read(Piece::Chain)].concat(), chain);
    first_certificate(&chain).unwrap().serial
}

fn found(ground: &Ground, home: &Path) -> BTreeMap<String, Result<FoundLineage, String>> {
    match block_on(ground.host.observe(&[Query::Lineages(home.to_owned())])).pop() {
        Some(Answer::Lineages(found)) => found,
        other => panic!("{other:?}"),
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn certbot_lists_what_vsa_publishes_and_leaves_its_renewal_alone() {
    let Some(mut ground) = certbot().and_then(|_| ground()) else { return };
    let (authority, lineage) = (Authority::new(), own(&ground));
    let (copy, first) = authority.issue(&ground, 1);
    done(&apply(&mut ground, vec![copy, publish(&lineage, &first)]));
    assert_eq!(published(&lineage), "00a001");
    let names = |directory: &Path| {
        let mut names: Vec<_> =
            fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&first), ["cert.pem", "chain.pem", "fullchain.pem", "privkey.pem", "request"]);
    assert_eq!(names(&lineage.archive()), ["cert1.pem", "chain1.pem", "fullchain1.pem", "privkey1.pem"]);
    assert_eq!(
        fs::read_link(lineage.link(Piece::Cert)).unwrap(),
        Path::new("../../archive/shop.example/cert1.pem")
    );
    assert_eq!(mode(&lineage.link(Piece::Privkey)), 0o600);
    assert_eq!(mode(&lineage.home().join("live")), 0o700);

    let listed_now = listed(lineage.home());
    let text = listed_now.join("").replace(&*lineage.home().to_string_lossy(), "HOME");
    let first_lines = "shop.example
Serial Number: a001
Key Type: ECDSA
Domains: shop.example www.shop.example
Expiry Date: 20";
    assert!(text.starts_with(first_lines), "{text}");
    assert!(text.contains("Certificate Path: HOME/live/shop.example/fullchain.pem"), "{text}");
    assert!(text.contains("(VALID: 89 days)"), "{text}");

    // Twice is once.
    let before = lineages_of(lineage.home());
    done(&apply(&mut ground, vec![publish(&lineage, &first)]));
    assert_eq!(lineages_of(lineage.home()), before);

    let (copy, second) = authority.issue(&ground, 2);
    done(&apply(&mut ground, vec![copy, publish(&lineage, &second)]));
    assert_eq!(published(&lineage), "00a002");
    assert!(
        lineage.archive().join("privkey1.pem").exists() && lineage.archive().join("privkey2.pem").exists()
    );
    assert_eq!(names(&lineage.home().join("live")), ["shop.example"]);
    assert_eq!(listed(lineage.home()).len(), 1);

    // Going back to the first takes the next number: certbot would point the links to the highest.
    done(&apply(&mut ground, vec![publish(&lineage, &first)]));
    assert_eq!(published(&lineage), "00a001");
    assert!(lineage.archive().join("privkey3.pem").exists());
    let before = lineages_of(lineage.home());
    let said = says(lineage.home(), &["renew", "--no-random-sleep-on-renew"]);
    assert!(said.contains("No renewals were attempted") && said.contains("(skipped)"), "{said}");
    assert_eq!(lineages_of(lineage.home()), before);
    // Not even when it is forced.
    let said = says(lineage.home(), &["renew", "--force-renewal", "--no-random-sleep-on-renew"]);
    assert!(said.contains("The requested vsa plugin does not appear to be installed"), "{said}");
    assert_eq!(lineages_of(lineage.home()), before);

    done(&apply(&mut ground, vec![Operation::RemoveLineage { lineage: lineage.clone() }]));
    assert_eq!(lineages_of(lineage.home()), BTreeMap::new());
    done(&apply(&mut ground, vec![Operation::RemoveLineage { lineage }]));
}

#[test]
fn a_lineage_of_certbots_is_read_taken_over_and_renewed_without_changing_a_path() {
    let Some(mut ground) = ground() else { return };
    let (authority, home) = (Authority::new(), tempfile::tempdir().unwrap());
    let Some(lineage) = made_by_certbot(home.path(), &authority) else { return };
    let read = found(&ground, home.path()).remove(NAME).unwrap().unwrap();
    assert_eq!((read.number, read.key_mode, read.key_ids.uid), (1, 0o600, nix::unistd::geteuid().as_raw()));
    assert_eq!(read.renewal.live(), Some(&*lineage.live()));
    assert!(read.renewal.autorenew);
    let renewal = &read.renewal;
    let words = [&renewal.authenticator, &renewal.server, &renewal.account, &renewal.key_type];
    assert_eq!(
        words.map(|word| word.as_deref().unwrap()),
        ["webroot", "https://ca.example/directory", "0123456789abcdef", "ecdsa"]
    );
    assert_eq!(read.renewal.webroot_path, [authority.directory.path()]);
    let facts = &read.certificate;
    assert_eq!(facts.names, [NAME, "www.shop.example"]);
    assert_eq!(
        [&*facts.issuer, &facts.issuer_name, &facts.serial, &facts.key_type],
        ["Authority of a test", "CN=Authority of a test", "00a001", "ecdsa-p384"]
    );

    // A group that may read the key may read the next one, and what else somebody put there stays.
    let group = nix::unistd::getegid().as_raw();
    fs::set_permissions(lineage.archive().join("privkey1.pem"), fs::Permissions::from_mode(0o640)).unwrap();
    symlink("fullchain.pem", lineage.live().join("bundle.pem")).unwrap();
    let readme = fs::read(lineage.live().join("README")).unwrap();
    let text = fs::read_to_string(lineage.renewal()).unwrap();

    let (copy, second) = authority.issue(&ground, 2);
    let stop = Operation::StopCertbot { lineage: lineage.clone() };
    let (before, fails) = (tree(home.path()), nothing_to_copy(&ground));
    let all = vec![copy.clone(), stop.clone(), publish(&lineage, &second), fails];
    assert_eq!(apply(&mut ground, all).outcome, Outcome::RolledBack);
    assert_eq!(tree(home.path()), before, "a run that failed leaves all of it as certbot made it");
    done(&apply(&mut ground, vec![copy, stop.clone(), publish(&lineage, &second)]));
    assert_eq!(published(&lineage), "00a002");
    let read = found(&ground, home.path()).remove(NAME).unwrap().unwrap();
    assert_eq!((read.number, read.key_mode, read.key_ids.gid), (2, 0o640, group));
    assert!(!read.renewal.autorenew);
    let now = fs::read_to_string(lineage.renewal()).unwrap();
    assert_eq!(now.replace("autorenew = False # vsa renews it\n", ""), text);
    assert!(!lineage.renewal().with_file_name(".shop.example.conf.vsa-former").exists());
    assert_eq!(fs::read(lineage.live().join("README")).unwrap(), readme);
    assert_eq!(fs::read_link(lineage.live().join("bundle.pem")).unwrap(), Path::new("fullchain.pem"));

    let (copy, third) = authority.issue(&ground, 3);
    done(&apply(&mut ground, vec![copy, stop, publish(&lineage, &third)]));
    assert_eq!(published(&lineage), "00a003");
    assert_eq!(fs::read_to_string(lineage.renewal()).unwrap(), now);
    let said = listed(home.path()).join("");
    assert!(said.contains("(VALID: 89 days)") && said.contains("shop.example www.shop.example"), "{said}");
    assert!(
        said.contains(&format!("Private Key Path: {}", lineage.link(Piece::Privkey).display())),
        "{said}"
    );
    let said = says(home.path(), &["renew", "--no-random-sleep-on-renew"]);
    assert!(said.contains("(skipped)"), "{said}");
    assert_eq!(published(&lineage), "00a003");

    // What vsa did not make, it never removes.
    let refused = apply(&mut ground, vec![Operation::RemoveLineage { lineage: lineage.clone() }]);
    assert_eq!(refused.outcome, Outcome::RolledBack);
    assert!(refused.errors[0].summary.contains("is not below"), "{:?}", refused.errors);
    assert_eq!(published(&lineage), "00a003");
}

#[test]
fn what_a_failed_run_published_is_taken_back() {
    let Some(mut ground) = ground() else { return };
    let (authority, lineage) = (Authority::new(), own(&ground));
    let (copy, first) = authority.issue(&ground, 1);
    let before = lineages_of(&ground.root());
    let fails = nothing_to_copy(&ground);
    let report = apply(&mut ground, vec![copy.clone(), publish(&lineage, &first), fails.clone()]);
    assert_eq!(report.outcome, Outcome::RolledBack, "{:?}", report.errors);
    assert_eq!(lineages_of(&ground.root()), before, "nothing was there");

    done(&apply(&mut ground, vec![copy, publish(&lineage, &first)]));
    let before = lineages_of(&ground.root());
    let (copy, second) = authority.issue(&ground, 2);
    let other = match publish(&lineage, &second) {
        Operation::PublishCertificate { lineage, directory, .. } => {
            Operation::PublishCertificate { lineage, directory, server: None }
        }
        operation => operation,
    };
    let stop = Operation::StopCertbot { lineage: lineage.clone() };
    let report = apply(&mut ground, vec![copy, other, stop, fails.clone()]);
    assert_eq!(report.outcome, Outcome::RolledBack, "{:?}", report.errors);
    assert_eq!(lineages_of(&ground.root()), before, "links, files and configuration are as before");
    // An issue that was there with its number keeps it.
    let report = apply(&mut ground, vec![publish(&lineage, &first), fails]);
    assert_eq!(report.outcome, Outcome::RolledBack);
    assert_eq!(lineages_of(&ground.root()), before);
}

#[test]
fn a_kill_at_any_step_leaves_the_old_pair_or_the_new_and_the_next_run_finishes_it() {
    let Some(mut ground) = ground() else { return };
    let (authority, lineage) = (Authority::new(), own(&ground));
    let (copy, first) = authority.issue(&ground, 1);
    let (next, second) = authority.issue(&ground, 2);
    done(&apply(&mut ground, vec![copy, publish(&lineage, &first), next]));
    let saved = ground.directory.path().join("saved");
    let rename = |from: PathBuf, to: PathBuf| fs::rename(from, to).unwrap();
    let copied = |from: &Path, to: &Path| {
        let status = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
        assert!(status.success());
    };
    fs::create_dir(&saved).unwrap();
    for part in ["live", "archive", "renewal"] {
        copied(&lineage.home().join(part), &saved);
    }
    let mut seen = Vec::new();
    for step in 0.. {
        for part in ["live", "archive", "renewal"] {
            let gone = saved.with_file_name(format!("gone-{step}-{part}"));
            rename(lineage.home().join(part), gone);
            copied(&saved.join(part), lineage.home());
        }
        let host = Arc::clone(&ground.host);
        let done_so_far = Arc::new(AtomicUsize::new(0));
        let (counter, home) = (Arc::clone(&done_so_far), lineage.home().to_owned());
        ground.host = Faulty::around(Arc::clone(&host), move |deed| {
            let Deed::File(operation) = deed else { return Ok(()) };
            let shown = format!("{operation:?}");
            let is_counted = ["live", "archive", "renewal"]
                .iter()
                .any(|part| shown.contains(&*home.join(part).to_string_lossy()));
            let is_dead = counter.load(Ordering::SeqCst) > step;
            if is_dead || (is_counted && counter.fetch_add(1, Ordering::SeqCst) >= step) {
                counter.fetch_add(step + 1, Ordering::SeqCst);
                return Err(HostError::because("reach", "/", "it was killed"));
            }
            Ok(())
        });
        let report = apply(&mut ground, vec![publish(&lineage, &second)]);
        ground.host = host;
        let was_killed = report.outcome != Outcome::Done;
        let serial = published(&lineage);
        assert!(["00a001", "00a002"].contains(&&*serial), "{serial}");
        seen.push(serial);
        for entry in fs::read_dir(lineage.archive()).unwrap().map(|entry| entry.unwrap()) {
            if entry.file_name().to_string_lossy().contains("privkey") {
                assert_eq!(mode(&entry.path()), 0o600, "{}", entry.path().display());
            }
        }
        done(&apply(&mut ground, vec![publish(&lineage, &second)]));
        assert_eq!(published(&lineage), "00a002");
        assert!(!lineage.archive().join("cert3.pem").exists(), "the number that was begun is used");
        assert_eq!(fs::read_dir(lineage.home().join("live")).unwrap().count(), 1);
        if !was_killed {
            break;
        }
    }
    assert!(seen.len() > 8 && seen.is_sorted(), "{seen:?}");
}

/// Breaks the home that it is given.
type Breaks<'a> = Box<dyn Fn(&Path) + 'a>;

#[test]
fn what_is_wrong_with_a_lineage_is_said() {
    let Some(mut ground) = ground() else { return };
    let (authority, lineage) = (Authority::new(), own(&ground));
    let (copy, first) = authority.issue(&ground, 1);
    done(&apply(&mut ground, vec![copy, publish(&lineage, &first)]));
    let saved = ground.directory.path().join("home");
    let renewal = Path::new("renewal/shop.example.conf");
    let (live, archive) = (Path::new("live/shop.example"), Path::new("archive/shop.example"));
    let edited = |home: &Path, from: &str, to: &str| {
        let text = fs::read_to_string(home.join(renewal)).unwrap();
        assert!(text.contains(from));
        fs::write(home.join(renewal), text.replace(from, to)).unwrap();
    };
    let cases: Vec<Breaks<'_>> = vec![
        Box::new(|_| {}),
        Box::new(|home| fs::remove_file(home.join(live).join("chain.pem")).unwrap()),
        Box::new(|home| {
            fs::remove_file(home.join(live).join("cert.pem")).unwrap();
            fs::write(home.join(live).join("cert.pem"), "").unwrap();
        }),
        Box::new(|home| fs::remove_file(home.join(archive).join("privkey1.pem")).unwrap()),
        Box::new(|home| {
            fs::remove_file(home.join(live).join("cert.pem")).unwrap();
            symlink("/etc/hosts", home.join(live).join("cert.pem")).unwrap();
        }),
        Box::new(|home| fs::write(home.join(archive).join("fullchain1.pem"), "nothing").unwrap()),
        Box::new(|home| fs::write(home.join(archive).join("privkey1.pem"), "nothing").unwrap()),
        Box::new(|home| {
            let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
            fs::write(home.join(archive).join("privkey1.pem"), other).unwrap();
        }),
        Box::new(|home| edited(home, "fullchain = ", "# ")),
        Box::new(|home| edited(home, "[renewalparams]", "[renewalparams")),
        Box::new(|home| edited(home, "cert.pem\n", "other.pem\n")),
        Box::new(|home| fs::write(home.join(renewal), [0xff, 0xfe]).unwrap()),
        Box::new(|home| fs::remove_dir_all(home.join("archive")).unwrap()),
        Box::new(|home| edited(home, &home.to_string_lossy(), &lineage.home().to_string_lossy())),
    ];
    let mut told = Vec::new();
    for breaks in cases {
        let _ = fs::remove_dir_all(&saved);
        fs::create_dir(&saved).unwrap();
        for part in ["live", "archive", "renewal"] {
            let status =
                Command::new("cp").arg("-a").arg(lineage.home().join(part)).arg(&saved).status().unwrap();
            assert!(status.success());
        }
        edited(&saved, &lineage.home().to_string_lossy(), &saved.to_string_lossy());
        breaks(&saved);
        told.push(match found(&ground, &saved).remove(NAME).unwrap() {
            Ok(found) => format!("whole, of {}", found.certificate.issuer),
            Err(reason) => {
                let reason = reason.replace(&*saved.to_string_lossy(), "HOME");
                reason.replace(&*lineage.home().to_string_lossy(), "ROOT")
            }
        });
    }
    insta::assert_snapshot!(told.join("\n"), @r"
    whole, of Authority of a test
    `HOME/live/shop.example/chain.pem` is not there
    `HOME/live/shop.example/cert.pem` is not a link
    `HOME/live/shop.example/privkey.pem` leads to `HOME/archive/shop.example/privkey1.pem`, which is not there
    `HOME/live/shop.example/cert.pem` leads to `/etc/hosts`, not to `HOME/archive/shop.example/certN.pem`
    `HOME/live/shop.example/fullchain.pem`: there is no certificate in it
    `HOME/live/shop.example/privkey.pem`: there is no private key in it
    `HOME/live/shop.example/privkey.pem` is not the key of `HOME/live/shop.example/fullchain.pem`
    `HOME/renewal/shop.example.conf`, `fullchain = …` is missing, which certbot needs too
    `HOME/renewal/shop.example.conf`, line 8: the section's `[` has no `]`
    `HOME/renewal/shop.example.conf`: its four links are not `cert.pem`, `chain.pem`, `fullchain.pem` and `privkey.pem` of one directory
    `HOME/renewal/shop.example.conf` is not UTF-8
    cannot find `HOME/archive/shop.example`: no such file or directory
    `HOME/renewal/shop.example.conf`: its links are in `ROOT/live/shop.example`, not in `HOME/live/shop.example`
    ");
    assert_eq!(block_on(ground.host.observe(&[Query::Lineages("/none".into())])), [Answer::Absent]);
}

#[test]
fn a_file_in_the_place_of_a_link_is_never_lost() {
    let Some(mut ground) = ground() else { return };
    let (authority, lineage) = (Authority::new(), own(&ground));
    let (copy, first) = authority.issue(&ground, 1);
    done(&apply(&mut ground, vec![copy, publish(&lineage, &first)]));
    fs::remove_file(lineage.link(Piece::Privkey)).unwrap();
    fs::write(lineage.link(Piece::Privkey), "the only copy").unwrap();
    let (copy, second) = authority.issue(&ground, 2);
    let report = apply(&mut ground, vec![copy, publish(&lineage, &second)]);
    assert!(
        report.errors[0].summary.ends_with("live/shop.example/privkey.pem` is not a link"),
        "{:?}",
        report.errors
    );
    assert_eq!(fs::read_to_string(lineage.link(Piece::Privkey)).unwrap(), "the only copy");
}

#[test]
fn what_openssl_says_of_a_certificate_is_what_vsa_says() {
    let directory = tempfile::tempdir().unwrap();
    let openssl = |arguments: &[&str]| {
        let output =
            Command::new("/usr/bin/openssl").args(arguments).current_dir(&directory).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    for (key, key_type) in [
        (["rsa:2048", "-sha256"].as_slice(), "rsa-2048"),
        (&["rsa:3072", "-sha256"], "rsa-3072"),
        (&["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "ecdsa-p256"),
        (&["ec", "-pkeyopt", "ec_paramgen_curve:P-384"], "ecdsa-p384"),
    ] {
        let fixed = [
            "req",
            "-x509",
            "-nodes",
            "-keyout",
            "key.pem",
            "-out",
            "cert.pem",
            "-subj",
            "/C=DE/O=Some/CN=Root",
        ];
        let more = ["-addext", "authorityKeyIdentifier=keyid:always", "-newkey"];
        openssl(&[&fixed, more.as_slice(), key].concat());
        let facts = first_certificate(&fs::read(directory.path().join("cert.pem")).unwrap()).unwrap();
        assert_eq!(facts.key_type, key_type);
        assert_eq!(facts.issuer_name, "C=DE, O=Some, CN=Root");
        let serial = openssl(&["x509", "-in", "cert.pem", "-noout", "-serial"]).to_lowercase();
        assert_eq!(
            facts.serial.trim_start_matches("00"),
            serial.trim().trim_start_matches("serial=").trim_start_matches("00")
        );
        let told = openssl(&["x509", "-in", "cert.pem", "-noout", "-ext", "authorityKeyIdentifier"]);
        let told = told.lines().nth(1).unwrap().trim().to_lowercase().replace(':', "");
        assert_eq!(facts.authority_key_id.unwrap(), told.trim_start_matches("keyid"));
    }
}

const CONFIGURATION: &str = "\
# renew_before_expiry = 30 days
version = 2.1.0
archive_dir = /etc/letsencrypt/archive/shop.example
cert = /etc/letsencrypt/live/shop.example/cert.pem
privkey = /etc/letsencrypt/live/shop.example/privkey.pem
chain = /etc/letsencrypt/live/shop.example/chain.pem
fullchain = /etc/letsencrypt/live/shop.example/fullchain.pem

# Options used in the renewal process
[renewalparams]
account = 0123456789abcdef
key_type = ecdsa
pre_hook = \"echo a, b\" # a comment
post_hook = '''first
autorenew = True
[webroot]'''
server = https://ca.example/directory
authenticator = webroot
webroot_path = /srv/www, \"/srv/other, one\"
[[webroot_map]]
shop.example = /srv/www
www.shop.example = /srv/other
";

#[test]
fn a_configuration_is_read_whatever_else_is_in_it() {
    let live = |name: &str| PathBuf::from(format!("/etc/letsencrypt/live/shop.example/{name}.pem"));
    let text = |text: &str| Some(text.to_owned());
    let wanted = Renewal {
        version: text("2.1.0"),
        archive_dir: Some("/etc/letsencrypt/archive/shop.example".into()),
        cert: live("cert"),
        chain: live("chain"),
        fullchain: live("fullchain"),
        privkey: live("privkey"),
        authenticator: text("webroot"),
        server: text("https://ca.example/directory"),
        account: text("0123456789abcdef"),
        key_type: text("ecdsa"),
        webroot_path: vec!["/srv/www".into(), "/srv/other, one".into()],
        webroot_map: [("shop.example", "/srv/www"), ("www.shop.example", "/srv/other")]
            .map(|(name, path)| (name.to_owned(), path.into()))
            .into(),
        autorenew: true,
    };
    assert_eq!(Renewal::parse(CONFIGURATION).unwrap(), wanted);
    let autorenew = |line: &str| {
        let text = CONFIGURATION.replace("key_type = ecdsa", line);
        Renewal::parse(&text).unwrap().autorenew
    };
    assert!(autorenew("autorenew = True") && autorenew("# autorenew = False"));
    assert!(!autorenew("autorenew = False") && !autorenew("\"autorenew\"=off # why"));
}

#[test]
fn what_cannot_be_read_is_named_with_its_line() {
    let of = |from: &str, to: &str| {
        assert!(CONFIGURATION.contains(from), "{from}");
        Renewal::parse(&CONFIGURATION.replace(from, to)).unwrap_err().to_string()
    };
    insta::assert_snapshot!([
        of("version = 2.1.0", "version 2.1.0"),
        of("version = 2.1.0", "= 2.1.0"),
        of("[renewalparams]", "[renewalparams"),
        of("[renewalparams]", "[[[renewalparams]]]"),
        of("[[webroot_map]]", "[[webroot_map]"),
        of("[[webroot_map]]", "[renewalparams]"),
        of("account =", "server ="),
        of("\"echo a, b\"", "\"echo a, b"),
        of("\"echo a, b\"", "\"echo\" a, b"),
        of("[webroot]'''", "[webroot]"),
        of("fullchain =", "other ="),
        of("cert = /etc", "cert = /a, /etc"),
    ].join("\n"), @r"
    line 2: `version 2.1.0` is neither `key = value` nor a section
    line 2: `= 2.1.0` is neither `key = value` nor a section
    line 10: the section's `[` has no `]`
    line 10: section `renewalparams` is nested too deeply
    line 20: the section has 2 `[` and 1 `]`
    line 20: section `renewalparams` is there twice
    line 17: `server` is there twice
    line 13: a quote has no end
    line 13: `a, b # a comment` stands after a quoted value
    line 14: the ''' of `post_hook` has no end
    `fullchain = …` is missing, which certbot needs too
    line 4: `cert` is a list: write a value with a comma in it between quotes
    ");
}

#[test]
fn certbots_renewal_is_switched_off_by_one_line() {
    let off = switched_off(CONFIGURATION).unwrap();
    let added: Vec<&str> =
        off.lines().filter(|line| !CONFIGURATION.lines().any(|other| other == *line)).collect();
    assert_eq!(added, ["autorenew = False # vsa renews it"]);
    assert_eq!(switched_off(&off).unwrap(), off);
    assert_eq!(switched_on(&off).unwrap(), CONFIGURATION);
    assert_eq!(switched_on(CONFIGURATION).unwrap(), CONFIGURATION);
    let is_on = CONFIGURATION.replace("key_type = ecdsa", "autorenew = True");
    let off = switched_off(&is_on).unwrap();
    assert_eq!(
        off,
        CONFIGURATION.replace("key_type = ecdsa", "autorenew = False # vsa renews it, in the place of True")
    );
    assert_eq!(switched_on(&off).unwrap(), is_on);
    // One without the section is none that certbot renews; with it, it says so.
    let short = CONFIGURATION.split_once("\n# Options").unwrap().0;
    assert!(!Renewal::parse(&switched_off(short).unwrap()).unwrap().autorenew);
}

proptest! {
    #[test]
    fn switching_off_is_for_good_and_can_be_taken_back(
        lines in proptest::collection::vec(prop_oneof![
            Just("# a comment".to_owned()),
            Just(String::new()),
            Just("[renewalparams]".to_owned()),
            Just("[[webroot_map]]".to_owned()),
            Just("  [ other ]  # why".to_owned()),
            Just("autorenew = True".to_owned()),
            Just("  autorenew = 'no'".to_owned()),
            Just("text = '''one".to_owned()),
            Just("two'''".to_owned()),
            "[a-z]{1,3} ?= ?[a-z,#\"' ]{0,6}",
        ], 0..12),
        end in prop_oneof![Just("\n"), Just("\r\n")],
        ends in any::<bool>(),
    ) {
        let required = Piece::ALL.map(|piece| format!("{0} = /live/x/{0}.pem", piece.stem()));
        let all: Vec<String> = required.into_iter().chain(lines).collect();
        let text = all.join(end) + if ends { end } else { "" };
        if let Ok(renewal) = Renewal::parse(&text) {
            let off = switched_off(&text).unwrap();
            let stopped = Renewal::parse(&off).unwrap();
            prop_assert!(!stopped.autorenew);
            prop_assert_eq!(Renewal { autorenew: renewal.autorenew, ..stopped }, renewal.clone());
            prop_assert_eq!(&switched_off(&off).unwrap(), &off);
            prop_assert_eq!(Renewal::parse(&switched_on(&off).unwrap()).unwrap().autorenew, renewal.autorenew);
        }
    }
}

/// The library that certbot reads its configurations with.
#[test]
fn the_library_reads_a_configuration_as_vsa_does() {
    const READ: &str = "
import configobj, json, sys
c = configobj.ConfigObj(sys.stdin.read().splitlines(), encoding='utf-8', default_encoding='utf-8')
p = c['renewalparams']
print(json.dumps([c['cert'], p['server'], p['webroot_path'], p['webroot_map'], p.as_bool('autorenew')]))
";
    if certbot().is_none() {
        return;
    }
    let off = switched_off(CONFIGURATION).unwrap();
    for text in [off.clone(), off.replace('\n', "\r\n"), off.replace(" = ", "="), off.replace('\'', "\"")] {
        let input = tempfile::NamedTempFile::new().unwrap();
        fs::write(input.path(), &text).unwrap();
        let output = Command::new("/usr/bin/python3")
            .args(["-c", READ])
            .stdin(fs::File::open(input.path()).unwrap())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let theirs: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let ours = Renewal::parse(&text).unwrap();
        let ours =
            serde_json::json!([ours.cert, ours.server, ours.webroot_path, ours.webroot_map, ours.autorenew]);
        assert_eq!(ours, theirs);
    }
}

#[test]
fn a_lineage_is_named_like_a_directory() {
    for name in ["", ".", "..", ".hidden", "a/b", "a\nb"] {
        assert!(Lineage::new("/etc/letsencrypt", name).is_err(), "{name:?}");
    }
    for home in ["etc", "/etc/../root", ""] {
        assert!(Lineage::new(home, NAME).is_err(), "{home:?}");
    }
    let planned = serde_json::json!({ "home": "/etc/letsencrypt", "name": "../x" });
    assert!(serde_json::from_value::<Lineage>(planned).is_err());
    let way = relative(Path::new("/etc/le/live/x"), Path::new("/etc/le/archive/x"));
    assert_eq!(way, Path::new("../../archive/x"));
    assert_eq!(
        resolved(Path::new("/etc/le/live/x/a.pem"), &way.join("a1.pem")),
        Path::new("/etc/le/archive/x/a1.pem")
    );
    assert_eq!(Piece::of_archived("fullchain12.pem"), Some((Piece::Fullchain, 12)));
    assert_eq!(["cert.pem", "cert1.pem.new", "other1.pem"].map(Piece::of_archived), [None, None, None]);
}

#[test]
fn a_chain_is_split_after_its_first_certificate() {
    let block = |text: &str| format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
    let (one, two, three) = (block("one"), block("two"), block("three"));
    let key = "-----BEGIN PRIVATE KEY-----\nkey\n-----END PRIVATE KEY-----\n";
    assert_eq!(split_chain(&format!("{one}{two}{three}")), (one.clone(), format!("{two}{three}")));
    assert_eq!(split_chain(&format!("words\n{key}{one}\nwords\n{two}{key}")), (one.clone(), two.clone()));
    assert_eq!(split_chain(&format!("{one}{two}").replace('\n', "\r\n")), (one.clone(), two));
    assert_eq!(split_chain(&one), (one.clone(), String::new()));
    assert_eq!(split_chain("nothing"), (String::new(), String::new()));
}
