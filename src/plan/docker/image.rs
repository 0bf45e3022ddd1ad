//! Images and their names.

/// An image that the engine has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The reference as it was asked for.
    pub reference: String,
    /// Its id (`sha256:…`).
    pub id: String,
    /// `name@sha256:…` of every registry that it came from; none of one that was built or loaded here.
    pub repo_digests: Vec<String>,
    /// When it was made, in seconds since 1970.
    pub created: i64,
}

/// Whether two image references mean the same: `nginx` is `docker.io/library/nginx:latest`.
pub fn same_reference(one: &str, other: &str) -> bool {
    normal(one) == normal(other)
}

/// A reference with everything spelled out that Docker implies.
fn normal(reference: &str) -> String {
    let (name, digest) = match reference.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (reference, None),
    };
    // A colon before a slash belongs to a registry's port.
    let tagged = name.rsplit('/').next().is_some_and(|last| last.contains(':'));
    let (first, rest) = name.split_once('/').unwrap_or(("", name));
    let is_registry = first.contains(['.', ':']) || first == "localhost";
    let (registry, path) = if is_registry { (first, rest) } else { ("docker.io", name) };
    let registry = if registry == "index.docker.io" { "docker.io" } else { registry };
    let library = if registry == "docker.io" && !path.contains('/') { "library/" } else { "" };
    match digest {
        Some(digest) => {
            // With a digest the tag says nothing.
            let bare = if tagged { path.rsplit_once(':').map_or(path, |(bare, _)| bare) } else { path };
            format!("{registry}/{library}{bare}@{digest}")
        }
        None if tagged => format!("{registry}/{library}{path}"),
        None => format!("{registry}/{library}{path}:latest"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_compared_with_what_they_imply() {
        for (one, other) in [
            ("nginx", "docker.io/library/nginx:latest"),
            ("nginx:1.25", "index.docker.io/library/nginx:1.25"),
            ("grafana/loki", "docker.io/grafana/loki:latest"),
            ("localhost:5000/app", "localhost:5000/app:latest"),
            ("app:1@sha256:aa", "app@sha256:aa"),
        ] {
            assert!(same_reference(one, other), "{one} is {other}");
        }
        for (one, other) in
            [("nginx:1", "nginx:2"), ("a/nginx", "nginx"), ("ghcr.io/a/b", "a/b"), ("a", "a@sha256:b")]
        {
            assert!(!same_reference(one, other), "{one} is not {other}");
        }
    }
}
