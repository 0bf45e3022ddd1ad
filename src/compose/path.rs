//! Paths as texts: joined and judged without looking at any disk.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::Directories;
use super::node::Text;
use crate::diag::visible;

/// Where a path of a compose file leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A path on the node, absolute, without `.` and `..`.
    Local(String),
    /// Below a home directory (`~`), whose place depends on who runs Compose.
    Home,
    /// Something fetched from elsewhere: a repository, an address, a registry.
    Remote,
}

impl Place {
    /// Where the path in a text leads, below the directories of a stack.
    pub fn of(text: &Text, directories: &Directories) -> Self {
        if text.text.starts_with('~') {
            return Self::Home;
        }
        if is_remote(&text.text) {
            return Self::Remote;
        }
        Self::Local(normal(&directories.project, &join(&text.directory, &text.text)))
    }

    /// Whether it is a directory of the node, or below it.
    pub fn is_below(&self, directory: &str) -> bool {
        matches!(self, Self::Local(path) if is_below(path, directory))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => write!(f, "`{}`", visible(path)),
            Self::Home => f.write_str("a home directory"),
            Self::Remote => f.write_str("elsewhere"),
        }
    }
}

/// Whether Compose or the builder would fetch it (compose-spec, `build`; remote contexts of `BuildKit`).
pub(super) fn is_remote(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    let scheme = ["://", "git@", "github.com/", "oci:", "ssh:"];
    lower.contains(scheme[0])
        || scheme[1..].iter().any(|start| lower.starts_with(start))
        || lower.strip_suffix(".git").is_some()
        || lower.contains(".git#")
}

/// `path` as seen from `directory`; an absolute one stays.
pub(super) fn join(directory: &str, path: &str) -> String {
    if path.starts_with('/') || directory.is_empty() {
        return path.to_owned();
    }
    format!("{directory}/{path}")
}

/// The two joined, without `.`, `..` and empty segments. What goes above a relative start keeps its `..`.
pub(super) fn normal(directory: &str, path: &str) -> String {
    let joined = join(directory, path);
    let absolute = joined.starts_with('/');
    let mut segments: Vec<&str> = Vec::new();
    for segment in joined.split('/') {
        match segment {
            "" | "." => {}
            ".." if segments.last().is_some_and(|last| *last != "..") => {
                segments.pop();
            }
            ".." if absolute => {}
            segment => segments.push(segment),
        }
    }
    let joined = segments.join("/");
    if absolute { format!("/{joined}") } else { joined }
}

/// Whether a normal path is a directory, or below it.
pub(super) fn is_below(path: &str, directory: &str) -> bool {
    let directory = normal("", directory);
    let directory = directory.trim_end_matches('/');
    path.strip_prefix(directory).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The directory that a normal path stands in.
pub(super) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}

/// A stack's file by the path that a compose file gives it.
pub(super) fn find<'a>(
    files: &'a BTreeMap<String, Arc<str>>,
    directories: &Directories,
    path: &str,
) -> Option<(&'a str, &'a Arc<str>)> {
    let relative = match path.strip_prefix('/') {
        None => path,
        Some(_) => path.strip_prefix(directories.project.trim_end_matches('/'))?.strip_prefix('/')?,
    };
    files.get_key_value(relative).map(|(path, text)| (path.as_str(), text))
}

#[cfg(test)]
mod tests {
    use super::{is_below, is_remote, normal};

    #[test]
    fn paths_are_joined_as_texts() {
        let cases = [
            (("/srv/a/compose", "./x"), "/srv/a/compose/x"),
            (("/srv/a/compose", "../data//y/."), "/srv/a/data/y"),
            (("/srv/a/compose", "../../../../../etc"), "/etc"),
            (("/srv/a", "/etc/../root"), "/root"),
            (("", "../x/../y"), "../y"),
            (("", "../../y"), "../../y"),
            (("", "."), ""),
            (("a/b", ".."), "a"),
        ];
        for ((directory, path), expected) in cases {
            assert_eq!(normal(directory, path), expected, "{directory} {path}");
        }
    }

    #[test]
    fn a_directory_holds_itself_and_what_is_below() {
        assert!(is_below("/srv/acme", "/srv/acme"));
        assert!(is_below("/srv/acme/x", "/srv/acme/"));
        assert!(!is_below("/srv/acme-evil/x", "/srv/acme"));
        assert!(!is_below("/srv", "/srv/acme"));
        assert!(is_below("/etc", "/"));
    }

    #[test]
    fn what_is_fetched_is_known() {
        for remote in
            ["https://x/y", "git@github.com:x/y", "github.com/x/y", "oci://x", "x/y.git#main:z", "ssh://x"]
        {
            assert!(is_remote(remote), "{remote}");
        }
        for local in ["./x", "../y", "/z", "compose.git.yml", "a/b"] {
            assert!(!is_remote(local), "{local}");
        }
    }
}
