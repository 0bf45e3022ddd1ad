use super::{Project, Purpose, Report, Rule};
use crate::compose::Port;
use crate::diag::Severity;

pub(super) const RULE: Rule = Rule {
    name: "published_database",
    code: "compose_published_database",
    severity: Severity::Error,
    purpose: Purpose::Safety,
    summary: "ports of databases and of administration, published on more than the node itself",
    doc: "services of a stack reach each other by name, without `ports`: remove it, or publish on `127.0.0.1`",
    check,
};

/// Ports and what listens there.
const KNOWN: [(u16, &str); 36] = [
    (22, "SSH"),
    (111, "RPC"),
    (389, "LDAP"),
    (445, "SMB"),
    (873, "rsync"),
    (1433, "SQL Server"),
    (1521, "Oracle"),
    (2049, "NFS"),
    (2181, "ZooKeeper"),
    (2375, "Docker"),
    (2376, "Docker"),
    (2377, "Docker Swarm"),
    (2379, "etcd"),
    (2380, "etcd"),
    (3306, "MySQL"),
    (4369, "Erlang"),
    (5432, "PostgreSQL"),
    (5433, "PostgreSQL"),
    (5672, "RabbitMQ"),
    (5984, "CouchDB"),
    (6333, "Qdrant"),
    (6334, "Qdrant"),
    (6379, "Redis"),
    (6443, "Kubernetes"),
    (7687, "Neo4j"),
    (8123, "ClickHouse"),
    (8500, "Consul"),
    (9042, "Cassandra"),
    (9092, "Kafka"),
    (9200, "Elasticsearch"),
    (9300, "Elasticsearch"),
    (11211, "memcached"),
    (15672, "RabbitMQ"),
    (19530, "Milvus"),
    (27017, "MongoDB"),
    (33060, "MySQL"),
];

/// What a published port is known for, on either side.
pub(super) fn is_database(port: &Port) -> Option<(u16, &'static str)> {
    let within = |known: &(u16, &str)| {
        port.target.contains(&known.0)
            || port.published.as_ref().is_some_and(|range| range.contains(&known.0))
    };
    KNOWN.into_iter().find(within)
}

fn check(project: &Project, report: &mut Report<'_>) {
    for service in project.services.values() {
        for port in service.ports.iter().filter(|port| !port.is_loopback()) {
            if let Some((number, what)) = is_database(port) {
                report.service(service, port.span, format!("{what} (port {number}) is open to the network"));
            }
        }
    }
}
