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
