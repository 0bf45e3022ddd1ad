//! What an issue was asked for with, as one line: the node's address, who makes it, and what of it counts.

/// Whether two requests ask for the same, whatever address their node has: where that changes, the node stays.
pub fn asks_the_same(former: &str, request: &str) -> bool {
    beside_node(former) == beside_node(request)
}

/// Whether an authority is asked with it.
pub fn asks_an_authority(request: &str) -> bool {
    beside_node(request).is_some_and(|rest| rest.starts_with("acme "))
}

fn beside_node(request: &str) -> Option<&str> {
    request.split_once(' ').map(|(_, rest)| rest)
}
