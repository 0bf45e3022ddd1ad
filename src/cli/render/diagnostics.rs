//! Diagnostics: summed up for people, and as JSON in the shape of `terraform validate -json`.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::diag::{Diagnostic, Diagnostics, Label, Quote, Severity, Sources, Span};

/// How many addresses a summed-up remark names.
const NAMED: usize = 4;

/// The diagnostics with remarks of one code and summary told once, and whom else they concern in a line: a thousand
/// sites must not make a thousand warnings. Errors are told one by one.
pub fn condensed<'a>(diagnostics: impl IntoIterator<Item = &'a Diagnostic>) -> Vec<Diagnostic> {
    let mut told: Vec<(Diagnostic, Vec<String>)> = Vec::new();
    let mut places: HashMap<(&str, &str), usize> = HashMap::new();
    for diagnostic in diagnostics {
        let key = diagnostic
            .code
            .filter(|_| !diagnostic.is_error())
            .map(|code| (code, diagnostic.summary.as_str()));
        match (key.and_then(|key| places.get(&key)), &diagnostic.address) {
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
