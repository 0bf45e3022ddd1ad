//! Interpolation: `$NAME`, `${NAME}` and its defaults, as Compose v2 does it (compose-spec, "Interpolation"). A
//! default is taken as it is: what could be filled in within it is refused, for the first Compose does not.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use super::environment::{EnvValue, Environment};
use super::node::{Entry, Map, Node, Text, Value};
use crate::diag::{Diagnostic, Diagnostics, FileId, Span};

/// The longest result of one text, in bytes.
const LONGEST: usize = 1 << 20;
/// A secret shorter than this is not looked for in texts: it would be found everywhere.
const TELLING: usize = 4;
/// The most that is said of one project: the first remarks are what somebody reads.
const MOST_SAID: usize = 200;

/// A text with its variables filled in.
#[derive(Debug, Default)]
pub(super) struct Substituted {
    pub(super) text: String,
    pub(super) sensitive: bool,
    /// Names without a value, and no default.
    pub(super) unset: BTreeSet<String>,
}

/// Why a text could not be interpolated.
#[derive(Debug)]
pub(super) struct Fault {
    /// The part of the text that is wrong.
    pub(super) range: Range<usize>,
    pub(super) why: Why,
}

#[derive(Debug)]
pub(super) enum Why {
    /// A `$` that begins no variable.
    Syntax,
    /// `${NAME:?message}` without a value.
    Required {
        name: String,
        message: String,
    },
    TooLarge,
    /// A `$` or a `{` in what stands behind the operator: the first Compose ends at the first `}`, and takes it as it is.
    Nested,
    /// A character behind `$NAME` that the first Compose may take for a part of the name.
    Ragged,
}

type Lookup<'a> = dyn Fn(&str) -> Option<EnvValue> + 'a;

fn name_length(text: &str) -> usize {
    let first = text.starts_with(|char: char| char.is_ascii_alphabetic() || char == '_');
    let rest = |char: char| !(char.is_ascii_alphanumeric() || char == '_');
    if first { text.find(rest).unwrap_or(text.len()) } else { 0 }
}

/// Fills the variables of a text in.
pub(super) fn substitute(text: &str, lookup: &Lookup<'_>) -> Result<Substituted, Fault> {
    let mut done = Substituted::default();
    let mut at = 0;
    let fault = |start: usize, end: usize, why| Fault { range: start..end, why };
    while let Some(dollar) = text[at..].find('$').map(|found| at + found) {
        done.text.push_str(&text[at..dollar]);
        if done.text.len() > LONGEST {
            return Err(fault(dollar, text.len(), Why::TooLarge));
        }
        let after = &text[dollar + 1..];
        if after.starts_with('$') {
            done.text.push('$');
            at = dollar + 2;
        } else if let Some(inner) = after.strip_prefix('{') {
            let length = name_length(inner);
            let close = inner.find('}').filter(|_| length > 0);
            let Some(close) = close else { return Err(fault(dollar, text.len(), Why::Syntax)) };
            at = dollar + 3 + close;
            let whole = (dollar, at);
            braced(&inner[..close], length, dollar + 2, lookup, &mut done)
                .map_err(|found| found.unwrap_or_else(|| fault(whole.0, whole.1, Why::Syntax)))?;
        } else {
            let length = name_length(after);
            if length == 0 {
                let shown = after.chars().next().map_or(1, |char| 1 + char.len_utf8());
                return Err(fault(dollar, dollar + shown, Why::Syntax));
            }
            let name = &after[..length];
            if let Some(next) = after[length..].chars().next().filter(|next| !next.is_ascii()) {
                return Err(fault(dollar, dollar + 1 + length + next.len_utf8(), Why::Ragged));
            }
            match lookup(name) {
                Some(value) => push(&mut done, &value),
                None => {
                    done.unset.insert(name.to_owned());
                }
            }
            at = dollar + 1 + length;
        }
    }
    done.text.push_str(&text[at..]);
    if done.text.len() > LONGEST {
        return Err(fault(0, text.len(), Why::TooLarge));
    }
    Ok(done)
}

fn push(done: &mut Substituted, value: &EnvValue) {
    done.text.push_str(&value.text);
    done.sensitive |= value.sensitive;
}

/// What stands between the braces, from `offset` of the whole on. `Err(None)` is a syntax error of the whole.
fn braced(
    inner: &str,
    length: usize,
    offset: usize,
    lookup: &Lookup<'_>,
    done: &mut Substituted,
) -> Result<(), Option<Fault>> {
    let (name, operator) = inner.split_at(length);
    let value = lookup(name);
    if operator.is_empty() {
        match value {
            Some(value) => push(done, &value),
            None => {
                done.unset.insert(name.to_owned());
            }
        }
        return Ok(());
    }
    // With a colon, an empty value counts as none.
    let (colon, operator) = operator.strip_prefix(':').map_or((false, operator), |rest| (true, rest));
    let value = value.filter(|value| !colon || !value.text.is_empty());
    let Some(argument) = operator.get(1..).filter(|_| operator.starts_with(['-', '?', '+'])) else {
        return Err(None);
    };
    let at = offset + inner.len() - argument.len();
    if argument.contains(['$', '{']) {
        return Err(Some(Fault { range: at..offset + inner.len(), why: Why::Nested }));
    }
    match (operator.as_bytes().first(), value) {
        (Some(b'-' | b'?'), Some(value)) => push(done, &value),
        (Some(b'-'), None) | (Some(b'+'), Some(_)) => {
            done.text.push_str(argument);
        }
        (Some(b'?'), None) => {
            let message = argument.to_owned();
            let range = offset..offset + inner.len();
            return Err(Some(Fault { range, why: Why::Required { name: name.to_owned(), message } }));
        }
        _ => {}
    }
    Ok(())
}

/// Fills in the variables of a whole tree.
pub(super) struct Scope<'a> {
    pub(super) environment: &'a Environment,
    /// Values that make a text sensitive wherever they come from.
    pub(super) hidden: &'a [Arc<str>],
    /// The directory that relative paths of the tree begin at, relative to the project's.
    pub(super) directory: Arc<str>,
    /// The text of the file, to find the place of a variable inside of a value.
    pub(super) source: (FileId, &'a str),
}

impl Scope<'_> {
    /// The tree with its variables filled in. What is wrong is told, and the text then empty.
    pub(super) fn fill(&self, node: &Node, said: &mut Diagnostics) -> Node {
        let value = match &node.value {
            Value::Null => Value::Null,
            Value::Text(text) => Value::Text(self.text(text, said)),
            Value::List(list) => Value::List(list.iter().map(|node| self.fill(node, said)).collect()),
            Value::Map(map) => {
                let fill = |(name, entry): (&Arc<str>, &Entry)| {
                    (Arc::clone(name), Entry { key: entry.key, node: self.fill(&entry.node, said) })
                };
                Value::Map(map.iter().map(fill).collect::<Map>())
            }
        };
        Node { value, span: node.span, layer: node.layer }
    }

    fn text(&self, text: &Text, said: &mut Diagnostics) -> Text {
        let filled = if text.text.contains('$') {
            let lookup = |name: &str| self.environment.get(name).cloned();
            match substitute(&text.text, &lookup) {
                Ok(filled) => filled,
                Err(fault) => {
                    said.push(self.tell(text, fault));
                    Substituted::default()
                }
            }
        } else {
            Substituted { text: String::from(&*text.text), ..Substituted::default() }
        };
        for name in &filled.unset {
            if said.len() >= MOST_SAID {
                break;
            }
            let at = self.part(text, name).unwrap_or(text.span);
            said.push(
                Diagnostic::warning(format!("the variable `{name}` is not set"))
                    .code("compose_unset_variable")
                    .label(at, "an empty text takes its place")
                    .help(format!("set `{name}` in `env`, or write a default: `${{{name}:-default}}`")),
            );
        }
        let sensitive = filled.sensitive || self.hidden.iter().any(|hidden| filled.text.contains(&**hidden));
        let directory = Arc::clone(&self.directory);
        Text { text: filled.text.into(), sensitive, directory, ..text.clone() }
    }

    /// Where a part of a value stands in the file.
    fn part(&self, text: &Text, part: &str) -> Option<Span> {
        if text.span.file != self.source.0 || part.is_empty() {
            return None;
        }
        let start = text.span.range().start;
        let at = self.source.1.get(text.span.range())?.find(part)? + start;
        Some(Span::new(text.span.file, at..at + part.len()))
    }

    fn tell(&self, text: &Text, fault: Fault) -> Diagnostic {
        let part = text.text.get(fault.range).unwrap_or("");
        let at = self.part(text, part).unwrap_or(text.span);
        match fault.why {
            Why::Syntax => Diagnostic::error("a `$` begins no variable here")
                .code("compose_interpolation")
                .at(at)
                .help("write `$$` for a dollar sign, `${NAME}` or `${NAME:-default}` for a variable"),
            Why::Required { name, message } => {
                let told = Diagnostic::error(format!("the variable `{name}` is required"))
                    .code("compose_interpolation")
                    .at(at)
                    .help(format!("set `{name}` in `env`"));
                if message.is_empty() {
                    told
                } else {
                    told.detail(crate::diag::visible(&message).into_owned())
                }
            }
            Why::Nested => Diagnostic::error("a default holds a `$` or a `{`")
                .code("compose_interpolation")
                .at(at)
                .detail("versions of Compose disagree on where it ends, and on whether it is filled in")
                .help("give the variable in `env`, and write `${NAME}` alone"),
            Why::Ragged => Diagnostic::error("a character that is not ASCII follows the name of a variable")
                .code("compose_interpolation")
                .at(at)
                .detail("versions of Compose disagree on where the name ends")
                .help("write `${NAME}`"),
            Why::TooLarge => Diagnostic::error("the variables of this value make it too large")
                .code("compose_interpolation")
                .at(at),
        }
    }
}

/// The sensitive values that are long enough to be looked for.
pub(super) fn telling(environment: &Environment) -> Vec<Arc<str>> {
    let telling = environment.values().filter(|value| value.sensitive && value.text.len() >= TELLING);
    telling.map(|value| Arc::clone(&value.text)).collect()
}

/// The places of values in the text of a file.
pub(super) fn secrets(text: &str, hidden: &[Arc<str>]) -> Vec<Range<usize>> {
    let places = hidden.iter().flat_map(|value| text.match_indices(&**value));
    places.map(|(at, found)| at..at + found.len()).collect()
}

/// Diagnostics without the values that nobody may see, as a name can be made of one; of very many the gravest.
pub(super) fn hushed(said: Diagnostics, hidden: &[Arc<str>]) -> Diagnostics {
    let hush = |text: &mut String| {
        for value in hidden {
            if text.contains(&**value) {
                *text = text.replace(&**value, "(sensitive value)");
            }
        }
    };
    let hush_all = |mut diagnostic: Diagnostic| {
        let labels = diagnostic.primary.iter_mut().chain(&mut diagnostic.secondary);
        let texts = labels.map(|label| &mut label.text).chain(&mut diagnostic.help);
        texts.chain([&mut diagnostic.summary, &mut diagnostic.detail]).for_each(hush);
        diagnostic
    };
    let mut order: Vec<(usize, Diagnostic)> = said.into_iter().enumerate().collect();
    let more = order.len().saturating_sub(MOST_SAID);
    if more > 0 {
        order.sort_by_key(|(number, diagnostic)| (std::cmp::Reverse(diagnostic.severity), *number));
        order.truncate(MOST_SAID);
        order.sort_by_key(|(number, _)| *number);
    }
    let rest = (more > 0).then(|| Diagnostic::info(format!("{more} more remarks are left out")));
    order.into_iter().map(|(_, diagnostic)| hush_all(diagnostic)).chain(rest).collect()
}

#[cfg(test)]
mod tests {
    use super::{EnvValue, Why, substitute};

    fn with(text: &str) -> Result<String, String> {
        let lookup = |name: &str| match name {
            "A" => Some(EnvValue::plain("1")),
            "EMPTY" => Some(EnvValue::plain("")),
            "DOLLAR" => Some(EnvValue::plain("$A")),
            _ => None,
        };
        substitute(text, &lookup).map(|done| done.text).map_err(|fault| match fault.why {
            Why::Syntax => format!("syntax: {}", &text[fault.range]),
            Why::Required { name, message } => format!("{name}: {message}"),
            Why::TooLarge => "too large".to_owned(),
            Why::Nested => format!("nested: {}", &text[fault.range]),
            Why::Ragged => format!("ragged: {}", &text[fault.range]),
        })
    }

    #[test]
    fn variables_are_filled_in_as_compose_does() {
        let right = [
            ("$A-$A", "1-1"),
            ("${A}x", "1x"),
            ("$$A $${A}", "$A ${A}"),
            ("${NONE}", ""),
            ("${NONE:-d} ${EMPTY:-d} ${A:-d}", "d d 1"),
            ("${NONE-d} ${EMPTY-d} ${A-d}", "d  1"),
            ("${A:+x} ${EMPTY:+x} ${EMPTY+x} ${NONE+x}", "x  x "),
            ("${A:?no} ${EMPTY?no}", "1 "),
            ("${NONE:-a-b:c?d}", "a-b:c?d"),
            ("$DOLLAR", "$A"),
            ("grün $A", "grün 1"),
        ];
        for (text, expected) in right {
            assert_eq!(with(text).as_deref(), Ok(expected), "{text}");
        }
        let wrong = [
            ("cost 5$", "syntax: $"),
            ("$(date)", "syntax: $("),
            ("x${}", "syntax: ${}"),
            ("${A", "syntax: ${A"),
            ("${A!}", "syntax: ${A!}"),
            ("${1}", "syntax: ${1}"),
            ("$é", "syntax: $é"),
            ("${NONE:?set A}", "NONE: set A"),
            ("${NONE:?set $A}", "nested: set $A"),
            ("${NONE:-${EMPTY:-${A}}}/z", "nested: ${EMPTY:-${A"),
            ("${A-${NONE-/../..}}", "nested: ${NONE-/../.."),
            ("${A:-$$}", "nested: $$"),
            ("${A:-{x}}", "nested: {x"),
            ("$A\u{212a}", "ragged: $A\u{212a}"),
            ("$A\u{17f}", "ragged: $A\u{17f}"),
            ("${A\u{212a}}", "syntax: ${A\u{212a}}"),
            ("${\u{212a}}", "syntax: ${\u{212a}}"),
            ("${EMPTY:?}", "EMPTY: "),
        ];
        for (text, expected) in wrong {
            assert_eq!(with(text), Err(expected.to_owned()), "{text}");
        }
    }
}
