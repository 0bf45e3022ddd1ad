//! The locations of a site's file.

use super::attributes::{Location, RateKey, RateLimit, Redirect, Servers, Upstream};
use super::files::Writer;
use super::headers::{Headers, Line};
use super::place::{Answer, Resolved, Said};
use super::roots;
use crate::names::{AddressRange, FilePath, Text as _, UpstreamScheme};
use crate::nginx::Param;
use crate::nginx::base::{BY_CLIENT, BY_SITE, CLIENT_ZONE, PASSWORD_ZONE, Zone, name_hash};
use crate::plan::docker::DNS_SERVER;
use crate::resource::Path;
use crate::template::View;

/// Certificates of the authorities that the system trusts, as Debian keeps them.
const SYSTEM_CA: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The server of names that Docker gives to every container of a network. Its answers are good for ten minutes by
/// themselves, and an address may be another container's a moment after.
const DOCKER_RESOLVER: [&str; 3] = [DNS_SERVER, "valid=1s", "ipv6=off"];

impl<'a> Writer<'a> {
    pub(super) fn location(&mut self, index: usize, place: &Resolved<'a>, headers: &Headers) -> View {
        let flags = place.flags();
        let label = self.trace.place(|| match place.location {
            Some(location) => Path::root().name("location").name(location.path.as_str()),
            None => Path::root(),
        });
        let unavailable = self.attributes.site.maintenance || self.attributes.site.tenant.is_suspended();
        let answer = place.answer().filter(|_| !unavailable);
        let (proxy, files, redirect) = match answer {
            Some((Answer::Proxy(upstream), said_by)) => {
                let upstream = Said { value: upstream, location: said_by };
                (Some(self.proxy(index, place, &upstream)), None, None)
            }
            Some((Answer::Static(root), said_by)) => {
                (None, Some(self.files_below(place, &Said { value: root, location: said_by })), None)
            }
            Some((Answer::Redirect(redirect), said_by)) => {
                (None, None, Some(self.redirect(index, place, &Said { value: redirect, location: said_by })))
            }
            None => (None, None, None),
        };
        // A plain `return` answers before requests are counted.
        let returns = redirect.is_some() && !place.is_protected();
        let limits = if returns { Vec::new() } else { self.limits(place) };
        let own_headers = if place.has_own_headers() {
            let lines = headers.lines.iter().chain(&headers.hsts).map(Line::view);
            lines.chain(self.header_lines(place)).collect()
        } else {
            Vec::new()
        };
        let hide_dotfiles = files.is_some() && !place.hidden_files() && !flags.exact;
        let extra = if unavailable { Vec::new() } else { self.extra(place.own_extra_config()) };
        let view = View::new()
            .with("path", Param::location(place.path()).at(label))
            .with("exact", flags.exact)
            .list("limits", limits)
            .with("unavailable", answer.is_none())
            .optional("proxy", proxy)
            .optional("static", files)
            .optional("redirect", redirect)
            .list("own_headers", own_headers)
            .list("extra", extra)
            .with("hide_dotfiles", hide_dotfiles);
        self.access(view, place)
    }

    fn access(&mut self, view: View, place: &Resolved<'a>) -> View {
        let auth = place.auth().map(|auth| {
            let at = self.trace.place(|| auth.path("auth"));
            View::new()
                .with("realm", Param::of(&auth.value.realm).at(at))
                .with("file", self.inside(&auth.value.file).at(at))
        });
        let mut ranges = |said: Option<Said<'a, [AddressRange]>>, attribute: &'static str| {
            let said =
                said.into_iter().flat_map(|said| said.value.iter().enumerate().map(move |item| (said, item)));
            said.map(|(said, (index, range))| {
                Param::of(range).at(self.trace.place(|| said.path(attribute).index(index)))
            })
            .collect::<Vec<_>>()
        };
        let deny = ranges(place.deny(), "deny");
        let allow = ranges(place.allow(), "allow");
        let body_size = place
            .own_body_size()
            .map(|size| Param::of(size.value).at(self.trace.place(|| size.path("body_size"))));
        view.optional("auth", auth)
            .with("deny_others", !allow.is_empty())
            .list("deny", deny)
            .list("allow", allow)
            .with("satisfy_any", place.satisfies_any())
            .optional("body_size", body_size)
    }

    fn limits(&mut self, place: &Resolved<'a>) -> Vec<View> {
        let mut limits = Vec::with_capacity(1);
        let said = place.rate_limit();
        if let Some(Said { value, location }) = said.filter(|said| said.value.enabled) {
            limits.push(self.limit(value, location));
        }
        // A password costs the worker a bcrypt check with each request. So a place that asks for one has a limit,
        // which a switched-off general one lifts only where it stands in the same block as the password.
        if let Some(auth) = place.auth() {
            let lifted = said.is_some_and(|said| !said.value.enabled && said.is_beside(&auth));
            if !lifted {
                limits.push(limit(&PASSWORD_ZONE, 60, Some(20)));
            }
        }
        limits
    }

    fn limit(&mut self, said: &RateLimit, location: Option<&Location>) -> View {
        if said.rate.is_none() && said.key == RateKey::Client {
            return limit(&CLIENT_ZONE, said.burst.unwrap_or(200), None);
        }
        let name = format!("{}{}", self.name, location.map_or("", |location| location.path.as_str()));
        let zone = Zone {
            name: &name,
            key: match said.key {
                RateKey::Client => BY_CLIENT,
                RateKey::Site => BY_SITE,
            },
            size: "1m",
            rate: said.rate.as_ref().map_or(CLIENT_ZONE.rate, |rate| rate.as_str()),
        };
        let id = zone.id();
        if !self.zones.iter().any(|(known, _)| *known == id) {
            self.zones.push((id, zone.view()));
        }
        limit(&zone, said.burst.unwrap_or(20), None)
    }

    fn files_below(&mut self, place: &Resolved<'a>, root: &Said<'a, FilePath>) -> View {
        let at = self.trace.place(|| root.path("root"));
        let directory = self.node.configuration.join(root.value.as_str());
        let trusted = match roots::trusted(self.node, &directory) {
            Some(trusted) => Param::literal(trusted.to_string_lossy()).after("from="),
            None => Param::fixed("from=$document_root"),
        };
        let directory = directory.to_string_lossy();
        let index: Vec<Param> = match place.index() {
            Some(said) => said.value.iter().map(Param::of).collect(),
            None => vec![Param::fixed("index.html")],
        };
        let fallback = place.spa().then(|| {
            let prefix = place.path().trim_end_matches('/');
            Param::literal(format!("{prefix}/index.html"))
        });
        View::new()
            .with("root", Param::literal(directory).at(at))
            .with("trusted", trusted)
            .list("index", index)
            .optional("fallback", fallback)
            .with("autoindex", place.autoindex())
            .optional("expires", place.expires().map(|said| Param::of(said.value)))
    }

    fn redirect(&mut self, index: usize, place: &Resolved<'a>, redirect: &Said<'a, Redirect>) -> View {
        let at = self.trace.place(|| redirect.path("redirect").name("to"));
        let Redirect { to, status, preserve_path } = redirect.value;
        let target = if *preserve_path {
            Param::literal(to.as_str().trim_end_matches('/')).before("$request_uri")
        } else {
            Param::of(to)
        };
        // `return` answers before passwords and addresses are looked at; a named location behind `try_files` does not.
        let named = place.is_protected().then(|| Param::bare(format!("redirect_{index}")).after("@"));
        View::new()
            .with("to", target.at(at))
            .optional("status", status.map(u32::from))
            .optional("named", named)
    }

    fn proxy(&mut self, index: usize, place: &Resolved<'a>, upstream: &Said<'a, Upstream>) -> View {
        let at = self.trace.place(|| upstream.path("upstream").name("address"));
        let keepalive = &upstream.value.keepalive;
        let servers = match upstream.value.servers(self.endpoints) {
            Some(Servers::Addresses(servers)) => servers,
            Some(Servers::Container(name)) => return self.container(index, place, upstream, name),
            None => Vec::new(),
        };
        let Some(address) = servers.first() else { return View::new() };
        let before = match address.scheme() {
            UpstreamScheme::Http => "http://",
            UpstreamScheme::Https => "https://",
        };
        let after = if place.flags().strip_prefix { "/" } else { "" };
        let mut variable = None;
        let target = match keepalive {
            _ if address.is_name() => {
                variable = Some(Param::literal(address.authority()).at(at));
                Param::fixed("$vsa_upstream")
            }
            _ if keepalive.is_some() || servers.len() > 1 => {
                let name = self.upstream_name(index);
                self.upstreams.push(
                    View::new()
                        .with("name", Param::bare(name.as_str()))
                        .optional("zone", None::<Param>)
                        .list("resolvers", Vec::<Param>::new())
                        .list(
                            "servers",
                            servers.iter().map(|server| Param::literal(server.authority()).at(at)),
                        )
                        .optional("keepalive", *keepalive),
                );
                Param::bare(name)
            }
            _ => Param::literal(address.authority()),
        };
        let after = if address.authority().starts_with("unix:") && keepalive.is_none() && !after.is_empty() {
            ":/"
        } else {
            after
        };
        let host = self.host_header(upstream);
        let pass = match variable {
            Some(_) => Param::fixed(match address.scheme() {
                UpstreamScheme::Http => "http://$vsa_upstream",
                UpstreamScheme::Https => "https://$vsa_upstream",
            }),
            None => target.after(before).before(after),
        };
        let view = View::new()
            .optional("variable", variable)
            .list("resolvers", self.attributes.site.node.resolver.iter().map(Param::of))
            .optional("resolver_timeout", None::<Param>)
            .optional("rewrite", None::<Param>)
            .with("pass", pass.at(at))
            .with("host", host)
            .with("websocket", place.websocket())
            .optional("tls", self.proxy_tls(upstream));
        self.proxy_details(view, place, None)
    }

    fn host_header(&mut self, upstream: &Said<'a, Upstream>) -> Param {
        match &upstream.value.host_header {
            Some(host) => {
                Param::of(host).at(self.trace.place(|| upstream.path("upstream").name("host_header")))
            }
            None => Param::fixed("$host$vsa_port"),
        }
    }

    /// The name of the `upstream` of a place, unique on the node.
    fn upstream_name(&self, index: usize) -> String {
        format!("vsa_{}", name_hash(&[self.name, &index.to_string()]))
    }

    /// A container that nginx, in another one, looks up by its name while requests come: where there is none of that
    /// name, or it has moved to another address, no other site is the worse for it. Connections are kept where nginx
    /// can do both.
    fn container(
        &mut self,
        index: usize,
        place: &Resolved<'a>,
        upstream: &Said<'a, Upstream>,
        name: String,
    ) -> View {
        let at = self.trace.place(|| upstream.path("upstream"));
        let kept = upstream.value.keepalive.filter(|_| upstream.value.unkept(&self.node.nginx).is_none());
        let strips = place.flags().strip_prefix;
        let view = if let Some(keepalive) = kept {
            let upstream = self.upstream_name(index);
            self.upstreams.push(
                View::new()
                    .with("name", Param::bare(upstream.as_str()))
                    .optional("zone", Some(Param::bare(upstream.as_str())))
                    .list("resolvers", DOCKER_RESOLVER.map(Param::fixed))
                    .list("servers", [Param::literal(name).at(at)])
                    .optional("keepalive", Some(keepalive)),
            );
            let pass = Param::bare(upstream).after("http://").before(if strips { "/" } else { "" });
            View::new()
                .optional("variable", None::<Param>)
                .list("resolvers", Vec::<Param>::new())
                .optional("resolver_timeout", None::<Param>)
                .optional("rewrite", None::<Param>)
                .with("pass", pass.at(at))
        } else {
            let stripped = strips.then(|| regex::escape(place.path()));
            View::new()
                .with("variable", Param::literal(name).at(at))
                .list("resolvers", DOCKER_RESOLVER.map(Param::fixed))
                .with("resolver_timeout", Param::fixed("5s"))
                .optional("rewrite", stripped.map(|path| Param::literal(format!("(?s)^{path}(.*)"))))
                .with("pass", Param::fixed("http://$vsa_upstream"))
        };
        let view = view
            .with("host", self.host_header(upstream))
            .with("websocket", place.websocket())
            .optional("tls", None::<View>);
        // It is on this machine, or it is gone: an address that nobody has any more would be tried for a minute.
        self.proxy_details(view, place, Some(Param::fixed("5s")))
    }

    fn proxy_tls(&mut self, upstream: &Said<'a, Upstream>) -> Option<View> {
        let Upstream { address, tls_name, ca, .. } = upstream.value;
        let address = address.as_ref()?;
        if address.scheme() == UpstreamScheme::Http {
            return None;
        }
        let at = self.trace.place(|| upstream.path("upstream").name("ca"));
        let name = tls_name.as_ref().map_or_else(|| address.host(), |name| name.as_str());
        let ca = ca.as_ref().map_or(SYSTEM_CA, |ca| ca.as_str());
        Some(View::new().with("name", Param::literal(name)).with("ca", Param::literal(ca).at(at)))
    }

    fn proxy_details(&mut self, view: View, place: &Resolved<'a>, within: Option<Param>) -> View {
        let set: Vec<_> = place
            .proxy_headers()
            .values()
            .map(|(name, said)| {
                let at = self.trace.place(|| said.path("proxy_headers").name(name.as_str()));
                View::new().with("name", Param::of(*name)).with("value", Param::of(said.value).at(at))
            })
            .collect();
        let hide: Vec<_> = place.headers().values().map(|(name, _)| Param::of(*name)).collect();
        let timeouts = place.timeouts();
        let long = place.websocket().then(|| Param::fixed("1h"));
        let mut timeout = |attribute: &'static str, default: Option<Param>| {
            let said = timeouts?;
            let value = match attribute {
                "connect" => &said.value.connect,
                "read" => &said.value.read,
                _ => &said.value.send,
            };
            value
                .as_ref()
                .map(|value| Param::of(value).at(self.trace.place(|| said.path("timeouts").name(attribute))))
                .or(default)
        };
        let connect = timeout("connect", within.clone()).or(within);
        let read = timeout("read", long.clone()).or_else(|| long.clone());
        let send = timeout("send", long.clone()).or(long);
        view.list("set", set)
            .list("hide", hide)
            .optional("connect", connect)
            .optional("read", read)
            .optional("send", send)
    }
}

fn limit(zone: &Zone<'_>, burst: u32, delay: Option<u32>) -> View {
    View::new().with("zone", Param::bare(zone.id())).with("burst", burst).with("delay", delay)
}
