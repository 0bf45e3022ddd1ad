//! Networks, and how many more there can be.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::{AddressPool, Container};

/// The label by which Compose says which project something is of.
pub const COMPOSE_PROJECT: &str = "com.docker.compose.project";

/// A network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// Its id.
    pub id: String,
    /// Its name. Docker does not make them unique; Compose and vsa do.
    pub name: String,
    /// `bridge`, `overlay`, ….
    pub driver: String,
    /// `local` to the node, of the `swarm`, or `global`.
    pub scope: String,
    /// Whether it has no way out.
    pub internal: bool,
    /// Its labels, Compose's and vsa's own.
    pub labels: BTreeMap<String, String>,
    /// Its address ranges.
    pub subnets: Vec<IpNet>,
}

impl Network {
    /// The Compose project that made it.
    pub fn project(&self) -> Option<&str> {
        self.labels.get(COMPOSE_PROJECT).map(String::as_str)
    }
}

/// The ids of the containers that are attached to a network, running or not.
pub fn attached<'a>(network: &'a Network, containers: &'a [Container]) -> impl Iterator<Item = &'a str> {
    let is_in = |container: &&Container| container.networks.values().any(|place| place.network == network.id);
    containers.iter().filter(is_in).map(|container| container.id.as_str())
}

/// How many more networks without a subnet of their own the pools have room for; `pools` may be empty, as an engine
/// answers that has the built-in ones. The engine also leaves out ranges that the host has routes to, so that there
/// may be fewer. Counts to `enough` and no further: a pool of IPv6 has more than anybody will count.
pub fn free_subnets(pools: &[AddressPool], networks: &[Network], enough: usize) -> usize {
    let built_in;
    let pools = if pools.is_empty() {
        built_in = AddressPool::built_in();
        &built_in
    } else {
        pools
    };
    let taken: Vec<IpNet> = networks.iter().flat_map(|network| &network.subnets).copied().collect();
    let overlaps = |one: &IpNet| taken.iter().any(|other| one.contains(other) || other.contains(one));
    pools.iter().flat_map(subnets).filter(|subnet| !overlaps(subnet)).take(enough).count()
}

/// The subnets of a pool, in order. Networks get those of IPv4 alone unless they ask.
fn subnets(pool: &AddressPool) -> impl Iterator<Item = IpNet> + use<> {
    let v4 = pool.base.addr().is_ipv4().then(|| pool.base.subnets(pool.size)).and_then(Result::ok);
    v4.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(name: &str, subnet: &str) -> Network {
        Network {
            id: name.to_owned(),
            name: name.to_owned(),
            driver: "bridge".to_owned(),
            scope: "local".to_owned(),
            internal: false,
            labels: BTreeMap::new(),
            subnets: vec![subnet.parse().unwrap()],
        }
    }

    #[test]
    fn the_built_in_pools_end_at_thirty_one() {
        assert_eq!(free_subnets(&[], &[], 1000), 31);
        let bridge = network("bridge", "172.17.0.0/16");
        assert_eq!(free_subnets(&[], std::slice::from_ref(&bridge), 1000), 30);
        assert_eq!(free_subnets(&[], &[bridge, network("b", "192.168.16.0/24")], 1000), 29);
    }

    #[test]
    fn larger_pools_hold_more_and_counting_stops_at_enough() {
        let pool = AddressPool { base: "10.201.0.0/16".parse().unwrap(), size: 24 };
        assert_eq!(free_subnets(&[pool], &[], 1000), 256);
        assert_eq!(free_subnets(&[pool], &[], 40), 40);
        assert_eq!(free_subnets(&[pool], &[network("all", "10.0.0.0/8")], 40), 0);
        let wrong = AddressPool { base: "10.201.0.0/16".parse().unwrap(), size: 8 };
        assert_eq!(free_subnets(&[wrong], &[], 40), 0);
    }
}
