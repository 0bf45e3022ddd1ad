//! The rules for compose files of tenants: one a file, its documentation as data.
//!
//! All services are looked at, those of profiles that are off too: what a file can start is what it asks for.

mod bind;
mod build_privilege;
mod capability;
mod cgroup_parent;
mod container_name;
mod device;
mod docker_socket;
mod engine_variable;
mod external;
mod foreign_file;
mod foreign_namespace;
mod gpu;
mod group;
mod healthcheck;
mod hook;
mod host_gateway;
mod host_namespace;
mod latest_tag;
mod logging;
mod memory_limit;
mod network_driver;
mod network_subnet;
mod out_of_memory;
mod page;
mod privileged;
mod provider;
mod published_database;
mod published_port;
mod remote_build;
mod reserved_label;
mod reserved_name;
mod restart;
mod runtime;
mod security_option;
mod sysctl;
mod unknown_key;
mod volume_driver;

pub(super) use bind::bound;
pub(super) use foreign_file::files;
pub use page::page;

use std::sync::Arc;

use super::interpolate::hushed;
use super::path::normal;
use super::service::Service;
use super::{Place, Project, Resource};
use crate::diag::{self, Diagnostic, Diagnostics, Severity, Span};

/// What a rule is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It keeps a tenant inside of what is its own.
    Safety,
    /// It is what a stack does that runs well.
    Practice,
}

/// A rule.
pub struct Rule {
    /// The name that `allow` takes.
    pub name: &'static str,
    /// The code of its findings.
    pub code: &'static str,
    /// How grave a finding is.
    pub severity: Severity,
    /// What it is for.
    pub purpose: Purpose,
    /// What it looks for, in one line.
    pub summary: &'static str,
    /// Why, and what to write instead.
    pub doc: &'static str,
    check: fn(&Project, &mut Report<'_>),
}

impl std::fmt::Debug for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// All rules, by name.
pub const RULES: [&Rule; 36] = [
    &bind::RULE,
    &build_privilege::RULE,
    &capability::RULE,
    &cgroup_parent::RULE,
    &container_name::RULE,
    &device::RULE,
    &docker_socket::RULE,
    &engine_variable::RULE,
    &external::RULE,
    &foreign_file::RULE,
    &foreign_namespace::RULE,
    &gpu::RULE,
    &group::RULE,
    &healthcheck::RULE,
    &hook::RULE,
    &host_gateway::RULE,
    &host_namespace::RULE,
    &latest_tag::RULE,
    &logging::RULE,
    &memory_limit::RULE,
    &network_driver::RULE,
    &network_subnet::RULE,
    &out_of_memory::RULE,
    &privileged::RULE,
    &provider::RULE,
    &published_database::RULE,
    &published_port::RULE,
    &remote_build::RULE,
    &reserved_label::RULE,
    &reserved_name::RULE,
    &restart::RULE,
    &runtime::RULE,
    &security_option::RULE,
    &sysctl::RULE,
    &unknown_key::RULE,
    &volume_driver::RULE,
];

/// The code of the remark that nothing does what is allowed.
pub const UNUSED_ALLOW: &str = "compose_unused_allow";

/// A rule that need not hold: everywhere, or for one service, network or volume; or a path of the node that may be
/// mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allow {
    rule: &'static str,
    subject: Option<Arc<str>>,
    /// Whether the subject is a path.
    is_path: bool,
    span: Option<Span>,
}

impl Allow {
    /// Reads `rule`, `rule:name` or an absolute path.
    pub fn parse(text: &str, span: Option<Span>) -> Result<Self, Diagnostic> {
        if text.starts_with('/') {
            let path = normal("", text);
            return Ok(Self { rule: bind::RULE.name, subject: Some(path.into()), is_path: true, span });
        }
        let (name, subject) =
            text.split_once(':').map_or((text, None), |(name, subject)| (name, Some(subject)));
        let Some(rule) = RULES.iter().find(|rule| rule.name == name) else {
            let told = Diagnostic::error(format!("there is no rule `{}`", diag::visible(name))).at(span);
            return Err(match diag::nearest(name, RULES.iter().map(|rule| rule.name)) {
                Some(near) => told.help(format!("did you mean `{near}`?")),
                None => told.help("a finding says how to allow it"),
            });
        };
        if subject == Some("") {
            return Err(Diagnostic::error("there is no name behind the `:`").at(span));
        }
        Ok(Self { rule: rule.name, subject: subject.map(Arc::from), is_path: false, span })
    }

    fn covers(&self, rule: &Rule, subject: &str) -> bool {
        !self.is_path
            && self.rule == rule.name
            && self.subject.as_deref().is_none_or(|allowed| allowed == subject)
    }

    fn covers_path(&self, place: &Place) -> bool {
        self.is_path && matches!(place, Place::Local(path) if self.subject.as_deref() == Some(path))
    }

    /// As it was written.
    fn written(&self) -> String {
        match &self.subject {
            Some(path) if self.is_path => path.to_string(),
            Some(name) => format!("{}:{name}", self.rule),
            None => self.rule.to_owned(),
        }
    }
}

/// What one rule has found.
struct Report<'a> {
    rule: &'a Rule,
    allowed: &'a [Allow],
    used: Vec<bool>,
    found: Diagnostics,
}

impl Report<'_> {
    /// Whether a path of the node may be mounted, whatever mounts it.
    fn allows_path(&mut self, place: &Place) -> bool {
        let mut allowed = false;
        for (allow, used) in self.allowed.iter().zip(&mut self.used) {
            if allow.covers_path(place) {
                (*used, allowed) = (true, true);
            }
        }
        allowed
    }

    /// Something about a service.
    fn service(&mut self, service: &Service, at: Span, summary: impl Into<String>) {
        self.add(&service.name, at, Diagnostic::error(summary).also(service.key, "of this service"));
    }

    /// Something about a network, volume, config or secret.
    fn resource(&mut self, name: &str, resource: &Resource, at: Span, summary: impl Into<String>) {
        self.add(name, at, Diagnostic::error(summary).also(resource.key, ""));
    }

    fn add(&mut self, subject: &str, at: impl Into<Option<Span>>, mut diagnostic: Diagnostic) {
        let mut allowed = false;
        for (allow, used) in self.allowed.iter().zip(&mut self.used) {
            if allow.covers(self.rule, subject) {
                (*used, allowed) = (true, true);
            }
        }
        if allowed {
            return;
        }
        diagnostic.severity = self.rule.severity;
        let at = at.into();
        // A second mark on the same text says nothing.
        diagnostic.secondary.retain(|label| Some(label.span) != at);
        let told = diagnostic.code(self.rule.code).at(at).help(self.rule.doc);
        let subject = diag::visible(subject);
        self.found.push(if self.rule.severity == Severity::Info {
            told
        } else {
            told.help(format!("to allow it: `allow = [\"{}:{subject}\"]`", self.rule.name))
        });
    }
}

/// What a project does that the rules of a purpose forbid, unless it is allowed. What `allow` names in vain is a
/// warning, where the rules of safety are checked.
pub fn check(project: &Project, allowed: &[Allow], purpose: Purpose) -> Diagnostics {
    let mut found = Diagnostics::new();
    let mut used = vec![false; allowed.len()];
    for rule in RULES.iter().filter(|rule| rule.purpose == purpose) {
        let mut report = Report { rule, allowed, used, found };
        (rule.check)(project, &mut report);
        (used, found) = (report.used, report.found);
    }
    found.sort();
    let mut found = hushed(found, &project.hidden);
    for (allow, _) in allowed.iter().zip(&used).filter(|(_, used)| !**used) {
        if RULES.iter().any(|rule| rule.name == allow.rule && rule.purpose == purpose) {
            let written = allow.written();
            let told = Diagnostic::warning(format!("`{}` allows what nothing does", diag::visible(&written)));
            found.push(told.code(UNUSED_ALLOW).at(allow.span).help("remove it"));
        }
    }
    found
}
