//! The functions of the language: Terraform's names, with the same results. A file each family.
//!
//! A function is data (name, parameters, text) and a pure function of its arguments; what it may know of the outside is
//! the [`super::Environment`] among them.

mod collection;
mod conversion;
mod encoding;
mod filesystem;
mod format;
mod function;
mod hash;
mod numeric;
mod sequence;
mod set;
mod string;

pub use function::{Arguments, Function, FunctionError, Parameter};

pub(in crate::lang) use function::{Body, Reading};

use std::collections::BTreeMap;
use std::sync::LazyLock;

static FUNCTIONS: LazyLock<BTreeMap<&'static str, Function>> = LazyLock::new(|| {
    let families = [
        collection::functions(),
        conversion::functions(),
        encoding::functions(),
        filesystem::functions(),
        format::functions(),
        hash::functions(),
        numeric::functions(),
        sequence::functions(),
        set::functions(),
        string::functions(),
    ];
    families.into_iter().flatten().map(|function| (function.name, function)).collect()
});

/// The function of this name.
pub fn get(name: &str) -> Option<&'static Function> {
    FUNCTIONS.get(name)
}

/// All functions, in the order of their names.
pub fn all() -> impl Iterator<Item = &'static Function> {
    FUNCTIONS.values()
}
