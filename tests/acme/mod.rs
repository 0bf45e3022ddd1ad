//! Certificates by ACME, against real authorities and those that fail.

mod client;
mod dns;
mod dns_apis;
mod issuing;
mod lineages;
mod servers;
