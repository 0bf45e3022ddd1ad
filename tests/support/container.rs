//! A container for a node's nginx, such as somebody runs who does not take the shipped stack: it waits for its first
//! generation, and the sites are reached from its own network.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::docker::Engine;
use super::images;

/// What the container runs: nginx, once there is a generation.
const WAITS: &str = r#"
trap 'exit 0' TERM QUIT INT
until [ -e "$0/current/nginx.conf" ]; do sleep 0.1; done
trap - TERM QUIT INT
exec nginx -p "$0/current/" -c "$0/current/nginx.conf" -g "daemon off;"
"#;

/// The container; it ends, with its nginx, when this is dropped.
pub struct Container {
    /// The engine that runs it.
    pub engine: Engine,
    /// Its name.
    pub name: String,
    image: String,
    /// A directory that it sees, and inside that the node's.
    sees: PathBuf,
    root: PathBuf,
}

impl Container {
    /// One that sees a directory, and the node's inside that. `None` where there is no root, no Docker or no nginx, with a
    /// line that says so.
    pub fn new(name: String, sees: &Path, root: PathBuf) -> Option<Self> {
        let engine = Engine::shared()?;
        let image = images::nginx(&engine)?;
        let this = Self { engine, name, image, sees: sees.to_owned(), root };
        this.start(&this.mounts());
        Some(this)
    }

    /// What it sees: all that nginx reads, and what it may write to.
    pub fn mounts(&self) -> Vec<String> {
        let mount = |path: PathBuf, access: &str| format!("{0}:{0}{access}", path.display());
        let writable = ["run", "logs"].map(|name| mount(self.root.join(name), ""));
        [mount(self.sees.clone(), ":ro")].into_iter().chain(writable).collect()
    }

    /// Starts it with these mounts, in the place of the one before.
    pub fn start(&self, mounts: &[String]) {
        self.start_as(&self.image, mounts, &[]);
    }

    /// Starts it from this image, with these mounts and options, in the place of the one before.
    pub fn start_as(&self, image: &str, mounts: &[String], options: &[&str]) {
        self.remove();
        for name in ["run", "logs"] {
            fs::create_dir_all(self.root.join(name)).unwrap();
        }
        let root = self.root.to_string_lossy();
        let mut arguments = vec!["run", "--detach", "--name", &self.name, "--read-only", "--tmpfs", "/tmp"];
        arguments.extend(mounts.iter().flat_map(|mount| ["--volume", mount.as_str()]));
        arguments.extend(options);
        arguments.extend(["--entrypoint", "/bin/sh", image, "-c", WAITS, &root]);
        self.engine.ask(&arguments);
    }

    /// Removes it.
    pub fn remove(&self) {
        let _ = self.engine.docker(&["rm", "--force", "--volumes", &self.name]).status();
    }

    /// Runs `work` in its network.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        super::system::in_network(self.network(), work)
    }

    fn network(&self) -> File {
        self.engine.network_of(&self.name)
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.remove();
    }
}
