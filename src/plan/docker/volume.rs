//! Volumes with a name.

/// A volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// The Compose project that made it.
    pub project: Option<String>,
}
