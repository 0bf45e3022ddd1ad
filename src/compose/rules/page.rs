//! The page of the rules, made from the rules.

use std::fmt::Write as _;

use super::{Purpose, RULES, Rule};
use crate::diag::Severity;

/// Markdown with every rule: its name, its code, what it looks for, and why.
pub fn page() -> String {
    let mut page = "# Rules for compose files\n\nThis page is made from the rules themselves.\n".to_owned();
    let sections = [
        (
            Purpose::Safety,
            "Safety",
            "A tenant's compose file is not trusted. The rules look at all files merged: variables filled in, `include` \
             and `extends` followed, overrides applied, services of every profile. An error fails the plan unless the \
             stack allows it by name: `allow = [\"rule:service\"]`, `allow = [\"rule\"]` for all services, or \
             `allow = [\"/path\"]` for one path that may be mounted.",
        ),
        (
            Purpose::Practice,
            "Practice",
            "What a stack does that runs well. The shipped stacks keep these rules too.",
        ),
    ];
    for (purpose, title, words) in sections {
        let _ = write!(page, "\n## {title}\n\n{words}\n");
        for rule in RULES.iter().filter(|rule| rule.purpose == purpose) {
            let Rule { name, code, summary, doc, .. } = rule;
            let severity = match rule.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Info => "info",
            };
            let _ = write!(page, "\n### `{name}`\n\n{severity} `{code}`: {summary}.\n\n{}.\n", sentence(doc));
        }
    }
    page
}

/// With a capital at its front.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
