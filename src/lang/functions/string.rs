//! Strings: letters, parts, patterns.

use std::collections::HashSet;

use regex::{Captures, Regex};
use unicode_segmentation::UnicodeSegmentation;

use crate::value::{Object, Type, Value};

use super::function::{Arguments, Function, FunctionError, function, parameter, parts, room};
use super::sequence::list;

type Outcome = Result<Value, FunctionError>;

fn text(name: &'static str) -> super::Parameter {
    parameter(name, Type::String)
}

fn strings(name: &'static str) -> super::Parameter {
    parameter(name, Type::List(Type::String.into()))
}

pub(super) fn functions() -> Vec<Function> {
    vec![
        function("upper", "Makes all letters upper case.")
            .takes(text("str"))
            .gives(Type::String, |args| Ok(args.text(0).chars().map(upper).collect::<String>().into())),
        function("lower", "Makes all letters lower case.")
            .takes(text("str"))
            .gives(Type::String, |args| Ok(args.text(0).chars().map(lower).collect::<String>().into())),
        function("title", "Makes the first letter of each word upper case.")
            .takes(text("str"))
            .gives(Type::String, |args| Ok(title(args.text(0)).into())),
        function("trim", "Removes the given characters from both ends.")
            .takes(text("str"))
            .takes(text("cutset"))
            .gives(Type::String, |args| {
                let cutset: HashSet<char> = args.text(1).chars().collect();
                Ok(args.text(0).trim_matches(|char: char| cutset.contains(&char)).into())
            }),
        function("trimspace", "Removes white space from both ends.")
            .takes(text("str"))
            .gives(Type::String, |args| Ok(args.text(0).trim().into())),
        function("trimprefix", "Removes a prefix, where it is there.")
            .takes(text("str"))
            .takes(text("prefix"))
            .gives(Type::String, |args| {
                let whole = args.text(0);
                Ok(whole.strip_prefix(args.text(1)).unwrap_or(whole).into())
            }),
        function("trimsuffix", "Removes a suffix, where it is there.")
            .takes(text("str"))
            .takes(text("suffix"))
            .gives(Type::String, |args| {
                let whole = args.text(0);
                Ok(whole.strip_suffix(args.text(1)).unwrap_or(whole).into())
            }),
        function("chomp", "Removes the newlines at the end.")
            .takes(text("str"))
            .gives(Type::String, |args| Ok(args.text(0).trim_end_matches(['\r', '\n']).into())),
        function("indent", "Puts spaces before all lines but the first.")
            .takes(parameter("spaces", Type::Number))
            .takes(text("str"))
            .gives(Type::String, indent),
        function("strrev", "Reverses the characters.")
            .takes(text("str"))
            .gives(Type::String, |args| Ok(args.text(0).graphemes(true).rev().collect::<String>().into())),
        function("startswith", "Whether a string begins with another.")
            .takes(text("str"))
            .takes(text("prefix"))
            .gives(Type::Bool, |args| Ok(args.text(0).starts_with(args.text(1)).into())),
        function("endswith", "Whether a string ends with another.")
            .takes(text("str"))
            .takes(text("suffix"))
            .gives(Type::Bool, |args| Ok(args.text(0).ends_with(args.text(1)).into())),
        function("strcontains", "Whether a string contains another.")
            .takes(text("str"))
            .takes(text("substr"))
            .gives(Type::Bool, |args| Ok(args.text(0).contains(args.text(1)).into())),
        function("substr", "The characters from an offset (negative: from the end) on; a negative length means all.")
            .takes(text("str"))
            .takes(parameter("offset", Type::Number))
            .takes(parameter("length", Type::Number))
            .gives(Type::String, substr),
        function("join", "The elements of lists with a separator between two.")
            .takes(text("separator"))
            .takes(strings("list"))
            .takes_more(strings("lists"))
            .gives(Type::String, join),
        function("split", "The parts between the separators.")
            .takes(text("separator"))
            .takes(text("str"))
            .gives(Type::List(Type::String.into()), split),
        function("replace", "Replaces a text, or a regular expression between slashes, wherever it stands.")
            .takes(text("str"))
            .takes(text("substr"))
            .takes(text("replace"))
            .gives(Type::String, replace),
        function(
            "regex",
            "The first match of a regular expression: a string, a list of its groups, or an object of its named groups.",
        )
        .takes(text("pattern"))
        .takes(text("string"))
        .gives(Type::Any, first_match),
        function("regexall", "All matches of a regular expression, each as `regex` gives it.")
            .takes(text("pattern"))
            .takes(text("string"))
            .gives(Type::List(Type::Any.into()), all_matches),
    ]
}

/// The one upper case letter of a letter; letters whose upper case is several stay as they are.
fn upper(letter: char) -> char {
    let mut upper = letter.to_uppercase();
    if upper.len() == 1 { upper.next().unwrap_or(letter) } else { letter }
}

fn lower(letter: char) -> char {
    letter.to_lowercase().next().unwrap_or(letter)
}

fn title(text: &str) -> String {
    let mut inside = false;
    let cased = text.chars().map(|char| {
        let cased = if inside { char } else { upper(char) };
        inside = char.is_alphanumeric() || char == '_' || char == '\'';
        cased
    });
    cased.collect()
}

fn indent(args: &Arguments<'_>) -> Outcome {
    let spaces = usize::try_from(args.whole(0)?).ok().filter(|spaces| *spaces <= 1000);
    let Some(spaces) = spaces else {
        return Err(FunctionError::argument(0, "from 0 to 1000 spaces are possible"));
    };
    let text = args.text(1);
    room(text.len().saturating_add(text.matches('\n').count().saturating_mul(spaces)))?;
    Ok(text.replace('\n', &format!("\n{}", " ".repeat(spaces))).into())
}

fn substr(args: &Arguments<'_>) -> Outcome {
    let characters: Vec<&str> = args.text(0).graphemes(true).collect();
    let (offset, length) = (args.whole(1)?, args.whole(2)?);
    let distance = usize::try_from(offset.unsigned_abs()).unwrap_or(usize::MAX).min(characters.len());
    let start = if offset < 0 { characters.len() - distance } else { distance };
    let end = match usize::try_from(length) {
        Ok(length) => start.saturating_add(length).min(characters.len()),
        Err(_) => characters.len(),
    };
    Ok(characters[start..end].concat().into())
}

fn join(args: &Arguments<'_>) -> Outcome {
    let mut parts: Vec<&str> = Vec::new();
    for (index, list) in args.values().iter().enumerate().skip(1) {
        for (position, element) in list.as_elements().unwrap_or_default().iter().enumerate() {
            let Some(part) = element.as_str() else {
                return Err(FunctionError::argument(index, format!("element {position} is `null`")));
            };
            parts.push(part);
        }
    }
    let separators = args.text(0).len().saturating_mul(parts.len());
    room(parts.iter().fold(separators, |size, part| size.saturating_add(part.len())))?;
    Ok(parts.join(args.text(0)).into())
}

fn split(args: &Arguments<'_>) -> Outcome {
    let (separator, whole) = (args.text(0), args.text(1));
    room(parts(whole.matches(separator).count()).saturating_add(whole.len()))?;
    let parts: Vec<Value> = if separator.is_empty() {
        whole.chars().map(|char| Value::from(char.to_string())).collect()
    } else {
        whole.split(separator).map(Value::from).collect()
    };
    Ok(list(Type::String, parts))
}

fn pattern(text: &str, argument: usize) -> Result<Regex, FunctionError> {
    Regex::new(text).map_err(|error| {
        let reason = error.to_string();
        let last = reason.lines().last().unwrap_or("").trim_start_matches("error: ");
        FunctionError::argument(argument, format!("this is not a regular expression: {last}"))
    })
}

fn replace(args: &Arguments<'_>) -> Outcome {
    let (whole, part, by) = (args.text(0), args.text(1), args.text(2));
    let Some(inner) = part.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')) else {
        room(whole.matches(part).count().saturating_mul(by.len()).saturating_add(whole.len()))?;
        return Ok(whole.replace(part, by).into());
    };
    let groups = by.matches('$').count();
    let (mut text, mut end) = (String::new(), 0);
    for captures in pattern(inner, 1)?.captures_iter(whole) {
        let Some(found) = captures.get(0) else { continue };
        room(text.len() + whole.len() + by.len() + groups.saturating_mul(found.len()))?;
        text.push_str(&whole[end..found.start()]);
        captures.expand(by, &mut text);
        end = found.end();
    }
    text.push_str(&whole[end..]);
    Ok(text.into())
}

fn first_match(args: &Arguments<'_>) -> Outcome {
    let pattern = pattern(args.text(0), 0)?;
    match pattern.captures(args.text(1)) {
        Some(captures) => groups(&pattern, &captures),
        None => Err(FunctionError::call("the pattern does not match the string")),
    }
}

fn all_matches(args: &Arguments<'_>) -> Outcome {
    let pattern = pattern(args.text(0), 0)?;
    let (mut matches, mut size) = (Vec::new(), 0usize);
    for captures in pattern.captures_iter(args.text(1)) {
        let found = groups(&pattern, &captures)?;
        size = size.saturating_add(found.size());
        room(size)?;
        matches.push(found);
    }
    let element = matches.first().map_or(Type::String, Value::ty);
    Ok(list(element, matches))
}

/// The match as a whole where the pattern has no groups, else its groups; those that took no part are `null`.
fn groups(pattern: &Regex, captures: &Captures<'_>) -> Outcome {
    let value = |index: usize| Value::from(captures.get(index).map(|group| group.as_str()));
    let names: Vec<Option<&str>> = pattern.capture_names().skip(1).collect();
    match (names.len(), names.iter().flatten().count()) {
        (0, _) => Ok(value(0)),
        (_, 0) => Ok(Value::tuple((1..captures.len()).map(value))),
        (all, with_name) if all == with_name => {
            let groups = names.iter().flatten().enumerate();
            Ok(groups.map(|(index, name)| (*name, value(index + 1))).collect::<Object>().into())
        }
        _ => Err(FunctionError::argument(0, "either all groups of a pattern have names or none has")),
    }
}
