//! Certificates by ACME, against real authorities and those that fail.

mod authorities;
mod bootstrap;
mod client;
mod dns;
mod dns_apis;
mod failures;
mod issuing;
mod lineages;
mod many;
mod renewing;
mod served;
mod servers;
