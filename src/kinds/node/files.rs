//! The files of a node: what all its sites share.

use minijinja::Value;

use super::attributes::Attributes;
use crate::nginx::base::{
    CLIENT_ZONE, HSTS, PASSWORD_ZONE, PROXY_HEADERS, SECURITY_HEADERS, SecurityHeader, listens,
};
use crate::nginx::{Param, SITES, Template, Trace, render};
use crate::plan::{Aside, File, Node, ProxyMode};
use crate::resource::Path;
use crate::template::{RenderError, View};

const MIME_TYPES: &str = include_str!("../../nginx/assets/mime.types");
const PAGE_502: &str = include_str!("../../nginx/assets/502.html");
const PAGE_503: &str = include_str!("../../nginx/assets/503.html");

/// A limit on open files that carries ten thousand sites with logs of their own.
const OPEN_FILES: u32 = 65_536;

pub(super) fn files(attributes: &Attributes, node: &Node, trace: bool) -> Result<Vec<File>, RenderError> {
    let mut trace = Trace::new(trace);
    let mut files = Vec::with_capacity(16);
    let (path, template, view) = match node.spec.mode {
        ProxyMode::Managed | ProxyMode::Container => {
            ("nginx.conf", Template::Nginx, main(attributes, node, &mut trace))
        }
        ProxyMode::Host => ("vsa.conf", Template::Vsa, host(attributes, node)),
    };
    files.push(file(path, template, view, &trace)?);
    for (path, template, view) in shared(node) {
        files.push(file(path, template, view, &trace)?);
    }
    let view = default_server(attributes, node, &mut trace);
    files.push(file("base/default_server.conf", Template::DefaultServer, view, &trace)?);
    if node.spec.mode.owns_all() {
        files.push(File::text("mime.types", MIME_TYPES));
    }
    files.push(File::text("pages/502.html", PAGE_502).read_per_request());
    files.push(File::text("pages/503.html", PAGE_503).read_per_request());
    for directory in ["logs", "run"] {
        let target = node.spec.root.join(directory);
        files.push(File::link(directory, target.to_string_lossy(), Aside::Directory));
    }
    Ok(files)
}

fn file(path: &str, template: Template, view: View, trace: &Trace) -> Result<File, RenderError> {
    let rendered = render(template, view, trace)?;
    let mut file = File::text(path, rendered.text);
    file.origins = rendered.origins;
    Ok(file)
}

fn main(attributes: &Attributes, node: &Node, trace: &mut Trace) -> View {
    let proxy = &attributes.proxy;
    let privileged = node.spec.worker_user.is_some();
    let place = trace.place(|| Path::root().name("proxy").name("user"));
    View::new()
        .optional("user", node.spec.worker_user.as_ref().map(|user| Param::bare(user.clone()).at(place)))
        .with(
            "worker_processes",
            proxy.worker_processes.map_or_else(|| Param::fixed("auto").into(), Value::from),
        )
        .optional("rlimit", privileged.then_some(OPEN_FILES))
        .with("drain", node.spec.drain_seconds)
        .with("pid", Param::literal("run/nginx.pid"))
        .with("error_log_level", Param::bare(proxy.error_log.as_str()))
        .with("worker_connections", proxy.worker_connections)
        .with("log_format", Param::bare(format!("vsa_{}", proxy.log_format)))
}

fn host(attributes: &Attributes, node: &Node) -> View {
    let inside = |path: &str| Param::literal(node.spec.inside(path));
    View::new()
        .with("server_names_hash", attributes.proxy.server_names_hash)
        .with("variables", inside("base/variables.conf"))
        .with("rate_limit", inside("base/rate_limit.conf"))
        .with("default_server", inside("base/default_server.conf"))
        .with("marker", inside("base/marker.conf"))
        .with("sites", inside("sites/*.conf"))
}

fn shared(node: &Node) -> Vec<(&'static str, Template, View)> {
    let spec = &node.spec;
    let inside = |path: &str| Param::literal(spec.inside(path));
    let defaults = std::iter::once(&HSTS).chain(&SECURITY_HEADERS);
    let variables = View::new().list("headers", defaults.map(SecurityHeader::view));
    let zones = View::new().list("zones", [CLIENT_ZONE.view(), PASSWORD_ZONE.view()]);
    let curves = if node.nginx.has_mlkem() {
        "X25519MLKEM768:X25519:prime256v1:secp384r1"
    } else {
        "X25519:prime256v1:secp384r1"
    };
    let tls = View::new().with("curves", Param::bare(curves));
    let security_headers = View::new().list("headers", SECURITY_HEADERS.iter().map(SecurityHeader::view));
    let proxy = View::new().list(
        "headers",
        PROXY_HEADERS.iter().map(|(name, value)| {
            View::new().with("name", Param::fixed(name)).with("value", Param::fixed(value))
        }),
    );
    let acme = View::new().with("root", Param::literal(spec.root.join("acme").to_string_lossy()));
    let errors = View::new().with("pages", inside("pages/"));
    vec![
        ("base/variables.conf", Template::Variables, variables),
        ("base/rate_limit.conf", Template::RateLimit, zones),
        ("base/tls.conf", Template::Tls, tls),
        ("base/security_headers.conf", Template::SecurityHeaders, security_headers),
        ("base/gzip.conf", Template::Gzip, View::new()),
        ("base/proxy.conf", Template::Proxy, proxy),
        ("base/acme.conf", Template::Acme, acme),
        ("base/errors.conf", Template::Errors, errors),
    ]
}

/// The file that answers for what proves control over names that have no site yet. No host name begins with `_`.
pub(super) fn challenges(attributes: &Attributes, node: &Node, names: &[&str]) -> Result<File, RenderError> {
    let names = names.iter().map(|name| Param::bare(*name));
    let view = View::new()
        .list("http", listens(node.spec.http_port, attributes.proxy.ipv6()))
        .list("names", names)
        .with("acme", Param::literal(node.spec.inside("base/acme.conf")));
    file(&format!("{SITES}/_challenges.conf"), Template::Challenges, view, &Trace::new(false))
}

fn default_server(attributes: &Attributes, node: &Node, trace: &mut Trace) -> View {
    let spec = &node.spec;
    let ipv6 = attributes.proxy.ipv6();
    let inside = |path: &str| Param::literal(spec.inside(path));
    let mut listens = |port: u16, attribute: &'static str| {
        let place = trace.place(|| Path::root().name("proxy").name(attribute));
        listens(port, ipv6).into_iter().map(move |listen| listen.at(place))
    };
    // `_` is what everybody calls a default server; two servers of one name would be a conflict.
    let name = if spec.default_server { "_".to_owned() } else { format!("default.{}", spec.marker_host()) };
    View::new()
        .with("is_default", spec.default_server)
        .with("name", Param::bare(name))
        .list("http", listens(spec.http_port, "http_port"))
        .list("https", listens(spec.https_port, "https_port"))
        .with("http2_flag", attributes.proxy.http2 && !node.nginx.has_http2_directive())
        .with("http2_directive", attributes.proxy.http2 && node.nginx.has_http2_directive())
        .with("acme", inside("base/acme.conf"))
        .with("tls", inside("base/tls.conf"))
}
