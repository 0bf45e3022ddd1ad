//! A block as a page shows it, made somebody's own.

use std::ops::Range;

use hcl_edit::expr::{Expression, ObjectKey};
use hcl_edit::structure::{Block, Structure};

use crate::diag::Sources;
use crate::lang::syntax::{TopLevel, parse};
use crate::lang::{Source, references};

/// A block for a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The block, with a newline at its end.
    pub text: String,
    /// The input variables that it names.
    pub variables: Vec<String>,
}

/// The first block of a kind in the HCL of a Markdown page, under another label and with other values (as they are
/// written) of some attributes. A variable that an entry of a map is set to gets a name by the label and the entry.
/// `None` where the page has no such block.
pub fn example(page: &str, kind: &str, label: &str, attributes: &[(&str, &str)]) -> Option<Example> {
    fences(page).find_map(|text| {
        let file = Sources::new().add("README.md", text);
        let structures = parse(file, text).structures;
        let (block, source) =
            structures.iter().find_map(|TopLevel { structure, source }| match structure {
                Structure::Block(block) if block.has_ident(kind) => Some((block, *source)),
                _ => None,
            })?;
        Some(own(text, block, source, label, attributes))
    })
}

fn fences(page: &str) -> impl Iterator<Item = &str> {
    page.split("```hcl\n").skip(1).filter_map(|rest| rest.split_once("```").map(|(text, _)| text))
}

fn own(text: &str, block: &Block, source: Source, label: &str, attributes: &[(&str, &str)]) -> Example {
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    if let Some(written) = block.labels.first() {
        edits.push((source.span(written).range(), format!("\"{label}\"")));
    }
    let mut variables = Vec::new();
    for attribute in block.body.attributes() {
        let name = attribute.key.as_str();
        if let Some((_, value)) = attributes.iter().find(|(known, _)| *known == name) {
            edits.push((source.span(&attribute.value).range(), (*value).to_owned()));
            continue;
        }
        let Expression::Object(entries) = &attribute.value else { continue };
        for (key, value) in entries {
            let (ObjectKey::Ident(key), Some(variable)) = (key, variable(value.expr(), source)) else {
                continue;
            };
            let name = variable_name(label, key.as_str());
            edits.push((variable, format!("var.{name}")));
            variables.push(name);
        }
    }
    edits.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
    let whole = source.span(block).range();
    let mut edited = text[whole.clone()].to_owned();
    for (range, value) in edits {
        edited.replace_range(range.start - whole.start..range.end - whole.start, &value);
    }
    Example { text: format!("{}\n", edited.trim_end()), variables }
}

/// The place of an expression that is an input variable and nothing else.
fn variable(expr: &Expression, source: Source) -> Option<Range<usize>> {
    let found = references(expr, source);
    let [reference] = found.as_slice() else { return None };
    let whole = source.span(expr);
    (&*reference.root == "var" && reference.span() == whole).then(|| whole.range())
}

fn variable_name(label: &str, key: &str) -> String {
    let (label, key) = (label.replace('-', "_"), key.to_lowercase());
    if key.starts_with(&format!("{label}_")) { key } else { format!("{label}_{key}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_gets_another_label_and_variables_of_its_own() {
        let page = "# it\n\n```sh\nstack\n```\n\n```hcl\ndomain \"x.example\" {}\n\nstack \"it\" {\n  tenant = tenant.acme # whose\n  \
                    source = \"vsa://it\"\n\n  env = {\n    URL         = \"https://${\"x\"}\"\n    DB_PASSWORD = var.it_db\n    \
                    MY_IT_KEY   = var.key\n  }\n\n  allow = [\"bind:web\"]\n}\n```\n";
        let made =
            example(page, "stack", "my-it", &[("tenant", "tenant.b"), ("source", "\"./stacks/my-it\"")]);
        let text = "stack \"my-it\" {\n  tenant = tenant.b # whose\n  source = \"./stacks/my-it\"\n\n  env = {\n    \
                    URL         = \"https://${\"x\"}\"\n    DB_PASSWORD = var.my_it_db_password\n    \
                    MY_IT_KEY   = var.my_it_key\n  }\n\n  allow = [\"bind:web\"]\n}\n";
        let variables = ["my_it_db_password", "my_it_key"].map(str::to_owned).to_vec();
        assert_eq!(made, Some(Example { text: text.to_owned(), variables }));
        assert_eq!(example("# it\n", "stack", "it", &[]), None);
    }
}
