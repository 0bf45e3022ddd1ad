//! Projects in a swarm: what `docker stack deploy` does not take of one, and what it is given.

mod deployment;
mod document;
mod lint;
mod services;
mod tree;
mod updating;

pub use deployment::{Contents, Deployment, Setup, blob_name};
pub use document::Part;
pub use lint::lint;
pub use services::OWNER;
pub use updating::{Order, Updating};
