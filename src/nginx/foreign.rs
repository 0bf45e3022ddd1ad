//! Servers that somebody else configured in the nginx that vsa shares.

use std::path::{Path, PathBuf};

use super::syntax::{Directive, parse};

/// An address and port that a server listens on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// `*` for all IPv4 addresses, `[::]` for all IPv6 addresses, else as written.
    pub address: String,
    /// The port; 0 for a Unix socket.
    pub port: u16,
    /// Whether it answers for unknown names there.
    pub default: bool,
}

/// A server that is not vsa's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignServer {
    /// The file that it stands in.
    pub file: PathBuf,
    /// The line that it begins on.
    pub line: u32,
    /// What it listens on.
    pub listens: Vec<Listen>,
    /// The names that it answers for, as written.
    pub names: Vec<String>,
}

/// What somebody else configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Foreign {
    /// The servers.
    pub servers: Vec<ForeignServer>,
    /// Where `server_names_hash_…` is set.
    pub server_names_hash: Option<(PathBuf, u32)>,
    /// Whether no include of `http {}` reads vsa's own file, though all files could be read.
    pub misses_own: bool,
    /// Patterns of files whose text is not at hand yet.
    pub unread: Vec<String>,
}

/// Gives the files that a pattern of an absolute path matches, with their bytes; `None` where they are not at hand.
pub type Read<'a> = dyn Fn(&str) -> Option<Vec<(&'a Path, &'a [u8])>> + 'a;

/// How deep includes are followed.
const DEPTH: usize = 8;

/// Reads the configuration that begins at `main`. `read` gives the files that a pattern of an absolute path matches,
/// or `None` where they are not at hand yet. The file `own` is vsa's and left out. A file that is not nginx's grammar
/// is left to nginx to complain about.
pub fn foreign(main: &Path, own: &Path, read: &Read<'_>) -> Foreign {
    let mut walk = Walk {
        directory: main.parent().unwrap_or_else(|| Path::new("/")),
        own,
        read,
        found: Foreign::default(),
        includes_own: false,
        understood: true,
    };
    walk.pattern(&main.to_string_lossy(), &mut Scope::Main, 0);
    walk.found.misses_own = !walk.includes_own && walk.understood && walk.found.unread.is_empty();
    walk.found
}

/// The patterns of files whose text [`foreign`] still needs.
pub fn includes(main: &Path, own: &Path, read: &Read<'_>) -> Vec<String> {
    foreign(main, own, read).unread
}

enum Scope<'s> {
    Main,
    Http,
    Server(&'s mut ForeignServer),
}

struct Walk<'w, 'a> {
    directory: &'w Path,
    own: &'w Path,
    read: &'w Read<'a>,
    found: Foreign,
    /// Whether an include of `http {}` reads `own`.
    includes_own: bool,
    /// Whether all files were nginx's grammar, the main one among them.
    understood: bool,
}

impl Walk<'_, '_> {
    fn pattern(&mut self, pattern: &str, scope: &mut Scope<'_>, depth: usize) {
        let Some(files) = (self.read)(pattern) else {
            self.found.unread.push(pattern.to_owned());
            return;
        };
        self.understood &= depth > 0 || !files.is_empty();
        for (path, bytes) in files {
            if path == self.own {
                continue;
            }
            match parse(&String::from_utf8_lossy(bytes)) {
                Ok(directives) if depth < DEPTH => self.directives(&directives, path, scope, depth),
                _ => self.understood = false,
            }
        }
    }

    fn directives(&mut self, directives: &[Directive], file: &Path, scope: &mut Scope<'_>, depth: usize) {
        for directive in directives {
            let block = directive.block.as_deref();
            match (directive.name.as_str(), block, &mut *scope) {
                ("include", None, _) => {
                    for pattern in &directive.args {
                        let pattern = self.directory.join(pattern);
                        self.includes_own |= matches!(scope, Scope::Http) && reads(&pattern, self.own);
                        self.pattern(&pattern.to_string_lossy(), scope, depth + 1);
                    }
                }
                ("http", Some(block), Scope::Main) => {
                    self.directives(block, file, &mut Scope::Http, depth);
                }
                ("server_names_hash_max_size" | "server_names_hash_bucket_size", None, Scope::Http) => {
                    self.found.server_names_hash = Some((file.to_owned(), directive.line));
                }
                ("server", Some(block), Scope::Http) => {
                    let mut server = ForeignServer {
                        file: file.to_owned(),
                        line: directive.line,
                        listens: Vec::new(),
                        names: Vec::new(),
                    };
                    self.directives(block, file, &mut Scope::Server(&mut server), depth);
                    if server.listens.is_empty() {
                        server.listens.push(Listen { address: "*".to_owned(), port: 80, default: false });
                    }
                    self.found.servers.push(server);
                }
                ("listen", None, Scope::Server(server)) => server.listens.extend(listen(&directive.args)),
                ("server_name", None, Scope::Server(server)) => {
                    server.names.extend(directive.args.iter().map(|name| name.to_ascii_lowercase()));
                }
                _ => {}
            }
        }
    }
}

/// Whether an include of this pattern reads a file.
fn reads(pattern: &Path, file: &Path) -> bool {
    let options = glob::MatchOptions {
        require_literal_separator: true,
        require_literal_leading_dot: true,
        case_sensitive: true,
    };
    let pattern = glob::Pattern::new(&pattern.to_string_lossy());
    pattern.is_ok_and(|pattern| pattern.matches_path_with(file, options))
}

fn listen(args: &[String]) -> Option<Listen> {
    let (address, flags) = args.split_first()?;
    let default = flags.iter().any(|flag| matches!(flag.as_str(), "default_server" | "default"));
    if address.starts_with("unix:") {
        return Some(Listen { address: address.clone(), port: 0, default });
    }
    if let Ok(port) = address.parse() {
        return Some(Listen { address: "*".to_owned(), port, default });
    }
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (address.as_str(), 80),
    };
    let host = if matches!(host, "*" | "0.0.0.0") { "*" } else { host };
    Some(Listen { address: host.to_owned(), port, default })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn includes_are_followed_and_our_own_file_left_out() {
        let site =
            "server { include snippets/names; listen [::]:80 default_server; listen 80 default_server; }";
        let files: BTreeMap<&str, (&str, &str)> = BTreeMap::from([
            (
                "/etc/nginx/nginx.conf",
                ("/etc/nginx/nginx.conf", "http {\n include conf.d/*.conf;\n include sites/*;\n}"),
            ),
            ("/etc/nginx/conf.d/*.conf", ("/etc/nginx/conf.d/vsa.conf", "server { listen 80; }")),
            ("/etc/nginx/sites/*", ("/etc/nginx/sites/default", site)),
            ("/etc/nginx/snippets/names", ("/etc/nginx/snippets/names", "server_name _ A.example;")),
        ]);
        let some = |known: usize| {
            let files = files.clone();
            move |pattern: &str| {
                let (path, text) = files.iter().take(known).find(|(key, _)| **key == pattern)?.1;
                Some(vec![(Path::new(*path), text.as_bytes())])
            }
        };
        let main = Path::new("/etc/nginx/nginx.conf");
        let own = Path::new("/etc/nginx/conf.d/vsa.conf");
        assert_eq!(includes(main, own, &some(0)), ["/etc/nginx/nginx.conf"]);
        assert_eq!(includes(main, own, &some(2)), ["/etc/nginx/sites/*"]);
        let found = foreign(main, own, &some(4));
        assert!(!found.misses_own);
        assert!(foreign(main, Path::new("/etc/nginx/vsa.d/vsa.conf"), &some(4)).misses_own);
        assert!(!foreign(main, own, &some(2)).misses_own, "not everything is read yet");
        assert_eq!(found.unread, Vec::<String>::new());
        assert_eq!(found.servers.len(), 1);
        assert_eq!(found.servers[0].names, ["_", "a.example"]);
        assert_eq!(found.servers[0].listens[0].address, "[::]");
        assert!(found.servers[0].listens.iter().all(|listen| listen.default && listen.port == 80));
    }
}
