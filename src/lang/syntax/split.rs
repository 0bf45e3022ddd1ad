//! Where one top-level structure ends and the next begins, without parsing them.

use std::ops::Range;

/// The ranges of the top-level structures of `text[start..]`, with the comments and blank lines before each; together
/// they are all of it.
///
/// A structure ends with the newline after it, outside brackets, strings, heredocs and comments. Where brackets are not
/// closed, a line that begins at its first column like a block (`name … {`) begins a new structure, so that one slip
/// does not hide the errors of the rest of the file.
pub(super) fn top_level(text: &str, start: usize) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let mut scanner = Scanner { text, at: start, open: Vec::new(), content: false };
    let mut piece = start;
    while scanner.at < text.len() {
        let line = scanner.at;
        if scanner.content && !scanner.open.is_empty() && begins_block(&text[line..]) && scanner.in_brackets()
        {
            pieces.push(piece..line);
            piece = line;
            scanner.open.clear();
            scanner.content = false;
        }
        scanner.line();
        if scanner.content && scanner.open.is_empty() {
            pieces.push(piece..scanner.at);
            piece = scanner.at;
            scanner.content = false;
        }
    }
    match pieces.last_mut() {
        // What follows the last structure is blank; it stays with it.
        Some(last) if !scanner.content => last.end = text.len(),
        _ if piece < text.len() => pieces.push(piece..text.len()),
        _ => {}
    }
    pieces
}

/// Whether a line at the first column looks like the header of a block.
fn begins_block(rest: &str) -> bool {
    let line = rest.split('\n').next().unwrap_or(rest).trim_end();
    line.starts_with(|first: char| first.is_ascii_alphabetic())
        && line.ends_with('{')
        && line[..line.len() - 1].chars().all(|char| {
            char.is_alphanumeric() || matches!(char, ' ' | '"' | '_' | '-' | '.' | '*' | '/' | ':')
        })
}

/// What introduces a heredoc.
const HEREDOC: &str = "<<";

/// What is not closed yet.
enum Open<'a> {
    /// `{`, `[` or `(`.
    Bracket,
    /// A quoted string.
    Quote,
    /// `${` or `%{` in a template.
    Interpolation,
    /// A heredoc with its delimiter.
    Heredoc(&'a str),
    /// `/*`
    Comment,
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    open: Vec<Open<'a>>,
    /// Whether anything but comments and white space was seen since the last structure.
    content: bool,
}

impl<'a> Scanner<'a> {
    fn in_brackets(&self) -> bool {
        self.open.iter().all(|open| matches!(open, Open::Bracket))
    }

    /// Goes to the start of the next line.
    fn line(&mut self) {
        let bytes = self.text.as_bytes();
        if let Some(Open::Heredoc(delimiter)) = self.open.last() {
            let line = self.text[self.at..].split('\n').next().unwrap_or("");
            let body = line.trim_start();
            let ends = body.strip_prefix(delimiter).is_some_and(|after| {
                !after.starts_with(|next: char| next.is_alphanumeric() || matches!(next, '_' | '-'))
            });
            if ends {
                self.at += line.len() - body.len() + delimiter.len();
                self.open.pop();
            }
        }
        let mut heredoc = None;
        while let Some(&byte) = bytes.get(self.at) {
            if byte == b'\n' {
                self.at += 1;
                self.end_of_line(heredoc);
                return;
            }
            let rest = &bytes[self.at..];
            self.at += match self.open.last() {
                Some(Open::Comment) => self.in_comment(rest),
                Some(Open::Quote) => self.in_template(rest, true),
                Some(Open::Heredoc(_)) => self.in_template(rest, false),
                Some(Open::Bracket | Open::Interpolation) | None => self.in_code(rest).unwrap_or_else(|| {
                    heredoc = heredoc.or(self.heredoc());
                    HEREDOC.len()
                }),
            };
        }
    }

    /// A heredoc begins with the line after its introduction; a string ends with its line.
    fn end_of_line(&mut self, heredoc: Option<&'a str>) {
        if matches!(self.open.last(), Some(Open::Quote)) {
            self.open.pop();
        }
        self.open.extend(heredoc.map(Open::Heredoc));
    }

    fn in_comment(&mut self, rest: &[u8]) -> usize {
        if rest.starts_with(b"*/") {
            self.open.pop();
            return 2;
        }
        1
    }

    fn in_template(&mut self, rest: &[u8], quoted: bool) -> usize {
        if rest.starts_with(b"$${") || rest.starts_with(b"%%{") {
            return 3;
        }
        if rest.starts_with(b"${") || rest.starts_with(b"%{") {
            self.open.push(Open::Interpolation);
            return 2;
        }
        match rest {
            [b'\\', next, ..] if quoted && *next != b'\n' => 2,
            [b'"', ..] if quoted => {
                self.open.pop();
                1
            }
            _ => 1,
        }
    }

    /// The bytes that one step takes; `None` at the introduction of a heredoc.
    fn in_code(&mut self, rest: &[u8]) -> Option<usize> {
        let line = || rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        match rest {
            [b' ' | b'\t' | b'\r', ..] => return Some(1),
            [b'#', ..] | [b'/', b'/', ..] => return Some(line()),
            [b'/', b'*', ..] => {
                self.open.push(Open::Comment);
                return Some(2);
            }
            _ => self.content = true,
        }
        match rest {
            [b'"', ..] => self.open.push(Open::Quote),
            [b'{' | b'[' | b'(', ..] => self.open.push(Open::Bracket),
            [b'}' | b']' | b')', ..] => {
                self.open.pop();
            }
            [b'<', b'<', b'-' | b'_' | b'a'..=b'z' | b'A'..=b'Z' | 0x80.., ..] => return None,
            _ => {}
        }
        Some(1)
    }

    /// The delimiter of a heredoc.
    fn heredoc(&self) -> Option<&'a str> {
        let intro = &self.text[self.at + HEREDOC.len()..];
        let name = intro.strip_prefix('-').unwrap_or(intro);
        let length = name
            .find(|char: char| !(char.is_alphanumeric() || matches!(char, '_' | '-')))
            .unwrap_or(name.len());
        let name = &name[..length];
        (!name.is_empty()).then_some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::top_level;

    fn split(text: &str) -> Vec<&str> {
        top_level(text, 0).into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn structures_are_told_apart() {
        let pieces = [
            "# one\na \"x\" {\n  b = \"}${\"{\"}\"\n}\n",
            "\nc = [\n  1,\n]\n",
            "d = <<-E\n  } \"\n  E\n",
            "/* {\n */ e {}\n\n# end\n",
        ];
        assert_eq!(split(&pieces.concat()), pieces);
    }

    #[test]
    fn a_slip_ends_with_the_next_block() {
        let pieces = ["a {\n  b = {\n}\n", "c \"d\" {\n}\n"];
        assert_eq!(split(&pieces.concat()), pieces);
        let pieces = ["a {\n  b = \"x\n}\n", "c \"d\" {\n}\n"];
        assert_eq!(split(&pieces.concat()), pieces);
    }

    #[test]
    fn nothing_is_nothing() {
        assert_eq!(split(""), Vec::<&str>::new());
        assert_eq!(split("# only\n"), ["# only\n"]);
        assert_eq!(split("}\na {}\n"), ["}\n", "a {}\n"]);
    }
}
