//! Diagnostics together: said once each, and what stops the command told from what does not.

use std::collections::HashMap;

use super::{Diagnostic, Severity};

/// Diagnostics in the order they were found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        // Of the many lists with anything in them, nearly all hold one.
        if self.0.capacity() == 0 {
            self.0.reserve_exact(1);
        }
        self.0.push(diagnostic);
    }

    /// Puts them into the order of the files, those without a place last, and leaves repeated ones away.
    pub fn sort(&mut self) {
        let place = |diagnostic: &Diagnostic| diagnostic.primary.as_ref().map(|label| label.span);
        self.0.sort_by_key(|diagnostic| (place(diagnostic).is_none(), place(diagnostic)));
        // A reference to nothing is found while the order is looked for, and again by the resource that it stands in.
        self.0.dedup_by(|later, earlier| {
            let (after, before) = (later.address.take(), earlier.address.take());
            let same = later == earlier && (after.is_none() || before.is_none() || after == before);
            earlier.address = if same { before.or_else(|| after.clone()) } else { before };
            later.address = after;
            same
        });
    }

    /// Leaves a remark on nothing in particular away where the same is said more gravely.
    #[must_use]
    pub fn without_milder(mut self) -> Self {
        let is_bare = |diagnostic: &Diagnostic| diagnostic.address.is_none() && diagnostic.primary.is_none();
        let mut gravest: HashMap<String, Severity> = HashMap::new();
        for diagnostic in self.0.iter().filter(|diagnostic| is_bare(diagnostic)) {
            match gravest.get_mut(&diagnostic.summary) {
                Some(severity) => *severity = diagnostic.severity.max(*severity),
                None => drop(gravest.insert(diagnostic.summary.clone(), diagnostic.severity)),
            }
        }
        let is_milder = |diagnostic: &Diagnostic| {
            let gravest = gravest.get(&diagnostic.summary);
            is_bare(diagnostic) && gravest.is_some_and(|gravest| diagnostic.severity < *gravest)
        };
        self.0.retain(|diagnostic| !is_milder(diagnostic));
        self
    }

    /// Whether any of them stops the command.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(Diagnostic::is_error)
    }

    /// Itself, where nothing stops the command.
    ///
    /// # Errors
    /// Itself, where something does.
    pub fn without_errors(self) -> Result<Self, Self> {
        if self.has_errors() { Err(self) } else { Ok(self) }
    }

    /// Makes room for so many more.
    pub fn reserve(&mut self, more: usize) {
        self.0.reserve(more);
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// In the order they were found.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    /// `value`, or the diagnostics where one of them is an error (warnings are then among them).
    pub fn into_result<T>(self, value: T) -> Result<(T, Self), Self> {
        if self.has_errors() { Err(self) } else { Ok((value, self)) }
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(diagnostic: Diagnostic) -> Self {
        Self(vec![diagnostic])
    }
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<I: IntoIterator<Item = Diagnostic>>(&mut self, iter: I) {
        self.0.extend(iter);
    }
}

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<I: IntoIterator<Item = Diagnostic>>(iter: I) -> Self {
        Self(iter.into_iter().collect())
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}
