//! Certificates by ACME, against real authorities and those that fail.

mod client;
mod dns;
mod dns_apis;
mod lineages;
mod servers;
