//! Certificates by ACME, against real authorities and those that fail.

mod bootstrap;
mod client;
mod dns;
mod dns_apis;
mod issuing;
mod lineages;
mod servers;
