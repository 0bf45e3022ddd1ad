//! Edits of a configuration's text: what is not meant stays as it is, to the byte.

use hcl_edit::expr::Expression;
use hcl_edit::structure::{Attribute, Block, Body, Structure};

use crate::diag::{FileId, Span};
use crate::lang::Source;
use crate::lang::syntax::{TopLevel, parse};

/// What became of an edit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// The file has no such block.
    NoBlock,
    /// It says so already.
    Same,
    /// The file's new text.
    Changed(String),
    /// The attribute is worked out by an expression, which stands there.
    Computed(Span),
}

/// Says in a file that an attribute of a top-level block has a text for its value. Where the block has no such
/// attribute, `default` is what it has, and the attribute gets a line below the one that is named by `below`.
pub fn set_text(
    (file, text): (FileId, &str),
    (kind, label): (&str, &str),
    (name, value): (&str, &str),
    default: &str,
    below: &[&str],
) -> Edit {
    let parsed = parse(file, text);
    let mut blocks = parsed.structures.iter().filter_map(|TopLevel { structure, source }| match structure {
        Structure::Block(block) if block.has_ident(kind) && block.has_exact_labels(&[label]) => {
            Some((block, *source))
        }
        _ => None,
    });
    let Some((block, source)) = blocks.next() else { return Edit::NoBlock };
    let literal = format!("\"{value}\"");
    if let Some(attribute) = block.body.get_attribute(name) {
        let span = source.span(&attribute.value);
        return match &attribute.value {
            Expression::String(said) if said.as_str() == value => Edit::Same,
            Expression::String(_) => {
                let mut edited = text.to_owned();
                edited.replace_range(span.range(), &literal);
                Edit::Changed(edited)
            }
            _ => Edit::Computed(span),
        };
    }
    if value == default {
        return Edit::Same;
    }
    Edit::Changed(inserted(text, block, source, (name, &literal), below))
}

/// The labels of a file's top-level blocks of a kind.
pub fn labels(file: FileId, text: &str, kind: &str) -> Vec<String> {
    let structures = parse(file, text).structures;
    let blocks = structures.iter().filter_map(|top| top.structure.as_block());
    let blocks = blocks.filter(|block| block.has_ident(kind));
    blocks.filter_map(|block| block.labels.first().map(|label| label.as_str().to_owned())).collect()
}

fn inserted(
    text: &str,
    block: &Block,
    source: Source,
    (name, literal): (&str, &str),
    below: &[&str],
) -> String {
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let whole = source.span(block).range();
    let anchor = below.iter().find_map(|name| single_line(text, &block.body, source, name));
    let mut edited = text.to_owned();
    if !text[whole.clone()].contains('\n') {
        // A block on one line holds one attribute: each gets a line now.
        let open = block.labels.last().map_or(whole.start, |label| source.span(label).range().end);
        let open = open + text[open..whole.end].find('{').unwrap_or(0);
        let inside = text[open + 1..whole.end - 1].trim();
        let inside = if inside.is_empty() { String::new() } else { format!("  {inside}{newline}") };
        let lines = format!("{{{newline}{inside}  {name} = {literal}{newline}}}");
        edited.replace_range(open..whole.end, &lines);
        return edited;
    }
    let (at, line) = if let Some((line, equals)) = anchor {
        let indent = &text[line.clone()];
        let indent = &indent[..indent.len() - indent.trim_start().len()];
        let width = (equals - line.start).saturating_sub(indent.len()).max(name.len() + 1);
        (line.end, format!("{indent}{name:width$}= {literal}"))
    } else {
        let open = block.labels.last().map_or(whole.start, |label| source.span(label).range().end);
        (line_end(text, open), format!("  {name} = {literal}"))
    };
    edited.insert_str(at, &format!("{newline}{line}"));
    edited
}

/// The line of an attribute that has one to itself, without its end, and where its `=` stands.
fn single_line(
    text: &str,
    body: &Body,
    source: Source,
    name: &str,
) -> Option<(std::ops::Range<usize>, usize)> {
    let attribute: &Attribute = body.get_attribute(name)?;
    let (key, value) = (source.span(&attribute.key).range(), source.span(&attribute.value).range());
    let start = text[..key.start].rfind('\n').map_or(0, |end| end + 1);
    let equals = key.end + text[key.end..value.start].find('=')?;
    let is_single = !text[key.start..value.end].contains('\n');
    is_single.then(|| (start..line_end(text, value.end), equals))
}

/// Where the line ends that a byte is in, before what ends it.
fn line_end(text: &str, at: usize) -> usize {
    let end = text[at..].find('\n').map_or(text.len(), |end| at + end);
    if text[at..end].ends_with('\r') { end - 1 } else { end }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Sources;

    fn edited(text: &str, value: &str) -> Edit {
        let file = Sources::new().add("main.hcl", text);
        set_text((file, text), ("stack", "shop"), ("status", value), "running", &["source", "tenant"])
    }

    fn changed(text: &str, value: &str) -> String {
        match edited(text, value) {
            Edit::Changed(text) => text,
            other => panic!("{other:?}\n{text}"),
        }
    }

    #[test]
    fn a_value_is_replaced_and_all_else_stays() {
        let text = "# ünï\r\nstack \"blog\" { status = \"running\" }\r\nstack \"shop\" {\r\n\t# why\r\n  status=\"running\" # here\r\n  x = <<EOT\r\n status = \"running\"\r\nEOT\r\n}\r\n";
        let expected = text.replacen("status=\"running\"", "status=\"stopped\"", 1);
        assert_eq!(changed(text, "stopped"), expected);
        assert_eq!(edited(&expected, "stopped"), Edit::Same);
        assert_eq!(changed(&expected, "running"), text);
    }

    #[test]
    fn an_attribute_that_is_missing_gets_a_line() {
        let text = "stack \"shop\" {\n  tenant = tenant.acme\n  source = \"./shop\" # ours\n\n  env = {\n    A = 1\n  }\n}\n";
        let expected = text.replacen("# ours\n", "# ours\n  status = \"stopped\"\n", 1);
        assert_eq!(changed(text, "stopped"), expected);
        assert_eq!(edited(text, "running"), Edit::Same, "that is what it is");
        let text = "stack \"shop\" {\r\n    tenant    = tenant.acme\r\n    compose   = <<EOT\r\nservices: {}\r\nEOT\r\n}\r\n";
        let expected = text.replacen("acme\r\n", "acme\r\n    status    = \"stopped\"\r\n", 1);
        assert_eq!(changed(text, "stopped"), expected);
    }

    #[test]
    fn a_block_on_one_line_gets_several() {
        assert_eq!(
            changed("stack \"shop\" { source = \"./{shop}\" }\nx = 1\n", "stopped"),
            "stack \"shop\" {\n  source = \"./{shop}\"\n  status = \"stopped\"\n}\nx = 1\n"
        );
        assert_eq!(changed("stack \"shop\" {}", "stopped"), "stack \"shop\" {\n  status = \"stopped\"\n}");
        assert_eq!(
            changed("stack \"shop\" {\n}\n", "stopped"),
            "stack \"shop\" {\n  status = \"stopped\"\n}\n"
        );
    }

    #[test]
    fn what_is_worked_out_is_not_overwritten() {
        let text = "stack \"shop\" {\n  status = var.status\n}\n";
        let Edit::Computed(span) = edited(text, "stopped") else { panic!("it is an expression") };
        assert_eq!(&text[span.range()], "var.status");
        assert_eq!(edited("stack \"other\" {}\n", "stopped"), Edit::NoBlock);
    }
}
