//! What a change does to the parts of a resource, as text.

use std::fmt::Write as _;

use crate::diag::visible;
use crate::plan::{ChangeKind, Details, Effect, PartAttribute, Shown};

use super::attributes::quoted;
use super::paint::Paint;

/// How many of the sites that feel a change are named.
const NAMED: usize = 10;

/// Writes the details of a change, with an empty line behind them.
pub(super) fn render(out: &mut String, details: &Details, paint: Paint) {
    for part in &details.parts {
        let sign = match part.kind {
            ChangeKind::Create => paint.green("+"),
            ChangeKind::Update => paint.yellow("~"),
            ChangeKind::Replace => format!("{}/{}", paint.red("-"), paint.green("+")),
            ChangeKind::Delete => paint.red("-"),
            ChangeKind::NoOp => " ".to_owned(),
        };
        let margin = if part.kind == ChangeKind::Replace { "    " } else { "      " };
        let _ = writeln!(out, "{margin}{sign} {}: {}", visible(&part.part), visible(&part.why));
        let width = part.attributes.iter().map(|attribute| attribute.name.chars().count()).max().unwrap_or(0);
        for attribute in &part.attributes {
            let _ = writeln!(out, "          {}", line(attribute, width, paint));
        }
    }
    for remark in &details.remarks {
        let _ = writeln!(out, "        {}", paint.dim(&format!("# {}", visible(remark))));
    }
    let effect = match details.effect {
        None => None,
        Some(Effect::Additive) => Some("additive: what runs goes on as it is".to_owned()),
        Some(Effect::Rolling) => {
            Some("rolling: what runs goes once what takes its place is healthy and serves".to_owned())
        }
        Some(Effect::Interrupting) if details.felt_by.is_empty() => {
            Some("interrupting: no site feels it".to_owned())
        }
        Some(Effect::Interrupting) => {
            let mut names: Vec<_> = details.felt_by.iter().take(NAMED).map(ToString::to_string).collect();
            if let more @ 1.. = details.felt_by.len().saturating_sub(NAMED) {
                names.push(format!("{more} more"));
            }
            Some(paint.yellow(&format!("interrupting: {} cannot be answered for a while", names.join(", "))))
        }
    };
    if let Some(effect) = effect {
        let _ = writeln!(out, "        # {effect}");
    }
    out.push('\n');
}

fn line(attribute: &PartAttribute, width: usize, paint: Paint) -> String {
    let value = |shown: &Shown| match shown {
        Shown::Absent => String::new(),
        Shown::Hidden => "(not shown)".to_owned(),
        Shown::Text(text) => quoted(text),
    };
    let name = format!("{:width$}", visible(&attribute.name));
    let (before, after) = (value(&attribute.before), value(&attribute.after));
    match (&attribute.before, &attribute.after) {
        (Shown::Absent, _) => format!("{} {name} = {after}", paint.green("+")),
        (_, Shown::Absent) => format!("{} {name} = {before}", paint.red("-")),
        (Shown::Hidden, Shown::Hidden) => format!("{} {name} = (changes, not shown)", paint.yellow("~")),
        _ => format!("{} {name} = {before} -> {after}", paint.yellow("~")),
    }
}
