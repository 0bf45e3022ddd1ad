//! Terminal colours.

/// Colours text, or leaves it as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Paint {
    /// Whether there are colours at all.
    pub colour: bool,
}

impl Paint {
    fn wrap(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// For headings.
    pub fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    /// For what is added.
    pub fn green(self, text: &str) -> String {
        self.wrap("32", text)
    }

    /// For what is removed.
    pub fn red(self, text: &str) -> String {
        self.wrap("31", text)
    }

    /// For what changes.
    pub fn yellow(self, text: &str) -> String {
        self.wrap("33", text)
    }

    /// For places.
    pub fn cyan(self, text: &str) -> String {
        self.wrap("36", text)
    }

    /// For what matters less.
    pub fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    /// A line of a unified diff in the colour of its sign.
    pub fn diff_line(self, line: &str) -> String {
        match line.as_bytes().first() {
            Some(b'+') => self.green(line),
            Some(b'-') => self.red(line),
            Some(b'@') => self.cyan(line),
            _ => line.to_owned(),
        }
    }

    /// Terraform's sign of a change in its colour.
    pub fn sign(self, sign: &str) -> String {
        match sign {
            "+" => self.green(sign),
            "-" => self.red(sign),
            "~" => self.yellow(sign),
            _ => sign.to_owned(),
        }
    }
}
