//! Do: all that is said to certificate authorities by ACME (RFC 8555), and what is found out before they are asked.
//!
//! | module | what |
//! |---|---|
//! | `authority` | the narrow trait behind which an authority stands, and why one refuses |
//! | `directory`, `account`, `client`, `order`, `refusal`, `wire` | `instant-acme` behind that trait, with bounds on everything |
//! | `signing_key`, `registration` | requests that are signed with a key and no account: the library cannot be given the key |
//! | `dns` | TXT records that prove control over names, one provider a file |
//! | `guard` | what is looked at before an authority is asked |
//! | `explain` | what a refusal means for people |
//! | `http` | the one HTTP client |
//! | `resolver` | look-ups in the DNS |

mod account;
pub mod authority;
mod client;
mod directory;
pub mod dns;
mod explain;
pub mod guard;
pub mod http;
mod order;
mod refusal;
mod registration;
pub mod resolver;
mod signing_key;
mod wire;

pub use account::{Account, ExternalAccount};
pub use authority::{Authority, Chain, NewOrder, Order, OrderStatus, Proof, Reason, Refused};
pub use client::Client;
pub use directory::Directory;
pub use explain::{explain, explain_revocation};
