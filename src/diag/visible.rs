//! Text of others on a terminal: it must not steer it, and must not look like other text.

use std::borrow::Cow;

/// Whether a character steers a terminal, turns the direction of the text around it (Unicode Standard Annex #9) or is not
/// seen at all, so that what is shown is not what is there. Joiners and variation selectors, which scripts and emoji need,
/// are none of these.
pub fn steers(char: char) -> bool {
    char.is_control()
        || matches!(
            char,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
        )
}

/// The text on one line, with U+FFFD in the place of what steers a terminal; tabs stay.
pub fn visible(text: &str) -> Cow<'_, str> {
    let hidden = |char: char| steers(char) && char != '\t';
    if text.contains(hidden) { text.replace(hidden, "\u{fffd}").into() } else { text.into() }
}

/// As [`visible`], with the colours (SGR, ECMA-48 §8.3.117) of the text, where they are wanted, up to its end and no
/// further.
pub fn coloured(text: &str, colours: bool) -> Cow<'_, str> {
    if !text.contains(steers) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    let mut painted = false;
    while let Some(at) = rest.find("\u{1b}[") {
        let (before, from) = rest.split_at(at);
        shown.push_str(&visible(before));
        let parameters = from[2..].find(|char: char| !char.is_ascii_digit() && !matches!(char, ';' | ':'));
        match parameters.map(|end| from.split_at(2 + end)) {
            Some((sequence, after)) if after.starts_with('m') => {
                if colours {
                    shown.push_str(sequence);
                    shown.push('m');
                    painted = true;
                }
                rest = &after[1..];
            }
            _ => {
                shown.push_str(&visible(&from[..1]));
                rest = &from[1..];
            }
        }
    }
    shown.push_str(&visible(rest));
    if painted {
        shown.push_str("\u{1b}[0m");
    }
    shown.into()
}

#[cfg(test)]
mod tests {
    use super::coloured;

    #[test]
    fn of_what_a_program_says_to_a_terminal_its_colours_are_kept() {
        let said = "a \u{1b}[1;31mred\u{1b}[0m \u{1b}]0;title\u{7} \u{1b}[2J\tb\u{1b}[";
        let rest = "\u{fffd}]0;title\u{fffd} \u{fffd}[2J\tb\u{fffd}[";
        assert_eq!(coloured(said, true), format!("a \u{1b}[1;31mred\u{1b}[0m {rest}\u{1b}[0m"));
        assert_eq!(coloured(said, false), format!("a red {rest}"));
        assert_eq!(coloured("plain \t é", true), "plain \t é");
    }
}
