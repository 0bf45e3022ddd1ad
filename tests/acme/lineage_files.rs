//! What stands in the files of lineages: certificates, chains, and certbot's configuration.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;
use vsa::host::first_certificate;
use vsa::plan::issuance::lineage::{relative, resolved, split_chain};
use vsa::plan::issuance::renewal::{switched_off, switched_on};
use vsa::plan::issuance::{Lineage, Piece, Renewal};

use super::lineage_ground::{NAME, certbot};

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
        hooks: [("pre_hook", "echo a, b"), ("post_hook", "first\nautorenew = True\n[webroot]")]
            .map(|(key, command)| (key, command.to_owned()))
            .into(),
        must_staple: false,
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
