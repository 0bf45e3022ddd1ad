//! What a service mounts, short and long.

use super::node::{Node, Text, Value};
use crate::diag::{Diagnostic, Span};

/// What kind of thing is mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MountKind {
    /// A path of the node.
    Bind,
    /// A volume of Docker's.
    Volume,
    /// Memory.
    Tmpfs,
    /// Another kind, such as `npipe`, `cluster` or `image`.
    Other,
}

/// One entry of `volumes`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// What is mounted.
    pub kind: MountKind,
    /// The path or the volume's name; none for an unnamed one.
    pub source: Option<Text>,
    /// Where in the container.
    pub target: Text,
    /// Whether the container may not write.
    pub read_only: bool,
    /// How mounts below it spread (`shared`, `rslave`, …), where said.
    pub propagation: Option<Text>,
    /// Where it stands.
    pub span: Span,
}

/// What makes two mounts, or devices, one: the place in the container.
pub(super) fn identity(node: &Node) -> Option<String> {
    match &node.value {
        Value::Text(text) => short(text).ok().map(|mount| mount.target.text.to_string()),
        _ => node.text_of("target").map(|text| text.text.to_string()),
    }
}

fn wrong(at: Span, why: &str) -> Diagnostic {
    Diagnostic::error(why)
        .code("compose_volumes")
        .at(at)
        .help("write it as `./data:/var/lib/data` or `name:/var/lib/data:ro`")
}

/// Reads one entry.
pub(super) fn read(node: &Node) -> Result<Mount, Diagnostic> {
    match &node.value {
        Value::Text(text) => short(text),
        Value::Map(_) => long(node),
        _ => Err(wrong(node.span, "a volume is a text or a mapping")),
    }
}

/// A path of the node, as Compose tells one from a volume's name; a drive of Windows is one too.
fn is_path(source: &str) -> bool {
    source.starts_with(['.', '/', '~', '\\']) || source.contains('\\')
}

fn short(text: &Text) -> Result<Mount, Diagnostic> {
    let parts: Vec<_> = text.text.split(':').collect();
    let (source, target, options) = match parts[..] {
        [target] => (None, target, ""),
        [source, target] => (Some(source), target, ""),
        [source, target, options] => (Some(source), target, options),
        _ => return Err(wrong(text.span, "a volume has at most three parts")),
    };
    if target.is_empty() || source == Some("") {
        return Err(wrong(text.span, "a part of the volume is empty"));
    }
    let kind = if source.is_some_and(is_path) { MountKind::Bind } else { MountKind::Volume };
    let spreads = ["shared", "rshared", "slave", "rslave", "private", "rprivate"];
    let propagation = options.split(',').find(|option| spreads.contains(option));
    Ok(Mount {
        kind,
        source: source.map(|source| text.with(source)),
        target: text.with(target),
        read_only: options.split(',').any(|option| option == "ro"),
        propagation: propagation.map(|option| text.with(option)),
        span: text.span,
    })
}

fn long(node: &Node) -> Result<Mount, Diagnostic> {
    let Some(target) = node.text_of("target") else {
        return Err(wrong(node.span, "the volume has no `target`"));
    };
    let source = node.text_of("source").cloned();
    let kind = match node.text_of("type").map(|text| &*text.text) {
        Some("bind") => MountKind::Bind,
        // A "volume" whose source is a path is handed to Docker as a bind by the first Compose.
        None | Some("volume") => match &source {
            Some(source) if is_path(&source.text) => MountKind::Bind,
            _ => MountKind::Volume,
        },
        Some("tmpfs") => MountKind::Tmpfs,
        Some(_) => MountKind::Other,
    };
    if kind == MountKind::Bind && source.is_none() {
        return Err(wrong(node.span, "the bind has no `source`"));
    }
    let propagation = node.get("bind").and_then(|bind| bind.text_of("propagation")).cloned();
    let read_only = node.text_of("read_only").is_some_and(Text::is_on);
    Ok(Mount { kind, source, target: target.clone(), read_only, propagation, span: node.span })
}
