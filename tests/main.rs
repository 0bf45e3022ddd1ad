//! The integration tests: one program, a module each capability, `support` shared by all.
#![expect(
    clippy::disallowed_methods,
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "tests touch the world, end at the first surprise, and share `support` like a library"
)]
#![expect(dead_code, unused_imports, reason = "the stories to come use the rest of `support`")]

mod acme;
mod addresses;
mod applied;
mod audit;
mod bounds;
mod canary;
mod compose;
mod config;
mod conformance;
mod container_proxy;
mod continuity;
mod convergence;
mod docker;
mod documents;
mod examples;
mod faults;
mod foreign_containers;
mod fuzz;
mod hostile;

mod injection;
mod interruptions;
mod kills;
mod kinds;
mod language;
mod large_nodes;
mod layers;
mod lifecycle;
mod linted;
mod many_stacks;
mod networks;
mod nginx_files;
mod nodes;
mod ownership;
mod pipes;
mod reference;
mod remarks;
mod saved_plans;
mod security;
mod snippets;
mod soak;
mod stack;
mod stacks;
mod store;
mod support;
mod switch;
mod without_docker;
