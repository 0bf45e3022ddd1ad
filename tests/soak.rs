//! `make soak` runs every test that is longer there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use regex::Regex;

fn text(path: impl AsRef<Path>) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Whether any file of a module asks for its full counts.
fn soaks(path: &Path) -> bool {
    if path.is_dir() {
        return fs::read_dir(path).unwrap().any(|entry| soaks(&entry.unwrap().path()));
    }
    let asks = Regex::new(r"(?:^|[^.\w])(?:support::)?(?:count\(\d|soaking\(\))").unwrap();
    asks.is_match(&fs::read_to_string(path).unwrap())
}

#[test]
fn every_test_with_a_full_count_is_part_of_it() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let modules = fs::read_dir(tests).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let long: BTreeSet<String> =
        modules.filter(|path| soaks(path)).map(|path| name(&path)).filter(|name| name != "support").collect();
    assert!(long.contains("kills") && long.contains("continuity"), "{long:?}");
    let profile = text(".config/nextest.toml");
    let filter = Regex::new(r"default-filter = .*\^\(([a-z_|]+)\)::").unwrap();
    let run: BTreeSet<String> = filter.captures(&profile).unwrap()[1].split('|').map(str::to_owned).collect();
    assert!(long.is_subset(&run), "{long:?} are longer under `make soak`, which runs {run:?}");
    for scale in ["large_nodes", "linted"] {
        assert!(run.contains(scale), "{run:?}");
    }
    // Without nextest the same modules are named one by one.
    let script = text("scripts/test");
    for module in run {
        assert!(script.contains(&format!(" {module}::")), "scripts/test does not name {module}");
    }
}
