//! The security headers of a site, and the maps behind those that differ from the defaults.

use std::sync::Arc;

use super::attributes::{Csp, Hsts, SecurityHeaders};
use super::place::Resolved;
use crate::nginx::base::{HSTS, SECURITY_HEADERS, SecurityHeader, name_hash};
use crate::nginx::{Param, Place, Trace};
use crate::resource::Path;
use crate::template::View;

/// A header with the variable that holds it.
#[derive(Clone, Debug)]
pub(super) struct Line {
    name: Param,
    value: Param,
}

impl Line {
    fn shared(header: &SecurityHeader) -> Self {
        Self { name: Param::fixed(header.name), value: Param::fixed(header.variable) }
    }

    pub(super) fn view(&self) -> View {
        View::new().with("name", self.name.clone()).with("value", self.value.clone())
    }
}

/// What a site sends in each answer.
#[derive(Debug, Default)]
pub(super) struct Headers {
    /// Whether the defaults of the node are included.
    pub(super) default: bool,
    /// Strict transport security, where it is sent.
    pub(super) hsts: Option<Line>,
    /// The others, where they differ from the defaults.
    pub(super) lines: Vec<Line>,
    /// Maps of the site.
    pub(super) maps: Vec<View>,
}

/// What becomes of a default header.
enum Setting {
    Default,
    Off,
    Value(Arc<str>, &'static str),
}

pub(super) struct Site<'a> {
    pub(super) name: &'a str,
    pub(super) hsts: Option<&'a Hsts>,
    pub(super) csp: &'a Csp,
    pub(super) security: &'a SecurityHeaders,
}

impl Site<'_> {
    /// The headers of the site; those that `headers` sets are left to it.
    pub(super) fn headers(&self, whole: &Resolved<'_>, trace: &mut Trace) -> Headers {
        let explicit = whole.headers();
        let is_explicit = |name: &str| explicit.contains_key(&name.to_ascii_lowercase());
        let mut headers = Headers::default();
        let settings = SECURITY_HEADERS.map(|header| {
            let setting = if is_explicit(header.name) { Setting::Off } else { self.setting(header.name) };
            (header, setting)
        });
        headers.default = settings.iter().all(|(_, setting)| matches!(setting, Setting::Default));
        if !headers.default {
            for (header, setting) in settings {
                match setting {
                    Setting::Default => headers.lines.push(Line::shared(&header)),
                    Setting::Off => {}
                    Setting::Value(value, attribute) => {
                        let place = trace.place(|| attribute_path(attribute));
                        let header = if header.name == CSP.name && self.csp.report_only {
                            REPORT_ONLY
                        } else {
                            header
                        };
                        let line = self.own(header, &value, place, &mut headers.maps);
                        headers.lines.push(line);
                    }
                }
            }
        }
        if let Some(policy) = &self.security.permissions_policy
            && !is_explicit(PERMISSIONS.name)
        {
            let place = trace.place(|| attribute_path("security_headers.permissions_policy"));
            let line = self.own(PERMISSIONS, &policy.to_string(), place, &mut headers.maps);
            headers.lines.push(line);
        }
        if let Some(hsts) = self.hsts.filter(|_| !is_explicit(HSTS.name)) {
            headers.hsts = Some(self.strict(hsts, trace, &mut headers.maps));
        }
        headers
    }

    fn strict(&self, hsts: &Hsts, trace: &mut Trace, maps: &mut Vec<View>) -> Line {
        let subdomains = if hsts.include_subdomains { "; includeSubDomains" } else { "" };
        let preload = if hsts.preload { "; preload" } else { "" };
        let value = format!("max-age={}{subdomains}{preload}", hsts.max_age.seconds());
        if value == HSTS.value {
            return Line::shared(&HSTS);
        }
        let place = trace.place(|| attribute_path("hsts.max_age"));
        self.own(HSTS, &value, place, maps)
    }

    /// A value of the site's own: a map, because the upstream's header goes before it.
    fn own(&self, header: SecurityHeader, value: &str, place: Place, maps: &mut Vec<View>) -> Line {
        let variable = format!("vsa_{}", name_hash(&[self.name, header.name, value]));
        let variable = Param::bare(variable).after("$");
        maps.push(
            View::new()
                .with("source", Param::fixed(header.source))
                .with("variable", variable.clone())
                .with("from", Param::literal(header.from))
                .with("value", Param::literal(value).at(place)),
        );
        Line { name: Param::fixed(header.name), value: variable }
    }

    fn setting(&self, name: &str) -> Setting {
        match name {
            "X-Frame-Options" => match &*self.security.frame_options {
                "DENY" => Setting::Default,
                "off" => Setting::Off,
                _ => Setting::Value(self.security.frame_options.clone(), "security_headers.frame_options"),
            },
            "X-Content-Type-Options" if self.security.content_type_options => Setting::Default,
            "X-Content-Type-Options" => Setting::Off,
            "Referrer-Policy" => match &*self.security.referrer_policy {
                "strict-origin-when-cross-origin" => Setting::Default,
                "off" => Setting::Off,
                _ => {
                    Setting::Value(self.security.referrer_policy.clone(), "security_headers.referrer_policy")
                }
            },
            _ if !self.csp.enabled => Setting::Off,
            _ => self.policy(),
        }
    }

    /// The content security policy: by default, it forbids framing as far as `frame_options` does.
    fn policy(&self) -> Setting {
        let value: Arc<str> = match (&self.csp.policy, &*self.security.frame_options) {
            (Some(policy), _) => policy.to_string().into(),
            (None, "DENY") if !self.csp.report_only => return Setting::Default,
            (None, "DENY") => CSP.value.into(),
            (None, "SAMEORIGIN") => "base-uri 'self'; object-src 'none'; frame-ancestors 'self'".into(),
            (None, _) => "base-uri 'self'; object-src 'none'".into(),
        };
        Setting::Value(value, "csp.policy")
    }
}

const CSP: SecurityHeader = SECURITY_HEADERS[3];

const REPORT_ONLY: SecurityHeader = SecurityHeader {
    name: "Content-Security-Policy-Report-Only",
    source: "$upstream_http_content_security_policy_report_only",
    ..CSP
};

const PERMISSIONS: SecurityHeader = SecurityHeader {
    name: "Permissions-Policy",
    source: "$upstream_http_permissions_policy",
    from: "",
    variable: "",
    value: "",
};

fn attribute_path(dotted: &str) -> Path {
    dotted.split('.').fold(Path::root(), |path, name| path.name(name))
}
