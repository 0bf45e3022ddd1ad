//! Looks for secrets where none may be: in files, in output, in database rows, in what child processes were given.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Child;

use rusqlite::types::ValueRef;

use super::processes;

/// A secret, and the forms it could leak in.
pub struct Canary {
    forms: Vec<(&'static str, String)>,
}

impl Canary {
    /// Of a secret that stands nowhere else.
    pub fn new(secret: &str) -> Self {
        let bytes = secret.as_bytes();
        let hex = each_byte(bytes, |byte| format!("{byte:02x}"));
        let escaped = each_byte(bytes, |byte| format!("%{byte:02X}"));
        let mut forms = vec![
            ("plain", secret.to_owned()),
            ("hexadecimal", hex.to_uppercase()),
            ("hexadecimal", hex),
            ("URL-encoded", escaped),
            ("URL-encoded", url_encoded(secret)),
            ("JSON", serde_json::to_string(secret).unwrap().trim_matches('"').to_owned()),
        ];
        // Inside a longer text that is encoded, a secret begins at one of three places of a group; what its ends
        // share with their neighbours is left away.
        for shift in 0..3 {
            let padded = [&b"___"[..shift], bytes].concat();
            let text = base64(&padded).trim_end_matches('=').to_owned();
            let start = [0, 2, 3][shift];
            let text = text[start..text.len() - 1].to_owned();
            forms.push(("base64", text.replace('+', "-").replace('/', "_")));
            forms.push(("base64", text));
        }
        let mut known = BTreeSet::new();
        forms.retain(|(_, form)| known.insert(form.clone()));
        Self { forms }
    }

    /// The forms in which it stands in these bytes.
    pub fn in_bytes(&self, bytes: &[u8]) -> BTreeSet<&'static str> {
        let text = String::from_utf8_lossy(bytes);
        self.forms.iter().filter(|(_, form)| text.contains(form.as_str())).map(|(name, _)| *name).collect()
    }

    /// Where it stands in files below a directory (their names, link targets and bytes), a line each.
    pub fn in_files(&self, directory: &Path) -> Vec<String> {
        let mut found = Vec::new();
        for entry in fs::read_dir(directory).unwrap().flatten() {
            let path = entry.path();
            let kind = entry.file_type().unwrap();
            let mut bytes = path.to_string_lossy().into_owned().into_bytes();
            if kind.is_dir() {
                found.extend(self.in_files(&path));
            } else if kind.is_symlink() {
                bytes.extend_from_slice(fs::read_link(&path).unwrap().to_string_lossy().as_bytes());
            } else if kind.is_file() {
                bytes.extend(fs::read(&path).unwrap_or_default());
                if bytes.windows(16).any(|window| window == b"SQLite format 3\0") {
                    found.extend(self.in_database(&path));
                }
            }
            found.extend(self.in_bytes(&bytes).iter().map(|form| format!("{form} in {}", path.display())));
        }
        found
    }

    /// Where it stands in the rows of a database, a line each.
    pub fn in_database(&self, path: &Path) -> Vec<String> {
        let connection = rusqlite::Connection::open(path).unwrap();
        let mut tables = connection.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").unwrap();
        let tables: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().flatten().collect();
        let mut found = Vec::new();
        for table in tables {
            let mut rows = connection.prepare(&format!("SELECT * FROM \"{table}\"")).unwrap();
            let columns = rows.column_count();
            let mut rows = rows.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                for column in 0..columns {
                    let (ValueRef::Text(text) | ValueRef::Blob(text)) = row.get_ref(column).unwrap() else {
                        continue;
                    };
                    let forms = self.in_bytes(text);
                    found.extend(
                        forms.iter().map(|form| format!("{form} in table {table} of {}", path.display())),
                    );
                }
            }
        }
        found
    }

    /// Watches the descendants of a process until it ends: where it stands in their arguments and environment, and
    /// how many descendants were seen.
    pub fn in_descendants(&self, child: &mut Child) -> (Vec<String>, usize) {
        let root = i32::try_from(child.id()).unwrap();
        let arguments = |pid: i32| fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut seen = BTreeSet::from([root]);
        let mut found = BTreeSet::new();
        while child.try_wait().unwrap().is_none() {
            for (pid, process) in processes::all() {
                if seen.contains(&process.parent) {
                    seen.insert(pid);
                }
                if pid == root || !seen.contains(&pid) {
                    continue;
                }
                // Between fork and exec a child is its parent still, with the parent's arguments and environment. They are
                // read first: who has arguments of its own then has an environment of its own.
                let own = arguments(pid);
                if own == arguments(process.parent) {
                    continue;
                }
                let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
                for (file, bytes) in [("cmdline", own), ("environ", environment)] {
                    let command = &process.command;
                    found.extend(
                        self.in_bytes(&bytes).iter().map(|form| format!("{form} in {file} of {command}")),
                    );
                }
            }
        }
        (found.into_iter().collect(), seen.len() - 1)
    }
}

/// Base64 with padding (RFC 4648, section 4).
pub fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let number =
            (0..3).fold(0_usize, |sum, place| sum << 8 | usize::from(*group.get(place).unwrap_or(&0)));
        for place in 0..4 {
            let digit = ALPHABET[number >> (18 - 6 * place) & 63];
            text.push(if place <= group.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

/// With all but unreserved characters escaped (RFC 3986, section 2).
fn url_encoded(text: &str) -> String {
    each_byte(text.as_bytes(), |byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    })
}

fn each_byte(bytes: &[u8], form: impl Fn(u8) -> String) -> String {
    bytes.iter().map(|byte| form(*byte)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_found_wherever_it_begins() {
        let canary = Canary::new("c4nary\"&/+secret");
        assert_eq!(base64(b"ab"), "YWI=");
        for before in ["", "x", "xy", "xyz"] {
            let text = format!("{before}c4nary\"&/+secret and more");
            assert_eq!(canary.in_bytes(text.as_bytes()), ["plain"].into());
            assert_eq!(canary.in_bytes(base64(text.as_bytes()).as_bytes()), ["base64"].into());
        }
        let hex = each_byte(b"a c4nary\"&/+secret", |byte| format!("{byte:02X}"));
        assert_eq!(canary.in_bytes(hex.as_bytes()), ["hexadecimal"].into());
        assert_eq!(canary.in_bytes(url_encoded("= c4nary\"&/+secret").as_bytes()), ["URL-encoded"].into());
        assert_eq!(canary.in_bytes(br#"{"a":"c4nary\"&/+secret"}"#), ["JSON"].into());
        assert!(canary.in_bytes(b"c4nary, secret").is_empty());
    }

    #[test]
    fn files_rows_and_children_are_searched() {
        let canary = Canary::new("c4nary-secret");
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("clean"), "nothing").unwrap();
        assert!(canary.in_files(directory.path()).is_empty());
        fs::write(directory.path().join("dirty"), "a c4nary-secret").unwrap();
        let database = directory.path().join("audit.db");
        let connection = rusqlite::Connection::open(&database).unwrap();
        connection.execute("CREATE TABLE records (text)", []).unwrap();
        connection.execute("INSERT INTO records VALUES ('c4nary-secret')", []).unwrap();
        let found = canary.in_files(directory.path());
        assert_eq!(found.len(), 3, "{found:?}");
        let mut shell = std::process::Command::new("sh");
        // Joined by the shell itself: a substitution would be a third child, seen or not.
        shell.args(["-c", "C=$X-secret sleep 0.2; sleep 0.2 # done"]).env("X", "c4nary");
        let (found, seen) = canary.in_descendants(&mut shell.spawn().unwrap());
        assert_eq!((found.len(), seen), (1, 2), "{found:?}");
        assert!(found[0].starts_with("plain in environ of sleep"), "{found:?}");
    }
}
