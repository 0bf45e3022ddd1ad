//! What an issue was asked for with, as one line: the node's address, who makes it, and what of it counts.

use std::collections::BTreeSet;
use std::fmt;

use crate::address::Address;

/// The file of an issue that holds it, beside the four of certbot's.
pub const REQUEST: &str = "request";

/// Who makes an issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    /// An authority: its directory, the key's type, the profile or `-`, and the names.
    Acme,
    /// Somebody else, who keeps these files.
    Files,
    /// vsa: the key's type, the days and the names.
    SelfSigned,
    /// vsa, until an authority has: the names.
    StandIn,
}

impl Maker {
    const ALL: [Self; 4] = [Self::Acme, Self::Files, Self::SelfSigned, Self::StandIn];

    const fn word(self) -> &'static str {
        match self {
            Self::Acme => "acme",
            Self::Files => "files",
            Self::SelfSigned => "self_signed",
            Self::StandIn => "stand_in",
        }
    }

    /// The request to it from a node, with what of it counts.
    pub fn request(self, node: &Address, counts: fmt::Arguments<'_>) -> String {
        format!("{node} {} {counts}", self.word())
    }

    /// Who is asked with a request.
    pub fn of(request: &str) -> Option<Self> {
        let word = request.split(' ').nth(1)?;
        Self::ALL.into_iter().find(|maker| maker.word() == word)
    }
}

/// Whether two requests ask for the same, whatever address their node has: where that changes, the node stays.
pub fn asks_the_same(former: &str, request: &str) -> bool {
    let (former, request) = (beside_node(former), beside_node(request));
    former == request
        || former
            .and_then(of_authority)
            .zip(request.and_then(of_authority))
            .is_some_and(|(one, other)| one == other)
}

/// What counts of a request to an authority: the names in no order, since a certificate has them in none.
fn of_authority(request: &str) -> Option<(Vec<&str>, BTreeSet<&str>)> {
    let mut words = request.split(' ');
    let head: Vec<&str> = words.by_ref().take(4).collect();
    (head.first() == Some(&Maker::Acme.word())).then(|| (head, words.collect()))
}

/// The directory of the authority that is asked with it, where one is.
pub fn asked_authority(request: &str) -> Option<&str> {
    (Maker::of(request)? == Maker::Acme).then(|| request.split(' ').nth(2)).flatten()
}

/// The type of the key that an authority is asked for a certificate of with it, where one is.
pub fn asked_key_type(request: &str) -> Option<&str> {
    (Maker::of(request)? == Maker::Acme).then(|| request.split(' ').nth(3)).flatten()
}

/// The names that an authority is asked for with it; none where none is.
pub fn asked_names(request: &str) -> BTreeSet<&str> {
    beside_node(request).and_then(of_authority).map(|(_, names)| names).unwrap_or_default()
}

fn beside_node(request: &str) -> Option<&str> {
    request.split_once(' ').map(|(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_certificate_have_no_order() {
        let request =
            |node: &str, kind: &str, names: &str| format!("{node} acme https://ca/dir {kind} - {names}");
        let first = request("node.a", "ecdsa-p256", "a.example.com b.example.com");
        assert!(asks_the_same(&first, &request("node.b", "ecdsa-p256", "b.example.com a.example.com")));
        assert!(!asks_the_same(&first, &request("node.a", "ecdsa-p256", "a.example.com")));
        assert!(!asks_the_same(&first, &request("node.a", "rsa-2048", "a.example.com b.example.com")));
        // Paths have one.
        assert!(!asks_the_same("node.a files /a /b /c", "node.a files /b /a /c"));
    }
}
