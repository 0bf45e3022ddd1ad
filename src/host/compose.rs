//! The Compose tool's command lines.

use std::ffi::OsString;
use std::time::Duration;

use super::Command;
use crate::plan::ComposeProject;
use crate::plan::docker::ComposeTool;

/// How long the tool may take beside pulling and waiting.
const TOOL_TIMEOUT: Duration = Duration::from_mins(30);

/// What the tool is asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Makes all containers as the files say.
    Up {
        /// Whether containers of services that are gone are removed.
        orphans: bool,
        /// Whether no image is pulled. The first Compose cannot be told that: the images must be there.
        never_pull: bool,
    },
    /// Makes the containers of some services as the files say, and those of what they depend on. (`--no-deps` would have
    /// the second Compose give them another hash than they have by the files.)
    UpOf {
        /// The services.
        services: Vec<String>,
        /// As of [`Task::Up`].
        never_pull: bool,
    },
    /// Makes more containers of some services beside those that they have, which stay as they are.
    UpBeside {
        /// How many each shall have then.
        scale: Vec<(String, usize)>,
        /// As of [`Task::Up`].
        never_pull: bool,
    },
    /// Pulls all images.
    Pull,
    /// Stops all containers.
    Stop,
    /// Stops containers and starts them again.
    Restart {
        /// The services; all where none is named.
        services: Vec<String>,
    },
    /// Makes all containers of some services anew, whether they differ from the files or not.
    UpAnew {
        /// The services.
        services: Vec<String>,
        /// As of [`Task::Up`].
        never_pull: bool,
    },
    /// Removes containers and networks. Volumes are known by their labels alone: somebody else's may have the same name.
    Down,
    /// The hash of each service's configuration: a container is made anew where its label has another.
    Hashes,
}

impl Task {
    fn arguments(&self, tool: &ComposeTool) -> Vec<String> {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let up = |options: &[&str], never_pull: bool| {
            let mut arguments = words(&["up", "--detach"]);
            arguments.extend(words(options));
            if never_pull && tool.version.major >= 2 {
                arguments.extend(words(&["--pull", "never"]));
            }
            arguments
        };
        match self {
            Self::Up { orphans: true, never_pull } => up(&["--remove-orphans"], *never_pull),
            Self::Up { orphans: false, never_pull } => up(&[], *never_pull),
            Self::UpOf { services, never_pull } => {
                let mut arguments = up(&[], *never_pull);
                arguments.extend(services.iter().cloned());
                arguments
            }
            Self::UpBeside { scale, never_pull } => {
                let mut arguments = up(&["--no-recreate"], *never_pull);
                let scales =
                    scale.iter().flat_map(|(name, count)| ["--scale".to_owned(), format!("{name}={count}")]);
                arguments.extend(scales);
                arguments.extend(scale.iter().map(|(name, _)| name.clone()));
                arguments
            }
            Self::Pull => words(&["pull"]),
            Self::Hashes => words(&["config", "--hash=*"]),
            Self::Stop => words(&["stop"]),
            Self::Restart { services } => {
                let mut arguments = words(&["restart"]);
                arguments.extend(services.iter().cloned());
                arguments
            }
            Self::UpAnew { services, never_pull } => {
                // The second Compose leaves what they depend on as it is; the first has to be told.
                let alone: &[&str] = if tool.version.major >= 2 { &[] } else { &["--no-deps"] };
                let mut arguments = up(&[&["--force-recreate"], alone].concat(), *never_pull);
                arguments.extend(services.iter().cloned());
                arguments
            }
            Self::Down => words(&["down", "--remove-orphans"]),
        }
    }
}

/// The command line for a task. The engine is named by an option, for the environment is empty.
pub fn command(tool: &ComposeTool, project: &ComposeProject, task: &Task) -> Command {
    let mut command = Command::new(&tool.program)
        .timeout(TOOL_TIMEOUT)
        .arg("--host")
        .arg(format!("unix://{}", project.socket.display()));
    for word in &tool.prefix {
        command = command.arg(word);
    }
    let mut arguments: Vec<OsString> = vec![
        "--project-name".into(),
        project.name.clone().into(),
        "--project-directory".into(),
        project.directory.clone().into(),
        "--env-file".into(),
        project.env_file.clone().into(),
    ];
    for file in &project.files {
        arguments.extend(["--file".into(), file.clone().into()]);
    }
    for profile in &project.profiles {
        arguments.extend(["--profile".into(), profile.clone().into()]);
    }
    arguments.extend(task.arguments(tool).into_iter().map(OsString::from));
    arguments.into_iter().fold(command, Command::arg)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    /// A command line as text, the project's own part of it left away.
    fn line(tool: &ComposeTool, task: &Task) -> String {
        let project = ComposeProject {
            socket: "/run/docker.sock".into(),
            name: "acme-shop".to_owned(),
            directory: "/srv/acme/shop/compose".into(),
            files: ["compose.yml", "vsa.override.yml"].map(PathBuf::from).to_vec(),
            env_file: "/srv/acme/shop/env/.env".into(),
            profiles: vec!["extra".to_owned()],
        };
        let command = command(tool, &project, task);
        let words = command.arguments.iter().map(|word| word.to_string_lossy().into_owned());
        let words: Vec<_> = std::iter::once(command.program.display().to_string()).chain(words).collect();
        words.join(" ")
    }

    #[test]
    fn both_tools_get_the_same_words() {
        let plugin = ComposeTool::plugin(semver::Version::new(2, 20, 2));
        let standalone = ComposeTool::standalone(semver::Version::new(1, 29, 2));
        assert_eq!(
            line(&standalone, &Task::Hashes),
            "docker-compose --host unix:///run/docker.sock --project-name acme-shop --project-directory \
             /srv/acme/shop/compose --env-file /srv/acme/shop/env/.env --file compose.yml --file vsa.override.yml \
             --profile extra config --hash=*"
        );
        let up = Task::Up { orphans: true, never_pull: true };
        assert!(line(&standalone, &up).ends_with(" up --detach --remove-orphans"));
        assert_eq!(
            line(&plugin, &up),
            "docker --host unix:///run/docker.sock compose --project-name acme-shop --project-directory \
             /srv/acme/shop/compose --env-file /srv/acme/shop/env/.env --file compose.yml --file vsa.override.yml \
             --profile extra up --detach --remove-orphans --pull never"
        );
        let beside = Task::UpBeside { scale: vec![("web".to_owned(), 2)], never_pull: false };
        let words = " up --detach --no-recreate --scale web=2 web";
        assert!(line(&standalone, &beside).ends_with(words) && line(&plugin, &beside).ends_with(words));
        let again = Task::Restart { services: vec!["web".to_owned()] };
        assert!(
            line(&standalone, &again).ends_with(" restart web")
                && line(&plugin, &again).ends_with(" restart web")
        );
        let others = Task::UpOf { services: vec!["db".to_owned()], never_pull: false };
        let words = " up --detach db";
        assert!(line(&standalone, &others).ends_with(words) && line(&plugin, &others).ends_with(words));
        let anew = Task::UpAnew { services: vec!["db".to_owned()], never_pull: false };
        assert!(line(&standalone, &anew).ends_with(" up --detach --force-recreate --no-deps db"));
        assert!(line(&plugin, &anew).ends_with(" up --detach --force-recreate db"));
    }
}
