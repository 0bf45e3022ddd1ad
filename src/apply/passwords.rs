//! Lines of password files: hashed in prepare, and only when a password has changed.
//!
//! The salt of a hash is derived, under the state's key, from the password itself. An old line whose salt is the
//! derived one is therefore of the same password, and is kept without hashing again.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use bcrypt::{HashParts, Version};
use rayon::prelude::*;
use zeroize::Zeroizing;

use crate::address::Address;
use crate::diag::Diagnostic;
use crate::names::password::BCRYPT_LIMIT;
use crate::plan::{Content, Piece};
use crate::state::Key;
use crate::value::Secret;

/// A file whose text has secrets, and what stands in its place in the live generation.
#[derive(Clone, Debug)]
pub(super) struct Sealed {
    /// The resource that it is of.
    pub(super) resource: Address,
    /// Its text.
    pub(super) content: Content,
    /// The text of the live file, where it is as vsa wrote it.
    pub(super) former: Option<Secret>,
}

impl Sealed {
    /// How many passwords must be hashed at most.
    pub(super) fn passwords(&self) -> usize {
        self.content.pieces.iter().filter(|piece| matches!(piece, Piece::Password { .. })).count()
    }
}

/// The texts of files with secrets. Takes long: for a thread that may block.
pub(super) fn texts(
    files: &BTreeMap<Arc<str>, Sealed>,
    key: Option<&Key>,
) -> Result<BTreeMap<Arc<str>, Secret>, Diagnostic> {
    files
        .par_iter()
        .map(|(path, file)| {
            let parts: Vec<Zeroizing<String>> = file
                .content
                .pieces
                .par_iter()
                .map(|piece| text(piece, file, key).map(Zeroizing::new))
                .collect::<Result<_, _>>()?;
            // At once as long as it gets: growing would leave copies behind.
            let mut whole = String::with_capacity(parts.iter().map(|part| part.len()).sum());
            for part in &parts {
                whole.push_str(part);
            }
            Ok((Arc::clone(path), Secret::new(whole)))
        })
        .collect()
}

fn text(piece: &Piece, file: &Sealed, key: Option<&Key>) -> Result<String, Diagnostic> {
    match piece {
        Piece::Text(text) => Ok(text.to_string()),
        Piece::Hidden(secret) | Piece::Secret(secret) => Ok(secret.expose().to_owned()),
        Piece::Password { user, password, cost } => {
            let key = key.ok_or_else(|| {
                Diagnostic::error("passwords cannot be hashed without the state's key")
                    .help("bring back `.vsa/key`, or set `VSA_KEY`")
                    .on(&file.resource)
            })?;
            let salt = key.salt(&file.resource, user, password.expose());
            let old = file.former.as_ref().and_then(|text| kept(text.expose(), user, *cost, salt));
            let hash = old.map_or_else(|| hash(password, *cost, salt, user, file), Ok)?;
            Ok(format!("{user}:{hash}\n"))
        }
    }
}

/// The hash of a user's old line, if its cost and salt are these.
fn kept(text: &str, user: &str, cost: u32, salt: [u8; 16]) -> Option<String> {
    let hash = text.lines().find_map(|line| line.strip_prefix(user)?.strip_prefix(':'))?;
    let parts = HashParts::from_str(hash).ok()?;
    (parts.get_cost() == cost && parts.get_salt_raw() == salt).then(|| hash.to_owned())
}

fn hash(
    password: &Secret,
    cost: u32,
    salt: [u8; 16],
    user: &str,
    file: &Sealed,
) -> Result<String, Diagnostic> {
    // The function that refuses to truncate counts the NUL at the end, which bcrypt drops of the longest passwords.
    let fits = password.expose().len() <= BCRYPT_LIMIT;
    let hashed = fits.then(|| bcrypt::hash_with_salt(password.expose(), cost, salt).ok()).flatten();
    hashed.map(|parts| parts.format_for_version(Version::TwoY)).ok_or_else(|| {
        Diagnostic::error(format!("the password of `{user}` cannot be hashed"))
            .detail(format!(
                "bcrypt takes passwords of at most {BCRYPT_LIMIT} bytes, and a cost from 4 to 31"
            ))
            .on(&file.resource)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(passwords: &[(&str, &str)], former: Option<&str>) -> BTreeMap<Arc<str>, Sealed> {
        let pieces = passwords.iter().map(|(user, password)| Piece::Password {
            user: (*user).into(),
            password: Secret::new(*password),
            cost: 4,
        });
        let content = Content { pieces: pieces.collect() };
        let sealed =
            Sealed { resource: Address::new("auth", "staff"), content, former: former.map(Secret::new) };
        BTreeMap::from([("auth/staff".into(), sealed)])
    }

    fn text_of(files: &BTreeMap<Arc<str>, Sealed>) -> String {
        texts(files, Some(&Key::new(&[7; 32]))).unwrap()["auth/staff"].expose().to_owned()
    }

    #[test]
    fn only_the_line_of_a_changed_password_changes() {
        let before = text_of(&file(&[("alice", "one"), ("bob", "two")], None));
        let after = text_of(&file(&[("alice", "one"), ("bob", "three")], Some(&before)));
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(lines(&before)[0], lines(&after)[0]);
        assert_ne!(lines(&before)[1], lines(&after)[1]);
        let hash = lines(&after)[1].strip_prefix("bob:").unwrap().to_owned();
        assert!(hash.starts_with("$2y$04$"));
        assert!(bcrypt::verify("three", &hash).unwrap());
        assert_eq!(
            after,
            text_of(&file(&[("alice", "one"), ("bob", "three")], None)),
            "hashing is repeatable"
        );
    }

    #[test]
    fn the_longest_password_is_hashed_whole() {
        let longest = "x".repeat(BCRYPT_LIMIT);
        let line = text_of(&file(&[("alice", &longest)], None));
        let hash = line.trim_end().strip_prefix("alice:").unwrap().to_owned();
        assert!(bcrypt::verify(&longest, &hash).unwrap());
        assert!(!bcrypt::verify(&longest[1..], &hash).unwrap());
        let longer = file(&[("alice", &format!("{longest}x"))], None);
        assert!(texts(&longer, Some(&Key::new(&[7; 32]))).is_err());
    }

    #[test]
    fn an_old_line_is_kept_without_hashing() {
        let salt = Key::new(&[7; 32]).salt(&Address::new("auth", "staff"), "alice", "one");
        let made = bcrypt::non_truncating_hash_with_salt("other", 4, salt).unwrap();
        let old = format!("alice:{}\n", made.format_for_version(Version::TwoY));
        assert_eq!(text_of(&file(&[("alice", "one")], Some(&old))), old);
    }

    #[test]
    fn without_a_key_nothing_is_hashed() {
        let error = texts(&file(&[("alice", "one")], None), None).unwrap_err();
        assert!(!format!("{error:?}").contains("one\""));
    }
}
