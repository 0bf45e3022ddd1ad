//! Values of variables from everywhere, by Terraform's precedence: environment, `vsa.vsavars.hcl`,
//! `*.auto.vsavars.hcl` in the order of their names, then `-var` and `-var-file` in the order of the command line.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use hcl_edit::structure::Structure;

use crate::diag::{Diagnostic, Diagnostics, FileId, Sources, Span};
use crate::lang::{NoScope, eval, references, syntax};
use crate::value::Value;

use super::input::{Argument, File, VARIABLE_PREFIX};
use super::variable::{Assigned, Variable};
use super::written::header;

/// The values, and what must not be shown of the sources that they come from.
#[derive(Default)]
pub(super) struct Values {
    /// The value of each variable that has one set.
    pub(super) assigned: HashMap<String, Assigned>,
    /// Variables whose value could not be read, which has been said.
    pub(super) failed: HashSet<String>,
    /// Places that hold the values of sensitive variables.
    pub(super) secret: Vec<Span>,
}

/// Reads values from everywhere; `automatic` are the files that are read without being named, in their order.
pub(super) fn values(
    variables: &BTreeMap<&str, Variable<'_>>,
    environment: &[(String, String)],
    automatic: Vec<File>,
    arguments: Vec<Argument>,
    sources: &mut Sources,
    diagnostics: &mut Diagnostics,
) -> Values {
    let mut reader = Reader { variables, sources, diagnostics, values: Values::default() };
    for (name, value) in environment {
        // The environment may hold variables of other configurations.
        if let Some(variable) = variables.get(&**name) {
            reader.text(variable, value, format!("{VARIABLE_PREFIX}{name} in the environment"));
        }
    }
    for file in automatic {
        reader.file(file);
    }
    for argument in arguments {
        match argument {
            Argument::File(file) => reader.file(file),
            Argument::Variable { name, value } => {
                if let Some(variable) = variables.get(&*name) {
                    reader.text(variable, &value, format!("`-var {name}`"));
                } else {
                    let summary = format!("`-var {name}` sets a variable that is not declared");
                    let diagnostic = reader.undeclared(Diagnostic::error(summary), &name);
                    reader.diagnostics.push(diagnostic);
                }
            }
        }
    }
    reader.values
}

struct Reader<'a> {
    variables: &'a BTreeMap<&'a str, Variable<'a>>,
    sources: &'a mut Sources,
    diagnostics: &'a mut Diagnostics,
    values: Values,
}

impl Reader<'_> {
    fn undeclared(&self, diagnostic: Diagnostic, name: &str) -> Diagnostic {
        diagnostic.did_you_mean(name, self.variables.keys().copied(), |diagnostic| {
            diagnostic.help(format!("declare it: `variable \"{name}\" {{}}`"))
        })
    }

    /// A value that is a text: itself, or for a variable of a structured type an expression.
    fn text(&mut self, variable: &Variable<'_>, text: &str, origin: String) {
        let (value, span) = if variable.takes_expression {
            let file = self.sources.add(format!("<{}>", origin.replace('`', "")), text);
            let span = Span::new(file, 0..text.len());
            if variable.sensitive {
                self.values.secret.push(span);
            }
            let value =
                syntax::expression(file, text).and_then(|(expr, source)| eval(&expr, source, &NoScope));
            match value {
                Ok(value) => (value, Some(span)),
                Err(errors) => {
                    let name = variable.name;
                    let hint =
                        format!("`var.{name}` is a `{}`, so {origin} is read as an expression", variable.ty);
                    self.errors(errors.into_iter().map(|error| error.help(hint.clone())), variable.sensitive);
                    self.values.failed.insert(variable.name.to_owned());
                    return;
                }
            }
        } else {
            (Value::from(text), None)
        };
        self.values.assigned.insert(variable.name.to_owned(), Assigned { value, span, origin });
    }

    /// What is wrong with an expression, in words that show nothing of a sensitive one.
    fn errors(&mut self, errors: impl IntoIterator<Item = Diagnostic>, sensitive: bool) {
        for mut error in errors {
            if sensitive {
                let span = error.primary.map(|label| label.span);
                error = Diagnostic::error("the value of a sensitive variable cannot be read").at(span);
            }
            self.diagnostics.push(error);
        }
    }

    fn file(&mut self, file: File) {
        let origin = format!("`{}`", file.path.display());
        let file = match syntax::read(self.sources, file.path, file.bytes) {
            Ok(file) => file,
            Err(error) => {
                self.hide(&error);
                self.diagnostics.push(*error);
                return;
            }
        };
        let text = self.sources.get(file).map(|file| Arc::clone(&file.text)).unwrap_or_default();
        let parsed = syntax::parse(file, &text);
        for error in parsed.diagnostics {
            self.hide(&error);
            self.diagnostics.push(error);
        }
        for syntax::TopLevel { structure, source } in &parsed.structures {
            match structure {
                Structure::Attribute(attribute) => {
                    let name = attribute.key.as_str();
                    let span = source.span(&attribute.value);
                    let variable = self.variables.get(name);
                    let sensitive = variable.is_none_or(|variable| variable.sensitive);
                    if sensitive {
                        self.values.secret.push(span);
                    }
                    if variable.is_none() {
                        let summary = format!("variable `{name}` is not declared");
                        let diagnostic = Diagnostic::warning(summary).at(source.span(&attribute.key));
                        let diagnostic = self.undeclared(diagnostic, name);
                        self.diagnostics.push(diagnostic);
                        continue;
                    }
                    if let Some(reference) = references(&attribute.value, *source).first() {
                        self.diagnostics.push(
                            Diagnostic::error("values of variables must be constants")
                                .label(reference.span(), "this refers to something else"),
                        );
                        continue;
                    }
                    match eval(&attribute.value, *source, &NoScope) {
                        Ok(value) => {
                            let assigned = Assigned { value, span: Some(span), origin: origin.clone() };
                            self.values.assigned.insert(name.to_owned(), assigned);
                        }
                        Err(errors) => {
                            self.errors(errors, sensitive);
                            self.values.failed.insert(name.to_owned());
                        }
                    }
                }
                Structure::Block(block) => self.diagnostics.push(
                    Diagnostic::error("a file of variable values holds no blocks")
                        .at(header(block, *source))
                        .help("blocks stand in `*.hcl` files that do not end in `.vsavars.hcl`"),
                ),
            }
        }
    }

    /// Hides a file that could not be parsed: any part of it may be the value of a sensitive variable.
    fn hide(&mut self, error: &Diagnostic) {
        let file: Option<FileId> = error.primary.as_ref().map(|label| label.span.file);
        if let Some(file) = file
            && self.variables.values().any(|variable| variable.sensitive)
        {
            let length = self.sources.get(file).map_or(0, |file| file.text.len());
            self.values.secret.push(Span::new(file, 0..length));
        }
    }
}
