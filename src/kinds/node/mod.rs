//! `node`: a server, and the nginx that answers on it.

mod attributes;
mod files;
mod foreign;
mod schema;

use std::path::PathBuf;

use attributes::{Attributes, Mode};

use crate::address::Address;
use crate::diag::{Diagnostic, Diagnostics};
use crate::names::Text as _;
use crate::plan::action::Access;
use crate::plan::docker::DNS_SERVER;
use crate::plan::kind::Base;
use crate::plan::observation::{FileType, Ids};
use crate::plan::{
    Answer, Claim, ClaimScope, Docker, Drift, File, Held, Kind, Node as NodeView, NodeSpec, Operation, Phase,
    ProxyMode, Query, Refreshed, Step, Subject, Undo,
};
use crate::resource::{Path, Resource};
use crate::schema::Schema;
use crate::state::Stored;
use crate::state::attributes::{Tree, decode};
use crate::template::RenderError;
use crate::value::{Object, Value};

/// The kind.
#[derive(Debug)]
pub struct Node {
    schema: Schema,
}

impl Node {
    /// With its schema.
    #[expect(clippy::new_without_default, reason = "built once, by the registry")]
    pub fn new() -> Self {
        Self { schema: schema::schema() }
    }
}

fn spec(resource: &Resource, attributes: &Attributes, base: &Base) -> NodeSpec {
    let proxy = &attributes.proxy;
    let name = &resource.name;
    let mode = match proxy.mode {
        Mode::Host => ProxyMode::Host,
        Mode::Managed => ProxyMode::Managed,
        Mode::Container => ProxyMode::Container,
    };
    let managed = mode == ProxyMode::Managed;
    let root = match &attributes.root {
        Some(root) => base.place(root.as_str()),
        None if managed => base.node(name),
        None => base.place("/var/lib/vsa").join(&**name),
    };
    let srv_root = match &attributes.srv_root {
        Some(srv_root) => base.place(srv_root.as_str()),
        None if managed => root.join("srv"),
        None => base.place("/srv"),
    };
    let pid_file = match &proxy.pid_file {
        Some(path) if mode == ProxyMode::Host => base.place(path.as_str()),
        None if mode == ProxyMode::Host => base.place("/run/nginx.pid"),
        _ => root.join("run/nginx.pid"),
    };
    NodeSpec {
        address: resource.address.clone(),
        name: name.clone(),
        mode,
        srv_root,
        nginx: PathBuf::from(proxy.nginx.as_str()),
        nginx_conf: base.place(proxy.nginx_conf.as_str()),
        include_file: base.place(proxy.include_file.as_str()),
        pid_file,
        http_port: proxy.http_port(),
        https_port: proxy.https_port(),
        worker_user: (!managed || base.privileged).then(|| proxy.user.as_str().into()),
        default_server: proxy.default_server,
        docker: Docker {
            socket: base.place(attributes.docker.socket.as_str()),
            first_port: attributes.docker.first_port,
            last_port: attributes.docker.last_port,
        },
        container: proxy
            .container
            .as_ref()
            .filter(|_| mode == ProxyMode::Container)
            .map(|name| name.as_str().into()),
        network: attributes.network.as_ref().map(|network| network.as_str().into()),
        drain_seconds: u32::try_from(proxy.drain.seconds()).unwrap_or(u32::MAX),
        root,
    }
}

/// The node's directories, the outer one first.
fn directories(spec: &NodeSpec) -> [PathBuf; 4] {
    let below = |name| spec.root.join(name);
    [spec.root.clone(), below("logs"), below("run"), below("acme")]
}

fn decoded(resource: &Resource) -> Result<Attributes, Diagnostics> {
    let attributes = resource.decode::<Attributes>();
    attributes.map_err(|error| Diagnostic::error(error.to_string()).on(&resource.address).into())
}

fn unwritten(resource: &Resource, error: &RenderError) -> Diagnostics {
    Diagnostic::error(format!("a file of `{}` cannot be written", resource.address))
        .detail(error.to_string())
        .at(resource.span(&Path::root()))
        .on(&resource.address)
        .into()
}

/// The permission bits of the node's own directories.
const MODE: u32 = 0o750;

/// How a directory that vsa made for the node differs from what it was made as.
fn differs(subject: Subject<'_>, path: &std::path::Path) -> Option<String> {
    let prior = subject.prior.filter(|prior| prior.owns(path))?;
    let stat = subject.observed.stat(path).filter(|stat| stat.file_type == FileType::Directory)?;
    if stat.mode != MODE {
        return Some(format!("mode is {:04o}, not {MODE:04o}", stat.mode));
    }
    let found = Ids { uid: stat.uid, gid: stat.gid };
    // Another user of the workers is a change that somebody wrote.
    let group = group(subject).filter(|_| knows_workers(subject, prior));
    found.differ(Ids { uid: made_by(prior)?, gid: group.unwrap_or(found.gid) })
}

/// Whether the workers run as the user that the state knows.
fn knows_workers(subject: Subject<'_>, prior: &Stored) -> bool {
    let known = decode(&prior.attributes).ok();
    let user = known.as_ref().and_then(|known| known.get("proxy")?.get("user"));
    let wanted = subject.node.spec.worker_user.as_ref();
    matches!(user, Some(Tree::String(user)) if Some(user) == wanted)
}

/// The user that made the node's directories.
fn made_by(prior: &Stored) -> Option<u32> {
    prior.facts.get("uid").and_then(serde_json::Value::as_u64).and_then(|uid| u32::try_from(uid).ok())
}

/// The workers' group, where they run as another user.
fn group(subject: Subject<'_>) -> Option<u32> {
    let user = subject.node.spec.worker_user.as_ref()?;
    match subject.observed.get(&Query::User(user.to_string()))? {
        Answer::User { gid, .. } => Some(*gid),
        _ => None,
    }
}

/// The directory of the tenants, where it lies elsewhere and vsa makes it, or made it.
fn tenants(spec: &NodeSpec, subject: Subject<'_>) -> Option<PathBuf> {
    let path = &spec.srv_root;
    let is_ours = subject.prior.is_some_and(|prior| prior.owns(path));
    (!spec.owns(path) && (is_ours || subject.observed.is_absent(path))).then(|| path.clone())
}

/// Whether nginx's workers can enter the node's directory, where password files and pages are.
fn way(spec: &NodeSpec) -> Option<Query> {
    let user = spec.worker_user.as_ref()?.to_string();
    Some(Query::Readable { user, path: spec.root.join("generations") })
}

/// What bars nginx's workers from the node's directory: one above it, for its own access is vsa's affair.
fn barred(spec: &NodeSpec, subject: Subject<'_>) -> Option<Diagnostic> {
    let Answer::Readable { barrier: Some(barrier) } = subject.observed.get(&way(spec)?)? else { return None };
    let user = spec.worker_user.as_ref().filter(|_| !barrier.starts_with(&spec.root))?;
    let (root, barrier) = (spec.root.display(), barrier.display());
    Some(
        Diagnostic::error(format!("nginx's workers cannot enter `{root}`"))
            .code("unreadable_root")
            .detail(format!("they run as `{user}`, which may not enter {barrier}; sites with passwords would answer 500"))
            .help(format!("let it pass through: `chmod o+x {barrier}`"))
            .help("or give the node a `root` elsewhere, such as \"/var/lib/vsa\", or run vsa as an ordinary user"),
    )
}

/// Why the node's directory, or that of its tenants, cannot be made, with the attribute that says where it is. The
/// system's nginx is root's, and may be planned for by somebody else.
fn unmade(spec: &NodeSpec, subject: Subject<'_>) -> Option<(&'static str, Diagnostic)> {
    if spec.mode != ProxyMode::Managed {
        return None;
    }
    let refused = |path: &PathBuf| match subject.observed.get(&Query::MayMake(path.clone()))? {
        Answer::Permission { refused } => refused.clone(),
        _ => None,
    };
    let finding = |what: &str, why: String| {
        Diagnostic::error(format!("{what} cannot be made")).code("not_permitted").detail(why)
    };
    if let Some(why) = refused(&spec.root) {
        let help = format!("give the node a `root` that vsa may write to{}", subject.observed.or_as_root());
        return Some(("root", finding("the node's directory", why).help(help)));
    }
    let why = refused(&spec.srv_root)?;
    // It lies in the node's own directory where it is given no other place.
    let attribute = if spec.owns(&spec.srv_root) { "root" } else { "srv_root" };
    let or_as_root = subject.observed.or_as_root();
    let help = format!("set `{attribute}` to a directory that vsa may write to{or_as_root}");
    Some((attribute, finding("the directory of the node's tenants", why).help(help)))
}

impl Kind for Node {
    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn exports(&self, resource: &Resource) -> Object {
        let Ok(attributes) = resource.decode::<Attributes>() else { return Object::new() };
        let proxy = &attributes.proxy;
        let docker = (proxy.mode == Mode::Container && proxy.resolver.is_empty()).then_some(DNS_SERVER);
        let resolver = proxy.resolver.iter().map(crate::names::Text::as_str).chain(docker).map(Value::from);
        Object::from_iter([
            ("name", Value::string(resource.name.clone())),
            ("mode", Value::from(proxy.mode.as_str())),
            ("http_port", Value::from(i64::from(proxy.http_port()))),
            ("https_port", Value::from(i64::from(proxy.https_port()))),
            ("ipv6", Value::from(proxy.ipv6())),
            ("http2", Value::from(proxy.http2)),
            ("resolver", Value::tuple(resolver)),
            ("log_format", Value::from(proxy.log_format.as_str())),
            (
                "has_acme",
                Value::from(attributes.acme.as_ref().is_some_and(|acme| acme.directory.is_trusted())),
            ),
            ("acme", resource.get("acme").clone()),
        ])
    }

    fn check(&self, resource: &Resource, diagnostics: &mut Diagnostics) {
        let Ok(attributes) = resource.decode::<Attributes>() else { return };
        let proxy = Path::root().name("proxy");
        let in_container = attributes.proxy.mode == Mode::Container;
        if in_container != attributes.proxy.container.is_some() {
            let (attribute, summary, help) = if in_container {
                ("mode", "the proxy's container has no name", "name it with `container`")
            } else {
                (
                    "container",
                    "the proxy is in no container",
                    "set `mode = \"container\"`, or leave `container` away",
                )
            };
            diagnostics.push(
                Diagnostic::error(summary)
                    .at(resource.span(&proxy.name(attribute)))
                    .on(&resource.address)
                    .help(help),
            );
        }
        if !in_container && attributes.network.is_some() {
            diagnostics.push(
                Diagnostic::error("the proxy is in no container, and so in no network of Docker's")
                    .at(resource.span(&Path::root().name("network")))
                    .on(&resource.address)
                    .help("leave `network` away: nginx on the host reaches services on loopback ports"),
            );
        }
        let places = [("root", &attributes.root), ("srv_root", &attributes.srv_root)];
        for (name, _) in
            places.iter().filter(|(_, path)| path.as_ref().is_some_and(|path| path.as_str() == "/"))
        {
            diagnostics.push(
                Diagnostic::error(format!("`{name}` is the root of the whole file system"))
                    .at(resource.span(&Path::root().name(*name)))
                    .on(&resource.address)
                    .help("name a directory for it alone, such as \"/var/lib/vsa\" or \"/srv\""),
            );
        }
        let docker = &attributes.docker;
        if docker.first_port > docker.last_port {
            diagnostics.push(
                Diagnostic::error(format!(
                    "`first_port` is {}, and `last_port` {}: there is no port between them",
                    docker.first_port, docker.last_port
                ))
                .at(resource.span(&Path::root().name("docker").name("first_port")))
                .on(&resource.address)
                .help("give the lower one as `first_port`"),
            );
        }
        if attributes.proxy.http_port() == attributes.proxy.https_port() {
            diagnostics.push(
                Diagnostic::error(format!(
                    "`http_port` and `https_port` are both {}",
                    attributes.proxy.http_port()
                ))
                .at(resource.span(&proxy.name("https_port")))
                .on(&resource.address)
                .help("give them different ports"),
            );
        }
    }

    /// All nodes are on this machine: its ports and directories are there once.
    fn claims(&self, resource: &Resource, _node: &Address) -> Vec<Claim> {
        let Ok(Attributes { root, proxy, .. }) = resource.decode::<Attributes>() else { return Vec::new() };
        let claim =
            |what, name: String, path| Claim { scope: ClaimScope::Everywhere, what, name: name.into(), path };
        let at = |attribute: &'static str| Path::root().name("proxy").name(attribute);
        let root = root.map(|root| claim("directory", root.to_string(), Path::root().name("root")));
        let http = claim("port", proxy.http_port().to_string(), at("http_port"));
        let https = (proxy.http_port() != proxy.https_port())
            .then(|| claim("port", proxy.https_port().to_string(), at("https_port")));
        root.into_iter().chain([http]).chain(https).collect()
    }

    fn node(&self, resource: &Resource, base: &Base) -> Option<NodeSpec> {
        let attributes = resource.decode::<Attributes>().ok()?;
        Some(spec(resource, &attributes, base))
    }

    fn queries(&self, subject: Subject<'_>) -> Vec<Query> {
        if subject.desired.is_none() {
            return Vec::new();
        }
        let spec = &subject.node.spec;
        let user = spec.worker_user.iter().map(|user| Query::User(user.to_string()));
        let foreign = foreign::queries(spec, subject.observed);
        let make = [&spec.root, &spec.srv_root].map(|path| Query::MayMake(path.clone()));
        let make = make.into_iter().chain([Query::Myself]);
        let directories = directories(spec).into_iter().chain([spec.srv_root.clone()]).map(Query::Stat);
        user.chain(foreign).chain(way(spec)).chain(make).chain(directories).collect()
    }

    fn refresh(&self, subject: Subject<'_>) -> Refreshed {
        let mut refreshed = Refreshed::default();
        let Some(resource) = subject.desired else { return refreshed };
        let NodeView { spec, nginx, .. } = subject.node;
        let proxy = Path::root().name("proxy");
        if !nginx.has_reject_handshake() {
            refreshed.findings.push(
                Diagnostic::error(format!("nginx {} is too old", nginx.version))
                    .code("nginx_too_old")
                    .at(resource.span(&proxy.name("nginx")))
                    .on(&resource.address)
                    .help("vsa needs nginx 1.19.4 or later, which can refuse TLS for unknown names"),
            );
        }
        if let Some(user) = &spec.worker_user
            && subject.observed.get(&Query::User(user.to_string())) == Some(&Answer::Absent)
        {
            refreshed.findings.push(
                Diagnostic::error(format!("there is no user `{user}` on the node"))
                    .code("no_such_user")
                    .at(resource.span(&proxy.name("user")))
                    .on(&resource.address)
                    .help("create it, or name the user of nginx's workers with `proxy { user }`"),
            );
        }
        let bad_place =
            barred(spec, subject).map(|finding| ("root", finding)).or_else(|| unmade(spec, subject));
        refreshed.findings.extend(bad_place.map(|(attribute, finding)| {
            finding.at(resource.span(&Path::root().name(attribute))).on(&resource.address)
        }));
        refreshed.findings.extend(foreign::findings(resource, spec, subject.observed));
        let absent = |path: &PathBuf| subject.prior.is_some() && subject.observed.is_absent(path);
        // Where the whole is gone, its parts need not be said.
        let gone = directories(spec).into_iter().find(absent);
        refreshed.drift.extend(gone.map(|path| Drift {
            address: resource.address.clone(),
            subject: path.display().to_string(),
            what: "was deleted".to_owned(),
            repaired: true,
            diff: None,
        }));
        let differing =
            directories(spec).into_iter().filter_map(|path| Some((differs(subject, &path)?, path)));
        refreshed.drift.extend(differing.map(|(what, path)| Drift {
            address: resource.address.clone(),
            subject: path.display().to_string(),
            what,
            repaired: true,
            diff: None,
        }));
        refreshed
    }

    fn held(&self, subject: Subject<'_>) -> Vec<Held> {
        foreign::names(&subject.node.spec, subject.observed)
    }

    fn files(&self, subject: Subject<'_>, trace: bool) -> Result<Vec<File>, Diagnostics> {
        let Some(resource) = subject.desired else { return Ok(Vec::new()) };
        let attributes = decoded(resource)?;
        files::files(&attributes, subject.node, trace).map_err(|error| unwritten(resource, &error))
    }

    fn challenges(&self, subject: Subject<'_>, names: &[&str]) -> Result<Option<File>, Diagnostics> {
        let Some(resource) = subject.desired else { return Ok(None) };
        let file = files::challenges(&decoded(resource)?, subject.node, names);
        file.map(Some).map_err(|error| unwritten(resource, &error))
    }

    fn steps(&self, subject: Subject<'_>) -> Vec<Step> {
        if subject.desired.is_none() {
            return Vec::new();
        }
        let spec = &subject.node.spec;
        let directory = |path: PathBuf, access: Access| Step {
            phase: Phase::Prepare,
            operation: Operation::EnsureDirectory {
                owned: subject.prior.is_some_and(|prior| prior.owns(&path)),
                path,
                access,
            },
            undo: Undo::RemoveMade,
        };
        let group = spec.worker_user.as_ref().map(ToString::to_string);
        let own = Access { owner: None, group, mode: MODE };
        let passable = Access { owner: None, group: None, mode: 0o755 };
        let own = directories(spec).into_iter().map(|path| {
            let owner = subject.prior.filter(|_| differs(subject, &path).is_some()).and_then(made_by);
            directory(path, Access { owner: owner.map(|owner| owner.to_string()), ..own.clone() })
        });
        own.chain(tenants(spec, subject).map(|path| directory(path, passable))).collect()
    }
}
