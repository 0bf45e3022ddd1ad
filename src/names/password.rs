//! Passwords and their hashes. They are secrets, so there are types for schemas, but no newtypes that hold them in
//! the clear; an [`Invalid`] never repeats what it refuses.

use super::{Invalid, TextType};

/// How much of a password bcrypt hashes, in bytes.
pub const BCRYPT_LIMIT: usize = 72;

/// A password.
pub static PASSWORD: TextType = TextType {
    name: "password",
    doc: "1 to 72 bytes, because bcrypt ignores all that follow; no NUL, no line break",
    examples: &["correct horse battery staple"],
    canonical: password,
};

/// A secret key, as authorities and name servers hand it out.
pub static SECRET_KEY: TextType = TextType {
    name: "secret key",
    doc: "base64, up to 1024 characters",
    examples: &["c2VjcmV0IGtleSBvZiBhIG5hbWUgc2VydmVy"],
    canonical: secret_key,
};

/// A token of a provider's API.
pub static API_TOKEN: TextType = TextType {
    name: "API token",
    doc: "up to 1024 visible ASCII characters",
    examples: &["v4x-example-token"],
    canonical: api_token,
};

fn secret_key(text: &str) -> Result<String, Invalid> {
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-_=".contains(&byte);
    // Four characters are three bytes, and what is left over is two characters at least; padding stands at the end.
    let digits = text.trim_end_matches('=');
    let is_whole = digits.len() % 4 != 1 && !digits.contains('=') && text.len() - digits.len() <= 2;
    if digits.is_empty() || text.len() > 1024 || !text.bytes().all(is_base64) || !is_whole {
        return Err(Invalid::new("is no base64 of up to 1024 characters")
            .help("copy it whole; read it from its file with `trimspace(file(…))`"));
    }
    Ok(text.to_owned())
}

fn api_token(text: &str) -> Result<String, Invalid> {
    if text.is_empty() || text.len() > 1024 || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Invalid::new("is not of up to 1024 visible characters")
            .help("read it from its file with `trimspace(file(…))`"));
    }
    Ok(text.to_owned())
}

/// The hash of a password, as `htpasswd` and `mkpasswd` print it.
pub static PASSWORD_HASH: TextType = TextType {
    name: "password hash",
    doc: "bcrypt (`$2y$…`), MD5 of Apache (`$apr1$…`), SHA-256 crypt (`$5$…`) or SHA-512 crypt (`$6$…`)",
    examples: &["$2y$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"],
    canonical: hash,
};

fn password(text: &str) -> Result<String, Invalid> {
    if text.is_empty() {
        return Err(Invalid::new("is empty"));
    }
    if text.len() > BCRYPT_LIMIT {
        return Err(Invalid::new(format!(
            "has {} bytes, {BCRYPT_LIMIT} at most: bcrypt ignores all that follow",
            text.len()
        ))
        .help("use a shorter one; 20 random characters are plenty"));
    }
    if text.contains('\0') {
        return Err(Invalid::new("contains a NUL byte, where hash functions stop reading"));
    }
    if text.contains(['\n', '\r']) {
        return Err(Invalid::new("contains a line break, which no browser can send")
            .help("read it from its file with `trimspace(file(…))`"));
    }
    Ok(text.to_owned())
}

/// Whether all bytes are of the alphabet of crypt, and how many there are is right.
fn crypt64(text: &str, lengths: std::ops::RangeInclusive<usize>) -> bool {
    lengths.contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/'))
}

/// The cost of a bcrypt hash.
pub fn bcrypt_cost(text: &str) -> Option<u32> {
    let rest = ["$2a$", "$2b$", "$2y$"].iter().find_map(|prefix| text.strip_prefix(prefix))?;
    let (cost, rest) = rest.split_once('$')?;
    let cost = cost.parse().ok().filter(|_| cost.len() == 2)?;
    ((4..=31).contains(&cost) && crypt64(rest, 53..=53)).then_some(cost)
}

fn is_sha_crypt(rest: &str, length: usize) -> bool {
    let rest = match rest.strip_prefix("rounds=") {
        Some(rest) => match rest.split_once('$') {
            Some((rounds, rest)) if rounds.parse::<u32>().is_ok_and(|it| (1000..=999_999).contains(&it)) => {
                rest
            }
            _ => return false,
        },
        None => rest,
    };
    rest.split_once('$').is_some_and(|(salt, hash)| crypt64(salt, 1..=16) && crypt64(hash, length..=length))
}

fn is_apr1(rest: &str) -> bool {
    rest.split_once('$').is_some_and(|(salt, hash)| crypt64(salt, 1..=8) && crypt64(hash, 22..=22))
}

fn hash(text: &str) -> Result<String, Invalid> {
    let right = if let Some(rest) = text.strip_prefix("$apr1$") {
        is_apr1(rest)
    } else if let Some(rest) = text.strip_prefix("$5$") {
        is_sha_crypt(rest, 43)
    } else if let Some(rest) = text.strip_prefix("$6$") {
        is_sha_crypt(rest, 86)
    } else {
        bcrypt_cost(text).is_some()
    };
    if right {
        return Ok(text.to_owned());
    }
    Err(Invalid::new("is not a hash of bcrypt, MD5 of Apache, SHA-256 crypt or SHA-512 crypt")
        .help("`htpasswd -nB -C 10 alice` prints one after `alice:`; a password in the clear belongs into `password`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_hashes_that_nginx_checks() {
        let bcrypt = PASSWORD_HASH.examples[0];
        let sha256 = format!("$5$saltsalt${}", "a".repeat(43));
        let sha512 = format!("$6$rounds=5000$salt.salt${}", "/".repeat(86));
        let apr1 = format!("$apr1$abcdefgh${}", "0".repeat(22));
        for right in [bcrypt, &bcrypt.replace("2y", "2b"), &sha256, &sha512, &apr1] {
            assert_eq!(hash(right), Ok(right.to_owned()));
        }
        let wrong = [
            "",
            "secret",
            "{PLAIN}secret",
            "{SSHA}abc",
            "$1$salt$0123456789012345678901",
            "$2y$10$short",
            "$2y$3$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
            &format!("{bcrypt}\n"),
            &format!("{bcrypt}:x"),
            &sha256.replace("salt", "sa:t"),
            &sha512.replace("5000", "1"),
        ];
        for wrong in wrong {
            let invalid = hash(wrong).unwrap_err();
            assert!(wrong.len() < 5 || !invalid.reason.contains(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_key_is_base64_that_can_be_decoded() {
        for right in ["c2VjcmV0", "c2VjcmV0cw", "c2VjcmV0cw==", "-_-_", "+/+/"] {
            assert_eq!(secret_key(right), Ok(right.to_owned()));
        }
        for wrong in ["", "=", "c2VjcmV0c", "c2Vj=cmV0", "c2VjcmV0cw===", "c2Vj cmV0", &"a".repeat(65)] {
            assert!(secret_key(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn passwords_fit_into_bcrypt() {
        assert!(password(&"é".repeat(36)).is_ok());
        for wrong in ["", "a\0b", "a\nb", &"a".repeat(73), &"é".repeat(37)] {
            assert!(password(wrong).is_err());
        }
    }
}
