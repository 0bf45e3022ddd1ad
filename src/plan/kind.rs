//! What the engine asks of a kind.

use std::any::Any;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::diag::{Diagnostic, Diagnostics};
use crate::names::UpstreamAddress;
use crate::resource::{Implied, Path, Resource};
use crate::schema::Schema;
use crate::state::Stored;
use crate::value::{Object, Secret};

use super::action::{Operation, Phase, Undo};
use super::attempts::Attempt;
use super::brought::BroughtProxy;
use super::details::Details;
use super::endpoint::{Endpoints, NetworkName, Serving, Target};
use super::file::File;
use super::issuance::CertificateOrder;
use super::node::{Node, NodeSpec};
use super::observation::{Observations, Query};
use super::placed::PlacedFile;
use super::pools::NeededNetwork;
use super::taken::Taken;

/// A resource as the engine shows it to its kind.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Its address.
    pub address: &'a Address,
    /// What the configuration wants; `None` when it goes.
    pub desired: Option<&'a Resource>,
    /// What the state last knew of it on this node; `None` when it is new there.
    pub prior: Option<&'a Stored>,
    /// The node that it lives on; of one that goes, the node that it goes from.
    pub node: &'a Node,
    /// The node that it lived on, where it is wanted on another one: what it has there goes by itself.
    pub moves_from: Option<&'a Address>,
    /// The node's answers; none of them while questions are still gathered.
    pub observed: &'a Observations,
    /// Where nginx reaches the services that sites of the node name; none while questions are still gathered.
    pub endpoints: &'a Endpoints,
    /// Whether what goes takes its data with it.
    pub destroy_data: bool,
    /// Whether an authority is asked for it.
    pub attempt: Attempt,
    /// Seconds since 1970.
    pub now: i64,
    /// For what the kind has worked out about what is wanted.
    pub memo: &'a Memo,
}

/// What a kind has worked out about a resource, so that it does so once. It must follow from what the configuration
/// wants, the state and the node's configuration alone: it is kept while observations come in.
#[derive(Debug, Default)]
pub struct Memo(OnceLock<Box<dyn Any + Send + Sync>>);

impl Memo {
    /// What was worked out before, or else what `make` works out now; `None` where it was of another type.
    pub fn get_or<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> Option<&T> {
        self.0.get_or_init(|| Box::new(make())).downcast_ref()
    }
}

/// Where a claimed name must be unique.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClaimScope {
    /// On one node.
    Node(Address),
    /// Everywhere.
    Everywhere,
}

/// A name that only one resource may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Where it must be unique.
    pub scope: ClaimScope,
    /// What sort of name: `host name`, `directory`.
    pub what: &'static str,
    /// The name.
    pub name: Arc<str>,
    /// The attribute that claims it.
    pub path: Path,
}

/// A name that something which is not vsa's holds on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// What sort of name, as in [`Claim::what`].
    pub what: &'static str,
    /// The name.
    pub name: Arc<str>,
    /// Where that is said: `/etc/nginx/sites-enabled/default:21`.
    pub place: String,
}

/// Where reality differs from the state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    /// The resource.
    pub address: Address,
    /// The thing that drifted: a file's path, `nginx`, ….
    pub subject: String,
    /// What happened: `edited`, `deleted`, `mode is 0777, not 0750`.
    pub what: String,
    /// Whether the plan repairs it.
    pub repaired: bool,
    /// Unified diff from what is there to what is wanted, where there is one to show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
}

/// What a kind makes of the node's answers.
#[derive(Clone, Debug, Default)]
pub struct Refreshed {
    /// Where reality differs from the state.
    pub drift: Vec<Drift>,
    /// Why an update is due although no attribute changed: `renewal is due: 12 of 90 days left`.
    pub due: Option<String>,
    /// Remarks that change nothing.
    pub findings: Diagnostics,
}

/// Why clients do not trust what a resource provides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distrust {
    /// It is not there yet, and something stands for it.
    Pending,
    /// It is of a sort that they do not know.
    Untrusted,
}

/// An operation that a change lowers to; the engine makes an [`super::Action`] of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The phase.
    pub phase: Phase,
    /// What is done.
    pub operation: Operation,
    /// How it is taken back.
    pub undo: Undo,
}

/// A type of thing that vsa manages. Pure: a kind performs no effect and never imports another.
pub trait Kind: Send + Sync {
    /// What its block may hold.
    fn schema(&self) -> &Schema;

    /// What other resources see of it; follows from its attributes alone.
    fn exports(&self, resource: &Resource) -> Object;

    /// The resources that it brings along unless they are declared.
    fn implied(&self, _resource: &Resource) -> Vec<Implied> {
        Vec::new()
    }

    /// Rules over its attributes that the schema cannot say.
    fn check(&self, _resource: &Resource, _diagnostics: &mut Diagnostics) {}

    /// The names that it holds. `node` is the node that it lives on.
    fn claims(&self, _resource: &Resource, _node: &Address) -> Vec<Claim> {
        Vec::new()
    }

    /// The name under which it keeps keys and certificates on its node, where it does: what is there under names that
    /// nothing keeps is left over, and goes.
    fn keeps<'a>(&self, _resource: &'a Resource) -> Option<&'a str> {
        None
    }

    /// Of a node: what it is. `base` is the configuration's own data directory, for defaults and relative paths.
    fn node(&self, _resource: &Resource, _base: &Base) -> Option<NodeSpec> {
        None
    }

    /// What it has to know of the node.
    fn queries(&self, _subject: Subject<'_>) -> Vec<Query> {
        Vec::new()
    }

    /// What the answers say.
    fn refresh(&self, _subject: Subject<'_>) -> Refreshed {
        Refreshed::default()
    }

    /// What could be better about what the configuration wants, for `validate`: a plan does not repeat it each time.
    fn advice(&self, _subject: Subject<'_>) -> Diagnostics {
        Diagnostics::new()
    }

    /// Of a node: the names that something which is not vsa's holds there; a claim of one of them is an error.
    fn held(&self, _subject: Subject<'_>) -> Vec<Held> {
        Vec::new()
    }

    /// What it passes requests on to beside addresses, each with the attribute that says so.
    fn endpoints(&self, _resource: &Resource) -> Vec<(Path, Target)> {
        Vec::new()
    }

    /// The tenant that it belongs to.
    fn tenant(&self, _resource: &Resource) -> Option<Arc<str>> {
        None
    }

    /// The addresses that it passes requests on to, each with the attribute that says so.
    fn addresses(&self, _resource: &Resource) -> Vec<(Path, UpstreamAddress)> {
        Vec::new()
    }

    /// The paths outside of the node's directory that its nginx reads, each with the attribute that says so.
    fn reads(&self, _subject: Subject<'_>) -> Vec<(Path, PathBuf)> {
        Vec::new()
    }

    /// What its containers take of the node, which only one container can have.
    fn takes(&self, _subject: Subject<'_>) -> Vec<Taken> {
        Vec::new()
    }

    /// How it runs a service that a site names; the subject's endpoints are those of before.
    ///
    /// # Errors
    /// Why it does not: it has no such service, with what it has instead.
    fn serving(&self, subject: Subject<'_>, _service: &str) -> Result<Serving, Diagnostic> {
        Err(Diagnostic::error(format!("`{}` runs no services", subject.address)))
    }

    /// Whether new containers of its services may run beside the old ones for a while. Of such a one that changes,
    /// [`Kind::inquiries`] are made before its services get their ports, with the ports that they had.
    fn replaces_beside(&self, _subject: Subject<'_>) -> bool {
        false
    }

    /// The name by which a proxy in a container reaches a service of its, on this port: another one than before where
    /// `serving` says that new containers run beside the old ones for a while.
    ///
    /// # Errors
    /// Why it is in no network that another container can join.
    fn network_name(
        &self,
        subject: Subject<'_>,
        _service: &str,
        _port: u16,
        _serving: Serving,
    ) -> Result<NetworkName, Diagnostic> {
        Err(Diagnostic::error(format!("`{}` runs no services", subject.address)))
    }

    /// The networks of its node's engine that it needs.
    fn networks(&self, _subject: Subject<'_>) -> Vec<NeededNetwork> {
        Vec::new()
    }

    /// The container that is its node's proxy, where it brings that.
    fn proxy(&self, _subject: Subject<'_>) -> Option<BroughtProxy> {
        None
    }

    /// What an authority would be asked for, as far as its limits leave that.
    fn order(&self, _subject: Subject<'_>) -> Option<Box<CertificateOrder>> {
        None
    }

    /// Why clients will not trust what it provides, where that does not follow from its attributes alone.
    fn distrust(&self, _subject: Subject<'_>) -> Option<Distrust> {
        None
    }

    /// Of a node: the file of its nginx that answers for what proves control over these names, which no site has.
    fn challenges(&self, _subject: Subject<'_>, _names: &[&str]) -> Result<Option<File>, Diagnostics> {
        Ok(None)
    }

    /// The secrets that its operations need, by the names under which these ask for them: no record holds them.
    fn secrets(&self, _subject: Subject<'_>) -> BTreeMap<&'static str, Secret> {
        BTreeMap::new()
    }

    /// Whether it is a site: the nginx of its node answers for it.
    fn is_site(&self) -> bool {
        false
    }

    /// Its files at places of their own.
    fn placed(&self, _subject: Subject<'_>) -> Result<Vec<PlacedFile>, Diagnostics> {
        Ok(Vec::new())
    }

    /// Its files in the node's next generation. With `trace`, [`File::origins`] are filled.
    fn files(&self, _subject: Subject<'_>, _trace: bool) -> Result<Vec<File>, Diagnostics> {
        Ok(Vec::new())
    }

    /// What it has to know besides of a resource that changes, for its steps and [`Kind::details`]; `files` are the
    /// placed files that it shall have.
    fn inquiries(&self, _subject: Subject<'_>, _files: &BTreeMap<PathBuf, PlacedFile>) -> Vec<Query> {
        Vec::new()
    }

    /// What a change does beyond the resource's attributes and files.
    fn details(&self, _subject: Subject<'_>, _files: &BTreeMap<PathBuf, PlacedFile>) -> Option<Details> {
        None
    }

    /// The operations, beside the switch to the next generation and the writing of placed files, that make, change or
    /// remove it. Called only for a resource that changes, drifted or is due. Placed files are written after the
    /// directories and whatever makes a Compose project ready that it begins with, and before all else.
    fn steps(&self, _subject: Subject<'_>) -> Vec<Step> {
        Vec::new()
    }
}

/// The kinds that there are.
pub trait Kinds: Send + Sync {
    /// The kind of this name.
    fn kind(&self, name: &str) -> Option<&dyn Kind>;
}

/// Where things are by default.
#[derive(Clone, Debug)]
pub struct Base {
    /// The configuration's directory, absolute.
    pub configuration: PathBuf,
    /// `<configuration>/.vsa`.
    pub data: PathBuf,
    /// What all system paths are below: `/` unless `VSA_ROOT` says otherwise.
    pub system: PathBuf,
    /// Whether vsa runs as root.
    pub privileged: bool,
}

impl Base {
    /// Where a path is that the configuration names: relative to the configuration, or below what all system paths are
    /// below.
    pub fn place(&self, path: &str) -> PathBuf {
        let path = std::path::Path::new(path);
        match path.strip_prefix("/") {
            Ok(below) if !path.starts_with(&self.system) => self.system.join(below),
            Ok(_) => path.to_owned(),
            Err(_) => self.configuration.join(path),
        }
    }

    /// The directory of a node of this name that is given no other.
    pub fn node(&self, name: &str) -> PathBuf {
        self.data.join("nodes").join(name)
    }

    /// The configuration whose node of this name has this directory where it is given no other.
    pub fn configuration_of(&self, root: &std::path::Path, name: &str) -> Option<PathBuf> {
        let own = self.node(name);
        let below = own.strip_prefix(&self.configuration).ok()?;
        let home = root.ancestors().nth(below.components().count())?;
        (root.ends_with(below)).then(|| home.to_owned())
    }
}
