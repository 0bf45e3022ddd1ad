//! Certificates by ACME, against real authorities and those that fail.

mod authorities;
mod bootstrap;
mod client;
mod commands;
mod dead_orders;
mod dns;
mod dns_apis;
mod failing_names;
mod failures;
mod imports;
mod issuing;
mod judged;
mod lineage_files;
mod lineage_ground;
mod lineages;
mod many;
mod on_disk;
mod partly;
mod renewing;
mod revoking;
mod said;
mod served;
mod servers;
mod story;
