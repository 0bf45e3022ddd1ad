//! Drawing diagnostics for people.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::{Diagnostic, Severity, SourceFile, Sources, steers, visible};

/// How diagnostics are drawn.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// With terminal colours.
    pub colour: bool,
}

/// Draws one diagnostic, ending in a newline.
pub fn render(diagnostic: &Diagnostic, sources: &Sources, style: Style) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Info => Level::INFO,
    };
    let mut title = level.primary_title(visible(&diagnostic.summary));
    if let Some(code) = diagnostic.code {
        title = title.id(code);
    }
    let mut group = Group::with_title(title);
    let (mine, others) = (AnnotationKind::Primary, AnnotationKind::Context);
    let quoted = !diagnostic.quotes.is_empty();
    let quotes = diagnostic.quotes.iter().enumerate().map(|(at, quote)| {
        let kind = if at == 0 { mine } else { others };
        Some((&quote.file, kind, quote.range.clone(), quote.text.as_str()))
    });
    let primary = diagnostic.primary.iter().map(|label| (if quoted { others } else { mine }, label));
    let labels = primary.chain(diagnostic.secondary.iter().map(|label| (others, label)));
    let labels = labels.map(|(kind, label)| {
        Some((sources.get(label.span.file)?, kind, label.span.range(), label.text.as_str()))
    });
    let mut files: Vec<(&Arc<SourceFile>, Vec<_>)> = Vec::new();
    for (file, kind, range, text) in quotes.chain(labels).flatten() {
        let place = (kind, range, text);
        match files.iter_mut().find(|(known, _)| Arc::ptr_eq(known, file)) {
            Some((_, places)) => places.push(place),
            None => files.push((file, vec![place])),
        }
    }
    for (file, places) in files {
        let (lines, start) = lines(&file.text, places.iter().map(|(_, range, _)| range));
        let first = file.text[..start].bytes().filter(|byte| *byte == b'\n').count() + 1;
        let path = visible(&file.path.to_string_lossy()).into_owned();
        let snippet = Snippet::source(seen(lines)).line_start(first).path(path);
        let annotations = places.into_iter().map(|(kind, range, text)| {
            let within = |at: usize| {
                let at = lines.floor_char_boundary(at.saturating_sub(start).min(lines.len()));
                seen(&lines[..at]).len()
            };
            let annotation = kind.span(within(range.start)..within(range.end));
            if text.is_empty() { annotation } else { annotation.label(visible(text)) }
        });
        group = group.element(snippet.annotations(annotations));
    }
    if diagnostic.primary.is_none()
        && let Some(address) = &diagnostic.address
    {
        group = group.element(Level::NOTE.with_name("on").message(address.to_string()));
    }
    if !diagnostic.detail.is_empty() {
        group = group.element(Level::NOTE.message(several_lines(&diagnostic.detail)));
    }
    for help in &diagnostic.help {
        group = group.element(Level::HELP.message(visible(help)));
    }
    let renderer = if style.colour { Renderer::styled() } else { Renderer::plain() };
    let mut text = renderer.decor_style(DecorStyle::Ascii).render(&[group]);
    text.push('\n');
    text
}

/// A text of several lines with each of them [`visible`]; what they are is drawn further in than what begins a diagnostic.
fn several_lines(text: &str) -> String {
    text.lines().map(visible).collect::<Vec<_>>().join("\n")
}

/// A text of a file with U+FFFD for what is not seen; columns stay. Control characters are drawn by the renderer.
fn seen(text: &str) -> Cow<'_, str> {
    let hidden = |char: char| steers(char) && !char.is_control();
    if text.contains(hidden) { text.replace(hidden, "\u{fffd}").into() } else { text.into() }
}

/// The lines that the places touch and where they begin: drawing reads all of the text that it is given, and a thousand
/// remarks on one large file must not read it a thousand times.
fn lines<'a, 'b>(text: &'a str, places: impl Iterator<Item = &'b Range<usize>>) -> (&'a str, usize) {
    let (mut start, mut end) = (text.len(), 0);
    for place in places {
        start = start.min(text.floor_char_boundary(place.start));
        end = end.max(text.ceil_char_boundary(place.end));
    }
    let start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
    let end = end.max(start);
    let end = text[end..].find('\n').map_or(text.len(), |newline| end + newline + 1);
    (&text[start..end], start)
}

/// Draws several diagnostics, a blank line between two.
pub fn render_all<'a>(
    diagnostics: impl IntoIterator<Item = &'a Diagnostic>,
    sources: &Sources,
    style: Style,
) -> String {
    let drawn: Vec<_> =
        diagnostics.into_iter().map(|diagnostic| render(diagnostic, sources, style)).collect();
    drawn.join("\n")
}
