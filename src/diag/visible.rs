//! Text of others on a terminal: it must not steer it, and must not look like other text.

use std::borrow::Cow;

/// Whether a character steers a terminal or turns the direction of the text around it (Unicode Standard Annex #9), so
/// that what is shown is not what is there.
pub fn steers(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text on one line, with U+FFFD in the place of what steers a terminal; tabs stay.
pub fn visible(text: &str) -> Cow<'_, str> {
    let hidden = |char: char| steers(char) && char != '\t';
    if text.contains(hidden) { text.replace(hidden, "\u{fffd}").into() } else { text.into() }
}
