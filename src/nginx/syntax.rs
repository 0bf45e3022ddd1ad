//! nginx's grammar: words, quotes, comments and blocks, as `ngx_conf_read_token` reads them.

use std::fmt;

/// A directive with its parameters and its block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// Its name.
    pub name: String,
    /// Its parameters, unquoted.
    pub args: Vec<String>,
    /// The line that it begins on, from 1.
    pub line: u32,
    /// What stands between its braces, where it has them.
    pub block: Option<Vec<Directive>>,
}

/// A text that nginx would not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// The line, from 1.
    pub line: u32,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

impl std::error::Error for SyntaxError {}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Semicolon,
    Open,
    Close,
}

struct Lexer<'a> {
    chars: std::iter::Peekable<std::str::Chars<'a>>,
    line: u32,
}

/// How deep blocks may be nested; real configurations stay below ten.
const DEPTH: usize = 32;

impl Lexer<'_> {
    fn error<T>(&self, reason: impl Into<String>) -> Result<T, SyntaxError> {
        Err(SyntaxError { line: self.line, reason: reason.into() })
    }

    fn bump(&mut self) -> Option<char> {
        let char = self.chars.next()?;
        if char == '\n' {
            self.line += 1;
        }
        Some(char)
    }

    fn next(&mut self) -> Result<Option<(u32, Token)>, SyntaxError> {
        loop {
            match self.chars.peek() {
                None => return Ok(None),
                Some(' ' | '\t' | '\r' | '\n') => {
                    self.bump();
                }
                Some('#') => while self.bump().is_some_and(|char| char != '\n') {},
                Some(_) => break,
            }
        }
        let line = self.line;
        let token = match self.chars.peek() {
            Some(';') => Token::Semicolon,
            Some('{') => Token::Open,
            Some('}') => Token::Close,
            Some('"' | '\'') => return Ok(Some((line, Token::Word(self.quoted()?)))),
            _ => return Ok(Some((line, Token::Word(self.bare())))),
        };
        self.bump();
        Ok(Some((line, token)))
    }

    fn escape(&mut self, word: &mut String) {
        match self.bump() {
            Some(char @ ('"' | '\'' | '\\')) => word.push(char),
            Some('t') => word.push('\t'),
            Some('r') => word.push('\r'),
            Some('n') => word.push('\n'),
            Some(other) => word.extend(['\\', other]),
            None => word.push('\\'),
        }
    }

    fn quoted(&mut self) -> Result<String, SyntaxError> {
        let quote = self.bump();
        let mut word = String::new();
        loop {
            match self.bump() {
                None => return self.error("a quote is never closed"),
                Some('\\') => self.escape(&mut word),
                char if char == quote => break,
                Some(char) => word.push(char),
            }
        }
        match self.chars.peek() {
            None | Some(' ' | '\t' | '\r' | '\n' | ';' | '{' | ')') => Ok(word),
            Some(char) => {
                let reason = format!("{char:?} directly behind a closing quote");
                self.error(reason)
            }
        }
    }

    fn bare(&mut self) -> String {
        let mut word = String::new();
        let mut variable = false;
        while let Some(&char) = self.chars.peek() {
            match char {
                // `${name}` does not open a block.
                '{' if variable => {}
                ' ' | '\t' | '\r' | '\n' | ';' | '{' => break,
                _ => {}
            }
            variable = char == '$';
            self.bump();
            if char == '\\' { self.escape(&mut word) } else { word.push(char) }
        }
        word
    }

    /// Skips what a Lua block holds: its grammar is not nginx's.
    fn skip_lua(&mut self) -> Result<(), SyntaxError> {
        let mut depth = 1;
        while depth > 0 {
            match self.bump() {
                None => return self.error("a block is never closed"),
                Some('{') => depth += 1,
                Some('}') => depth -= 1,
                Some(_) => {}
            }
        }
        Ok(())
    }

    fn block(&mut self, depth: usize) -> Result<Vec<Directive>, SyntaxError> {
        let mut directives = Vec::new();
        let mut words: Vec<String> = Vec::new();
        let mut start = self.line;
        while let Some((line, token)) = self.next()? {
            match token {
                Token::Word(word) => {
                    if words.is_empty() {
                        start = line;
                    }
                    words.push(word);
                }
                Token::Semicolon | Token::Open if words.is_empty() => {
                    return self.error("a directive without a name");
                }
                Token::Semicolon => directives.push(directive(&mut words, start, None)),
                Token::Open if depth >= DEPTH => return self.error("blocks are nested too deep"),
                Token::Open if words[0].ends_with("_by_lua_block") => {
                    self.skip_lua()?;
                    directives.push(directive(&mut words, start, Some(Vec::new())));
                }
                Token::Open => {
                    let block = self.block(depth + 1)?;
                    directives.push(directive(&mut words, start, Some(block)));
                }
                Token::Close if !words.is_empty() => {
                    return self.error(format!("`{}` is not ended by `;`", words[0]));
                }
                Token::Close if depth == 0 => return self.error("`}` closes nothing"),
                Token::Close => return Ok(directives),
            }
        }
        if !words.is_empty() {
            return self.error(format!("`{}` is not ended by `;`", words[0]));
        }
        if depth > 0 {
            return self.error("a block is never closed");
        }
        Ok(directives)
    }
}

fn directive(words: &mut Vec<String>, line: u32, block: Option<Vec<Directive>>) -> Directive {
    let mut words = std::mem::take(words).into_iter();
    Directive { name: words.next().unwrap_or_default(), args: words.collect(), line, block }
}

/// Reads a text as nginx would.
pub fn parse(text: &str) -> Result<Vec<Directive>, SyntaxError> {
    Lexer { chars: text.chars().peekable(), line: 1 }.block(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_quotes_and_blocks() {
        let directives = parse("a 1 \"b\\\" ; {\" 'c';# x }\nmap $x ${y}z {\n default \\d; }");
        let expected = vec![
            Directive {
                name: "a".into(),
                args: vec!["1".into(), "b\" ; {".into(), "c".into()],
                line: 1,
                block: None,
            },
            Directive {
                name: "map".into(),
                args: vec!["$x".into(), "${y}z".into()],
                line: 2,
                block: Some(vec![Directive {
                    name: "default".into(),
                    args: vec!["\\d".into()],
                    line: 3,
                    block: None,
                }]),
            },
        ];
        assert_eq!(directives, Ok(expected));
    }

    #[test]
    fn what_nginx_refuses() {
        for bad in ["a", "a {", "}", "a \"b", ";", "a }", "\"a\"b;", "a { b }"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            let _ = parse(&text);
        }
    }
}
