//! Words of a command line in files that start programs: units of systemd and tables of cron.

use std::sync::{Arc, LazyLock};

use minijinja::value::{Object, ObjectRepr};

use crate::template::{RenderError, Templates, View, Written};

/// Where a word stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// In `ExecStart=` (systemd.service(5), "Command lines"; systemd.unit(5), "Specifiers").
    Unit,
    /// A path that is all of a setting's value (systemd.exec(5), `WorkingDirectory=`, `EnvironmentFile=`).
    Path,
    /// In a line of cron's, which a shell reads (crontab(5)).
    Cron,
}

/// A word.
#[derive(Clone, Debug)]
pub(super) struct Word {
    pub(super) form: Form,
    pub(super) text: Arc<str>,
}

impl Object for Word {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
}

impl Written for Word {
    const LANGUAGE: &'static str = "a command line";

    fn write(&self, out: &mut String) -> Result<(), String> {
        if self.text.chars().any(char::is_control) {
            return Err(format!("`{}` holds a control character", self.text.escape_default()));
        }
        let is_bare = self.form == Form::Path;
        if is_bare && (self.text.trim() != &*self.text || self.text.ends_with('\\')) {
            return Err(format!("`{}` begins or ends with what a unit cannot hold there", self.text));
        }
        let (quote, escape): (&str, fn(char) -> Option<&'static str>) = match self.form {
            Form::Path => ("", |char| (char == '%').then_some("%%")),
            Form::Unit => ("\"", |char| match char {
                '"' => Some("\\\""),
                '\\' => Some("\\\\"),
                '%' => Some("%%"),
                '$' => Some("$$"),
                _ => None,
            }),
            Form::Cron => ("'", |char| match char {
                '\'' => Some("'\\''"),
                '%' => Some("\\%"),
                _ => None,
            }),
        };
        out.push_str(quote);
        for char in self.text.chars() {
            match escape(char) {
                Some(escaped) => out.push_str(escaped),
                None => out.push(char),
            }
        }
        out.push_str(quote);
        Ok(())
    }
}

impl From<Word> for minijinja::Value {
    fn from(word: Word) -> Self {
        Self::from_object(word)
    }
}

pub(super) const SERVICE: &str = "service.j2";
pub(super) const TIMER: &str = "timer.j2";
pub(super) const CRON: &str = "cron.j2";

/// Renders one of the files.
pub(super) fn render(template: &'static str, view: View) -> Result<String, RenderError> {
    static TEMPLATES: LazyLock<Templates> = LazyLock::new(|| {
        Templates::new::<Word>([
            (SERVICE, include_str!("templates/service.j2")),
            (TIMER, include_str!("templates/timer.j2")),
            (CRON, include_str!("templates/cron.j2")),
        ])
    });
    TEMPLATES.render(template, view)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(form: Form, text: &str) -> Result<String, String> {
        let mut out = String::new();
        Word { form, text: text.into() }.write(&mut out).map(|()| out)
    }

    #[test]
    fn a_word_stays_one() {
        let text = "/srv/a b/$HOME/100%/\"x\"/it's\\";
        let unit = r#""/srv/a b/$$HOME/100%%/\"x\"/it's\\""#;
        assert_eq!(written(Form::Unit, text).as_deref(), Ok(unit));
        let cron = r#"'/srv/a b/$HOME/100\%/"x"/it'\''s\'"#;
        assert_eq!(written(Form::Cron, text).as_deref(), Ok(cron));
        assert_eq!(written(Form::Path, "/srv/a b/100%").as_deref(), Ok("/srv/a b/100%%"));
        for text in ["/srv/a ", "/srv/a\\"] {
            assert!(written(Form::Path, text).is_err(), "{text}");
        }
        for form in [Form::Unit, Form::Cron, Form::Path] {
            assert!(written(form, "/srv/a\nb").is_err());
        }
    }
}
