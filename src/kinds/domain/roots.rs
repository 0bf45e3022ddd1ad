//! Directories of static files: whose they are, and whether nginx's workers can read them.

use std::path::{Path as FilePath, PathBuf};

use crate::diag::{Diagnostic, Diagnostics, Severity};
use crate::plan::{Answer, Node, Query, Subject};
use crate::resource::{Path, Resource};
use crate::value::Value;

/// The directories that a domain and its locations serve, with where each is said. Read without decoding the whole
/// block: most domains of a large node have none.
pub(super) fn roots<'a>(
    resource: &'a Resource,
    node: &'a Node,
) -> impl Iterator<Item = (PathBuf, Path)> + 'a {
    let whole = resource.get("root").as_str().map(|root| (root, Path::root()));
    let locations = resource.get("location").as_object().into_iter().flatten();
    let locations = locations.filter_map(|(label, location)| {
        let root = location.get("root").and_then(Value::as_str)?;
        Some((root, Path::root().name("location").name(label.clone())))
    });
    whole
        .into_iter()
        .chain(locations)
        .map(|(root, block)| (node.configuration.join(root), block.name("root")))
}

/// The tenant's directory that a path is in.
fn tenant_directory(node: &Node, path: &FilePath) -> Option<PathBuf> {
    let tenant = path.strip_prefix(&node.spec.srv_root).ok()?.components().next()?;
    Some(node.spec.srv_root.join(tenant))
}

/// How far symbolic links on the way to a site's files are trusted. A tenant may replace any directory of its own
/// by a link, the site's root too; what is above belongs to the administrator.
pub(super) fn trusted(node: &Node, root: &FilePath) -> Option<PathBuf> {
    tenant_directory(node, root)
}

/// Whether nginx's workers can read each directory, asked of the file that most requests are for. A managed nginx
/// without root runs as the user that vsa runs as.
fn query(subject: Subject<'_>, root: &FilePath) -> Option<Query> {
    let user = subject.node.spec.worker_user.as_ref()?.to_string();
    Some(Query::Readable { user, path: root.join("index.html") })
}

pub(super) fn queries(subject: Subject<'_>) -> Vec<Query> {
    let Some(resource) = subject.desired else { return Vec::new() };
    roots(resource, subject.node).filter_map(|(root, _)| query(subject, &root)).collect()
}

pub(super) fn findings(subject: Subject<'_>) -> Diagnostics {
    let mut findings = Diagnostics::new();
    let Some(resource) = subject.desired else { return findings };
    for (root, at) in roots(resource, subject.node) {
        let finding = foreign(subject, resource, &root).or_else(|| barred(subject, &root));
        findings.extend(finding.map(|finding| finding.at(resource.span(&at)).on(subject.address)));
    }
    findings
}

/// What is not the site's to serve: files of vsa's own, and directories of other tenants.
fn foreign(subject: Subject<'_>, resource: &Resource, root: &FilePath) -> Option<Diagnostic> {
    let Node { spec, configuration, .. } = subject.node;
    let shown = root.display();
    let refused = |summary: String| {
        Diagnostic::error(summary)
            .code("foreign_root")
            .help("serve a directory that holds the site's files alone")
    };
    if let Some(theirs) = tenant_directory(subject.node, root) {
        let ours = resource.get("tenant").get("name").and_then(Value::as_str)?;
        return (theirs != spec.tenant(ours)).then(|| {
            let directory = theirs.display();
            refused(format!("`{shown}` is not the tenant's own"))
                .detail(format!("{directory} is another tenant's, and this domain belongs to `{ours}`"))
        });
    }
    let private = [spec.root.clone(), configuration.join(".vsa"), configuration.join("state")];
    if let Some(private) =
        private.iter().find(|private| root.starts_with(private) || private.starts_with(root))
    {
        return Some(
            refused(format!("`{shown}` is not a directory of a site")).detail(format!(
                "{} holds what vsa keeps: the state, keys, password files",
                private.display()
            )),
        );
    }
    spec.srv_root
        .starts_with(root)
        .then(|| refused(format!("`{shown}` holds the directories of all tenants")))
}

/// What bars nginx's workers, which answer 403 and 500 then while `nginx -t` is content.
fn barred(subject: Subject<'_>, root: &FilePath) -> Option<Diagnostic> {
    let user = subject.node.spec.worker_user.as_ref()?;
    let Some(Answer::Readable { barrier: Some(barrier) }) = subject.observed.get(&query(subject, root)?)
    else {
        return None;
    };
    let shown = barrier.display();
    let of_tenant = tenant_directory(subject.node, barrier).is_some_and(|directory| directory == *barrier);
    let (what, bits) = if barrier.ends_with("index.html") { ("read", "o+r") } else { ("enter", "o+x") };
    let mut finding = Diagnostic::error(format!("nginx's workers cannot read `{}`", root.display()))
        .code("unreadable_root")
        .detail(format!("they run as `{user}`, which may not {what} {shown}"));
    if of_tenant {
        // It may be drift, which the apply takes back.
        finding.severity = Severity::Warning;
        let help = format!(
            "let others pass through the tenant's directory `{shown}`: `mode = \"0751\"` in its `tenant` block"
        );
        return Some(finding.help(help));
    }
    Some(
        finding.help(format!("let it: `chmod {bits} {shown}`")).help(
            "or move the files to where it may, or name another user with `proxy { user }` of the node",
        ),
    )
}
