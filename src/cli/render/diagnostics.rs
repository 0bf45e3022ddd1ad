//! Diagnostics as JSON, in the shape of `terraform validate -json`.

use serde_json::{Value, json};

use crate::diag::{Diagnostics, Label, Severity, Sources, Span};

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
            json!({
                "severity": diagnostic.severity,
                "code": diagnostic.code,
                "summary": diagnostic.summary,
                "detail": diagnostic.detail,
                "address": diagnostic.address,
                "range": diagnostic.primary.as_ref().map(|label| range(label.span, sources)),
                "snippet": snippet,
                "label": diagnostic.primary.as_ref().map(|label| &label.text),
                "related": diagnostic.secondary.iter().map(place).collect::<Vec<_>>(),
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
