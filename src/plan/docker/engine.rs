//! The engine itself.

use std::path::PathBuf;

use ipnet::IpNet;

/// A Docker engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Engine {
    /// Its version: `20.10.24`.
    pub version: String,
    /// The newest version of its API: `1.41`.
    pub api_version: String,
    /// Where it keeps images, containers and volumes.
    pub root_dir: PathBuf,
    /// Whether the machine passes packets on between its networks (`net.ipv4.ip_forward`).
    pub forwards: bool,
    /// What it is to a swarm.
    pub swarm: SwarmMembership,
    /// Where networks without a subnet of their own get one, where its configuration says so. Empty: see
    /// [`AddressPool::built_in`].
    pub address_pools: Vec<AddressPool>,
}

/// What an engine is to a swarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SwarmMembership {
    /// It is in none.
    Inactive,
    /// It is in one.
    Active {
        /// Its id there.
        node_id: String,
        /// Whether it is a manager: only those list and deploy services.
        manager: bool,
    },
    /// It is in one that cannot be used now: `pending`, `locked`, `error`.
    Unusable {
        /// The engine's word for it.
        state: String,
        /// Why, where the engine says.
        reason: Option<String>,
    },
}

/// A range that is cut into subnets for networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressPool {
    /// The range.
    pub base: IpNet,
    /// The prefix length of each subnet.
    pub size: u8,
}

impl AddressPool {
    /// The pools of an engine whose configuration names none: `172.17.0.0/16` to `172.31.0.0/16` whole, and
    /// `192.168.0.0/16` in sixteenths (Docker's `libnetwork/ipamutils`).
    pub fn built_in() -> Vec<Self> {
        let net = |a, b, prefix| IpNet::new_assert(std::net::IpAddr::from([a, b, 0, 0]), prefix);
        let whole = (17..=31).map(|second| Self { base: net(172, second, 16), size: 16 });
        whole.chain([Self { base: net(192, 168, 16), size: 20 }]).collect()
    }
}
