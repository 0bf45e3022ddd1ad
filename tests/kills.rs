//! vsa killed at any instant of an apply: the sites answer from one generation, nothing is orphaned, and the next
//! apply finishes the work.

use std::collections::BTreeSet;
use std::fs;
use std::process::Child;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::processes::{self, wait_until};
use crate::support::{Random, Request, Workspace, count, fetch, in_both_modes};

/// The phases by the names that a pause knows them by.
const PHASES: [&str; 4] = ["preflight", "prepare", "switch", "clean_up"];

in_both_modes![a_run_killed_at_any_instant_is_finished_by_the_next];

/// Many redirects that name a version, and a tenant that comes and goes with it, so that every phase has work.
fn write(workspace: &Workspace, sites: u32, version: u32) {
    let mut text = format!("tenant \"acme\" {{}}\ntenant \"guest-{version}\" {{}}\n");
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

/// Starts an apply that stops itself at an instant. `None` where it ended before.
pub fn stopped_at(workspace: &Workspace, instant: &str) -> Option<Child> {
    let mut command = workspace.command(["apply", "-auto-approve"]);
    let null = std::process::Stdio::null;
    let mut child = command.env("VSA_PAUSE", instant).stdout(null()).stderr(null()).spawn().unwrap();
    let pid = i32::try_from(child.id()).unwrap();
    let mut ended = None;
    let decided = wait_until(Duration::from_mins(1), || {
        ended = child.try_wait().unwrap();
        ended.is_some() || processes::stopped(pid)
    });
    assert!(decided, "the apply neither stopped at {instant} nor ended");
    if let Some(status) = ended {
        assert!(status.success(), "the apply that should have stopped at {instant} failed");
        return None;
    }
    Some(child)
}

/// Beside an apply that is under way nothing can be planned; of one that was killed, the rest is.
#[test]
fn a_plan_beside_a_running_apply_does_not_call_it_interrupted() {
    let Some(workspace) = Workspace::managed() else { return };
    workspace.write_node("");
    write(&workspace, 1, 0);
    drop(workspace.apply());
    write(&workspace, 1, 1);
    let mut child = stopped_at(&workspace, "phase:switch:1").unwrap();
    let plan = workspace.vsa(["plan", "-detailed-exitcode"]).code(3).says("an apply is under way");
    assert!(!plan.stderr.contains("interrupted") && plan.stdout.is_empty(), "{plan}");
    drop(plan.says("vsa apply"));
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGKILL).unwrap();
    child.wait().unwrap();
    drop(workspace.vsa(["plan", "-detailed-exitcode"]).code(2).says("interrupted"));
}

/// Kills an apply of the next version at this instant, looks at what is left, and finishes it. Says whether the
/// instant exists.
fn survives(workspace: &mut Workspace, sites: u32, version: &mut u32, instant: &str) -> bool {
    let old = *version;
    let new = old + 1;
    write(workspace, sites, new);
    *version = new;
    let Some(mut child) = stopped_at(workspace, instant) else { return false };
    // It is alive, and stopped where it was told to: `SIGKILL` finds it there.
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGKILL).unwrap();
    child.wait().unwrap();
    let settled = wait_until(Duration::from_secs(10), || {
        let found = versions(workspace, sites);
        assert!(found.is_subset(&(&expected(old) | &expected(new))), "{found:?} after a kill at {instant}");
        found.len() == 1
    });
    assert!(settled, "two generations answer after a kill at {instant}");
    drop(workspace.apply());
    assert_eq!(versions(workspace, sites), expected(new), "after a kill at {instant}");
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

fn a_run_killed_at_any_instant_is_finished_by_the_next(workspace: &mut Workspace) {
    let sites = count(20, 200);
    let mut random = Random::from_environment();
    workspace.write_node("");
    let mut version = 0;
    write(workspace, sites, version);
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
    // Right before and right after every change of the outside world, or of a few of them.
    let step = usize::try_from(count(13, 1)).unwrap();
    for side in ["before", "after"] {
        let start = 1 + usize::try_from(random.below(step as u64)).unwrap();
        for instant in (start..).step_by(step) {
            if !survives(workspace, sites, &mut version, &format!("{side}:{instant}")) {
                break;
            }
        }
    }
}
