//! The stacks that are shipped: each is what a stack on a shared server should be, and says so of itself.

mod configuration;
mod embedded;
mod examples;
mod findings;
mod placeholders;
mod readme;
mod rules;
pub mod shipped;

use shipped::{Shipped, every};
