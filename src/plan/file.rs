//! Files of a generation: what nginx reads.

use std::sync::Arc;

use crate::resource::Path;
use crate::value::Secret;

/// A part of a file's text.
#[derive(Clone, Debug)]
pub enum Piece {
    /// Text that may be shown.
    Text(Arc<str>),
    /// A whole line of a password file whose hash is made in prepare, and only when the password changed.
    Password {
        /// The user; its line in the file is `user:hash` and a newline.
        user: Arc<str>,
        /// The password.
        password: Secret,
        /// The cost of bcrypt.
        cost: u32,
    },
    /// A hash that the configuration gives: written as it is, shown as a placeholder.
    Hidden(Secret),
    /// A secret: written as it is, shown as a placeholder.
    Secret(Secret),
}

/// The text of a file.
#[derive(Clone, Debug, Default)]
pub struct Content {
    /// Its parts, in order.
    pub pieces: Vec<Piece>,
}

impl Content {
    /// A text without secrets.
    pub fn text(text: impl Into<Arc<str>>) -> Self {
        Self { pieces: vec![Piece::Text(text.into())] }
    }

    /// A text with these secrets in it, wherever they stand.
    pub fn hiding(text: &str, secrets: &[Secret]) -> Self {
        let mut pieces = Vec::new();
        let mut rest = text;
        loop {
            let found = secrets.iter().filter(|secret| !secret.expose().is_empty());
            let found = found.filter_map(|secret| Some((rest.find(secret.expose())?, secret)));
            let Some((at, secret)) = found.min_by_key(|(at, _)| *at) else { break };
            pieces.extend([Piece::Text(rest[..at].into()), Piece::Secret(secret.clone())]);
            rest = &rest[at + secret.expose().len()..];
        }
        pieces.push(Piece::Text(rest.into()));
        Self { pieces }
    }

    /// The text with `fingerprint` of each secret in its place: what the state keeps, plans show and changes are
    /// found by. A line of a password file is `user:(bcrypt, cost 10, fingerprint 3f2a91bc…)`, a given hash
    /// `(hash, fingerprint …)`, another secret `(secret, fingerprint …)`. Without secrets it is the text itself.
    pub fn sealed(&self, fingerprint: impl Fn(&str) -> String) -> String {
        let sealed = self.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text.to_string(),
            Piece::Password { user, password, cost } => {
                format!("{user}:(bcrypt, cost {cost}, fingerprint {})\n", fingerprint(password.expose()))
            }
            Piece::Hidden(secret) => format!("(hash, fingerprint {})", fingerprint(secret.expose())),
            Piece::Secret(secret) => format!("(secret, fingerprint {})", fingerprint(secret.expose())),
        });
        sealed.collect()
    }

    /// The text with its secrets, where none of them has to be hashed first.
    pub fn exposed(&self) -> Option<Secret> {
        let mut length = 0;
        for piece in &self.pieces {
            length += match piece {
                Piece::Text(text) => text.len(),
                Piece::Hidden(secret) | Piece::Secret(secret) => secret.expose().len(),
                Piece::Password { .. } => return None,
            };
        }
        // At once as long as it gets: growing would leave copies behind.
        let mut whole = String::with_capacity(length);
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => whole.push_str(text),
                Piece::Hidden(secret) | Piece::Secret(secret) => whole.push_str(secret.expose()),
                Piece::Password { .. } => {}
            }
        }
        Some(Secret::new(whole))
    }

    /// The text, where it has no secret parts.
    pub fn as_text(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }
}

/// What a link stands for when a generation is tested aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aside {
    /// A directory with a placeholder key and certificate, where the real one does not exist yet.
    Certificate,
    /// `/dev/null`.
    Log,
    /// A directory made for the test.
    Directory,
}

/// What a file of a generation is.
#[derive(Clone, Debug)]
pub enum FileBody {
    /// A file.
    Text(Content),
    /// A link to what changes, or may not exist yet.
    Link {
        /// The target, absolute.
        target: Arc<str>,
        /// What it stands for when tested aside.
        aside: Aside,
    },
}

/// The permission bits of a generation's files.
pub const FILE_MODE: u32 = 0o640;

/// A file of a generation.
#[derive(Clone, Debug)]
pub struct File {
    /// Relative to the generation's directory: `sites/shop.example.com.conf`.
    pub path: Arc<str>,
    /// What it is.
    pub body: FileBody,
    /// nginx's workers read it for each request, not only nginx when it loads its configuration.
    pub read_per_request: bool,
    /// What nginx makes of it depends on the node's own files and on what it names, not on other sites' files.
    pub alone: bool,
    /// For each line (from 1) that a value of the configuration went into, where that value stands. Only filled when
    /// it is asked for.
    pub origins: Vec<(u32, Path)>,
}

impl File {
    /// A text file.
    pub fn text(path: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        Self::new(path, FileBody::Text(Content::text(text)))
    }

    /// A link.
    pub fn link(path: impl Into<Arc<str>>, target: impl Into<Arc<str>>, aside: Aside) -> Self {
        Self::new(path, FileBody::Link { target: target.into(), aside })
    }

    /// With this body.
    pub fn new(path: impl Into<Arc<str>>, body: FileBody) -> Self {
        Self { path: path.into(), body, read_per_request: false, alone: false, origins: Vec::new() }
    }

    /// Says that nginx's workers read it for each request.
    #[must_use]
    pub fn read_per_request(mut self) -> Self {
        self.read_per_request = true;
        self
    }

    /// Says that it stands for itself beside other sites' files.
    #[must_use]
    pub fn alone(mut self) -> Self {
        self.alone = true;
        self
    }
}
