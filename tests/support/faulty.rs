//! Faults: a host on which something happens in the middle of a run, and a disk that can be full.

use std::fs::{self, File};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use vsa::host::{
    Command, DockerAnswer, DockerOperation, FileOperation, Host, HostError, Lock, Output, Signal,
};
use vsa::plan::{Answer, Query};

/// What a run is about to do.
#[derive(Debug)]
pub enum Deed<'a> {
    File(&'a FileOperation),
    Signal(Signal),
    Observe(&'a [Query]),
}

type Meddle = dyn Fn(&Deed<'_>) -> Result<(), HostError> + Send + Sync;

/// A host where `meddle` comes first: it may do something of its own, and it may refuse.
pub struct Faulty {
    host: Arc<dyn Host>,
    meddle: Box<Meddle>,
}

impl Faulty {
    pub fn around(
        host: Arc<dyn Host>,
        meddle: impl Fn(&Deed<'_>) -> Result<(), HostError> + Send + Sync + 'static,
    ) -> Arc<dyn Host> {
        Arc::new(Self { host, meddle: Box::new(meddle) })
    }
}

impl std::fmt::Debug for Faulty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Faulty")
    }
}

#[async_trait]
impl Host for Faulty {
    async fn observe(&self, queries: &[Query]) -> Vec<Answer> {
        // Questions are never refused.
        let _ = (self.meddle)(&Deed::Observe(queries));
        self.host.observe(queries).await
    }

    async fn files(&self, operations: Vec<FileOperation>) -> Result<(), HostError> {
        for operation in operations {
            (self.meddle)(&Deed::File(&operation))?;
            self.host.files(vec![operation]).await?;
        }
        Ok(())
    }

    async fn run(&self, command: Command) -> Result<Output, HostError> {
        self.host.run(command).await
    }

    async fn docker(&self, socket: &Path, operation: DockerOperation) -> Result<DockerAnswer, HostError> {
        self.host.docker(socket, operation).await
    }

    async fn signal(&self, process: u32, signal: Signal) -> Result<(), HostError> {
        (self.meddle)(&Deed::Signal(signal))?;
        self.host.signal(process, signal).await
    }

    async fn accepts(&self, address: SocketAddr) -> bool {
        self.host.accepts(address).await
    }

    async fn lock(&self, path: &Path) -> Result<Option<Box<dyn Lock>>, HostError> {
        self.host.lock(path).await
    }

    async fn now(&self) -> i64 {
        self.host.now().await
    }

    async fn sleep(&self, duration: Duration) {
        self.host.sleep(duration).await;
    }

    fn elapsed(&self) -> Duration {
        self.host.elapsed()
    }

    fn privileged(&self) -> bool {
        self.host.privileged()
    }
}

/// A small disk of its own over a directory, gone when dropped.
#[derive(Debug)]
pub struct Disk(PathBuf);

impl Disk {
    /// `None` where there is no root, with a line that says so.
    pub fn over(directory: &Path) -> Option<Self> {
        if !super::root() {
            return None;
        }
        fs::create_dir_all(directory).unwrap();
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        mount(Some("tmpfs"), directory, Some("tmpfs"), flags, Some("size=1m,mode=0755")).unwrap();
        Some(Self(directory.to_owned()))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Takes all that is free.
    pub fn fill(&self) {
        fill(&self.0);
    }

    /// Gives back what [`Disk::fill`] took.
    pub fn free(&self) {
        free(&self.0);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = umount2(&self.0, MntFlags::MNT_DETACH);
    }
}

/// As [`Disk::fill`], for who does not hold the disk.
pub fn fill(disk: &Path) {
    let mut filler = File::create(disk.join("filler")).unwrap();
    while filler.write_all(&[0; 4096]).is_ok() {}
}

/// As [`Disk::free`].
pub fn free(disk: &Path) {
    fs::remove_file(disk.join("filler")).unwrap();
}
