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
            Raw::Literal(text) => text,
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

/// A value of an `.env` file, in quotes or without, so that both docker-compose 1.29 and Compose v2 read it back as it is.
/// The first fills `${NAME}` in within any quotes and takes `\\` in single ones for one backslash; the second fills `$` in
/// outside of single ones; and for both a backslash in front of a quote escapes it. `Err` is what keeps a value from that.
pub fn write(text: &str) -> Result<String, &'static str> {
    if text.contains('\0') {
        return Err("it holds a zero byte");
    }
    if text.find("${").is_some_and(|at| text[at..].contains('}')) {
        return Err("it holds `${` and a `}` behind it");
    }
    let single =
        !text.contains("\\\\") && !text.contains("\\'") && !text.ends_with('\\') && !text.contains('\r');
    if single && !text.contains('\'') {
        return Ok(format!("'{text}'"));
    }
    if !text.contains('$') && !text.ends_with('\\') {
        let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\r', "\\r");
        return Ok(format!("\"{escaped}\""));
    }
    if single {
        return Ok(format!("'{}'", text.replace('\'', "\\'")));
    }
    let bare = |char: char| !(char.is_whitespace() || char.is_control() || matches!(char, '$' | '#'));
    if !text.starts_with(['\'', '"']) && text.chars().all(bare) {
        return Ok(text.to_owned());
    }
    Err("it holds a `$`, or a backslash at its end, together with backslashes, quotes or white space")
}

fn is_name(name: &str) -> bool {
    let rest = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '.' | '-');
    !name.is_empty() && !name.starts_with(|char: char| char.is_ascii_digit()) && name.chars().all(rest)
}

enum Raw {
    Literal(String),
    Expanded(String),
}

/// The value at the start of a text, and what follows it.
fn value_of(text: &str) -> Result<(Raw, &str), &'static str> {
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
    let mut value = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    if quote == '\'' {
        while let Some(char) = chars.next() {
            match (char, chars.clone().next()) {
                ('\\', Some('\'')) => value.extend(chars.next()),
                ('\\', Some('\\')) => value.extend([char].into_iter().chain(chars.next())),
                _ => value.push(char),
            }
        }
        return Ok((Raw::Literal(value), after));
    }
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
    use super::{EnvValue, Environment, read, write};

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
    fn what_is_written_is_read_back() {
        let parts = ["'", "\"", "\\", "$", "${", "}", "#", " ", "\n", "\r", "a", "é", "\u{2028}", "="];
        let (mut texts, mut written) = (vec![String::new()], 0);
        for _ in 0..4 {
            let longer = texts.iter().flat_map(|text| parts.map(|part| format!("{text}{part}")));
            texts = longer.chain([String::new()]).collect();
        }
        for text in &texts {
            let Ok(value) = write(text) else { continue };
            let file = format!("A={value}\nB='after'\n");
            let found = read(&file, &Environment::new()).unwrap_or_default();
            let found: Vec<_> = found.iter().map(|(name, value)| (&**name, &*value.text)).collect();
            assert_eq!(found, [("A", text.as_str()), ("B", "after")], "{file}");
            written += 1;
        }
        assert!(written > texts.len() / 2, "{written} of {}", texts.len());
    }

    #[test]
    fn a_value_is_written_as_both_compose_tools_read_it() {
        let right = [
            ("plain $HOME \"x\" \\ #", "'plain $HOME \"x\" \\ #'"),
            ("", "''"),
            ("x\\", "x\\"),
            ("it's \\ \"x\"", "\"it's \\\\ \\\"x\\\"\""),
            ("it's $5", "'it\\'s $5'"),
            ("a\\\\b c", "\"a\\\\\\\\b c\""),
            ("a\r\nb", "\"a\\r\nb\""),
        ];
        for (text, expected) in right {
            assert_eq!(write(text).as_deref(), Ok(expected), "{text}");
        }
        for text in ["x${HOME}", "$\\", "a b\\", "$\\\\", "$\\'", "'\\", "$\r", "\0"] {
            assert!(write(text).is_err(), "{text:?}");
        }
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
