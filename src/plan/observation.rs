//! Questions to a node and their answers. All questions of a plan are asked at once.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::docker::{ComposeTool, Container, Engine, Image, Network, Service, Volume};
use super::issuance::{Damage, FoundLineage, Ledger, PublishedLineage};
use super::project::ComposeProject;

pub use super::found::{CertificateFacts, FileType, Ids, Leaf, NginxProcess, Stat};

/// A container of an engine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContainerRef {
    /// Where the engine listens.
    pub socket: PathBuf,
    /// The container's name.
    pub container: String,
}

/// A question to a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Query {
    /// What stands at a path, not following a link at its end.
    Stat(PathBuf),
    /// The SHA-256 of a file's bytes: answered with [`Answer::Digest`].
    Digest(PathBuf),
    /// A file's bytes.
    Read(PathBuf),
    /// A file's bytes from an offset on, and its size: answered with [`Answer::Tail`].
    Tail {
        /// The file.
        path: PathBuf,
        /// Where to begin; beyond the end for its size alone.
        offset: u64,
    },
    /// What stands directly in a directory: answered with [`Answer::Entries`].
    Entries(PathBuf),
    /// Everything below a directory: answered with [`Answer::Tree`].
    Tree(PathBuf),
    /// The links directly in a directory, and three files in the directory that each names, with the access of that and of
    /// the one above it: answered with [`Answer::Tree`], `shop`, `shop/fullchain.pem`, `shop/.` and `shop/..`.
    Linked {
        /// The directory of the links.
        directory: PathBuf,
        /// The name of a file that is read.
        read: &'static str,
        /// The name of a private key, which is read only where it was written after the first: [`Leaf::Unread`].
        unread: &'static str,
        /// The name of a file that most often is not there, and is not read either.
        rare: &'static str,
    },
    /// The files that a glob pattern matches, with their bytes: answered with [`Answer::Files`].
    Glob(String),
    /// The first certificate of a PEM file.
    Certificate(PathBuf),
    /// What a node remembers of its certificates: answered with [`Answer::Ledger`].
    Ledger(PathBuf),
    /// Whether a PEM file holds a private key that nginx can use: answered with [`Answer::PrivateKey`], never with the key.
    PrivateKey {
        /// The key's file.
        key: PathBuf,
        /// The file of the certificate that it shall be of.
        certificate: PathBuf,
    },
    /// Whether a file holds an account with an authority that can be used: answered with [`Answer::PrivateKey`], never with
    /// what it holds.
    Account(PathBuf),
    /// The lineages of a home in certbot's layout: answered with [`Answer::Lineages`]; absent where there is no `renewal`
    /// directory in it. Keys are read to tell whether they are those of their certificates, and never shown.
    Lineages(PathBuf),
    /// What is laid out in a home in certbot's layout: answered with [`Answer::Published`]; absent where there is no `live`
    /// directory in it. Of each lineage the links are looked at, the chain is read, and what was written after it.
    Published(PathBuf),
    /// Which certificate a TLS handshake with a loopback port presents for each of these names: answered with
    /// [`Answer::Served`], within some 20 seconds.
    Served {
        /// The HTTPS port.
        port: u16,
        /// The names that are asked for (RFC 6066, section 3).
        names: Vec<String>,
    },
    /// What the marker location of a node's nginx answers on a loopback port.
    Marker {
        /// The HTTP port.
        port: u16,
        /// The marker server's name.
        host: String,
    },
    /// The master process that a pid file names, if it is alive and an nginx.
    Master(PathBuf),
    /// What a process shows as its command line.
    CommandLine(u32),
    /// Whether a process is stopped (`SIGSTOP`, or by a debugger), so that it hears no signal: answered with
    /// [`Answer::Stopped`]; absent where there is none.
    Stopped(u32),
    /// The processes of nginx's in the network that vsa is in: answered with
    /// [`Answer::NginxProcesses`].
    NginxProcesses,
    /// The children of a process: answered with [`Answer::Processes`].
    Children(u32),
    /// What an nginx binary says of itself (`nginx -V`).
    NginxVersion(PathBuf),
    /// Whether a user exists, and its group.
    User(String),
    /// Whether a group exists: answered with [`Answer::Group`].
    Group(String),
    /// Who vsa itself is on the node: answered with [`Answer::User`].
    Myself,
    /// Whether vsa may make a directory, unless it is there: answered with [`Answer::Permission`].
    MayMake(PathBuf),
    /// Whether vsa may give what it makes to a user: absent where there is none, else [`Answer::Permission`].
    MayOwn(String),
    /// Whether vsa may give what it makes to a group: absent where there is none, else [`Answer::Permission`].
    MayGroup(String),
    /// Whether a user may read a path (every directory on the way entered); absent where nothing is there, and
    /// nothing bars the way so far.
    Readable {
        /// The user.
        user: String,
        /// The path.
        path: PathBuf,
    },
    /// All containers of a Docker engine, running or not: answered with [`Answer::Containers`]; absent where there is
    /// no socket, and failed where nobody answers or vsa may not ask, as with all questions to an engine.
    Containers {
        /// Where the engine listens.
        socket: PathBuf,
    },
    /// The containers of a Compose project, running or not, one-off runs among them: answered with
    /// [`Answer::Containers`].
    ProjectContainers {
        /// Where the engine listens.
        socket: PathBuf,
        /// The project's name.
        project: Arc<str>,
    },
    /// All networks of a Docker engine: answered with [`Answer::Networks`].
    Networks {
        /// Where the engine listens.
        socket: PathBuf,
    },
    /// All volumes of a Docker engine: answered with [`Answer::Volumes`].
    Volumes {
        /// Where the engine listens.
        socket: PathBuf,
    },
    /// The Docker engine itself: answered with [`Answer::Engine`].
    Engine {
        /// Where the engine listens.
        socket: PathBuf,
    },
    /// Those of some images that a Docker engine has: answered with [`Answer::Images`].
    Images {
        /// Where the engine listens.
        socket: PathBuf,
        /// The images' references.
        references: Vec<String>,
    },
    /// All services of the swarm that a Docker engine manages: answered with [`Answer::Services`]; absent too where it
    /// is in none.
    Services {
        /// Where the engine listens.
        socket: PathBuf,
    },
    /// What an nginx in a container says of itself (`nginx -V`): answered with [`Answer::Text`]; absent where there is no
    /// such container, or it does not run, as with all questions to a container.
    ContainerNginx {
        /// The container.
        container: ContainerRef,
        /// The nginx program in there.
        program: PathBuf,
    },
    /// As [`Query::Marker`], asked inside a container, where loopback is its own.
    ContainerMarker {
        /// The container.
        container: ContainerRef,
        /// The HTTP port.
        port: u16,
        /// The marker server's name.
        host: String,
    },
    /// The processes of a container: answered with [`Answer::Processes`], by the engine's numbers.
    ContainerProcesses(ContainerRef),
    /// As [`Query::Stopped`], of a process of a container, which may itself be paused.
    ContainerStopped {
        /// The container.
        container: ContainerRef,
        /// The process, by the engine's number.
        process: u32,
    },
    /// Which Compose tool there is: answered with [`Answer::ComposeTool`]. It starts a program: a plan that needs no
    /// tool does not ask.
    ComposeTool,
    /// The hashes that the Compose tool gives to the services of a project whose files are not in their places yet:
    /// answered with [`Answer::ComposeHashes`]. It starts the tool: a plan asks for what changes alone.
    ComposeHashes(ComposeCandidate),
}

/// A Compose project as it will be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ComposeCandidate {
    /// The project.
    pub project: ComposeProject,
    /// Its files by path, all that there will be in its directory and beside its file of variables.
    pub files: BTreeMap<PathBuf, FileBytes>,
}

/// What a file holds. `Debug` shows its length alone: it may hold secrets.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileBytes(pub Arc<[u8]>);

impl fmt::Debug for FileBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// An answer to a [`Query`]. `Debug` shows how long the bytes of files are, not what they are: some are keys.
#[derive(Clone, PartialEq, Eq)]
pub enum Answer {
    /// There is nothing: no such file, no such process, nobody answers.
    Absent,
    /// It could not be found out, with the reason.
    Failed(String),
    /// To [`Query::Stat`].
    Stat(Stat),
    /// To [`Query::Digest`]: SHA-256 in hexadecimal.
    Digest(String),
    /// To [`Query::Read`].
    Bytes(Vec<u8>),
    /// To [`Query::Entries`]: names with what each is.
    Entries(BTreeMap<String, FileType>),
    /// To [`Query::Tail`].
    Tail {
        /// The bytes from the offset on.
        bytes: Vec<u8>,
        /// The file's size.
        end: u64,
    },
    /// To [`Query::Tree`] and [`Query::Linked`]: leaves by their path below the directory.
    Tree(BTreeMap<String, Leaf>),
    /// To [`Query::Glob`].
    Files(BTreeMap<PathBuf, Vec<u8>>),
    /// To [`Query::Certificate`].
    Certificate(CertificateFacts),
    /// To [`Query::Ledger`].
    Ledger(Arc<Ledger>),
    /// To [`Query::PrivateKey`] and [`Query::Account`].
    PrivateKey {
        /// What is wrong with it, where it cannot be used.
        wrong: Option<String>,
    },
    /// To [`Query::Lineages`], by name: those that are whole, and what is wrong with the others.
    Lineages(BTreeMap<String, Result<FoundLineage, String>>),
    /// To [`Query::Published`], by name: those that are as they were laid out, and what is wrong with the others.
    Published(BTreeMap<String, Result<PublishedLineage, Damage>>),
    /// To [`Query::Served`], by name: the certificate, or why there is none.
    Served(BTreeMap<String, Result<CertificateFacts, String>>),
    /// To [`Query::Marker`], [`Query::NginxVersion`], [`Query::CommandLine`]: the text.
    Text(String),
    /// To [`Query::Master`]: the process id.
    Process(u32),
    /// To [`Query::Stopped`].
    Stopped(bool),
    /// To [`Query::NginxProcesses`], by process id.
    NginxProcesses(BTreeMap<u32, NginxProcess>),
    /// To [`Query::Children`]: process ids with what each shows as its command line.
    Processes(BTreeMap<u32, String>),
    /// To [`Query::User`] and [`Query::Myself`]: ids.
    User {
        /// The user's id.
        uid: u32,
        /// The id of its first group.
        gid: u32,
    },
    /// To [`Query::Group`]: its id.
    Group(u32),
    /// To [`Query::MayMake`], [`Query::MayOwn`], [`Query::MayGroup`].
    Permission {
        /// Why not, where it may not.
        refused: Option<String>,
    },
    /// To [`Query::Readable`]: the directory or file that bars the way, where one does.
    Readable {
        /// What bars the way.
        barrier: Option<PathBuf>,
    },
    /// To [`Query::Containers`] and [`Query::ProjectContainers`], by name.
    Containers(Vec<Container>),
    /// To [`Query::Networks`], by name.
    Networks(Vec<Network>),
    /// To [`Query::Volumes`], by name.
    Volumes(Vec<Volume>),
    /// To [`Query::Engine`].
    Engine(Engine),
    /// To [`Query::Images`]: those that are there, in the order of the question.
    Images(Vec<Image>),
    /// To [`Query::Services`], by name.
    Services(Vec<Service>),
    /// To [`Query::ComposeTool`].
    ComposeTool(ComposeTool),
    /// To [`Query::ComposeHashes`]: each service's hash.
    ComposeHashes(BTreeMap<String, String>),
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = |bytes: &Vec<u8>| format!("{} bytes", bytes.len());
        match self {
            Self::Absent => f.write_str("Absent"),
            Self::Failed(reason) => f.debug_tuple("Failed").field(reason).finish(),
            Self::Stat(stat) => f.debug_tuple("Stat").field(stat).finish(),
            Self::Digest(digest) => f.debug_tuple("Digest").field(digest).finish(),
            Self::Bytes(bytes) => f.debug_tuple("Bytes").field(&size(bytes)).finish(),
            Self::Entries(entries) => f.debug_tuple("Entries").field(entries).finish(),
            Self::Tail { bytes, end } => {
                f.debug_struct("Tail").field("bytes", &size(bytes)).field("end", end).finish()
            }
            Self::Tree(tree) => f.debug_tuple("Tree").field(tree).finish(),
            Self::Files(files) => {
                f.debug_map().entries(files.iter().map(|(path, bytes)| (path, size(bytes)))).finish()
            }
            Self::Certificate(facts) => f.debug_tuple("Certificate").field(facts).finish(),
            Self::Ledger(ledger) => f.debug_tuple("Ledger").field(ledger).finish(),
            Self::PrivateKey { wrong } => f.debug_struct("PrivateKey").field("wrong", wrong).finish(),
            Self::Lineages(lineages) => f.debug_tuple("Lineages").field(lineages).finish(),
            Self::Published(published) => f.debug_tuple("Published").field(published).finish(),
            Self::Served(served) => f.debug_tuple("Served").field(served).finish(),
            Self::Text(text) => f.debug_tuple("Text").field(text).finish(),
            Self::Stopped(stopped) => f.debug_tuple("Stopped").field(stopped).finish(),
            Self::NginxProcesses(found) => f.debug_tuple("NginxProcesses").field(found).finish(),
            Self::Process(id) => f.debug_tuple("Process").field(id).finish(),
            Self::Processes(processes) => f.debug_tuple("Processes").field(processes).finish(),
            Self::User { uid, gid } => f.debug_struct("User").field("uid", uid).field("gid", gid).finish(),
            Self::Group(gid) => f.debug_tuple("Group").field(gid).finish(),
            Self::Permission { refused } => f.debug_struct("Permission").field("refused", refused).finish(),
            Self::Readable { barrier } => f.debug_struct("Readable").field("barrier", barrier).finish(),
            Self::Containers(containers) => f.debug_tuple("Containers").field(containers).finish(),
            Self::Networks(networks) => f.debug_tuple("Networks").field(networks).finish(),
            Self::Volumes(volumes) => f.debug_tuple("Volumes").field(volumes).finish(),
            Self::Engine(engine) => f.debug_tuple("Engine").field(engine).finish(),
            Self::Images(images) => f.debug_tuple("Images").field(images).finish(),
            Self::Services(services) => f.debug_tuple("Services").field(services).finish(),
            Self::ComposeHashes(hashes) => f.debug_tuple("ComposeHashes").field(hashes).finish(),
            Self::ComposeTool(tool) => f.debug_tuple("ComposeTool").field(tool).finish(),
        }
    }
}

/// The answers of one node; questions that were never asked have none. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Observations(Arc<HashMap<Query, Answer>>);

impl Observations {
    /// The answer to a question that was asked.
    pub fn get(&self, query: &Query) -> Option<&Answer> {
        self.0.get(query)
    }

    /// What stands at a path, where that was asked and something does.
    pub fn stat(&self, path: impl Into<PathBuf>) -> Option<&Stat> {
        match self.get(&Query::Stat(path.into())) {
            Some(Answer::Stat(stat)) => Some(stat),
            _ => None,
        }
    }

    /// What else may be done about a permission that is missing, for the end of an advice: nothing where root asks.
    pub fn or_as_root(&self) -> &'static str {
        match self.get(&Query::Myself) {
            Some(Answer::User { uid: 0, .. }) => "",
            _ => ", or run vsa as root",
        }
    }

    /// Whether it was asked what stands at a path, and nothing does.
    pub fn is_absent(&self, path: impl Into<PathBuf>) -> bool {
        self.get(&Query::Stat(path.into())) == Some(&Answer::Absent)
    }
}

impl FromIterator<(Query, Answer)> for Observations {
    fn from_iter<I: IntoIterator<Item = (Query, Answer)>>(iter: I) -> Self {
        Self(Arc::new(iter.into_iter().collect()))
    }
}

impl Extend<(Query, Answer)> for Observations {
    fn extend<I: IntoIterator<Item = (Query, Answer)>>(&mut self, iter: I) {
        Arc::make_mut(&mut self.0).extend(iter);
    }
}
