//! The process environment: read here, once, and handed on as a value.
#![expect(clippy::disallowed_methods, reason = "the one home of the environment")]

use std::path::PathBuf;

use zeroize::Zeroizing;

/// What vsa takes from its environment.
pub struct Environment {
    /// `VSA_VAR_name`: values of variables.
    pub variables: Vec<(String, String)>,
    /// `VSA_ROOT`: what all system paths are below.
    pub root: Option<PathBuf>,
    /// `VSA_KEY`: the state's key in hexadecimal.
    pub key: Option<Zeroizing<String>>,
    /// `NO_COLOR`, set and not empty (<https://no-color.org>).
    pub no_color: bool,
    /// `VSA_LOG`: a filter for the trace log on standard error.
    pub log: Option<String>,
    /// The current directory.
    pub directory: Option<PathBuf>,
    /// The user that ran `sudo`.
    pub sudo_user: Option<String>,
    /// A `VSA_` variable that is set to what is no UTF-8 text, which must not count as unset.
    pub unreadable: Option<String>,
    /// The CI job, as the usual runners name it.
    pub job: Option<String>,
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Environment").field("root", &self.root).finish_non_exhaustive()
    }
}

impl Environment {
    /// Reads the process environment.
    pub fn read() -> Self {
        let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.to_str()?.strip_prefix("VSA_VAR_")?.to_owned();
            Some((name, value.to_str()?.to_owned()))
        });
        let mut not_text = std::env::vars_os().filter(|(_, value)| value.to_str().is_none());
        let unreadable =
            not_text.find_map(|(name, _)| name.into_string().ok().filter(|name| name.starts_with("VSA_")));
        Self {
            unreadable,
            variables: variables.collect(),
            root: text("VSA_ROOT").map(PathBuf::from),
            key: text("VSA_KEY").map(Zeroizing::new),
            no_color: text("NO_COLOR").is_some(),
            log: text("VSA_LOG"),
            directory: std::env::current_dir().ok(),
            sudo_user: text("SUDO_USER"),
            job: text("CI_JOB_URL").or_else(|| {
                let url = format!("{}/{}", text("GITHUB_SERVER_URL")?, text("GITHUB_REPOSITORY")?);
                Some(format!("{url}/actions/runs/{}", text("GITHUB_RUN_ID")?))
            }),
        }
    }
}
