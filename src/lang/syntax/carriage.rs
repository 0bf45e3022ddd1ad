//! Carriage returns of indented heredocs, which the parser takes off with the indentation; those of others it keeps.

use hcl_edit::Span as _;
use hcl_edit::repr::Spanned;
use hcl_edit::structure::Structure;
use hcl_edit::template::HeredocTemplate;
use hcl_edit::visit_mut::{VisitMut, visit_heredoc_template_mut};

use super::parse::TopLevel;

/// Puts them back: what stands in a file is what its text says, in each kind of heredoc.
pub(super) fn put_back(structures: &mut [TopLevel], text: &str) {
    if !text.contains("\r\n") || !text.contains("<<-") {
        return;
    }
    for TopLevel { structure, source } in structures {
        let text = &text[source.range(0..0).range().start..];
        let mut returns = Returns { text, inside: false };
        match structure {
            Structure::Attribute(attribute) => returns.visit_expr_mut(&mut attribute.value),
            Structure::Block(block) => returns.visit_body_mut(&mut block.body),
        }
    }
}

struct Returns<'a> {
    text: &'a str,
    inside: bool,
}

impl VisitMut for Returns<'_> {
    fn visit_heredoc_template_mut(&mut self, node: &mut HeredocTemplate) {
        let outer = std::mem::replace(&mut self.inside, true);
        visit_heredoc_template_mut(self, node);
        self.inside = outer;
    }

    fn visit_literal_mut(&mut self, node: &mut Spanned<String>) {
        let written = node.span().and_then(|span| self.text.get(span)).filter(|_| self.inside);
        let Some(written) = written.filter(|written| written.contains("\r\n")) else { return };
        let (lines, parsed) = (written.split('\n'), node.value().split('\n'));
        if lines.clone().count() != parsed.clone().count() {
            return;
        }
        let mended = lines.zip(parsed).map(|(line, parsed)| {
            let lost = line.ends_with('\r') && !parsed.ends_with('\r');
            if lost { format!("{parsed}\r") } else { parsed.to_owned() }
        });
        let mended = mended.collect::<Vec<_>>().join("\n");
        *node.value_mut() = mended;
    }
}
