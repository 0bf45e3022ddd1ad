//! Diagnostics: summed up for people, and as JSON in the shape of `terraform validate -json`.

use std::collections::HashMap;
use std::ops::Range;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::address::{Address, Key};
use crate::diag::{Diagnostic, Diagnostics, Label, Quote, Severity, Sources, Span};

/// How many addresses a summed-up remark names.
const NAMED: usize = 4;

/// What makes two diagnostics one: remarks of one code and summary; what one place, or none, says in the same words but for
/// the resource that it is about.
#[derive(PartialEq, Eq, Hash)]
enum Sameness {
    Remark(&'static str, String),
    Words {
        code: Option<&'static str>,
        told: [String; 2],
        at: Option<Span>,
        quoted: Vec<(PathBuf, Range<usize>)>,
    },
}

impl Sameness {
    fn of(diagnostic: &Diagnostic) -> Option<Self> {
        let names = diagnostic.address.as_ref().map(names).unwrap_or_default();
        let is_about_one = names.iter().any(|name| diagnostic.summary.contains(name));
        if !diagnostic.is_error() && !is_about_one {
            return Some(Self::Remark(diagnostic.code?, diagnostic.summary.clone()));
        }
        let at = diagnostic.primary.as_ref().map(|label| label.span);
        let is_of_an_instance = diagnostic.address.as_ref().is_some_and(|address| address.key().is_some());
        if !if at.is_some() { is_of_an_instance } else { is_about_one } {
            return None;
        }
        let quotes = diagnostic.quotes.iter();
        Some(Self::Words {
            code: diagnostic.code,
            told: [&diagnostic.summary, &diagnostic.detail]
                .map(|text| names.iter().fold(text.clone(), |text, name| text.replace(name, "…"))),
            at,
            quoted: quotes.map(|quote| (quote.file.path.clone(), quote.range.clone())).collect(),
        })
    }
}

/// How words name a resource: by its address, its label, or the key of the instance; a host name without marks, too.
fn names(address: &Address) -> Vec<String> {
    let key = match address.key() {
        Some(Key::Name(name)) => Some(&**name),
        Some(Key::Index(_)) | None => None,
    };
    let words = [Some(address.name()), key].into_iter().flatten();
    let hosts = words.clone().filter(|word| word.contains('.')).map(str::to_owned);
    std::iter::once(address.to_string()).chain(words.map(|word| format!("`{word}`"))).chain(hosts).collect()
}

/// The diagnostics with those that are the same told once, and whom else they concern in a line: a thousand sites must not
/// make a thousand warnings, nor the instances of one block an error each. What is said of no resource is told once.
pub fn condensed<'a>(diagnostics: impl IntoIterator<Item = &'a Diagnostic>) -> Vec<Diagnostic> {
    let mut told: Vec<(Diagnostic, Vec<String>)> = Vec::new();
    let mut places: HashMap<Sameness, usize> = HashMap::new();
    let mut of_none: HashMap<&str, Vec<&Diagnostic>> = HashMap::new();
    for diagnostic in diagnostics {
        if diagnostic.address.is_none() {
            let alike = of_none.entry(&diagnostic.summary).or_default();
            if alike.contains(&diagnostic) {
                continue;
            }
            alike.push(diagnostic);
        }
        let key = Sameness::of(diagnostic);
        match (key.as_ref().and_then(|key| places.get(key)), &diagnostic.address) {
            (Some(at), Some(address)) => told[*at].1.push(format!("`{address}`")),
            _ => {
                places.extend(key.map(|key| (key, told.len())));
                told.push((diagnostic.clone(), Vec::new()));
            }
        }
    }
    let tell = |(mut diagnostic, more): (Diagnostic, Vec<String>)| {
        if !more.is_empty() {
            let named = more.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
            let rest = more.len().saturating_sub(NAMED);
            let rest = if rest > 0 { format!(" and {rest} more") } else { String::new() };
            let line = format!("the same holds for {named}{rest}");
            let detail = std::mem::take(&mut diagnostic.detail);
            diagnostic.detail = if detail.is_empty() { line } else { format!("{detail}\n{line}") };
        }
        diagnostic
    };
    told.into_iter().map(tell).collect()
}

/// The summaries of warnings alone, each once with how often it is said; `None` where there is none.
pub fn compact<'a>(diagnostics: impl IntoIterator<Item = &'a Diagnostic>) -> Option<String> {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for diagnostic in diagnostics.into_iter().filter(|diagnostic| diagnostic.severity == Severity::Warning) {
        let summary = diagnostic.summary.as_str();
        let place = *places.entry(summary).or_insert(counts.len());
        match counts.get_mut(place) {
            Some((_, count)) => *count += 1,
            None => counts.push((summary, 1)),
        }
    }
    let line = |(summary, count): (&str, usize)| match count {
        1 => format!("- {summary}\n"),
        count => format!("- {summary} ({count} times)\n"),
    };
    let lines: String = counts.into_iter().map(line).collect();
    (!lines.is_empty())
        .then(|| format!("Warnings:\n{lines}without `-compact-warnings` each is told in full\n"))
}

fn range(span: Span, sources: &Sources) -> Value {
    let position = |at: u32| {
        let position = sources.position(Span { start: at, end: at, ..span });
        json!({ "line": position.line, "column": position.column, "byte": at })
    };
    json!({
        "filename": sources.path(span),
        "start": position(span.start),
        "end": position(span.end),
    })
}

fn quoted(quote: &Quote) -> Value {
    let position = |at: usize| {
        let position = quote.file.position(at);
        json!({ "line": position.line, "column": position.column, "byte": at })
    };
    let (start, end) = (position(quote.range.start), position(quote.range.end));
    json!({ "range": { "filename": quote.file.path, "start": start, "end": end }, "label": quote.text })
}

/// All diagnostics of a run: `{ "valid": …, "diagnostics": [ … ] }`.
pub fn diagnostics_json(diagnostics: &Diagnostics, sources: &Sources) -> Value {
    let place = |label: &Label| json!({ "range": range(label.span, sources), "label": label.text });
    let list: Vec<Value> = diagnostics
        .iter()
        .map(|diagnostic| {
            let snippet = diagnostic.primary.as_ref().map(|label| {
                let line = sources.position(label.span).line;
                let text = sources.get(label.span.file).and_then(|file| file.text.lines().nth(line - 1));
                json!({ "code": text, "start_line": line })
            });
            let related = diagnostic.quotes.iter().map(quoted);
            let related = related.chain(diagnostic.secondary.iter().map(place));
            json!({
                "severity": diagnostic.severity,
                "code": diagnostic.code,
                "summary": diagnostic.summary,
                "detail": diagnostic.detail,
                "address": diagnostic.address,
                "range": diagnostic.primary.as_ref().map(|label| range(label.span, sources)),
                "snippet": snippet,
                "label": diagnostic.primary.as_ref().map(|label| &label.text),
                "related": related.collect::<Vec<_>>(),
                "help": diagnostic.help,
            })
        })
        .collect();
    let count = |severity| diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count();
    json!({
        "format_version": "1.0",
        "valid": !diagnostics.has_errors(),
        "error_count": count(Severity::Error),
        "warning_count": count(Severity::Warning),
        "diagnostics": list,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_no_resource_is_told_once() {
        let damaged =
            |path: &str| Diagnostic::warning(format!("cannot read `{path}`")).code("unreadable_ledger");
        let all = [damaged("a"), damaged("b"), damaged("a"), damaged("a"), damaged("a").detail("again")];
        assert_eq!(condensed(&all), [damaged("a"), damaged("b"), damaged("a").detail("again")]);
        let error = Diagnostic::error("the run was interrupted");
        assert_eq!(condensed([&error, &error]).len(), 1);
        let of = |name: &str| damaged("a").on(&Address::new("certificate", name));
        insta::assert_snapshot!(condensed(&[of("one"), of("two"), of("two")])[0].detail, @"the same holds for `certificate.two`, `certificate.two`");
    }
}
