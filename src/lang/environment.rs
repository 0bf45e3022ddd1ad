//! What functions may know of the world outside the configuration.

use std::path::Path;

use crate::resource::Tree;

/// Files, clock and environment for functions; the language itself touches none of them.
///
/// Errors are the reason in a few words, as in `no such file`.
pub trait Environment: Send + Sync {
    /// The bytes of a file; a relative path is relative to the directory of the root module.
    fn read(&self, path: &Path) -> Result<Vec<u8>, String>;

    /// The files below a directory; a relative path is relative to the directory of the root module.
    fn tree(&self, path: &Path) -> Result<Tree, String>;
}

/// An environment that has nothing: for tests, and where expressions must be constant.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoEnvironment;

impl Environment for NoEnvironment {
    fn read(&self, _: &Path) -> Result<Vec<u8>, String> {
        Err("files cannot be read here".to_owned())
    }

    fn tree(&self, _: &Path) -> Result<Tree, String> {
        Err("files cannot be read here".to_owned())
    }
}
