//! Drawing diagnostics for people.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::{Diagnostic, Severity, Sources};

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
        let length = file.text.len();
        let snippet = Snippet::source(&*file.text).path(file.path.to_string_lossy().into_owned());
        let annotations = annotations.iter().map(|(kind, label)| {
            let range = label.span.range();
            let range = range.start.min(length)..range.end.min(length);
            let annotation = kind.span(range);
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
