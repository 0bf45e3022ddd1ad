//! How plan and apply grow with the number of domains, against the stated limits and beside nginx's own test.
//!
//! `make bench` runs it with the binary as it is distributed. `VSA_BENCH_RUNS` (10), `VSA_BENCH_SIZES` (`100,1000,10000`)
//! and `VSA_BENCH_VARIANTS` (`plain,TLS,ACME`) make it shorter; limits
//! that need a size left away are not checked. Results go to `target/bench.json` too.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a program around the program: it starts it, measures it, and ends at the first surprise"
)]

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant, SystemTime};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rcgen::{CertificateParams, KeyPair};
use serde::{Deserialize, Serialize};

/// Nobody is there.
const AUTHORITY: &str = "https://127.0.0.1:9/directory";

/// The argument by which this program starts itself to measure one command.
const MEASURE: &str = "--measure-one-command";

/// One command, measured.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Sample {
    seconds: f64,
    /// Of the command or of what it started, whichever was larger.
    peak_megabytes: f64,
}

/// One row of the table.
#[derive(Debug, Serialize)]
struct Row {
    variant: &'static str,
    domains: usize,
    what: &'static str,
    #[serde(flatten)]
    median: Sample,
    samples: Vec<Sample>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Variant {
    Plain,
    Tls,
    /// With certificates that an authority has issued. They are there before the first apply, as on a node that was put back
    /// from a backup: nobody is asked, and all is looked at and laid out.
    Acme,
}

impl Variant {
    const ALL: [Self; 3] = [Self::Plain, Self::Tls, Self::Acme];

    fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Tls => "TLS",
            Self::Acme => "ACME",
        }
    }

    /// A domain with TLS brings a certificate along, which is a resource as well: a limit is so much for each 10,000.
    fn resources_of_a_domain(self) -> f64 {
        match self {
            Self::Plain => 1.0,
            Self::Tls | Self::Acme => 2.0,
        }
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(position) = arguments.iter().position(|argument| argument == MEASURE) {
        return measure_one(&arguments[position + 1..]);
    }
    let setting = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let runs: usize = setting("VSA_BENCH_RUNS", "10").parse().unwrap();
    let sizes = setting("VSA_BENCH_SIZES", "100,1000,10000");
    let sizes: Vec<usize> = sizes.split(',').map(|size| size.parse().unwrap()).collect();
    let variants = setting("VSA_BENCH_VARIANTS", "plain,TLS,ACME");
    let is_meant = |variant: &Variant| variants.split(',').any(|name| name == variant.name());
    let mut rows = Vec::new();
    println!("{:<8}{:>8}  {:<22}{:>10}{:>10}{:>10}", "variant", "domains", "what", "seconds", "MB", "growth");
    for variant in Variant::ALL.into_iter().filter(is_meant) {
        for domains in &sizes {
            let tree = Tree::new(variant, *domains);
            for row in tree.measure(runs) {
                let smaller = |other: &&Row| {
                    (other.variant, other.what, other.domains * 10) == (row.variant, row.what, row.domains)
                };
                let growth = rows.iter().find(smaller).map_or_else(String::new, |smaller: &Row| {
                    format!("{:.1} x", row.median.seconds / smaller.median.seconds)
                });
                println!(
                    "{:<8}{:>8}  {:<22}{:>10.3}{:>10.1}{growth:>10}",
                    row.variant, row.domains, row.what, row.median.seconds, row.median.peak_megabytes
                );
                rows.push(row);
            }
        }
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench.json");
    fs::write(&file, serde_json::to_string_pretty(&rows).unwrap()).unwrap();
    println!("\nwritten to {}", file.display());
    let broken = broken_limits(&rows);
    for limit in &broken {
        eprintln!("limit broken: {limit}");
    }
    if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The limits that these rows break, each with its numbers.
fn broken_limits(rows: &[Row]) -> Vec<String> {
    let median = |variant: Variant, domains: usize, what: &str| {
        let row = |row: &&Row| (row.variant, row.domains, row.what) == (variant.name(), domains, what);
        rows.iter().find(row).map(|row| row.median)
    };
    let mut broken = Vec::new();
    let mut check = |what: String, found: f64, limit: f64| {
        if found > limit {
            broken.push(format!("{what}: {found:.3}, at most {limit:.3}"));
        }
    };
    for variant in Variant::ALL {
        if let Some(plan) = median(variant, 10_000, "no-op plan") {
            let of = format!("no-op plan of 10,000 {} domains", variant.name());
            let tens_of_thousands = variant.resources_of_a_domain();
            check(format!("{of}, seconds"), plan.seconds, 0.5 * tens_of_thousands);
            check(format!("{of}, megabytes"), plan.peak_megabytes, 300.0 * tens_of_thousands);
            if let Some(smaller) = median(variant, 1_000, "no-op plan") {
                check(format!("{of}, times that of 1,000"), plan.seconds / smaller.seconds, 12.0);
            }
        }
    }
    let one = median(Variant::Plain, 10_000, "apply of one change");
    let own = median(Variant::Plain, 10_000, "nginx -t");
    if let (Some(one), Some(own)) = (one, own) {
        let times = one.seconds / own.seconds;
        check("apply of one change in 10,000 plain domains, times nginx's own test".to_owned(), times, 2.0);
    }
    broken
}

/// A configuration of so many domains, and the nginx that serves it.
struct Tree {
    directory: tempfile::TempDir,
    variant: Variant,
    domains: usize,
}

impl Tree {
    fn new(variant: Variant, domains: usize) -> Self {
        let directory = tempfile::Builder::new().prefix("vsa-bench-").tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let tree = Self { directory, variant, domains };
        let proxy = format!("http_port = {}\n    https_port = {}", free_port(), free_port());
        let acme = match variant {
            Variant::Plain | Variant::Tls => String::new(),
            Variant::Acme => format!("\n\n  acme {{\n    directory = \"{AUTHORITY}\"\n  }}"),
        };
        let node =
            format!("node \"local\" {{\n  proxy {{\n    {proxy}\n  }}{acme}\n}}\n\ntenant \"acme\" {{}}\n");
        fs::write(tree.path().join("main.hcl"), node).unwrap();
        // As teams keep them: files of a hundred sites or so.
        for file in 0..domains.div_ceil(100) {
            let sites =
                (file * 100..domains.min(file * 100 + 100)).fold(String::new(), |mut text, number| {
                    text.push_str(&tree.domain(number, 60));
                    text
                });
            fs::write(tree.path().join(format!("sites-{file:03}.hcl")), sites).unwrap();
        }
        tree
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn domain(&self, number: usize, timeout: usize) -> String {
        let tls = match self.variant {
            Variant::Plain => "\n  tls {\n    enabled = false\n  }\n",
            Variant::Tls | Variant::Acme => "",
        };
        let mut text = String::new();
        write!(
            text,
            "domain \"site-{number}.example.com\" {{\n  tenant = tenant.acme\n\n  upstream {{\n    address = \
             \"127.0.0.1:{}\"\n  }}\n\n  timeouts {{\n    read = \"{timeout}s\"\n  }}\n{tls}}}\n\n",
            9_000 + number % 1_000
        )
        .unwrap();
        text
    }

    /// Changes one domain.
    fn change(&self, run: usize) {
        let rest = (1..self.domains.min(100)).map(|number| self.domain(number, 60));
        let text: String = std::iter::once(self.domain(0, 61 + run)).chain(rest).collect();
        fs::write(self.path().join("sites-000.hcl"), text).unwrap();
    }

    fn vsa(&self, arguments: &[&str]) -> Sample {
        let mut command =
            vec![env!("CARGO_BIN_EXE_vsa").to_owned(), format!("-chdir={}", self.path().display())];
        command.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        measure(&command)
    }

    fn measure(&self, runs: usize) -> Vec<Row> {
        let row = |what, samples: Vec<Sample>| Row {
            variant: self.variant.name(),
            domains: self.domains,
            what,
            median: median(&samples),
            samples,
        };
        let first_plan = (0..runs).map(|_| self.vsa(&["plan"])).collect();
        // To have the certificates there takes longer than what is measured.
        let runs_of_all = if self.variant == Variant::Acme { 1 } else { runs };
        let apply_all = (0..runs_of_all).map(|_| {
            self.begin();
            self.vsa(&["apply", "-auto-approve"])
        });
        let apply_all = apply_all.collect();
        let no_op = (0..runs).map(|_| self.vsa(&["plan", "-detailed-exitcode"])).collect();
        let one_change = (0..runs).map(|run| {
            self.change(run);
            self.vsa(&["apply", "-auto-approve"])
        });
        let one_change = one_change.collect();
        // As vsa itself tests it: the generation is nginx's prefix.
        let live = self.path().join(".vsa/nodes/local/current/").to_string_lossy().into_owned();
        let test = ["nginx", "-t", "-q", "-e", "stderr", "-p", &live, "-c", "nginx.conf"].map(str::to_owned);
        let nginx = (0..runs).map(|_| measure(&test)).collect();
        let destroy = (0..runs_of_all).map(|run| {
            if run > 0 {
                self.begin();
                self.vsa(&["apply", "-auto-approve"]);
            }
            self.vsa(&["destroy", "-auto-approve"])
        });
        let destroy = destroy.collect();
        vec![
            row("full first plan", first_plan),
            row("apply of all", apply_all),
            row("no-op plan", no_op),
            row("apply of one change", one_change),
            row("nginx -t", nginx),
            row("destroy of all", destroy),
        ]
    }

    /// Forgets everything that was applied, and has there what the variant finds.
    fn begin(&self) {
        self.forget();
        if self.variant != Variant::Acme {
            return;
        }
        let sites: Vec<_> = (0..self.domains.div_ceil(100))
            .map(|file| self.path().join(format!("sites-{file:03}.hcl")))
            .map(|file| (file.with_extension("off"), file))
            .collect();
        for (off, on) in &sites {
            fs::rename(on, off).unwrap();
        }
        self.vsa(&["apply", "-auto-approve"]);
        for (off, on) in &sites {
            fs::rename(off, on).unwrap();
        }
        let key = KeyPair::generate().unwrap();
        let top = self.path().join(".vsa/nodes/local/certificates");
        fs::DirBuilder::new().mode(0o700).create(&top).unwrap();
        for name in (0..self.domains).map(|number| format!("site-{number}.example.com")) {
            let issue = top.join(&name).join("1");
            fs::create_dir_all(&issue).unwrap();
            let mut params = CertificateParams::new([name.clone()]).unwrap();
            params.not_before = (SystemTime::now() - Duration::from_hours(1)).into();
            params.not_after = (SystemTime::now() + Duration::from_hours(90 * 24)).into();
            fs::write(issue.join("fullchain.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
            let mut file = fs::OpenOptions::new();
            let mut file =
                file.create_new(true).write(true).mode(0o600).open(issue.join("privkey.pem")).unwrap();
            file.write_all(key.serialize_pem().as_bytes()).unwrap();
            let request = format!("node.local acme {AUTHORITY} ecdsa-p256 - {name}");
            fs::write(issue.join("request"), request).unwrap();
        }
    }

    /// Stops nginx and forgets everything that was applied.
    fn forget(&self) {
        self.stop();
        for directory in [".vsa", "state"] {
            let path = self.path().join(directory);
            if path.exists() {
                fs::remove_dir_all(path).unwrap();
            }
        }
    }

    /// Ends the nginx whose title names a file below the tree.
    fn stop(&self) {
        let ours = self.path().to_string_lossy().into_owned();
        let masters = || {
            let entries = fs::read_dir("/proc").unwrap().flatten();
            let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
            let of_it = |pid: &i32| {
                let title = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                let title = String::from_utf8_lossy(&title).into_owned();
                title.starts_with("nginx: master process") && title.contains(&ours)
            };
            pids.filter(of_it).collect::<Vec<_>>()
        };
        for pid in masters() {
            // One that has gone meanwhile is what is wanted.
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        while !masters().is_empty() {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A port below the range of outgoing connections on which nobody listens.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(18_000);
    loop {
        let port = NEXT.fetch_add(1, Ordering::Relaxed);
        if TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() {
            return port;
        }
    }
}

fn median(samples: &[Sample]) -> Sample {
    let middle = |of: fn(&Sample) -> f64| {
        let mut values: Vec<f64> = samples.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        let half = values.len() / 2;
        if values.len() % 2 == 1 { values[half] } else { f64::midpoint(values[half - 1], values[half]) }
    };
    Sample {
        seconds: middle(|sample| sample.seconds),
        peak_megabytes: middle(|sample| sample.peak_megabytes),
    }
}

/// Measures a command in a process of its own, so that the peak memory is this command's and nothing else's.
fn measure(command: &[String]) -> Sample {
    let itself: PathBuf = std::env::current_exe().unwrap();
    let output = Command::new(itself).arg(MEASURE).args(command).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{command:?} failed");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn measure_one(command: &[String]) -> ExitCode {
    let start = Instant::now();
    let output = Command::new(&command[0]).args(&command[1..]).stdin(Stdio::null()).output().unwrap();
    let seconds = start.elapsed().as_secs_f64();
    if !output.status.success() {
        eprint!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        return ExitCode::FAILURE;
    }
    let kilobytes = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss();
    #[expect(clippy::cast_precision_loss, reason = "memory sizes are far below 2^52 kilobytes")]
    let sample = Sample { seconds, peak_megabytes: kilobytes as f64 / 1024.0 };
    println!("{}", serde_json::to_string(&sample).unwrap());
    ExitCode::SUCCESS
}
