//! Variables: what interpolation reads, and the syntax of `.env` files.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::interpolate::{Fault, substitute};

/// The value of a variable.
#[derive(Clone, PartialEq, Eq)]
pub struct EnvValue {
    /// The value.
    pub text: Arc<str>,
    /// Whether it must not be shown.
    pub sensitive: bool,
}

impl EnvValue {
    /// A value that may be shown.
    pub fn plain(text: impl Into<Arc<str>>) -> Self {
        Self { text: text.into(), sensitive: false }
    }

    /// A value that must not be shown.
    pub fn sensitive(text: impl Into<Arc<str>>) -> Self {
        Self { text: text.into(), sensitive: true }
    }
}

impl std::fmt::Debug for EnvValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.sensitive { f.write_str("(sensitive value)") } else { self.text.fmt(f) }
    }
}

/// Variables by name.
pub type Environment = BTreeMap<Arc<str>, EnvValue>;

/// Reads an `.env` file as Compose does: `NAME=value`, comments, quotes, interpolation outside of single quotes.
/// All its values count as sensitive. `Err` is the line, from 1, and what is wrong there.
pub fn read(text: &str, known: &Environment) -> Result<Environment, (usize, &'static str)> {
    let mut found = Environment::new();
    let mut rest = text.trim_start_matches('\u{feff}');
    let line_of = |rest: &str| text[..text.len() - rest.len()].matches('\n').count() + 1;
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Ok(found);
        }
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        if line.starts_with('#') {
            rest = after;
            continue;
        }
        let number = line_of(rest);
        let start = line.strip_prefix("export ").unwrap_or(line);
        let Some(end) = start.find(['=', ':']) else {
            let name = start.trim();
            if !is_name(name) {
                return Err((number, "is not `NAME=value`"));
            }
            if let Some(value) = known.get(name) {
                found.insert(name.into(), value.clone());
            }
            rest = after;
            continue;
        };
        let name = start[..end].trim();
        if !is_name(name) {
            return Err((number, "has no name of a variable before `=`"));
        }
        let value = start[end + 1..].trim_start_matches([' ', '\t']);
        let offset = line.len() - value.len();
        let (value, next) = value_of(&rest[offset..]).map_err(|why| (number, why))?;
        let value = match value {
            Raw::Literal(text) => text.to_owned(),
            Raw::Expanded(text) => {
                let lookup = |name: &str| known.get(name).or_else(|| found.get(name)).cloned();
                match substitute(&text, &lookup) {
                    Ok(substituted) => substituted.text,
                    Err(Fault { .. }) => return Err((number, "has an invalid `$`")),
                }
            }
        };
        found.insert(name.into(), EnvValue::sensitive(value));
        rest = next;
    }
}

fn is_name(name: &str) -> bool {
    let rest = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '.' | '-');
    !name.is_empty() && !name.starts_with(|char: char| char.is_ascii_digit()) && name.chars().all(rest)
}

enum Raw<'a> {
    Literal(&'a str),
    Expanded(String),
}

/// The value at the start of a text, and what follows it.
fn value_of(text: &str) -> Result<(Raw<'_>, &str), &'static str> {
    let Some(quote @ ('"' | '\'')) = text.chars().next() else {
        let (line, after) = text.split_once('\n').unwrap_or((text, ""));
        let comment = line.match_indices('#').find(|(at, _)| *at == 0 || line[..*at].ends_with([' ', '\t']));
        let value = comment.map_or(line, |(at, _)| &line[..at]);
        return Ok((Raw::Expanded(value.trim_end().to_owned()), after));
    };
    let mut escaped = false;
    let close = text[1..].char_indices().find(|(_, char)| {
        let closes = *char == quote && !escaped;
        escaped = *char == '\\' && !escaped;
        closes
    });
    let Some((close, _)) = close else { return Err("has a quote that is not closed") };
    let (inner, after) = (&text[1..=close], &text[close + 2..]);
    let (tail, after) = after.split_once('\n').unwrap_or((after, ""));
    if !tail.trim().is_empty() && !tail.trim_start().starts_with('#') {
        return Err("has more after the closing quote");
    }
    if quote == '\'' {
        return Ok((Raw::Literal(inner), after));
    }
    let mut value = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => match chars.next() {
                Some('n') => value.push('\n'),
                Some('r') => value.push('\r'),
                Some('t') => value.push('\t'),
                Some('$') => value.push_str("$$"),
                Some(other @ ('"' | '\\' | '\'')) => value.push(other),
                Some(other) => value.extend(['\\', other]),
                None => value.push('\\'),
            },
            char => value.push(char),
        }
    }
    Ok((Raw::Expanded(value), after))
}

#[cfg(test)]
mod tests {
    use super::{EnvValue, Environment, read};

    #[test]
    fn an_env_file_is_read_as_compose_reads_it() {
        let known = Environment::from([("HOME".into(), EnvValue::plain("/root"))]);
        let text = "# a comment\nA=1\nexport B = two words # c\n\nC=\"x\\ny $A\"\nD='$A' # d\nE=${HOME}/e#f\nHOME\nF=\nG=\"a\nb\"\nH: y\r\n";
        let found = read(text, &known).unwrap_or_default();
        let found: Vec<_> = found.iter().map(|(name, value)| (&**name, &*value.text)).collect();
        let expected = [
            ("A", "1"),
            ("B", "two words"),
            ("C", "x\ny 1"),
            ("D", "$A"),
            ("E", "/root/e#f"),
            ("F", ""),
            ("G", "a\nb"),
            ("H", "y"),
            ("HOME", "/root"),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_bad_line_is_named() {
        let none = Environment::new();
        for (text, line) in
            [("A=1\nwhat is this\n", 2), ("\n\nA=\"x\n", 3), ("1A=2", 1), ("A='x' y", 1), ("A=${", 1)]
        {
            assert_eq!(read(text, &none).map_err(|(line, _)| line), Err(line), "{text:?}");
        }
    }
}
