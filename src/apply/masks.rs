//! The secrets of a run: nothing that others say is kept or shown with them.

use super::compose::masked;
use super::operations::spelled;
use crate::diag::Diagnostic;
use crate::value::Secret;

/// The secrets, each as it may be written.
#[derive(Default)]
pub(super) struct Masks(Vec<String>);

impl Masks {
    pub(super) fn of<'a>(secrets: impl Iterator<Item = &'a Secret>) -> Self {
        let texts: Vec<String> = secrets.map(|secret| secret.expose().trim().to_owned()).collect();
        Self(spelled(&texts))
    }

    /// A text without them.
    pub(super) fn text(&self, text: &str) -> String {
        masked(text.to_owned(), &self.0)
    }

    /// An error without them.
    pub(super) fn error(&self, error: Diagnostic) -> Diagnostic {
        Diagnostic {
            summary: self.text(&error.summary),
            detail: self.text(&error.detail),
            help: error.help.iter().map(|help| self.text(help)).collect(),
            ..error
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_is_echoed_is_not_repeated() {
        let secrets = [Secret::new("s3cret-token\n"), Secret::new(""), Secret::new("key")];
        let masks = Masks::of(secrets.iter());
        let error =
            Diagnostic::error("it says s3cret-token").detail("s3cret-token, key").help("run x s3cret-token");
        let told = masks.error(error);
        assert_eq!((told.summary.as_str(), told.detail.as_str()), ("it says ********", "********, ********"));
        assert_eq!(told.help, ["run x ********"]);
    }
}
