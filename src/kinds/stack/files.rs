//! The files of a stack: what its source gives, its variables, and vsa's own file over its Compose file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use super::attributes::{Attributes, OVERRIDE, Stack, stays};
use super::rules;
use crate::diag::{Diagnostic, Diagnostics};
use crate::plan::action::Access;
use crate::plan::{Content, Endpoint, Piece, PlacedBody, PlacedFile, Subject};
use crate::resource::Resource;
use crate::value::{Secret, Value};

fn access(mode: u32) -> Access {
    Access { owner: None, group: None, mode }
}

/// All files of a stack.
pub(super) fn placed(subject: Subject<'_>) -> Result<Vec<PlacedFile>, Diagnostics> {
    let Some(resource) = subject.desired else { return Ok(Vec::new()) };
    let attributes = Attributes::of(resource)
        .map_err(|error| Diagnostics::from(Diagnostic::error(error.to_string()).on(subject.address)))?;
    let Some(stack) = Stack::of(subject) else { return Ok(Vec::new()) };
    rules::errors(subject, resource, &attributes, &stack).into_result(())?;
    let compose = stack.layout.compose();
    let mut files: BTreeMap<_, PlacedFile> = BTreeMap::new();
    let mut add = |file: PlacedFile| files.insert(file.path.clone(), file);
    if let Some(tree) = resource.trees.get("source") {
        for (path, leaf) in tree.iter().filter(|(path, _)| !stays(path)) {
            let mode = if leaf.executable { 0o755 } else { 0o644 };
            let body = match std::str::from_utf8(&leaf.bytes) {
                Ok(text) => PlacedBody::Text(Content::text(text)),
                Err(_) => PlacedBody::Bytes(Arc::clone(&leaf.bytes)),
            };
            add(PlacedFile { path: compose.join(&**path), access: access(mode), body });
        }
    }
    if let Some(text) = &attributes.compose {
        let body = PlacedBody::Text(Content::text(text.as_str()));
        add(PlacedFile { path: compose.join("compose.yml"), access: access(0o644), body });
    }
    for (path, value) in resource.get("files").as_object().into_iter().flatten() {
        let (content, mode) = text(value);
        let body = PlacedBody::Text(content);
        add(PlacedFile { path: compose.join(&**path), access: access(mode), body });
    }
    let body = PlacedBody::Text(environment(resource));
    add(PlacedFile { path: stack.layout.env_file(), access: access(0o640), body });
    let body = PlacedBody::Text(Content::text(overriding(&attributes, subject)));
    add(PlacedFile { path: compose.join(OVERRIDE), access: access(0o644), body });
    Ok(files.into_values().collect())
}

/// A text with its mode: one that is sensitive is not for everybody.
fn text(value: &Value) -> (Content, u32) {
    let text = value.as_str().unwrap_or_default();
    if value.is_sensitive() {
        (Content { pieces: vec![Piece::Secret(Secret::new(text))] }, 0o640)
    } else {
        (Content::text(text), 0o644)
    }
}

/// The variables, a line each, quoted as every Compose tool reads them back.
pub(super) fn environment(resource: &Resource) -> Content {
    let mut pieces = vec![Piece::Text(
        "# Written by vsa. A change made here is drift, and the next apply takes it back.\n".into(),
    )];
    for (name, value) in resource.get("env").as_object().into_iter().flatten() {
        let quoted = quoted(value.as_str().unwrap_or_default());
        if value.is_sensitive() {
            pieces.extend([
                Piece::Text(format!("{name}=").into()),
                Piece::Secret(Secret::new(quoted)),
                Piece::Text("\n".into()),
            ]);
        } else {
            pieces.push(Piece::Text(format!("{name}={quoted}\n").into()));
        }
    }
    Content { pieces }
}

/// A value in the quotes of an environment file. Single quotes keep all as it is but themselves.
fn quoted(text: &str) -> String {
    if !text.contains('\'') {
        return format!("'{text}'");
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for char in text.chars() {
        if matches!(char, '"' | '\\' | '$') {
            quoted.push('\\');
        }
        quoted.push(char);
    }
    quoted.push('"');
    quoted
}

/// The endpoints of a stack that sites name, with their loopback ports.
pub(super) fn endpoints(subject: Subject<'_>) -> impl Iterator<Item = (&Endpoint, &[u16])> {
    let own = subject.endpoints.iter().filter(move |(endpoint, _)| endpoint.target == *subject.address);
    own.map(|(endpoint, ports)| (endpoint, ports.as_slice()))
}

/// What vsa says over the stack's own Compose file. JSON's strings are YAML's.
fn overriding(attributes: &Attributes, subject: Subject<'_>) -> String {
    let mut services: BTreeSet<&str> = endpoints(subject).map(|(endpoint, _)| &*endpoint.service).collect();
    services.extend(attributes.limits.keys().map(crate::names::Text::as_str));
    services.extend(attributes.images.iter().flatten().map(|(name, _)| crate::names::Text::as_str(name)));
    let mut text =
        "# Written by vsa over the stack's Compose file. A change made here is drift.\n".to_owned();
    if services.is_empty() {
        text.push_str("services: {}\n");
        return text;
    }
    text.push_str("services:\n");
    for service in services {
        let _ = writeln!(text, "  {}:", string(service));
        let named = |name: &&crate::names::ServiceName| crate::names::Text::as_str(*name) == service;
        let image = attributes.images.iter().flatten().find(|(name, _)| named(name));
        if let Some((_, image)) = image {
            let _ = writeln!(text, "    image: {}", string(crate::names::Text::as_str(image)));
        }
        if let Some((_, limits)) = attributes.limits.iter().find(|(name, _)| named(name)) {
            let memory = limits.memory.as_ref().map(crate::names::Text::as_str);
            if let Some(memory) = memory {
                let _ = writeln!(text, "    mem_limit: {}", string(memory));
            }
            if let Some(cpus) = limits.cpus {
                let _ = writeln!(text, "    cpus: {}.{:03}", cpus / 1000, cpus % 1000);
            }
        }
        let published: Vec<_> =
            endpoints(subject).filter(|(endpoint, _)| &*endpoint.service == service).collect();
        if !published.is_empty() {
            text.push_str("    ports:\n");
            for (endpoint, ports) in published {
                for range in ranges(ports) {
                    let mapping = format!("127.0.0.1:{range}:{}", endpoint.port);
                    let _ = writeln!(text, "      - {}", string(&mapping));
                }
            }
        }
    }
    text
}

/// Ports as one range: containers of one service get one each.
fn ranges(ports: &[u16]) -> Vec<String> {
    match ports {
        [] => Vec::new(),
        [port] => vec![port.to_string()],
        [first, .., last] => vec![format!("{first}-{last}")],
    }
}

fn string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn values_are_quoted_so_that_nothing_in_them_is_read() {
        assert_eq!(quoted("plain $HOME \"x\" \\ #"), "'plain $HOME \"x\" \\ #'");
        assert_eq!(quoted("it's $5 \\ \"x\""), "\"it's \\$5 \\\\ \\\"x\\\"\"");
        assert_eq!(quoted(""), "''");
    }
}
