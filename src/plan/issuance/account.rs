//! The accounts with authorities that a node keeps.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::diag::{Diagnostic, Severity};
use crate::plan::node::NodeSpec;
use crate::plan::observation::{Answer, Observations, Query};

/// The permission bits of their directory.
pub const DIRECTORY_MODE: u32 = 0o700;

/// The permission bits of their files, and of the ledger.
pub const MODE: u32 = 0o600;

/// What is in the directory of a node's accounts: one question, and more about each file that is found.
pub fn queries(spec: &NodeSpec) -> Query {
    Query::Entries(spec.accounts())
}

/// The files of vsa's that are there.
pub fn files(spec: &NodeSpec, observed: &Observations) -> Vec<PathBuf> {
    match observed.get(&queries(spec)) {
        Some(Answer::Entries(entries)) => {
            let found = entries.keys().map(|name| spec.accounts().join(name));
            found.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect()
        }
        _ => Vec::new(),
    }
}

/// What is asked about each file.
pub fn inquiries(spec: &NodeSpec, observed: &Observations) -> Vec<Query> {
    let ledger = spec.ledger();
    let asked = files(spec, observed).into_iter().flat_map(|path| {
        let account = (path != ledger).then(|| Query::Account(path.clone()));
        [Query::Stat(path)].into_iter().chain(account)
    });
    asked.collect()
}

/// The accounts that cannot be used: what is ordered with one fails.
pub fn findings(spec: &NodeSpec, observed: &Observations) -> Vec<Diagnostic> {
    let told = files(spec, observed).into_iter().filter_map(|path| {
        let why = match observed.get(&Query::Account(path.clone()))? {
            Answer::PrivateKey { wrong } => wrong.as_ref()?,
            Answer::Failed(why) => why,
            _ => return None,
        };
        let unusable = unusable(&path, why).on(&spec.address);
        Some(Diagnostic { severity: Severity::Warning, ..unusable })
    });
    told.collect()
}

/// What is wrong with the text of an account: a JSON document with its key, and its address with the authority once it has
/// one.
pub fn wrong(text: &[u8]) -> Option<&'static str> {
    let kept: Value = serde_json::from_slice(text).unwrap_or_default();
    if !kept.get("key_pkcs8").is_some_and(Value::is_string) {
        return Some("it is no account with an authority, or not all of one");
    }
    let is_address = |id: &Value| id.as_str().is_some_and(|id| id.starts_with("https://"));
    kept.get("id").is_some_and(|id| !is_address(id)).then_some("its `id` is no address of an account")
}

/// That an account is kept there, and cannot be used.
pub fn unusable(path: &Path, why: &str) -> Diagnostic {
    Diagnostic::error(format!("the account `{}` cannot be used: {why}", path.display()))
        .code("unusable_account")
        .help("put a copy of it back; or move it away, and the next order makes a new account")
}

#[cfg(test)]
mod tests {
    use super::wrong;

    #[test]
    fn an_account_has_a_key_and_an_address_or_none_yet() {
        let texts = [
            r#"{"key_pkcs8":"AA"}"#,
            r#"{"key_pkcs8":"AA","id":"https://ca/1"}"#,
            "",
            "[]",
            r#"{"id":"https://ca/1"}"#,
            r#"{"key_pkcs8":5}"#,
            r#"{"key_pkcs8":"AA","id":null}"#,
            r#"{"key_pkcs8":"AA","id":""}"#,
        ];
        let wrong = texts.map(|text| wrong(text.as_bytes()).is_some());
        assert_eq!(wrong, [false, false, true, true, true, true, true, true]);
    }
}
