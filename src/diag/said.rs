//! What others say: bounded, before it is kept or shown.

use super::visible;

/// The longest line of others that is shown, in characters.
const LINE: usize = 500;

/// The longest text of others that is shown, in lines.
const LINES: usize = 100;

/// What somebody else says, as one line: what steers a terminal is made visible, and of one that is too long the
/// beginning stands with its length.
pub fn said(text: &str) -> String {
    // Nobody waits for what nobody reads.
    let beginning: String = text.chars().take(LINE * 8).collect();
    let line = beginning.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = visible(&line);
    if line.chars().count() <= LINE && beginning.len() == text.len() {
        return line.into_owned();
    }
    let line: String = line.chars().take(LINE).collect();
    format!("{line}… ({} bytes in all)", text.len())
}

/// As [`said`], with its lines as they are: the last ones where there are too many.
pub fn said_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default();
    last.iter().map(|line| said(line)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_say_steers_nothing_and_ends() {
        assert_eq!(said(" too\nmany\torders "), "too many orders");
        assert_eq!(said("a\u{1b}[31mred\u{1b}]0;title\u{7}"), "a\u{fffd}[31mred\u{fffd}]0;title\u{fffd}");
        let long = said(&"x".repeat(1 << 20));
        assert!(long.ends_with("x… (1048576 bytes in all)") && long.len() < 600, "{}", long.len());
        assert_eq!(said(&" ".repeat(9_000)), "… (9000 bytes in all)");
        let many = "line\n".repeat(1_000) + "last\u{7}";
        let shown = said_lines(&many);
        assert_eq!((shown.lines().count(), shown.lines().last()), (LINES, Some("last\u{fffd}")));
    }
}
