//! How a swarm replaces the tasks of a service.

use crate::compose::Service;
use crate::compose::node::Node;

/// In which order tasks are replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The new one runs before the old one ends.
    StartFirst,
    /// The old one ends first.
    StopFirst,
}

/// How the tasks of a service are replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Updating {
    /// In which order.
    pub order: Order,
    /// How many at once; 0 for all.
    pub parallelism: u32,
}

impl Updating {
    /// As a service's file says, or else as `start_first` does.
    pub fn of(service: &Service, start_first: bool) -> Self {
        let said = |key| service.at(&["deploy", "update_config", key]).and_then(Node::text);
        let starts = said("order").map_or(start_first, |order| &*order.text == "start-first");
        let order = if starts { Order::StartFirst } else { Order::StopFirst };
        // One task at once, unless it says otherwise.
        let parallelism = said("parallelism").and_then(|text| text.text.parse().ok()).unwrap_or(1);
        Self { order, parallelism }
    }

    /// Whether some of so many tasks answer all the while.
    pub fn is_gapless(self, replicas: u32) -> bool {
        self.order == Order::StartFirst || self.parallelism != 0 && self.parallelism < replicas
    }
}
