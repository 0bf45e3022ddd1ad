//! Which certificates authorities are asked for, beside those that are new or due.

use std::collections::BTreeSet;

use crate::address::Address;

/// What a plan tries, and what it leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    /// To be had anew although it is not due, and although it failed a moment ago.
    pub anew: BTreeSet<Address>,
    /// Not to be asked for: it could not be had in this very run.
    pub without: BTreeSet<Address>,
    /// Whether what failed before, and all goes on without, is tried once its pause has ended.
    pub again: bool,
}

/// Whether something is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Attempt {
    /// Where it is new or due; what failed before, and not for a reason that passes by itself, is left to who tries again,
    /// where things go on without it and it is not late.
    #[default]
    Usual,
    /// Where it is new or due; what failed before too, once its pause has ended.
    Again,
    /// In any case.
    Anew,
    /// In no case.
    Without,
}

impl Attempts {
    /// Whether this one is asked for.
    pub(super) fn of(&self, address: &Address) -> Attempt {
        if self.without.contains(address) {
            Attempt::Without
        } else if self.anew.contains(address) {
            Attempt::Anew
        } else if self.again {
            Attempt::Again
        } else {
            Attempt::Usual
        }
    }
}
