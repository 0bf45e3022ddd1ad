//! vsa killed at any instant of an apply: the sites answer from one generation, nothing is orphaned, and the next
//! apply finishes the work.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::processes::wait_until;
use crate::support::{Random, Request, Workspace, count, fetch, in_every_mode};

/// The phases by the names that a pause knows them by.
const PHASES: [&str; 4] = ["preflight", "prepare", "switch", "clean_up"];

in_every_mode![a_run_killed_at_any_instant_is_finished_by_the_next];

/// Many redirects that name a version, and a tenant, a user and a certificate that come and go with it, so that every phase
/// has work. The certificate is another one in each attempt too.
fn write(workspace: &Workspace, sites: u32, version: u32, attempt: u32) {
    let mut text = format!("tenant \"acme\" {{}}\ntenant \"guest-{version}\" {{}}\n");
    text.push_str(&protected(version, attempt));
    for site in 0..sites {
        let tenant = if site == 0 { format!("guest-{version}") } else { "acme".to_owned() };
        text.push_str(&domain(site, &tenant, version));
    }
    workspace.write("main.hcl", text);
}

fn domain(site: u32, tenant: &str, version: u32) -> String {
    format!(
        "domain \"s{site}.example.com\" {{
  tenant = tenant.{tenant}
  redirect {{
    to            = \"https://v{version}.example.net/\"
    preserve_path = false
  }}
  tls {{
    enabled = false
  }}
  rate_limit {{
    enabled = false
  }}
}}
"
    )
}

/// A site behind TLS and a password.
fn protected(version: u32, attempt: u32) -> String {
    format!(
        "auth \"staff\" {{
  tenant = tenant.acme
  realm  = \"Staff\"
  cost   = 4
  user \"alice\" {{
    password = \"secret of {version}\"
  }}
}}
certificate \"protected.example.com\" {{
  issuer = \"self_signed\"
  days   = {}
}}
domain \"protected.example.com\" {{
  tenant = tenant.acme
  auth   = auth.staff
  redirect {{
    to = \"https://example.net/\"
  }}
}}
",
        100 + (2 * version + attempt) % 200
    )
}

/// The protected site asks for the password, and takes that of this version.
fn assert_protected(workspace: &Workspace, version: u32, instant: &str) {
    let request = Request::https(workspace.https_port(), "protected.example.com", "/");
    let status = |request: &Request| workspace.fetch(request).status;
    assert_eq!(status(&request), 401, "after a kill at {instant}");
    let known = request.password("alice", &format!("secret of {version}"));
    assert_eq!(status(&known), 301, "after a kill at {instant}");
}

/// The versions that the sites answer with.
fn versions(workspace: &Workspace, sites: u32) -> BTreeSet<String> {
    let port = workspace.http_port();
    workspace.within(|| {
        let answers = (0..sites).map(|site| {
            let request = Request::http(port, &format!("s{site}.example.com"), "/");
            let answer = fetch(&request).unwrap_or_else(|failure| panic!("{request:?}: {failure}"));
            answer.header("location").unwrap_or_else(|| panic!("{answer:?}")).to_owned()
        });
        answers.collect()
    })
}

fn expected(version: u32) -> BTreeSet<String> {
    BTreeSet::from([format!("https://v{version}.example.net/")])
}

/// Beside an apply that is under way nothing can be planned; of one that was killed, the rest is.
#[test]
fn a_plan_beside_a_running_apply_does_not_call_it_interrupted() {
    let Some(workspace) = Workspace::managed() else { return };
    workspace.write_node("");
    write(&workspace, 1, 0, 0);
    drop(workspace.apply());
    write(&workspace, 1, 1, 0);
    let mut child = workspace.stopped_at("phase:switch:1").unwrap();
    let plan = workspace.vsa(["plan", "-detailed-exitcode"]).code(3).says("an apply is under way");
    assert!(!plan.stderr.contains("interrupted") && plan.stdout.is_empty(), "{plan}");
    drop(plan.says("vsa apply"));
    child.kill().unwrap();
    child.wait().unwrap();
    drop(workspace.vsa(["plan", "-detailed-exitcode"]).code(2).says("interrupted"));
}

/// Kills an apply of the next version at this instant, looks at what is left, and finishes it. Says whether the
/// instant exists.
fn survives(workspace: &mut Workspace, sites: u32, version: &mut u32, instant: &str) -> bool {
    let old = *version;
    let new = old + 1;
    write(workspace, sites, new, 0);
    *version = new;
    let Some(mut child) = workspace.stopped_at(instant) else { return false };
    // It is alive, and stopped where it was told to: `SIGKILL` finds it there.
    child.kill().unwrap();
    child.wait().unwrap();
    let settled = wait_until(Duration::from_secs(10), || {
        let found = versions(workspace, sites);
        assert!(found.is_subset(&(&expected(old) | &expected(new))), "{found:?} after a kill at {instant}");
        found.len() == 1
    });
    assert!(settled, "two generations answer after a kill at {instant}");
    // What was asked for has changed meanwhile, so that nobody asks for what the killed run made.
    write(workspace, sites, new, 1);
    drop(workspace.apply());
    assert_eq!(versions(workspace, sites), expected(new), "after a kill at {instant}");
    assert_protected(workspace, new, instant);
    drop(workspace.assert_nothing_to_do());
    let orphans = orphans(workspace, new);
    assert!(orphans.is_empty(), "{orphans:?} are left of a kill at {instant}");
    true
}

/// What should not be there when all is done.
fn orphans(workspace: &Workspace, version: u32) -> Vec<String> {
    let names = |path: std::path::PathBuf| -> Vec<String> {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    };
    let mut left = Vec::new();
    let root = workspace.node_root();
    let known =
        ["acme", "certificates", "current", "generations", "lock", "logs", "owner.json", "run", "srv"];
    left.extend(names(root.clone()).into_iter().filter(|name| !known.contains(&name.as_str())));
    let live = workspace.live_generation();
    let generations = names(root.join("generations"));
    let kept = |name: &String| name.parse::<u64>().is_ok_and(|number| number <= live);
    // The live one and ten old ones, whatever their numbers: that of a killed run is not used again.
    if generations.len() > 11 || generations.iter().any(|name| !kept(name)) {
        left.extend(generations);
    }
    left.extend(unnamed_certificates(&root));
    let srv = match workspace.system() {
        Some(system) => system.path("/srv"),
        None => root.join("srv"),
    };
    let guest = format!("guest-{version}");
    left.extend(names(srv).into_iter().filter(|name| name.starts_with("guest-") && *name != guest));
    let data = workspace.configuration().join(".vsa");
    left.extend(names(data).into_iter().filter(|name| name == "journal.jsonl" || name.contains("tmp")));
    left
}

/// Issues of certificates that no generation names: keys that nobody would ever remove.
fn unnamed_certificates(root: &Path) -> Vec<String> {
    let below = |path: &Path| -> Vec<PathBuf> {
        fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    };
    let manifests = below(&root.join("generations"));
    let named = manifests.iter().map(|path| fs::read_to_string(path.join("manifest.json")).unwrap());
    let named = named.collect::<String>();
    let issues = below(&root.join("certificates")).into_iter().flat_map(|name| below(&name));
    let inside = |issue: &PathBuf| {
        format!("certificates/{}\"", issue.strip_prefix(root.join("certificates")).unwrap().display())
    };
    issues.filter(|issue| !named.contains(&inside(issue))).map(|issue| issue.display().to_string()).collect()
}

fn a_run_killed_at_any_instant_is_finished_by_the_next(workspace: &mut Workspace) {
    let sites = count(20, 200);
    let mut random = Random::from_environment();
    workspace.write_node("");
    let mut version = 0;
    write(workspace, sites, version, 0);
    drop(workspace.apply());
    assert_eq!(versions(workspace, sites), expected(version));

    // Seeded instants in each phase: how many there are shows when one is asked for that does not exist.
    for phase in PHASES {
        let mut instants = 64;
        let mut survived = 0;
        while survived < count(1, 13) {
            let instant = 1 + random.below(instants);
            if survives(workspace, sites, &mut version, &format!("phase:{phase}:{instant}")) {
                survived += 1;
            } else {
                assert!(instant > 1, "there is nothing to stop at in phase {phase}");
                instants = instant - 1;
            }
        }
    }
    // Right before and right after every change of the outside world, or of a few of them: fewer where each question to
    // nginx goes through an engine.
    let step = usize::try_from(count(if workspace.container().is_some() { 52 } else { 13 }, 1)).unwrap();
    for side in ["before", "after"] {
        let start = 1 + usize::try_from(random.below(step as u64)).unwrap();
        for instant in (start..).step_by(step) {
            if !survives(workspace, sites, &mut version, &format!("{side}:{instant}")) {
                break;
            }
        }
    }
}
