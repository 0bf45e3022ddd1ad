//! nginx's language and files.

mod marker;

pub use marker::{MANIFEST, marker_file};
