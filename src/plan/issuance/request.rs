//! What an issue was asked for with, as one line: the node's address, who makes it, and what of it counts.

use std::collections::BTreeSet;

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
    (head.first() == Some(&"acme")).then(|| (head, words.collect()))
}

/// Whether an authority is asked with it.
pub fn asks_an_authority(request: &str) -> bool {
    beside_node(request).is_some_and(|rest| rest.starts_with("acme "))
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
