//! Whose a node is: what stands in `owner.json` in its directory.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::diag::Diagnostic;

use super::node::NodeSpec;
use super::observation::{FileType, Observations};

/// The version of the file that this vsa writes.
const VERSION: u32 = 1;

/// Who owns a node's directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The version of the file's format.
    version: u32,
    /// The lineage of the state.
    pub lineage: String,
    /// The directories that vsa made for it, from the top, its own the last; none where it was there already.
    pub made: Vec<PathBuf>,
}

impl Owner {
    /// The state of this lineage, which made these directories.
    pub fn new(lineage: impl Into<String>, made: Vec<PathBuf>) -> Self {
        Self { version: VERSION, lineage: lineage.into(), made }
    }

    /// Reads the owner file of a node.
    ///
    /// # Errors
    /// It is damaged, or of a later vsa: nobody knows then whose the node is, so nobody may touch it.
    pub fn parse(spec: &NodeSpec, bytes: &[u8]) -> Result<Self, Diagnostic> {
        #[derive(Deserialize)]
        struct Header {
            version: u32,
        }
        let refused = |summary: &str, detail: String, help: &str| {
            Diagnostic::error(format!("{summary} whose `{}` is", spec.address))
                .code("foreign_node")
                .detail(format!("{}: {detail}", spec.owner_file().display()))
                .help(help)
                .on(&spec.address)
        };
        let damaged = |error: serde_json::Error| {
            let help =
                "restore the file from a backup; remove it only where no other configuration uses the node";
            refused("it cannot be told", error.to_string(), help)
        };
        match serde_json::from_slice(bytes).map_err(damaged)? {
            Header { version } if version > VERSION => Err(refused(
                "this vsa does not know",
                format!("its version is {version}, this vsa knows {VERSION}"),
                "use the vsa that wrote it, or a newer one",
            )),
            Header { .. } => serde_json::from_slice(bytes).map_err(damaged),
        }
    }

    /// What stands in a directory that nobody owns where vsa's own files go: it cannot be told from vsa's, which replaces
    /// and removes its own.
    pub fn obstacles(spec: &NodeSpec, observed: &Observations) -> impl Iterator<Item = Diagnostic> {
        let found = spec.own().into_iter().filter(|path| observed.stat(path).is_some());
        found.map(|path| {
            let (path, owner) = (path.display(), spec.owner_file());
            Diagnostic::error(format!("`{path}` is in the way of vsa's own files"))
                .code("obstructed")
                .detail(format!("it is there, and no {} says that it is vsa's", owner.display()))
                .help(format!("move it away, or give `{}` another `root`", spec.address))
                .help("where it is vsa's and the owner file is lost, put that back from a backup")
                .on(&spec.address)
        })
    }

    /// What stands where vsa's own is of another type: whoever put it there may want it.
    pub fn misplaced(spec: &NodeSpec, observed: &Observations) -> impl Iterator<Item = Diagnostic> {
        let found = spec.own().into_iter().filter_map(|path| {
            let is = match (&observed.stat(&path)?.file_type, path == spec.current()) {
                (FileType::Link(_), true) | (FileType::Directory, false) => return None,
                (FileType::Link(_), false) => "a link",
                (FileType::Directory, true) => "a directory",
                (FileType::File, _) => "a file",
                (FileType::Other, _) => "neither a file nor a directory",
            };
            Some((path, is))
        });
        found.map(|(path, is)| {
            let shall = if path == spec.current() { "a link" } else { "a directory" };
            Diagnostic::error(format!("`{}` is in the way of vsa's own files", path.display()))
                .code("obstructed")
                .detail(format!("it is {is}, where vsa has {shall}"))
                .help("move it away: the next apply puts vsa's own in its place")
                .on(&spec.address)
        })
    }

    /// Why a state may not touch the node whose owner file this is; `None` of its own state.
    pub fn refused(spec: &NodeSpec, bytes: &[u8], lineage: &str) -> Option<Diagnostic> {
        Self::parse(spec, bytes).map_or_else(Some, |owner| owner.refusal(spec, lineage))
    }

    /// Why a state of another lineage may not touch the node; `None` of its own state.
    pub fn refusal(&self, spec: &NodeSpec, lineage: &str) -> Option<Diagnostic> {
        (self.lineage != lineage).then(|| {
            Diagnostic::error(format!("`{}` belongs to another configuration", spec.address))
                .code("foreign_node")
                .detail(format!(
                    "{} names the state with lineage `{}` as the owner of {}, this state's lineage is `{lineage}`",
                    spec.owner_file().display(),
                    self.lineage,
                    spec.root.display(),
                ))
                .help("give the node another `root`, or destroy the other configuration first")
                .help("where it is this configuration and its state is lost, put the state back: from a backup of yours, or from `.vsa/backups/`, where it has any")
                .on(&spec.address)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Address;
    use crate::plan::ProxyMode;

    const SAMPLE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/state/samples/owner-v1.json"));

    fn spec() -> NodeSpec {
        NodeSpec {
            address: Address::new("node", "local"),
            name: "local".into(),
            mode: ProxyMode::Managed,
            root: "/r".into(),
            srv_root: "/r/srv".into(),
            nginx: "/usr/sbin/nginx".into(),
            nginx_conf: "/unused".into(),
            include_file: "/unused".into(),
            pid_file: "/r/run/nginx.pid".into(),
            http_port: 8080,
            https_port: 8443,
            worker_user: None,
            default_server: true,
            drain_seconds: 30,
            docker: crate::plan::Docker::default(),
            container: None,
            network: None,
        }
    }

    #[test]
    fn every_version_ever_written_is_read() {
        let owner = Owner::parse(&spec(), SAMPLE.as_bytes()).unwrap();
        assert_eq!(owner.made, [PathBuf::from("/var/lib/vsa"), PathBuf::from("/var/lib/vsa/local")]);
        let written = serde_json::to_string_pretty(&owner).unwrap();
        assert_eq!(written, SAMPLE.trim_end(), "a changed owner file needs a new version");
        assert!(owner.refusal(&spec(), &owner.lineage).is_none());
        assert!(owner.refusal(&spec(), "another").is_some());
    }

    #[test]
    fn what_cannot_be_understood_is_nobodys_to_take() {
        let whole = SAMPLE.as_bytes();
        for unusable in [&b""[..], &whole[..whole.len() / 2], b"{\"version\": 2}", b"{\"version\": 1}"] {
            let error = Owner::parse(&spec(), unusable).unwrap_err();
            assert_eq!(error.code, Some("foreign_node"));
            assert!(!error.help.is_empty());
        }
    }
}
