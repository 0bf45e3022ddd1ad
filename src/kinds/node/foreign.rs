//! What somebody else configured in the nginx that vsa shares.

use std::path::Path as FilePath;

use crate::diag::{Diagnostic, Diagnostics};
use crate::nginx::{Foreign, ForeignServer, Listen, foreign, includes};
use crate::plan::{Answer, Held, NodeSpec, Observations, ProxyMode, Query};
use crate::resource::{Path, Resource};

type Files<'a> = Vec<(&'a FilePath, &'a [u8])>;

fn read<'a>(observed: &'a Observations, pattern: &str) -> Option<Files<'a>> {
    match observed.get(&Query::Glob(pattern.to_owned()))? {
        Answer::Files(files) => {
            Some(files.iter().map(|(path, bytes)| (path.as_path(), bytes.as_slice())).collect())
        }
        _ => Some(Vec::new()),
    }
}

/// What is still to be asked: nginx's main configuration, then what it includes, and so on.
pub(super) fn queries(spec: &NodeSpec, observed: &Observations) -> Vec<Query> {
    if spec.mode != ProxyMode::Host {
        return Vec::new();
    }
    let unread = includes(&spec.nginx_conf, &spec.include_file, &|pattern| read(observed, pattern));
    unread.into_iter().map(Query::Glob).collect()
}

/// The servers that are not vsa's.
fn servers(spec: &NodeSpec, observed: &Observations) -> Foreign {
    if spec.mode != ProxyMode::Host {
        return Foreign::default();
    }
    foreign(&spec.nginx_conf, &spec.include_file, &|pattern| read(observed, pattern))
}

/// The host names that they answer for on the ports of vsa.
pub(super) fn names(spec: &NodeSpec, observed: &Observations) -> Vec<Held> {
    let mut held = Vec::new();
    for server in servers(spec, observed).servers {
        if server.listens.iter().any(|listen| ours(spec, listen)) {
            let place = format!("{}:{}", server.file.display(), server.line);
            held.extend(server.names.iter().map(|name| Held {
                what: "host name",
                name: name.as_str().into(),
                place: place.clone(),
            }));
        }
    }
    held
}

/// Errors and warnings about them.
pub(super) fn findings(resource: &Resource, spec: &NodeSpec, observed: &Observations) -> Diagnostics {
    let found = servers(spec, observed);
    let mut findings = Diagnostics::new();
    let proxy = Path::root().name("proxy");
    for server in &found.servers {
        if let Some(listen) = server.listens.iter().find(|listen| clashes(spec, listen)) {
            findings.push(clash(resource, server, listen).at(resource.span(&proxy)).on(&resource.address));
        }
        if let Some(listen) = server.listens.iter().find(|listen| shadows(spec, listen)) {
            findings.push(
                Diagnostic::warning(format!(
                    "requests to {}:{} do not reach the sites of vsa",
                    listen.address, listen.port
                ))
                .code("foreign_listen")
                .detail(format!(
                    "{}:{} listens on that address alone, which nginx prefers to a server for all addresses",
                    server.file.display(),
                    server.line
                ))
                .at(resource.span(&proxy))
                .on(&resource.address)
                .help("let that server listen on the port alone"),
            );
        }
    }
    if found.misses_own {
        findings.push(unread(resource, spec, observed));
    }
    if let Some((file, line)) = found.server_names_hash
        && resource.get("proxy").get("server_names_hash").and_then(crate::value::Value::as_bool) == Some(true)
    {
        findings.push(
            Diagnostic::error("the table of server names is sized twice")
                .code("foreign_server_names_hash")
                .detail(format!("{}:{line} does it too, and nginx takes it once only", file.display()))
                .at(resource.span(&proxy))
                .on(&resource.address)
                .help("set `proxy { server_names_hash = false }`, or remove those lines"),
        );
    }
    findings
}

/// Why nginx does not read vsa's own file: the main configuration is not there, or does not include it.
fn unread(resource: &Resource, spec: &NodeSpec, observed: &Observations) -> Diagnostic {
    let proxy = Path::root().name("proxy");
    let main = spec.nginx_conf.display();
    if read(observed, &main.to_string()).is_none_or(|files| files.is_empty()) {
        return Diagnostic::error(format!("there is no `{main}` that can be read"))
            .code("no_nginx_conf")
            .detail("it is the main configuration of the system's nginx")
            .at(resource.span(&proxy.name("nginx_conf")))
            .on(&resource.address)
            .help("install nginx, or name its main configuration with `proxy { nginx_conf }`");
    }
    Diagnostic::error(format!("nginx does not read `{}`", spec.include_file.display()))
        .code("include_not_read")
        .detail(format!("no `include` in the `http` block of {main} names it"))
        .at(resource.span(&proxy.name("include_file")))
        .on(&resource.address)
        .help("put the `include /etc/nginx/conf.d/*.conf;` of nginx's package back into its `http` block")
        .help("or name a file that it reads with `proxy { include_file }`")
}

fn everywhere(listen: &Listen) -> bool {
    matches!(listen.address.as_str(), "*" | "[::]")
}

fn ours(spec: &NodeSpec, listen: &Listen) -> bool {
    listen.port == spec.http_port || listen.port == spec.https_port
}

fn clashes(spec: &NodeSpec, listen: &Listen) -> bool {
    spec.default_server && listen.default && everywhere(listen) && ours(spec, listen)
}

fn shadows(spec: &NodeSpec, listen: &Listen) -> bool {
    ours(spec, listen) && !everywhere(listen)
}

fn clash(resource: &Resource, server: &ForeignServer, listen: &Listen) -> Diagnostic {
    Diagnostic::error(format!("port {} has a default server that is not of vsa", listen.port))
        .code("foreign_default_server")
        .detail(format!(
            "{}:{} has `default_server`, and nginx takes one for an address only",
            server.file.display(),
            server.line
        ))
        .help(format!("remove that server (`{}`)", server.file.display()))
        .help(format!(
            "or leave unknown names to it: `node \"{}\" {{ proxy {{ default_server = false }} }}`",
            resource.name
        ))
}
