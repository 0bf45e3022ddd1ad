//! The file of a site.

use super::attributes::{AccessLog, AliasMode, Attributes, ErrorLog};
use super::headers::{Line, Site};
use super::place::{Resolved, Said, path};
use crate::names::{HostName, Text as _};
use crate::nginx::base::listens;
use crate::nginx::{Param, SITES, Template, Trace, render};
use crate::plan::{Endpoints, File, Node};
use crate::resource::Path;
use crate::template::{RenderError, View};

/// The largest body of a request by default.
const BODY_SIZE: &str = "10m";

pub(super) fn site(
    name: &str,
    attributes: &Attributes,
    node: &Node,
    endpoints: &Endpoints,
    trusted: bool,
    trace: bool,
) -> Result<File, RenderError> {
    let trace = Trace::new(trace);
    let (zones, upstreams) = (Vec::new(), Vec::new());
    let mut writer = Writer { name, attributes, node, endpoints, trusted, trace, zones, upstreams };
    let view = writer.view();
    let rendered = render(Template::Site, view, &writer.trace)?;
    let mut file = File::text(format!("{SITES}/{name}.conf"), rendered.text);
    file.origins = rendered.origins;
    // Its zones, upstreams and variables carry its name, which is claimed. What an administrator adds is not looked into.
    file.alone = !attributes.has_extra_config();
    Ok(file)
}

pub(super) struct Writer<'a> {
    pub(super) name: &'a str,
    pub(super) attributes: &'a Attributes,
    pub(super) node: &'a Node,
    pub(super) endpoints: &'a Endpoints,
    /// Whether nothing speaks against its certificate but what is said of it.
    trusted: bool,
    pub(super) trace: Trace,
    /// Zones of the site's own, by their names.
    pub(super) zones: Vec<(String, View)>,
    pub(super) upstreams: Vec<View>,
}

impl<'a> Writer<'a> {
    pub(super) fn inside(&self, path: &str) -> Param {
        Param::literal(self.node.spec.inside(path))
    }

    fn view(&mut self) -> View {
        let site = &self.attributes.site;
        let spec = &self.node.spec;
        let named = site.tls.certificate.as_ref();
        let trusted = self.trusted && named.map_or(site.node.has_acme, |certificate| certificate.trusted);
        let security = Site {
            name: self.name,
            hsts: Some(&site.hsts).filter(|hsts| site.tls.enabled && trusted && hsts.enabled),
            csp: &site.csp,
            security: &site.security_headers,
        };
        let places: Vec<_> = Resolved::all(self.attributes).collect();
        let whole = Resolved::whole(self.attributes);
        let headers = security.headers(&whole, &mut self.trace);
        let locations: Vec<_> =
            places.iter().enumerate().map(|(index, place)| self.location(index, place, &headers)).collect();
        let host_place = self.trace.place(Path::root);
        let own_name = Param::bare(self.name).at(host_place);
        let (served, redirected): (&[HostName], &[HostName]) = match site.alias_mode {
            AliasMode::Serve => (&site.aliases, &[]),
            AliasMode::Redirect => (&[], &site.aliases),
        };
        let served: Vec<_> = served.iter().enumerate().map(|alias| self.alias(alias)).collect();
        let redirected: Vec<_> = redirected.iter().enumerate().map(|alias| self.alias(alias)).collect();
        let explicit = self.header_lines(&whole);
        let hsts = headers.hsts.as_ref().map(Line::view);
        let extra = self
            .extra(self.attributes.place.extra_config.as_ref().map(|value| Said { value, location: None }));
        let body_size = match &self.attributes.place.body_size {
            Some(size) => Param::of(size).at(self.trace.place(|| path(None, "body_size"))),
            None => Param::fixed(BODY_SIZE),
        };
        let port = |scheme: &str| match (scheme, spec.http_port, spec.https_port) {
            ("https", _, 443) | ("http", 80, _) => String::new(),
            ("https", _, port) | (_, port, _) => format!(":{port}"),
        };
        let to_https = (site.tls.enabled && site.https_redirect)
            .then(|| Param::literal(port("https")).after("https://$host").before("$request_uri"));
        let scheme = if site.tls.enabled { "https" } else { "http" };
        let to_main =
            Param::literal(format!("{scheme}://{}{}", self.name, port(scheme))).before("$request_uri");
        let view = View::new()
            .list("zones", std::mem::take(&mut self.zones).into_iter().map(|(_, zone)| zone))
            .list("upstreams", std::mem::take(&mut self.upstreams))
            .list("names", std::iter::once(own_name).chain(served))
            .list("aliases", redirected)
            .list("http", listens(spec.http_port, site.node.ipv6))
            .list("https", listens(spec.https_port, site.node.ipv6))
            .with("http2_flag", site.node.http2 && !self.node.nginx.has_http2_directive())
            .with("http2_directive", site.node.http2 && self.node.nginx.has_http2_directive())
            .with("serves_http", !(site.tls.enabled && site.https_redirect))
            .optional("to_https", to_https)
            .with("to_main", to_main)
            .optional("hsts", hsts)
            .optional("tls", self.tls())
            .with("gzip", site.gzip)
            .with("body_size", body_size)
            .with("default_headers", headers.default)
            .list("headers", headers.lines.iter().chain(&headers.hsts).map(Line::view).chain(explicit))
            .list("maps", headers.maps)
            .list("extra", extra)
            .list("locations", locations)
            .with("files", self.files());
        self.logs(view)
    }

    fn alias(&mut self, (index, alias): (usize, &HostName)) -> Param {
        Param::of(alias).at(self.trace.place(|| Path::root().name("aliases").index(index)))
    }

    fn files(&self) -> View {
        let file = |name: &'static str| self.inside(&format!("base/{name}.conf"));
        View::new()
            .with("acme", file("acme"))
            .with("errors", file("errors"))
            .with("gzip", file("gzip"))
            .with("proxy", file("proxy"))
            .with("security_headers", file("security_headers"))
            .with("tls", file("tls"))
    }

    fn tls(&mut self) -> Option<View> {
        let tls = &self.attributes.site.tls;
        if !tls.enabled {
            return None;
        }
        let name = tls.certificate.as_ref().map_or(self.name, |certificate| &*certificate.name);
        let place = self.trace.place(|| Path::root().name("tls").name("certificate"));
        let file = |file: &str| self.inside(&format!("certificates/{name}/{file}")).at(place);
        Some(View::new().with("certificate", file("fullchain.pem")).with("key", file("privkey.pem")))
    }

    /// In mode `managed`, the main configuration logs what a site does not; a host's nginx has logs of its own.
    fn logs(&mut self, view: View) -> View {
        let site = &self.attributes.site;
        let host = !self.node.spec.mode.owns_all();
        let format = site.log_format.as_deref().unwrap_or(&site.node.log_format);
        let own_format = format != &*site.node.log_format;
        let access = match site.access_log {
            AccessLog::Own => Some(format!("logs/{}.access.log", self.name)),
            AccessLog::Shared if host || own_format => Some("logs/access.log".to_owned()),
            AccessLog::Shared | AccessLog::Off => None,
        };
        let error = match site.error_log {
            ErrorLog::Own => Some(format!("logs/{}.error.log", self.name)),
            ErrorLog::Shared if host || site.error_log_level != "warn" => Some("logs/error.log".to_owned()),
            ErrorLog::Shared => None,
        };
        let access_place = self.trace.place(|| path(None, "access_log"));
        let error_place = self.trace.place(|| path(None, "error_log"));
        let access = access.map(|file| {
            View::new()
                .with("file", self.inside(&file).at(access_place))
                .with("format", Param::bare(format!("vsa_{format}")))
        });
        let error = error.map(|file| {
            View::new()
                .with("file", self.inside(&file).at(error_place))
                .with("level", Param::bare(site.error_log_level.as_str()))
        });
        view.optional("access_log", access)
            .with("access_log_off", site.access_log == AccessLog::Off)
            .optional("error_log", error)
            .with("hide_version", host)
    }

    pub(super) fn header_lines(&mut self, place: &Resolved<'a>) -> Vec<View> {
        let headers = place.headers();
        let sent = headers.values().filter(|(_, said)| !said.value.as_str().is_empty());
        sent.map(|(name, said)| {
            let at = self.trace.place(|| said.path("headers").name(name.as_str()));
            View::new().with("name", Param::of(*name)).with("value", Param::of(said.value).at(at))
        })
        .collect()
    }

    pub(super) fn extra(&mut self, snippet: Option<Said<'a, crate::names::Snippet>>) -> Vec<Param> {
        let Some(snippet) = snippet else { return Vec::new() };
        let at = self.trace.place(|| snippet.path("extra_config"));
        let lines = snippet.value.as_str().lines().map(str::trim).filter(|line| !line.is_empty());
        lines.map(|line| Param::line(line).at(at)).collect()
    }
}
