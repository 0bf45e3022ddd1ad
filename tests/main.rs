//! The integration tests: one program, a module each capability, `support` shared by all.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests touch the world and end at the first surprise"
)]

mod layers;
mod store;
mod support;
