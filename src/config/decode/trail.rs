//! The way from a resource to the part being decoded; costs nothing until it is asked for.

use crate::resource::{Path, Step};

/// One step, linked to those before it.
#[derive(Clone, Copy)]
pub(in crate::config) enum Trail<'a> {
    /// The resource itself.
    Root,
    /// An attribute, a block or a key of a map.
    Name(&'a Trail<'a>, &'a str),
    /// An element of a list.
    Index(&'a Trail<'a>, usize),
}

impl<'a> Trail<'a> {
    /// An attribute, block or key inside this place.
    pub(in crate::config) fn name(&'a self, name: &'a str) -> Self {
        Self::Name(self, name)
    }

    /// An element inside this place.
    pub(in crate::config) fn index(&'a self, index: usize) -> Self {
        Self::Index(self, index)
    }

    /// As a path.
    pub(in crate::config) fn path(&self) -> Path {
        let mut steps = Vec::new();
        let mut here = self;
        loop {
            match here {
                Self::Root => break,
                Self::Name(before, name) => {
                    steps.push(Step::Name((*name).into()));
                    here = before;
                }
                Self::Index(before, index) => {
                    steps.push(Step::Index(*index));
                    here = before;
                }
            }
        }
        steps.reverse();
        Path(steps)
    }
}
