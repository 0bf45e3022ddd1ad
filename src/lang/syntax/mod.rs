//! From text to structures with exact places.

mod carriage;
mod parse;
mod read;
mod source;
mod split;
mod twice;

pub use parse::{Parsed, TopLevel, expression, parse, template};
pub use read::read;
pub use source::Source;
