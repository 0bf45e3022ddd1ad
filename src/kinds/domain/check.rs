//! Rules that the schema cannot say.

use super::attributes::{Attributes, Location, Place, Upstream};
use super::place::path;
use crate::diag::{Diagnostic, Diagnostics};
use crate::names::{FilePath, HeaderName, INTERNAL_DOMAIN, Text as _, covers};
use crate::nginx::{Context, check_snippet};
use crate::plan::ProxyMode;
use crate::plan::docker::DNS_SERVER;
use crate::resource::{Path, Resource};
use crate::value::Value;

struct Check<'a> {
    resource: &'a Resource,
    attributes: &'a Attributes,
    diagnostics: &'a mut Diagnostics,
}

pub(super) fn check(resource: &Resource, attributes: &Attributes, diagnostics: &mut Diagnostics) {
    let mut check = Check { resource, attributes, diagnostics };
    check.names();
    check.certificate();
    check.answers();
    check.place(None, &attributes.place);
    for location in &attributes.locations {
        check.place(Some(location), &location.place);
    }
}

impl Check<'_> {
    fn error(&mut self, path: &Path, summary: impl Into<String>, help: impl Into<String>) {
        let diagnostic =
            Diagnostic::error(summary).at(self.resource.span(path)).on(&self.resource.address).help(help);
        self.diagnostics.push(diagnostic);
    }

    /// As [`Check::error`], at the key of a map's entry.
    fn key_error(&mut self, path: &Path, summary: impl Into<String>, help: impl Into<String>) {
        let span = self.resource.key_span(path);
        let diagnostic = Diagnostic::error(summary).at(span).on(&self.resource.address).help(help);
        self.diagnostics.push(diagnostic);
    }

    fn names(&mut self) {
        let aliases = &self.attributes.site.aliases;
        for (index, alias) in aliases.iter().enumerate() {
            let path = Path::root().name("aliases").index(index);
            if alias.as_str() == &*self.resource.name {
                self.error(&path, format!("`{alias}` is the domain's own name"), "remove it from `aliases`");
            } else if aliases[..index].contains(alias) {
                self.error(&path, format!("the alias `{alias}` is given twice"), "remove one of them");
            }
        }
    }

    /// A certificate that is named covers the names that are served with it. One whose names are not known here, read
    /// from a file on the node, says nothing.
    fn certificate(&mut self) {
        let Some(certificate) = self.resource.get("tls").get("certificate") else { return };
        let covered: Vec<&str> = certificate
            .get("names")
            .and_then(Value::as_elements)
            .unwrap_or_default()
            .iter()
            .filter_map(Value::as_str)
            .collect();
        let covers = |name: &str| covered.iter().any(|certified| covers(certified, name));
        if covered.is_empty() {
            return;
        }
        let aliases = self.attributes.site.aliases.iter().enumerate();
        let aliases =
            aliases.map(|(index, alias)| (Path::root().name("aliases").index(index), alias.as_str()));
        let names = std::iter::once((Path::root().name("tls").name("certificate"), &*self.resource.name))
            .chain(aliases);
        for (path, name) in names.filter(|(_, name)| !covers(name)) {
            self.diagnostics.push(
                Diagnostic::warning(format!(
                    "the certificate of `{}` does not cover `{name}`",
                    self.resource.name
                ))
                .code("certificate_names")
                .at(self.resource.span(&path))
                .on(&self.resource.address)
                .help("add the name to the certificate's `names`, or leave `tls { certificate }` away"),
            );
        }
    }

    /// Exactly one thing answers in the domain, and at most one in a location.
    fn answers(&mut self) {
        let answers = answers(&self.attributes.place);
        match answers.as_slice() {
            [_] => {}
            [] => self.error(
                &Path::root(),
                format!("nothing answers for `{}`", self.resource.name),
                "add an `upstream` block, a `root` or a `redirect` block",
            ),
            [first, second, ..] => self.error(
                &Path::root().name(*second),
                format!("both `{first}` and `{second}` answer for `{}`", self.resource.name),
                "keep one of them here, and move the other into a `location`",
            ),
        }
        for location in &self.attributes.locations {
            if let [first, second, ..] = self::answers(&location.place).as_slice() {
                self.error(
                    &path(Some(location), second),
                    format!("both `{first}` and `{second}` answer in `{}`", location.path),
                    "keep one of them",
                );
            }
        }
    }

    fn place(&mut self, location: Option<&Location>, place: &Place) {
        self.tenants(location);
        self.upstream(location, place);
        self.prefix(location, place);
        self.redirect(location, place);
        self.headers(location, place);
        self.snippet(location, place);
        if let Some(root) = &place.root {
            self.root(&path(location, "root"), root);
        }
        if let Some(limit) = &place.rate_limit
            && !limit.enabled
            && (limit.rate.is_some() || limit.burst.is_some())
        {
            self.error(
                &path(location, "rate_limit"),
                "a rate limit is set and switched off",
                "remove `enabled = false`, or the limit",
            );
        }
        if let Some(location) = location
            && location.flags.public
            && location.place.auth.is_some()
        {
            self.error(
                &path(Some(location), "public"),
                format!("`{}` is public and has a password", location.path),
                "remove `public` or `auth`",
            );
        }
    }

    /// What a site refers to belongs to the site's tenant.
    fn tenants(&mut self, location: Option<&Location>) {
        let at = path(location, "auth");
        let auth = match location {
            None => self.resource.get("auth"),
            Some(location) => self
                .resource
                .get("location")
                .get(location.path.as_str())
                .and_then(|location| location.get("auth"))
                .unwrap_or(&Value::NULL),
        };
        let name = |value: &Value| match value.as_str() {
            Some(text) => Some(text.to_owned()),
            None => value.get("name").and_then(Value::as_str).map(ToOwned::to_owned),
        };
        let Some(theirs) = auth.get("tenant").and_then(name) else { return };
        let ours = self.attributes.site.tenant.name.to_string();
        if theirs != ours {
            let named = auth.get("name").and_then(Value::as_str).unwrap_or("?").to_owned();
            self.error(
                &at,
                format!("`auth.{named}` belongs to the tenant `{theirs}`, and this domain to `{ours}`"),
                format!("use an `auth` of the tenant `{ours}`"),
            );
        }
    }

    fn upstream(&mut self, location: Option<&Location>, place: &Place) {
        let Some(upstream) = &place.upstream else { return };
        let at = path(location, "upstream");
        self.service(&at, upstream);
        let Some(address) = &upstream.address else { return };
        if let Some(socket) = address.authority().strip_prefix("unix:")
            && ["docker.sock", "containerd.sock"].iter().any(|engine| socket.ends_with(engine))
        {
            self.error(
                &at.name("address"),
                format!("`{socket}` would hand the machine to whoever asks the site"),
                "pass requests on to an application",
            );
        }
        if address.is_name() {
            let host = address.host();
            if self.attributes.site.node.resolver.is_empty() {
                self.error(
                    &at.name("address"),
                    format!("the upstream `{host}` is a name, and the node has no resolver to look it up"),
                    "set `resolver` in the node's `proxy` block to the servers of `/etc/resolv.conf`, such as \
                     `[\"127.0.0.53\"]`; or give the upstream's IP address",
                );
            }
            let by_docker = self.attributes.site.node.mode == ProxyMode::Container
                && self.attributes.site.node.resolver.iter().all(|server| server.as_str() == DNS_SERVER);
            if by_docker && !host.contains('.') {
                self.error(
                    &at.name("address"),
                    format!("`{host}` would be looked up among the containers of all tenants"),
                    "name a stack's service with `stack`, `service` and `port`, or a container that vsa does not own \
                     with `container` and `port`",
                );
            } else if host
                .strip_suffix(INTERNAL_DOMAIN)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            {
                self.error(
                    &at.name("address"),
                    format!("`{host}` is one of the names that vsa gives to services"),
                    "name the service with `stack`, `service` and `port`",
                );
            }
            if upstream.keepalive.is_some() {
                self.error(
                    &at.name("keepalive"),
                    format!(
                        "connections to `{host}`, which is looked up while requests come, cannot be kept"
                    ),
                    "give the upstream's IP address, or remove `keepalive`",
                );
            }
        }
        let secure = address.as_str().starts_with("https://");
        for (name, given) in [("tls_name", upstream.tls_name.is_some()), ("ca", upstream.ca.is_some())] {
            if given && !secure {
                self.error(
                    &at.name(name),
                    format!("`{name}` is for upstreams that speak TLS"),
                    format!("write the address as `https://{}`", address.authority()),
                );
            }
        }
        if let Some(ca) = &upstream.ca
            && !ca.is_absolute()
        {
            self.error(
                &at.name("ca"),
                format!("`{ca}` is a relative path"),
                "give it from the root: `/etc/…`",
            );
        }
    }

    /// An upstream is an address, a service of a stack, a container, or whatever serves a port.
    fn service(&mut self, at: &Path, upstream: &Upstream) {
        const WAYS: &str = "give it one of `address`, `stack` with `service` and `port`, `container` with `port`, \
                            and `detect`";
        let of_stack = upstream.stack.is_some() || upstream.service.is_some();
        let of_container = upstream.container.is_some();
        let ways = [upstream.address.is_some(), of_stack, of_container, upstream.detect.is_some()];
        match ways.into_iter().filter(|way| *way).count() {
            0 => return self.error(at, "the upstream is nowhere", WAYS),
            1 => {}
            _ => return self.error(at, "the upstream is in more than one place", WAYS),
        }
        if upstream.address.is_none() && upstream.target.is_none() {
            let (summary, help) = if of_stack {
                (
                    "the upstream does not say which service of which stack it is",
                    "give it all of `stack`, `service` and `port`",
                )
            } else {
                ("the upstream does not say which port of the container it is", "give it a `port`")
            };
            self.error(at, summary, help);
        }
        if upstream.port.is_some() && !of_stack && !of_container {
            self.error(
                &at.name("port"),
                "`port` is for services and containers",
                "leave it away: the address has one, and `detect` finds it",
            );
        }
        for (name, given) in [("tls_name", upstream.tls_name.is_some()), ("ca", upstream.ca.is_some())] {
            if given && upstream.address.is_none() {
                self.error(
                    &at.name(name),
                    format!("`{name}` is for upstreams that speak TLS"),
                    "containers are reached on this machine, without TLS: leave it away",
                );
            }
        }
        let ours = self.attributes.site.tenant.name.to_string();
        if let Some(stack) = upstream.stack.as_ref().filter(|stack| *stack.tenant != *ours) {
            self.error(
                &at.name("stack"),
                format!(
                    "`stack.{}` belongs to the tenant `{}`, and this domain to `{ours}`",
                    stack.name, stack.tenant
                ),
                format!("use a stack of the tenant `{ours}`"),
            );
        }
    }

    /// A prefix that is taken away must end where a segment of the path ends: nginx puts `/` in its place.
    fn prefix(&mut self, location: Option<&Location>, place: &Place) {
        let Some(location) = location.filter(|location| location.flags.strip_prefix) else { return };
        let at = path(Some(location), "strip_prefix");
        let label = &location.path;
        if !location.flags.exact && !label.as_str().ends_with('/') {
            self.error(
                &at,
                format!("`{label}../` would lead out of the prefix `{label}`"),
                format!("let the path end with a slash: `{label}/`"),
            );
        }
        let upstream = place.upstream.as_ref().or(self.attributes.place.upstream.as_ref());
        if let Some(address) =
            upstream.and_then(|upstream| upstream.address.as_ref()).filter(|address| address.is_name())
        {
            let host = address.host();
            self.error(
                &at,
                format!("the prefix cannot be stripped for `{host}`, which is looked up while requests come"),
                "give the upstream's IP address, or remove `strip_prefix`",
            );
        }
    }

    fn redirect(&mut self, location: Option<&Location>, place: &Place) {
        let Some(redirect) = &place.redirect else { return };
        let at = path(location, "redirect");
        if let Some(status) = redirect.status
            && !matches!(status, 301 | 302 | 303 | 307 | 308)
        {
            self.error(
                &at.name("status"),
                format!("{status} is not a redirect"),
                "use 301, 302, 303, 307 or 308",
            );
        }
        let to = redirect.to.as_str();
        if redirect.preserve_path && to.contains(['?', '#']) {
            self.error(
                &at.name("to"),
                format!("a path cannot be appended to `{to}`"),
                "set `preserve_path = false`, or leave the query away",
            );
        }
        let own_host = to.split_once("://").and_then(|(_, rest)| rest.split(['/', '?', '#', ':']).next());
        let own = own_host == Some(&*self.resource.name) || to.starts_with('/');
        if to == "/" && redirect.preserve_path {
            self.error(
                &at.name("to"),
                "a path appended to `/` is the path itself",
                "set `preserve_path = false`, or name another path",
            );
        } else if location.is_none() && own && (redirect.preserve_path || own_host.is_none()) {
            self.error(
                &at.name("to"),
                format!("`{}` redirects to itself", self.resource.name),
                "name another host, or put the redirect into a `location`",
            );
        }
    }

    fn headers(&mut self, location: Option<&Location>, place: &Place) {
        for name in place.headers.iter().flat_map(|headers| headers.keys()) {
            if let Some(help) = reserved(name, RESPONSE) {
                let at = path(location, "headers").name(name.as_str());
                self.key_error(&at, format!("the header `{name}` is nginx's own"), help);
            }
        }
        for name in place.proxy_headers.iter().flat_map(|headers| headers.keys()) {
            if let Some(help) = reserved(name, REQUEST) {
                let at = path(location, "proxy_headers").name(name.as_str());
                self.key_error(&at, format!("the header `{name}` is set by vsa"), help);
            }
        }
    }

    fn snippet(&mut self, location: Option<&Location>, place: &Place) {
        let Some(snippet) = &place.extra_config else { return };
        let context = if location.is_some() { Context::Location } else { Context::Server };
        let Err(refusals) = check_snippet(snippet.as_str(), context) else { return };
        let at = path(location, "extra_config");
        for refusal in refusals {
            let mut diagnostic = Diagnostic::error(refusal.reason)
                .detail(format!("line {} of the snippet", refusal.line))
                .at(self.resource.span(&at))
                .on(&self.resource.address);
            if let Some(help) = refusal.help {
                diagnostic = diagnostic.help(help);
            }
            self.diagnostics.push(diagnostic);
        }
    }

    /// A whole file system, or what holds its secrets, is not a site.
    fn root(&mut self, at: &Path, root: &FilePath) {
        const PRIVATE: &[&str] = &["/boot", "/dev", "/etc", "/proc", "/root", "/run", "/sys"];
        let text = root.as_str();
        let private = PRIVATE.iter().any(|private| {
            text.strip_prefix(private).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        if private || matches!(text, "/" | "/home" | "/srv" | "/var" | "/usr" | "/opt" | "/tmp") {
            self.error(
                at,
                format!("`{text}` is not a directory of a site"),
                "serve a directory that holds the site's files alone",
            );
        }
    }
}

fn answers(place: &Place) -> Vec<&'static str> {
    let answers = [
        ("upstream", place.upstream.is_some()),
        ("root", place.root.is_some()),
        ("redirect", place.redirect.is_some()),
    ];
    answers.into_iter().filter(|(_, given)| *given).map(|(name, _)| name).collect()
}

type Reserved = &'static [(&'static str, &'static str)];

const RESPONSE: Reserved = &[
    ("connection", "leave it away"),
    ("content-length", "leave it away"),
    ("date", "leave it away"),
    ("server", "leave it away"),
    ("transfer-encoding", "leave it away"),
    ("upgrade", "use `websocket`"),
];

const REQUEST: Reserved = &[
    ("connection", "leave it away"),
    ("content-length", "leave it away"),
    ("forwarded", "the upstream finds the client in `X-Forwarded-For`"),
    ("host", "use `host_header` of the `upstream` block"),
    ("proxy", "no upstream may get it (httpoxy)"),
    ("transfer-encoding", "leave it away"),
    ("upgrade", "use `websocket`"),
    ("x-forwarded-for", "it is the client's address"),
    ("x-forwarded-host", "it is the host of the request"),
    ("x-forwarded-port", "it is the port of the request"),
    ("x-forwarded-proto", "it is the scheme of the request"),
    ("x-real-ip", "it is the client's address"),
    ("x-request-id", "it is the request's id, as in the access log"),
];

fn reserved(name: &HeaderName, reserved: Reserved) -> Option<&'static str> {
    let lower = name.as_str().to_ascii_lowercase();
    reserved.iter().find(|(name, _)| *name == lower).map(|(_, help)| *help)
}
