//! Certificates by ACME, against real authorities and those that fail.

mod authorities;
mod bootstrap;
mod client;
mod commands;
mod dns;
mod dns_apis;
mod failures;
mod imports;
mod issuing;
mod judged;
mod lineages;
mod many;
mod renewing;
mod revoking;
mod served;
mod servers;
