//! The file of vsa's own that stands over a stack's Compose file.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use super::scalar::Scalar;
use crate::names::{ImageReference, Size};
use crate::template::{RenderError, Templates, View};

/// The label that says which files a service's containers were made with: Compose itself does not look into them.
pub const FILES_LABEL: &str = "vsa.files";

const TEMPLATE: &str = "override.yml.j2";

/// What vsa says of a service over what its Compose file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Override {
    /// The image that it runs.
    pub image: Option<ImageReference>,
    /// The most memory that each container gets.
    pub memory: Option<Size>,
    /// The most processor time that each container gets, in thousandths of a processor.
    pub cpus: Option<u32>,
    /// Whether the limits are those of a swarm's tasks.
    pub swarm: bool,
    /// The digest of the files that it mounts: with them it changes, and with it Compose's hash of the service.
    pub files: Option<String>,
    /// Ports inside its containers, each with the loopback ports that it is published on: one for each container.
    pub ports: Vec<(u16, Vec<u16>)>,
    /// The name of its only container.
    pub container: Option<Arc<str>>,
    /// Networks, as the Compose file calls them, with the names that it has there besides its own.
    pub networks: BTreeMap<Arc<str>, Vec<Arc<str>>>,
}

/// What vsa says of a network over what the Compose file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkOverride {
    /// How Docker knows it.
    pub name: Arc<str>,
    /// Whether it is there without the stack.
    pub external: bool,
}

impl Override {
    fn view(&self, name: &Arc<str>) -> View {
        let ports = self.ports.iter().filter_map(|(inside, ports)| {
            let (first, last) = (ports.iter().min()?, ports.iter().max()?);
            Some(Scalar::loopback(*first, *last, *inside))
        });
        View::new()
            .with("name", Scalar::Text(Arc::clone(name)))
            .optional("image", self.image.as_ref().map(Scalar::of))
            .with("swarm", self.swarm)
            .optional("memory", self.memory.as_ref().map(Scalar::of))
            .optional("cpus", self.cpus.map(Scalar::Thousandths))
            .optional("files", self.files.as_ref().map(|digest| Scalar::Text(digest.as_str().into())))
            .list("ports", ports)
            .optional("container", self.container.clone().map(Scalar::Text))
            .list(
                "networks",
                self.networks.iter().map(|(name, aliases)| {
                    View::new()
                        .with("name", Scalar::Text(Arc::clone(name)))
                        .list("aliases", aliases.iter().cloned().map(Scalar::Text))
                }),
            )
    }
}

/// The text of the file. Services of which nothing is said are left out, but for the first where nothing is said of any.
pub fn override_file(
    services: &BTreeMap<Arc<str>, Override>,
    networks: &BTreeMap<Arc<str>, NetworkOverride>,
) -> Result<String, RenderError> {
    static TEMPLATES: LazyLock<Templates> =
        LazyLock::new(|| Templates::new::<Scalar>([(TEMPLATE, include_str!("templates/override.yml.j2"))]));
    let says = |service: &Override| *service != Override::default();
    let silent = services.keys().take(usize::from(!services.values().any(says)));
    let silent = silent.map(|name| Scalar::Text(Arc::clone(name)));
    let said = services.iter().filter(|(_, service)| says(service));
    let views = said.map(|(name, service)| service.view(name));
    let networks = networks.iter().map(|(key, network)| {
        View::new()
            .with("key", Scalar::Text(Arc::clone(key)))
            .with("name", Scalar::Text(Arc::clone(&network.name)))
            .with("external", network.external)
    });
    TEMPLATES.render(
        TEMPLATE,
        View::new().list("services", views).list("silent", silent).list("networks", networks),
    )
}
