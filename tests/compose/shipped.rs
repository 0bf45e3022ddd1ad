//! The stacks that are shipped keep the rules that tenants' stacks are held to.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::{Purpose, Stack, stack};
use crate::stacks::shipped::{Shipped, every};

/// What a stack is allowed, as its page says.
fn allowed(shipped: &Shipped) -> Vec<String> {
    let page = shipped.text("README.md");
    let list = page.lines().find_map(|line| line.trim().strip_prefix("allow = [")?.strip_suffix(']'));
    let items = list.unwrap_or("").split(", ").map(|item| item.trim_matches('"').to_owned());
    items.filter(|item| !item.is_empty()).collect()
}

/// A shipped stack with the variables of its example.
fn of(directory: &Path) -> Stack {
    let text = |name: &str| fs::read_to_string(directory.join(name)).unwrap();
    let compose = text("compose.yml");
    let mut stack = stack([("compose.yml", compose.as_str())]);
    for line in text(".env.example").lines().filter(|line| !line.starts_with('#')) {
        if let Some((name, value)) = line.split_once('=') {
            // A variable without an example must be given.
            stack = stack.env(name, if value.is_empty() { "given" } else { value });
        }
    }
    stack.0.name = Arc::from("acme-shop");
    stack
}

#[test]
fn shipped_stacks_break_no_rule() {
    let mut wrong = Vec::new();
    for shipped in every() {
        let allowed = allowed(&shipped);
        let allowed: Vec<_> = allowed.iter().map(String::as_str).collect();
        let stack = of(&shipped.directory);
        let (_, told) = stack.findings(&allowed, Purpose::Safety);
        let (_, more) = stack.findings(&[], Purpose::Practice);
        wrong.extend(
            [told, more]
                .into_iter()
                .filter(|told| !told.is_empty())
                .map(|told| format!("{}\n{told}", shipped.name)),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
