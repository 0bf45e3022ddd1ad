use super::{Project, Purpose, Report, Rule, Service};
use crate::compose::path::{is_remote, join};
use crate::compose::{Node, Place, Text};
use crate::diag::Severity;

pub(super) const RULE: Rule = Rule {
    name: "foreign_file",
    code: "compose_foreign_file",
    severity: Severity::Error,
    purpose: Purpose::Safety,
    summary: "files outside of the stack's directory: configs, secrets, variables, labels, build contexts",
    doc: "Compose reads these files as the user that starts it: copy what is needed into the stack's directory",
    check,
};

fn check(project: &Project, report: &mut Report<'_>) {
    let wrong = |text: &Text| {
        let place = Place::of(text, &project.directories);
        let foreign = |place: &Place| !place.is_below(&project.directories.stack);
        if foreign(&place) {
            return Some(format!("`{}` is not below the stack's directory", text.shown()));
        }
        let real = project.leads(&place).filter(foreign)?;
        Some(format!(
            "`{}` leads to {real} by a symbolic link, which is not below the stack's directory",
            text.shown()
        ))
    };
    for service in project.services.values() {
        for text in read_by(service) {
            if let Some(wrong) = wrong(&text) {
                report.service(service, text.span, wrong);
            }
        }
    }
    for (name, resource) in project.configs.iter().chain(&project.secrets) {
        if let Some(file) = resource.node.text_of("file")
            && let Some(wrong) = wrong(file)
        {
            report.resource(name, resource, file.span, wrong);
        }
    }
}

/// All files that a project has Compose read.
pub(in crate::compose) fn files(project: &Project) -> Vec<Text> {
    let resources = project.configs.values().chain(project.secrets.values());
    let named = resources.filter_map(|resource| resource.node.text_of("file").cloned());
    project.services.values().flat_map(read_by).chain(named).collect()
}

/// The files that a service has Compose read. What is fetched is a matter of another rule.
fn read_by(service: &Service) -> Vec<Text> {
    let mut files: Vec<Text> = Vec::new();
    for key in ["env_file", "label_file"] {
        let texts = service.list(key).iter().filter_map(|node| node.text().or_else(|| node.text_of("path")));
        files.extend(texts.cloned());
    }
    files.extend(service.at(&["credential_spec", "file"]).and_then(Node::text).cloned());
    for option in service.texts("security_opt") {
        // Compose reads the profile that this names.
        let profile = option.text.strip_prefix("seccomp").map(|rest| rest.trim_start_matches([':', '=']));
        if let Some(profile) = profile.filter(|profile| !matches!(*profile, "unconfined" | "builtin")) {
            files.push(option.with(profile));
        }
    }
    let watched = service.at(&["develop", "watch"]).and_then(Node::list).unwrap_or_default();
    files.extend(watched.iter().filter_map(|rule| rule.text_of("path").cloned()));
    let Some(build) = service.get("build") else { return files };
    let context = build.text_of("context");
    if let Some(context) = context.filter(|context| !is_remote(&context.text)) {
        files.push(context.clone());
        if let Some(dockerfile) = build.text_of("dockerfile").filter(|text| !text.text.is_empty()) {
            let path = join(&context.text, &dockerfile.text);
            files.push(Text { directory: context.directory.clone(), ..dockerfile.with(path) });
        }
    } else if context.is_none()
        && let Some(dockerfile) = build.text_of("dockerfile")
    {
        files.push(dockerfile.clone());
    }
    for entry in
        build.get("additional_contexts").and_then(Node::map).into_iter().flatten().map(|(_, entry)| entry)
    {
        let Some(text) = entry.node.text() else { continue };
        if let Some(path) = text.text.strip_prefix("oci-layout://") {
            files.push(text.with(path));
        } else if !is_remote(&text.text) && !text.text.starts_with("service:") {
            files.push(text.clone());
        }
    }
    for key in ["cache_from", "cache_to"] {
        let caches = build.get(key).and_then(Node::list).unwrap_or_default();
        for text in caches.iter().filter_map(Node::text) {
            let places = text.text.split(',').filter_map(|part| {
                part.trim().strip_prefix("src=").or_else(|| part.trim().strip_prefix("dest="))
            });
            files.extend(places.map(|place| text.with(place)));
        }
    }
    files
}
