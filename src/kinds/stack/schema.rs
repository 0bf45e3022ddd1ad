//! What a `stack` block may hold.

use crate::names::{
    Duration, FileText, ImageReference, RelativePath, ServiceName, Size, Slug, StackSource, Text as _,
    VariableName, VariableValue,
};
use crate::schema::{Block, Export, Nesting, Schema, Ty, attribute, nested};
use crate::value::Value;

const STATUSES: &[(&str, &str)] = &[
    ("running", "its containers run"),
    (
        "stopped",
        "its containers are stopped; they and their data stay. In a swarm, its services stay without tasks",
    ),
];

const ENGINES: &[(&str, &str)] = &[
    ("compose", "the Compose tool, on this node"),
    (
        "swarm",
        "the swarm that the node manages; its sites need a proxy in a container. Each node pulls with the registry logins of \
         whoever runs vsa (`docker login`)",
    ),
];

const PULLS: &[(&str, &str)] = &[
    (
        "missing",
        "an image that is not there. In a swarm, registries are asked what a new name means, and each node pulls what it \
         lacks",
    ),
    ("always", "all images, with each change. In a swarm, registries are asked what each name means by now"),
    ("never", "none: they must be on the node. In a swarm, no registry is asked what a name means"),
];

const UPDATES: &[(&str, &str)] = &[
    ("recreate", "containers are made anew in the place of the old ones, which end first"),
    (
        "rolling",
        "services that sites name come up beside the old containers, which go once the new ones are healthy and serve; in a \
         swarm, new tasks start before old ones end, where the file does not say",
    ),
];

fn limits() -> Block {
    Block {
        attributes: vec![
            attribute("memory", Ty::Text(&Size::TYPE), "The most memory that each of its containers gets."),
            attribute(
                "cpus",
                Ty::Integer(1..=100_000),
                "The most processor time that each of its containers gets, in thousandths of a processor.",
            ),
        ],
        blocks: Vec::new(),
    }
}

pub(super) fn schema() -> Schema {
    let text = |text: &str| Value::from(text);
    let wait = Block {
        attributes: vec![
            attribute("timeout", Ty::Text(&Duration::TYPE), "How long containers may take to be healthy.")
                .default(text("2m")),
        ],
        blocks: Vec::new(),
    };
    Schema {
        kind: "stack",
        doc: "A Docker Compose project of a tenant.\n\nIts files lie in `<srv_root>/<tenant>/<label>`: `compose/` \
              holds what its `source` or `compose` gives, `env/.env` its variables, `data/` and `logs/` are for its \
              containers. Data and named volumes stay when the stack goes.",
        label: &Slug::TYPE,
        instance_name: None,
        implied_label: None,
        body: Block {
            attributes: vec![
                attribute("tenant", Ty::Ref("tenant"), "Whose stack it is.").required().forces_replacement(),
                attribute(
                    "source",
                    Ty::Text(&StackSource::TYPE),
                    "A directory with a `compose.yml`, and what that names; or `vsa://` and a stack that comes with \
                     vsa. A relative path is relative to the configuration.",
                )
                .tree(),
                attribute(
                    "compose",
                    Ty::Text(&FileText::TYPE),
                    "The text of a Compose file, in the place of `source`.",
                ),
                attribute(
                    "env",
                    Ty::Map(&VariableName::TYPE, Box::new(Ty::Text(&VariableValue::TYPE))),
                    "Variables that its Compose files name as `${NAME}`. They may be sensitive.",
                )
                .may_be_sensitive(),
                attribute(
                    "files",
                    Ty::Map(&RelativePath::TYPE, Box::new(Ty::Text(&FileText::TYPE))),
                    "More files beside the Compose file, or others in the place of the source's. They may be \
                     sensitive.",
                )
                .may_be_sensitive(),
                attribute("profiles", Ty::List(Box::new(Ty::Text(&ServiceName::TYPE))), "Profiles that are on.")
                    .default(Value::tuple([])),
                attribute("status", Ty::Enum(STATUSES), "Whether its containers run.").default(text("running")),
                attribute(
                    "engine",
                    Ty::Enum(ENGINES),
                    "What runs it: the same Compose file goes to the one or the other. A stack that is there has to go \
                     first; its data stays.",
                )
                .default(text("compose")),
                attribute(
                    "images",
                    Ty::Map(&ServiceName::TYPE, Box::new(Ty::Text(&ImageReference::TYPE))),
                    "Images of services, in the place of those that the Compose file names.",
                ),
                attribute("pull", Ty::Enum(PULLS), "Which images are pulled before a change.")
                    .default(text("missing")),
                attribute("update", Ty::Enum(UPDATES), "How containers are replaced.").default(text("recreate")),
                attribute(
                    "allow",
                    Ty::List(Box::new(Ty::Text(&FileText::TYPE))),
                    "What its Compose files may do against the rules: a rule, `rule:name` for one service, network or \
                     volume, or an absolute path that may be mounted.",
                )
                .default(Value::tuple([])),
                attribute(
                    "networks",
                    Ty::List(Box::new(Ty::Ref("network"))),
                    "Networks of the same tenant, or of the node, that its services may join: its Compose file names \
                     each as `external`, with the network's `id` as its `name`. In a swarm, only those with `driver = \
                     \"overlay\"`.",
                )
                .default(Value::tuple([])),
                attribute("node", Ty::Ref("node"), "Where it runs.").only_one(),
            ],
            blocks: vec![
                nested("wait", Nesting::Defaulted, "How long an apply waits for it.", wait),
                nested(
                    "limits",
                    Nesting::Labelled(&ServiceName::TYPE),
                    "What a service may use, in the place of what the Compose file says.",
                    limits(),
                ),
            ],
        },
        exports: vec![
            Export { name: "project", doc: "The name of its Compose project: `<tenant>-<label>`." },
            Export { name: "tenant", doc: "The label of its tenant." },
            Export { name: "status", doc: "`running` or `stopped`." },
            Export { name: "update", doc: "`recreate` or `rolling`." },
            Export { name: "engine", doc: "`compose` or `swarm`." },
        ],
    }
}
