//! Drawing diagnostics for people.

use std::borrow::Cow;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::{Diagnostic, Severity, Sources, Span, steers};

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
    let mut title = level.primary_title(diagnostic.summary.as_str());
    if let Some(code) = diagnostic.code {
        title = title.id(code);
    }
    let mut group = Group::with_title(title);
    let labels = diagnostic.primary.iter().map(|label| (AnnotationKind::Primary, label));
    let labels = labels.chain(diagnostic.secondary.iter().map(|label| (AnnotationKind::Context, label)));
    let mut files: Vec<(super::FileId, Vec<_>)> = Vec::new();
    for (kind, label) in labels {
        match files.iter_mut().find(|(file, _)| *file == label.span.file) {
            Some((_, annotations)) => annotations.push((kind, label)),
            None => files.push((label.span.file, vec![(kind, label)])),
        }
    }
    for (file, annotations) in &files {
        let Some(file) = sources.get(*file) else { continue };
        let (lines, start) = lines(&file.text, annotations.iter().map(|(_, label)| label.span));
        let first = file.text[..start].bytes().filter(|byte| *byte == b'\n').count() + 1;
        let path = file.path.to_string_lossy().into_owned();
        let snippet = Snippet::source(seen(lines)).line_start(first).path(path);
        let annotations = annotations.iter().map(|(kind, label)| {
            let within = |at: usize| {
                let at = lines.floor_char_boundary(at.saturating_sub(start).min(lines.len()));
                seen(&lines[..at]).len()
            };
            let range = label.span.range();
            let annotation = kind.span(within(range.start)..within(range.end));
            if label.text.is_empty() { annotation } else { annotation.label(label.text.as_str()) }
        });
        group = group.element(snippet.annotations(annotations));
    }
    if diagnostic.primary.is_none()
        && let Some(address) = &diagnostic.address
    {
        group = group.element(Level::NOTE.with_name("on").message(address.to_string()));
    }
    if !diagnostic.detail.is_empty() {
        group = group.element(Level::NOTE.message(diagnostic.detail.as_str()));
    }
    for help in &diagnostic.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    let renderer = if style.colour { Renderer::styled() } else { Renderer::plain() };
    let mut text = renderer.decor_style(DecorStyle::Ascii).render(&[group]);
    text.push('\n');
    text
}

/// A text of a file with U+FFFD for what is not seen; columns stay. Control characters are drawn by the renderer.
fn seen(text: &str) -> Cow<'_, str> {
    let hidden = |char: char| steers(char) && !char.is_control();
    if text.contains(hidden) { text.replace(hidden, "\u{fffd}").into() } else { text.into() }
}

/// The lines that the spans touch and where they begin: drawing reads all of the text that it is given, and a thousand
/// remarks on one large file must not read it a thousand times.
fn lines(text: &str, spans: impl Iterator<Item = Span>) -> (&str, usize) {
    let (mut start, mut end) = (text.len(), 0);
    for span in spans {
        start = start.min(text.floor_char_boundary(span.range().start));
        end = end.max(text.ceil_char_boundary(span.range().end));
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
