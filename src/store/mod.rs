//! Do: the state document, its lock and its key on the local disk.

#![expect(clippy::disallowed_methods, reason = "state, lock and key are files: this is one of their homes")]

mod error;
mod files;
mod init;
mod key_file;
mod layout;
mod lock;
mod state_file;

pub use error::Error;
pub use init::{Initialised, init};
pub use key_file::{create_key, ensure_key, read_key};
pub use layout::Layout;
pub use lock::{Holder, Lock};
pub use state_file::{BACKUPS, StateFile, to_text};
