//! Resources whose address changes while they stay what they are.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::value::RawValue;

use super::{State, Stored, StoredNode};
use crate::address::Address;

/// Addresses that resources have left, each with the one that it has now.
pub type Moves = BTreeMap<Address, Address>;

/// The addresses of now by the texts of the former ones.
type Texts<'a> = HashMap<String, &'a Address>;

/// The address that something has now.
fn now(moves: &Moves, address: &mut Address) {
    if let Some(to) = moves.get(address) {
        *address = to.clone();
    }
}

impl State {
    /// Gives resources the addresses that they have now, wherever these stand. Doing it twice is doing it once. What has
    /// such an address already stays.
    pub fn relocate(&mut self, moves: &Moves) {
        if moves.is_empty() {
            return;
        }
        let texts: Texts<'_> = moves.iter().map(|(from, to)| (from.to_string(), to)).collect();
        for (from, to) in moves {
            if !self.resources.contains_key(to)
                && let Some(stored) = self.resources.remove(from)
            {
                self.resources.insert(to.clone(), stored);
            }
            if !self.nodes.contains_key(to)
                && let Some(stored) = self.nodes.remove(from)
            {
                self.nodes.insert(to.clone(), stored);
            }
        }
        self.resources.values_mut().for_each(|stored| stored.relocate(moves, &texts));
        self.nodes.values_mut().for_each(|stored| stored.relocate(moves, &texts));
    }
}

impl Stored {
    fn relocate(&mut self, moves: &Moves, texts: &Texts<'_>) {
        now(moves, &mut self.node);
        let depends_on: BTreeSet<Address> = std::mem::take(&mut self.depends_on);
        self.depends_on = depends_on.into_iter().map(|on| moves.get(&on).cloned().unwrap_or(on)).collect();
        let moved = referring(self.attributes.get(), texts);
        if let Some(Ok(attributes)) = moved.map(RawValue::from_string) {
            self.attributes = attributes;
        }
        self.left.iter_mut().for_each(|left| left.relocate(moves, texts));
    }
}

impl StoredNode {
    fn relocate(&mut self, moves: &Moves, texts: &Texts<'_>) {
        now(moves, &mut self.spec.address);
        self.files.values_mut().for_each(|file| now(moves, &mut file.resource));
        self.endpoints = std::mem::take(&mut self.endpoints)
            .into_iter()
            .map(|(target, ports)| (target_now(texts, target), ports))
            .collect();
        self.names = std::mem::take(&mut self.names)
            .into_iter()
            .map(|(target, name)| (target_now(texts, target), name))
            .collect();
    }
}

/// `stack.shop web:3000` under the address that the stack has now.
fn target_now(texts: &Texts<'_>, target: String) -> String {
    let moved = target.rsplit_once(' ').and_then(|(from, rest)| Some(format!("{} {rest}", texts.get(from)?)));
    moved.unwrap_or(target)
}

/// How canonical attributes begin to refer to a resource. In a string of JSON the quotes would be escaped, and a name of
/// the user's own has one more `$`: this is a mark.
const MARK: &str = "{\"$ref\":";

/// Canonical attributes that refer to resources by the addresses of now; `None` where they do already.
fn referring(attributes: &str, texts: &Texts<'_>) -> Option<String> {
    let mut moved = String::new();
    let mut done = 0;
    for (mark, _) in attributes.match_indices(MARK) {
        let start = mark + MARK.len();
        let mut literals = serde_json::Deserializer::from_str(&attributes[start..]).into_iter::<String>();
        let Some(to) = literals.next().and_then(Result::ok).and_then(|from| texts.get(&from)) else {
            continue;
        };
        moved.push_str(&attributes[done..start]);
        moved.push_str(&serde_json::Value::from(to.to_string()).to_string());
        done = start + literals.byte_offset();
    }
    (done > 0).then(|| moved + &attributes[done..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_follow_and_texts_that_look_like_them_stay() {
        let to = Address::new("tenant", "one");
        let texts = Texts::from([("tenant.m".to_owned(), &to), (r#"tenant.m["a \"b\""]"#.to_owned(), &to)]);
        let moved = |attributes: &str| referring(attributes, &texts);
        assert_eq!(
            moved(r#"{"a":{"$ref":"tenant.m[\"a \\\"b\\\"\"]"},"b":[{"$ref":"tenant.m"}],"c":"tenant.m"}"#)
                .as_deref(),
            Some(r#"{"a":{"$ref":"tenant.one"},"b":[{"$ref":"tenant.one"}],"c":"tenant.m"}"#)
        );
        for kept in [
            r#"{"a":{"$ref":"tenant.mm"}}"#,
            r#"{"a":"{\"$ref\":\"tenant.m\"}"}"#,
            r#"{"a":{"$$ref":"tenant.m"}}"#,
            r#"{"a":{"$ref":1}}"#,
        ] {
            assert_eq!(moved(kept), None, "{kept}");
        }
    }

    #[test]
    fn targets_follow_with_names_that_have_spaces() {
        let to = Address::new("stack", "one");
        let texts = Texts::from([(r#"stack.m["a b"]"#.to_owned(), &to)]);
        let now = |target: &str| target_now(&texts, target.to_owned());
        assert_eq!(now(r#"stack.m["a b"] web:3000"#), "stack.one web:3000");
        for kept in ["stack.m web:3000", "port 8080", "container web:80"] {
            assert_eq!(now(kept), kept);
        }
    }
}
