//! Certificates by ACME, against real authorities and those that fail.

mod dns;
mod dns_apis;
mod servers;
