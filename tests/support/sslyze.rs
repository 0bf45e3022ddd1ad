//! sslyze: whether what a server offers by TLS is one of Mozilla's profiles.

use std::path::Path;
use std::process::Command;

use super::judges::tool;

/// What a server at a port of 127.0.0.1 has that Mozilla's intermediate profile has not, or lacks of it, each by its
/// check; roots of a PEM file are trusted. `None` where sslyze is not installed, with a line that says so.
pub fn sslyze(port: u16, name: &str, ca: &Path) -> Option<Vec<String>> {
    let run = Command::new(tool("sslyze")?)
        .args(["--mozilla_config", "intermediate", "--certinfo_ca_file"])
        .arg(ca)
        .arg(format!("{name}:{port}{{127.0.0.1}}"))
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&run.stdout);
    let judged = printed.split_once("COMPLIANCE AGAINST").unwrap_or_else(|| panic!("{printed}")).1;
    assert!(judged.contains("OK - Compliant") || judged.contains("FAILED - Not compliant"), "{printed}");
    let lacks = judged.lines().filter_map(|line| line.trim().strip_prefix("* "));
    Some(lacks.map(str::to_owned).collect())
}
