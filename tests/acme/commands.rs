//! What `vsa cert` prints, of certificates from a real authority.

use std::fs;

use super::imports::Imports;
use super::issuing::{node, site};
use crate::support::pebble::Options;
use crate::support::{Pebble, Workspace};

const NAME: &str = "shop.example.com";

#[test]
fn status_says_what_is_served_and_what_has_failed() {
    let Some(ground) = Workspace::managed() else { return };
    let blocked = vec!["bad.example.com".to_owned()];
    let Some(pebble) = Pebble::start(&Options { blocked, ..Options::new(ground.http_port()) }) else {
        return;
    };
    let _ =
        ground.vsa(["cert", "status", "-nagios"]).code(3).says("CERTIFICATES UNKNOWN - there is no state");
    ground.write("main.hcl", node(&ground, &pebble, "") + &site(&ground, NAME, ""));
    ground.apply();
    let status = ground.vsa(["cert", "status"]).code(0);
    let mut lines = status.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    assert_eq!(lines.next().unwrap(), ["NAME", "ISSUER", "DAYS", "LEFT", "RENEWAL", "SOURCE", "SERVED"]);
    let row = lines.next().unwrap();
    assert_eq!((row[0], row[row.len() - 2], row[row.len() - 1]), (NAME, "acme", "yes"));
    let json = ground.vsa(["cert", "status", "-json"]).code(0).json();
    assert_eq!(
        (&json[0]["name"], &json[0]["served"], &json[0]["failed"]),
        (&NAME.into(), &true.into(), &serde_json::Value::Null)
    );
    assert!(json[0]["days_left"].as_i64().unwrap() > 100, "{json}");
    let _ = ground
        .vsa(["cert", "status", "-nagios"])
        .code(0)
        .says("CERTIFICATES OK - 1 in order")
        .says(&format!("'{NAME}'="));

    let shown = ground.vsa(["cert", "show", NAME]).code(0);
    let key = fs::read_to_string(ground.node_root().join(format!("live/{NAME}/privkey.pem"))).unwrap();
    let _ = shown.says("key type    ecdsa-p256").says("served      yes").says("order       https://");
    for line in key.lines() {
        assert!(!ground.vsa(["cert", "show", NAME, "-json"]).stdout.contains(line));
    }
    let _ = ground.vsa(["cert", "show", "shop.example.co"]).code(1).says("did you mean `shop.example.com`?");

    let both = site(&ground, NAME, "") + &site(&ground, "bad.example.com", "");
    ground.write("main.hcl", node(&ground, &pebble, "") + &both);
    let _ = ground.vsa(["apply", "-auto-approve"]).code(5);
    ground.apply();
    let _ = ground
        .vsa(["cert", "status"])
        .code(1)
        .says("stand-in")
        .says("bad.example.com failed once")
        .says("tries it again from");
    let _ = ground
        .vsa(["cert", "status", "-nagios"])
        .code(1)
        .says("CERTIFICATES WARNING - bad.example.com could not be issued");
}

#[test]
fn lineages_are_listed_written_into_the_configuration_and_applied() {
    let Some(imports) = Imports::new() else { return };
    let Imports { ground, pebble, .. } = &imports;
    imports.configure("");
    let home = imports.home().display().to_string();
    let orders = pebble.orders();
    let _ =
        ground.vsa(["cert", "import", "-from", &home, "-list"]).code(0).says(NAME).says("renewed by certbot");
    assert!(!ground.configuration().join("certificates.hcl").exists());
    let _ = ground
        .vsa(["cert", "import", "-from", &home, "-auto-approve", "shop.example"])
        .code(1)
        .says("there is no lineage");
    let _ = ground
        .vsa(["cert", "import", "-from", &home, "-auto-approve"])
        .code(0)
        .says("switch off certbot's renewal");
    assert_eq!(
        ground.read("certificates.hcl"),
        format!(
            "certificate \"{NAME}\" {{\n  names   = [\"{NAME}\", \"www.{NAME}\"]\n  certbot = \"{home}\"\n}}\n"
        )
    );
    assert_eq!(pebble.orders(), orders);
    ground.apply();
    let _ = ground.vsa(["cert", "status"]).code(0).says("certbot");
    assert_eq!(pebble.orders(), orders);
    ground.assert_nothing_to_do();
}

#[test]
fn a_timer_is_written_once_and_cron_where_systemd_does_not_run() {
    let mut ground = Workspace::new();
    let root = ground.path().join("root");
    fs::create_dir_all(root.join("run/systemd/system")).unwrap();
    ground.env("VSA_ROOT", &root);
    ground.write("main.hcl", "tenant \"acme\" {}\n");
    let printed = ground.vsa(["cert", "install-timer", "-print"]).code(0);
    let _ = printed
        .says("RandomizedDelaySec=50min")
        .says("Persistent=true")
        .says("\" cert renew -lock-timeout=10m");
    assert!(!root.join("etc").exists());
    let _ = ground.vsa(["cert", "install-timer"]).code(0).says("wrote").says("systemctl enable --now vsa-");
    let files = |directory: &str| {
        let mut names: Vec<_> = fs::read_dir(root.join(directory))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    let units = files("etc/systemd/system");
    assert!(units.len() == 2 && units[1] == units[0].replace(".service", ".timer"), "{units:?}");
    let _ = ground.vsa(["cert", "install-timer"]).code(0).says("is up to date");
    let _ = ground.vsa(["cert", "install-cron"]).code(0).says("wrote");
    let cron = files("etc/cron.d");
    assert!(cron.len() == 1 && !cron[0].contains('.'), "{cron:?}");
    let table = fs::read_to_string(root.join("etc/cron.d").join(&cron[0])).unwrap();
    let line = table.lines().last().unwrap();
    let minute: u32 = line.split(' ').next().unwrap().parse().unwrap();
    assert!(
        minute < 60
            && line.contains(" * * * * root told=$('")
            && line.ends_with("cert renew -lock-timeout=10m 2>&1) || printf '\\%s\\n' \"$told\""),
        "{line}"
    );
    // One of them is enough.
    assert_eq!(files("etc/systemd/system"), [""; 0]);
    let _ =
        ground.vsa(["cert", "install-timer"]).code(0).says("wrote").says("removed /").says("/etc/cron.d/");
    assert_eq!((files("etc/systemd/system"), files("etc/cron.d")), (units.clone(), Vec::new()));
    let again = ground.vsa(["cert", "install-cron"]).code(0).says(&units[0]).says(&units[1]);
    assert_eq!(again.stdout.matches("removed /").count(), 2, "{again}");
    fs::remove_dir_all(root.join("run")).unwrap();
    let _ =
        ground.vsa(["cert", "install-timer"]).code(0).says("systemd does not run here").says("is up to date");
}

#[test]
fn a_timer_has_the_variables_that_files_give_and_says_what_it_has_not() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut ground = Workspace::new();
    let root = ground.path().join("root");
    fs::create_dir_all(root.join("run/systemd/system")).unwrap();
    ground.env("VSA_ROOT", &root).env("VSA_VAR_token", "hunter2");
    ground.write("main.hcl", "tenant \"acme\" {}\nvariable \"token\" {\n  sensitive = true\n}\n");
    let refused = ground.vsa(["cert", "install-timer", "-var", "token=hunter2"]).code(1);
    let _ = refused.says("the timer takes no `-var`").says("list of processes");
    let _ = ground.vsa(["cert", "install-timer", "-var-file", "none"]).code(1).says("there is no file `");
    let _ = ground.vsa(["cert", "install-timer"]).code(0).says("`VSA_VAR_token` is set here, and not where");
    ground.write("secrets.env", "VSA_VAR_token=hunter2\n").write("more.vsavars.hcl", "");
    let secrets = ground.configuration().join("secrets.env");
    fs::set_permissions(&secrets, fs::Permissions::from_mode(0o644)).unwrap();
    let given =
        ["cert", "install-timer", "-environment-file", "secrets.env", "-var-file", "more.vsavars.hcl"];
    let _ = ground.vsa(given).code(1).says("may be read by others").says("chmod 600");
    fs::set_permissions(&secrets, fs::Permissions::from_mode(0o600)).unwrap();
    let again = ground.vsa(given).code(0).says("changed /").says(".service").says("is up to date: /");
    assert!(!again.stderr.contains("VSA_VAR_token"), "{again}");
    let units = root.join("etc/systemd/system");
    let unit = fs::read_dir(&units).unwrap().map(|entry| entry.unwrap().path());
    let unit = unit.into_iter().find(|path| path.extension().is_some_and(|end| end == "service")).unwrap();
    let text = fs::read_to_string(&unit).unwrap();
    let directory = ground.configuration().canonicalize().unwrap().display().to_string();
    for line in [
        format!("WorkingDirectory={directory}"),
        format!("EnvironmentFile={directory}/secrets.env"),
        "TimeoutStartSec=4h".to_owned(),
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
    assert!(
        text.contains(&format!("cert renew -lock-timeout=10m -var-file \"{directory}/more.vsavars.hcl\"\n")),
        "{text}"
    );
    assert!(!text.contains("hunter2"));
    // As systemd itself reads it, where it is at hand.
    if let Ok(output) =
        std::process::Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&unit).output()
    {
        let told = String::from_utf8_lossy(&output.stderr);
        let ours = told.lines().filter(|line| line.contains("vsa-"));
        assert_eq!(ours.count(), 0, "{told}");
    }
    let cron = ground.vsa(["cert", "install-cron", "-environment-file", "secrets.env"]).code(1);
    let _ = cron.says("cron reads no file with an environment");
    let _ = ground.vsa(["cert", "install-cron", "-var-file", "more.vsavars.hcl"]).code(0).says("wrote");
}
