//! A machine beside this one: a network of its own, at the other end of a wire.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener};
use std::process::Command;

use nix::sched::{CloneFlags, setns};

/// The machine; its network ends when this is dropped.
pub struct Foreign {
    name: String,
    v4: Ipv4Addr,
    v6: Ipv6Addr,
}

fn ip(arguments: &str) -> bool {
    Command::new("ip").args(arguments.split(' ')).status().is_ok_and(|status| status.success())
}

impl Foreign {
    /// Makes one that the network that the caller is in reaches. `None` where networks cannot be made, with a line that
    /// says so.
    pub fn start() -> Option<Self> {
        super::service::program("ip").filter(|_| super::root())?;
        // Addresses for measurements (RFC 2544) and private ones, by a number that no other process has.
        let number = std::process::id();
        let [.., high, low] = (number % (1 << 14) * 4).to_be_bytes();
        let name = format!("vsa-{number}");
        let v4 = |last| Ipv4Addr::new(198, 18, high, low + last);
        let v6 = |last| Ipv6Addr::new(0xfd76, 0x7361, 0, 0, 0, u16::from_be_bytes([high, low]), 0, last);
        let (here, there) = (format!("v{number}h"), format!("v{number}t"));
        let steps = [
            format!("netns add {name}"),
            format!("link add {here} type veth peer name {there} netns {name}"),
            format!("addr add {}/30 dev {here}", v4(1)),
            format!("addr add {}/112 dev {here} nodad", v6(1)),
            format!("link set {here} up"),
            format!("-n {name} addr add {}/30 dev {there}", v4(2)),
            format!("-n {name} addr add {}/112 dev {there} nodad", v6(2)),
            format!("-n {name} link set {there} up"),
        ];
        let this = Self { name, v4: v4(2), v6: v6(2) };
        if steps.iter().all(|step| ip(step)) {
            return Some(this);
        }
        super::skipped("no network can be made for a machine beside this one");
        None
    }

    /// Its IPv4 address.
    pub fn v4(&self) -> IpAddr {
        self.v4.into()
    }

    /// Its IPv6 address.
    pub fn v6(&self) -> IpAddr {
        self.v6.into()
    }

    /// Listens there.
    pub fn listen(&self, port: u16) -> TcpListener {
        let network = File::open(format!("/run/netns/{}", self.name)).unwrap();
        let (address, name) = (self.v4, self.name.clone());
        // The socket stays where it was made; only this thread enters.
        let bound = std::thread::spawn(move || {
            setns(network, CloneFlags::CLONE_NEWNET).unwrap_or_else(|error| panic!("{name}: {error}"));
            TcpListener::bind((address, port)).unwrap()
        });
        bound.join().unwrap()
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        ip(&format!("netns del {}", self.name));
    }
}
