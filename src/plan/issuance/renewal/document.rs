//! The language of certbot's configuration, line by line: what is not edited stays as it is.

use std::ops::Range;

use super::RenewalError;

/// A value with its key.
pub(super) struct Entry {
    /// The names of the sections that it is in, the outer before the inner.
    pub(super) section: Vec<String>,
    pub(super) key: String,
    /// One, unless it is a list.
    pub(super) values: Vec<String>,
    /// Whether it is a list.
    pub(super) is_list: bool,
    /// Its lines, from 0.
    pub(super) lines: Range<usize>,
}

impl Entry {
    /// Whether it says no, as the library has it.
    pub(super) fn is_off(&self) -> bool {
        let word = self.values.first().map(|word| word.to_ascii_lowercase());
        !self.is_list && matches!(word.as_deref(), Some("false" | "off" | "no" | "0"))
    }
}

/// A configuration, line by line.
pub(super) struct Document<'a> {
    /// With their ends.
    pub(super) lines: Vec<&'a str>,
    pub(super) entries: Vec<Entry>,
    /// Sections with the lines of their headers.
    pub(super) headers: Vec<(Vec<String>, usize)>,
}

impl<'a> Document<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, RenewalError> {
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let mut document = Self { lines, entries: Vec::new(), headers: Vec::new() };
        let mut section: Vec<String> = Vec::new();
        let mut number = 0;
        while let Some(line) = document.lines.get(number) {
            let line = line.trim().trim_start_matches('\u{feff}');
            let start = number;
            number += 1;
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if line.starts_with('[') {
                let (depth, name) = header(line).map_err(|reason| RenewalError::at(start, reason))?;
                if depth > section.len() + 1 {
                    let reason = format!("section `{name}` is nested too deeply");
                    return Err(RenewalError::at(start, reason));
                }
                section.truncate(depth - 1);
                section.push(name);
                if document.headers.iter().any(|(other, _)| *other == section) {
                    return Err(RenewalError::at(
                        start,
                        format!("section `{}` is there twice", section.join(".")),
                    ));
                }
                document.headers.push((section.clone(), start));
                continue;
            }
            let (key, value) = pair(line).map_err(|reason| RenewalError::at(start, reason))?;
            let (values, is_list) = match ["\"\"\"", "'''"].into_iter().find(|quote| value.starts_with(quote))
            {
                Some(quote) => {
                    let text = document.long(&value[3..], quote, &mut number);
                    let text = text.ok_or_else(|| {
                        RenewalError::at(start, format!("the {quote} of `{key}` has no end"))
                    })?;
                    (vec![text], false)
                }
                None => values(value).map_err(|reason| RenewalError::at(start, reason))?,
            };
            if document.entries.iter().any(|entry| entry.section == section && entry.key == key) {
                return Err(RenewalError::at(start, format!("`{key}` is there twice")));
            }
            document.entries.push(Entry {
                section: section.clone(),
                key,
                values,
                is_list,
                lines: start..number,
            });
        }
        Ok(document)
    }

    /// A value between quotes of three characters, which begins with `first` and may go on in the lines from `number` on.
    pub(super) fn long(&self, first: &str, quote: &str, number: &mut usize) -> Option<String> {
        if let Some((text, _)) = first.split_once(quote) {
            return Some(text.to_owned());
        }
        let mut text = vec![first];
        loop {
            let line = self.lines.get(*number)?.trim_end_matches(['\r', '\n']);
            *number += 1;
            match line.split_once(quote) {
                Some((end, _)) => {
                    text.push(end);
                    return Some(text.join("\n"));
                }
                None => text.push(line),
            }
        }
    }

    pub(super) fn find(&self, section: &[&str], key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.section == section && entry.key == key)
    }

    /// A value that is no list.
    pub(super) fn one(&self, section: &[&str], key: &str) -> Result<Option<&str>, RenewalError> {
        let Some(entry) = self.find(section, key) else { return Ok(None) };
        match (entry.is_list, entry.values.first()) {
            (false, Some(value)) => Ok(Some(value)),
            _ => Err(RenewalError::at(
                entry.lines.start,
                format!("`{key}` is a list: write a value with a comma in it between quotes"),
            )),
        }
    }

    pub(super) fn line_end(&self) -> &'static str {
        if self.lines.first().is_some_and(|line| line.ends_with("\r\n")) { "\r\n" } else { "\n" }
    }

    /// The text with another line, or none, in the place of some.
    pub(super) fn with(&self, lines: Range<usize>, line: Option<&str>) -> String {
        let end = self.line_end();
        let mut text = self.lines[..lines.start].concat();
        if let Some(line) = line {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push_str(end);
            }
            text.push_str(line);
            text.push_str(end);
        }
        text + &self.lines[lines.end..].concat()
    }
}

/// Depth and name of a section.
pub(super) fn header(line: &str) -> Result<(usize, String), String> {
    let bracket = |side: char| move |c: char| c == side || c == ' ' || c == '\t';
    let inner = line.trim_start_matches(bracket('['));
    let depth = line[..line.len() - inner.len()].matches('[').count();
    let (name, rest) = match inner.chars().next() {
        Some(quote @ ('"' | '\'')) => inner[1..].split_once(quote).ok_or("the section's quote has no end")?,
        _ => inner.find(']').map(|end| inner.split_at(end)).ok_or("the section's `[` has no `]`")?,
    };
    let after = rest.trim_start_matches(bracket(']'));
    let closed = rest[..rest.len() - after.len()].matches(']').count();
    if closed != depth {
        return Err(format!("the section has {depth} `[` and {closed} `]`"));
    }
    if !(after.is_empty() || after.starts_with('#')) {
        return Err(format!("`{after}` stands after a section"));
    }
    Ok((depth, name.trim().to_owned()))
}

/// A key, and what stands after its `=`.
pub(super) fn pair(line: &str) -> Result<(String, &str), String> {
    let missing = || format!("`{line}` is neither `key = value` nor a section");
    let (key, rest) = match line.chars().next() {
        Some(quote @ ('"' | '\'')) => line[1..].split_once(quote).ok_or_else(missing)?,
        _ => line.find('=').map(|end| line.split_at(end)).ok_or_else(missing)?,
    };
    let value = rest.trim_start().strip_prefix('=').ok_or_else(missing)?;
    match key.trim() {
        "" => Err(missing()),
        key => Ok((key.to_owned(), value.trim())),
    }
}

/// The values after a `=`, and whether they are a list.
pub(super) fn values(text: &str) -> Result<(Vec<String>, bool), String> {
    let mut values = Vec::new();
    let mut rest = text.trim_start();
    let mut commas = false;
    loop {
        let value = match rest.chars().next() {
            None | Some('#') => break,
            Some(quote @ ('"' | '\'')) => {
                let (value, after) = rest[1..].split_once(quote).ok_or("a quote has no end")?;
                rest = after.trim_start();
                value.to_owned()
            }
            Some(_) => {
                let (value, after) = rest.split_at(rest.find([',', '#']).unwrap_or(rest.len()));
                rest = after;
                value.trim().to_owned()
            }
        };
        // A comma that stands alone is an empty list.
        if !(value.is_empty() && rest.starts_with(',') && values.is_empty()) {
            values.push(value);
        }
        match rest.strip_prefix(',') {
            Some(after) => {
                commas = true;
                rest = after.trim_start();
            }
            None if rest.is_empty() || rest.starts_with('#') => break,
            None => return Err(format!("`{rest}` stands after a quoted value")),
        }
    }
    if values.is_empty() && !commas {
        values.push(String::new());
    }
    Ok((values, commas))
}
