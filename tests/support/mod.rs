//! What the tests share: a hermetic workspace around the real binary, clients, loads, backends, and judges.

pub mod authority;
pub mod backend;
pub mod canary;
pub mod certbot;
pub mod client;
pub mod container;
pub mod counting;
pub mod docker;
pub mod fake_dns;
pub mod faulty;
pub mod foreign;
pub mod guide;
pub mod images;
pub mod judges;
pub mod load;
pub mod named;
pub mod node;
pub mod pebble;
pub mod ports;
pub mod private_ca;
pub mod processes;
pub mod random;
pub mod recorded;
pub mod registry;
pub mod run;
pub mod service;
pub mod sslyze;
pub mod stand_ins;
pub mod system;
pub mod testssl;
pub mod workspace;

pub use authority::Authority;
pub use backend::Backend;
pub use certbot::Certbot;
pub use client::{Request, Response, fetch, presented};
pub use container::Container;
pub use docker::Engine;
pub use fake_dns::FakeDns;
pub use foreign::Foreign;
pub use load::{Connections, Load};
pub use pebble::Pebble;
pub use random::Random;
pub use run::Run;
pub use system::System;
pub use workspace::Workspace;

use std::path::PathBuf;

/// Makes three tests of each function: one on an nginx of vsa's own, one on the system's, with Debian's files, running,
/// and one on an nginx in a container.
macro_rules! in_every_mode {
    ($($name:ident),+ $(,)?) => {
        mod managed {
            $(#[test] fn $name() {
                if let Some(mut workspace) = $crate::support::Workspace::managed() {
                    super::$name(&mut workspace);
                }
            })+
        }
        mod host {
            $(#[test] fn $name() {
                if let Some(mut workspace) = $crate::support::Workspace::on_host() {
                    workspace.system().unwrap().start_nginx();
                    super::$name(&mut workspace);
                }
            })+
        }
        mod container {
            $(#[test] fn $name() {
                if let Some(mut workspace) = $crate::support::Workspace::in_container() {
                    super::$name(&mut workspace);
                }
            })+
        }
    };
}
pub(crate) use in_every_mode;

/// Whether the long counts are asked for: `make soak`.
pub fn soaking() -> bool {
    std::env::var_os("VSA_SOAK").is_some_and(|value| value == "1")
}

/// `small` by default, `full` under `make soak`.
pub fn count(small: u32, full: u32) -> u32 {
    if soaking() { full } else { small }
}

/// The nginx program, or `None` with a line that says the test is skipped.
pub fn nginx() -> Option<PathBuf> {
    let found = ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx"].map(PathBuf::from);
    let found = found.into_iter().find(|path| path.exists());
    if found.is_none() {
        skipped("nginx is not installed; run `make setup`");
    }
    found
}

/// Whether the test runs as root; says that the test is skipped where not.
pub fn root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        skipped("needs root");
    }
    root
}

/// Says that a test is skipped, and why. Where `CI` says that nobody reads that, it is a failure: what is missing is
/// something that the machine has to give.
pub fn skipped(why: &str) {
    skip(why, std::env::var_os("CI").is_some_and(|value| value == "true"));
}

fn skip(why: &str, fails: bool) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    assert!(!fails, "{test} cannot run: {why}");
    eprintln!("skipped: {test}: {why}");
}

/// Says that a test is skipped for want of something that not every machine can have, and why.
pub fn unavailable(why: &str) {
    skip(why, false);
}

/// Lets nginx's workers, which run as another user, enter a test's directory.
pub fn open_to_all(directory: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[cfg(test)]
mod tests {
    #[test]
    fn where_nobody_looks_a_skipped_test_fails() {
        super::skip("it is not installed", false);
        assert!(std::panic::catch_unwind(|| super::skip("it is not installed", true)).is_err());
    }
}
