//! `vsa cert install-timer` and `vsa cert install-cron`

use std::path::{Path, PathBuf};

use clap::Args;

use super::former;
use super::word::{self, Form, Word};
use crate::cli::arguments::{VariableFlag, VariableFlags};
use crate::cli::{Exit, Failure, Invocation};
use crate::diag::Diagnostic;
use crate::digest::sha256;
use crate::host::{Command, FileOperation};
use crate::plan::action::Access;
use crate::plan::{Answer, Query};
use crate::template::View;

pub(super) const UNITS: &str = "/etc/systemd/system";
pub(super) const CRON: &str = "/etc/cron.d";
/// Whether systemd runs (`sd_booted(3)`).
const BOOTED: &str = "/run/systemd/system";

/// Who starts the renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Starter {
    Systemd,
    Cron,
}

/// Have certificates renewed by themselves
#[derive(Debug, Args)]
pub(super) struct InstallTimer {
    /// Show the files, and write nothing
    #[arg(long)]
    print: bool,
    #[command(flatten)]
    variables: VariableFlags,
    /// A file with lines `VSA_VAR_name=value`, which is read before each renewal (mode 0600)
    #[arg(long, value_name = "FILE")]
    environment_file: Option<PathBuf>,
}

/// What the renewal is started with.
struct Inputs {
    /// Files with values of variables.
    files: Vec<PathBuf>,
    /// The file with its environment.
    environment: Option<PathBuf>,
}

/// A file that starts the renewal.
struct Made {
    path: PathBuf,
    text: String,
}

impl InstallTimer {
    /// Whether it changes anything.
    pub(super) fn is_mutating(&self) -> bool {
        !self.print
    }

    /// Runs the command.
    pub(super) fn run(&self, invocation: &Invocation, wanted: Starter) -> Result<Exit, Failure> {
        let booted = Query::Stat(invocation.base.place(BOOTED));
        let runs = matches!(observe(invocation, booted), Some(Answer::Stat(_)));
        let starter = if runs { wanted } else { Starter::Cron };
        let name = name(&invocation.base.configuration);
        let inputs = self.inputs(invocation, starter)?;
        let made = files(invocation, starter, &name, &inputs)?;
        let terminal = invocation.terminal;
        if self.print {
            for made in &made {
                terminal.line(&format!("# {}", made.path.display()));
                terminal.print(&made.text);
            }
            return Ok(Exit::Done);
        }
        if starter != wanted {
            terminal.note("systemd does not run here: cron renews the certificates");
        }
        for made in &made {
            let what = write(invocation, made)?;
            terminal.line(&format!("{what} {}", made.path.display()));
        }
        if starter == Starter::Systemd {
            enable(invocation, &format!("{name}.timer"))?;
        }
        former::remove(invocation, starter, (&name, runs))?;
        Ok(Exit::Done)
    }
}

impl InstallTimer {
    /// Looks at what the renewal shall be started with: it has nothing else, whatever stands in the environment now.
    fn inputs(&self, invocation: &Invocation, starter: Starter) -> Result<Inputs, Failure> {
        let directory = &invocation.base.configuration;
        let mut files = Vec::new();
        for flag in &self.variables.0 {
            let VariableFlag::File(path) = flag else {
                return Err(Diagnostic::error("the timer takes no `-var`")
                    .detail("its value would stand in a file that everybody reads, and in the list of processes")
                    .help("put it into a file (mode 0600): `-var-file FILE`, or `-environment-file FILE` with `VSA_VAR_name=value`")
                    .into());
            };
            let path = directory.join(path);
            if !matches!(observe(invocation, Query::Stat(path.clone())), Some(Answer::Stat(_))) {
                return Err(Diagnostic::error(format!("there is no file `{}`", path.display())).into());
            }
            files.push(path);
        }
        let environment = self.environment_file.as_ref().map(|path| directory.join(path));
        let mut given = String::new();
        if let Some(path) = &environment {
            if starter == Starter::Cron {
                return Err(Diagnostic::error("cron reads no file with an environment")
                    .help("give the values by `-var-file FILE`")
                    .into());
            }
            given = private_text(invocation, path)?;
        }
        let is_given = |name: &str| {
            given
                .lines()
                .any(|line| line.trim_start().split_once('=').is_some_and(|(key, _)| key.trim() == name))
        };
        let variables = invocation.environment.variables.iter().map(|(name, _)| format!("VSA_VAR_{name}"));
        let key = invocation.environment.key.as_ref().map(|_| "VSA_KEY".to_owned());
        for name in variables.chain(key).filter(|name| !is_given(name)) {
            invocation.terminal.note(&format!(
                "`{name}` is set here, and not where the renewal runs: put it into a file (mode 0600) and name that with \
                 `-environment-file`, or a variable's value with `-var-file`"
            ));
        }
        Ok(Inputs { files, environment })
    }
}

/// What stands in a file that nobody else may read.
fn private_text(invocation: &Invocation, path: &Path) -> Result<String, Failure> {
    match observe(invocation, Query::Stat(path.to_owned())) {
        Some(Answer::Stat(stat)) if stat.mode & 0o077 != 0 => {
            return Err(Diagnostic::error(format!("`{}` may be read by others", path.display()))
                .detail(format!("its mode is {:04o}", stat.mode))
                .help(format!("it is for secrets: `chmod 600 {}`", path.display()))
                .into());
        }
        Some(Answer::Stat(_)) => {}
        _ => return Err(Diagnostic::error(format!("there is no file `{}`", path.display())).into()),
    }
    match observe(invocation, Query::Read(path.to_owned())) {
        Some(Answer::Bytes(bytes)) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        _ => Err(Diagnostic::error(format!("`{}` cannot be read", path.display())).into()),
    }
}

pub(super) fn observe(invocation: &Invocation, query: Query) -> Option<Answer> {
    invocation.block_on(invocation.host.observe(&[query])).pop()
}

/// What the files are called: cron reads none with a dot in its name.
fn name(configuration: &Path) -> String {
    let last = configuration.file_name().unwrap_or_default().to_string_lossy();
    let plain = |char: char| if char.is_ascii_alphanumeric() { char.to_ascii_lowercase() } else { '-' };
    let last: String = last.chars().map(plain).take(40).collect();
    let digest = sha256(configuration.to_string_lossy().as_bytes());
    format!("vsa-{}-{}", last.trim_matches('-'), digest.get(..8).unwrap_or_default())
}

fn files(
    invocation: &Invocation,
    starter: Starter,
    name: &str,
    inputs: &Inputs,
) -> Result<Vec<Made>, Failure> {
    let program = std::env::current_exe()
        .map_err(|error| Diagnostic::error(format!("the program does not know where it is: {error}")))?;
    let form = match starter {
        Starter::Systemd => Form::Unit,
        Starter::Cron => Form::Cron,
    };
    let written = |form: Form, path: &Path| match path.to_str() {
        Some(text) => Ok(Word { form, text: text.into() }),
        None => Err(Diagnostic::error(format!("`{}` is not UTF-8", path.display()))
            .help("move it: the files that start the renewal are text")),
    };
    let word = |path: &Path| written(form, path);
    let configuration = &invocation.base.configuration;
    // Not all configurations at once: each has a minute of its own.
    let seed = sha256(format!("{name} {}", configuration.display()).as_bytes());
    let minute = seed.get(..8).and_then(|digits| u32::from_str_radix(digits, 16).ok()).unwrap_or(0) % 60;
    let view = View::new()
        .with("program", word(&program)?)
        .with("directory", word(configuration)?)
        .with("working_directory", written(Form::Path, configuration)?)
        .optional(
            "environment",
            inputs.environment.as_deref().map(|path| written(Form::Path, path)).transpose()?,
        )
        .list("files", inputs.files.iter().map(|path| word(path)).collect::<Result<Vec<_>, _>>()?)
        .with("minute", minute);
    let made = |path: String, template| {
        let text = word::render(template, view.clone()).map_err(|error| {
            Diagnostic::error(format!("the renewal cannot be installed: {}", error.reason))
                .help("move the configuration to a directory with a plain name")
        })?;
        Ok::<_, Failure>(Made { path: invocation.base.place(&path), text })
    };
    Ok(match starter {
        Starter::Systemd => vec![
            made(format!("{UNITS}/{name}.service"), word::SERVICE)?,
            made(format!("{UNITS}/{name}.timer"), word::TIMER)?,
        ],
        Starter::Cron => vec![made(format!("{CRON}/{name}"), word::CRON)?],
    })
}

/// Writes a file; says what was done.
fn write(invocation: &Invocation, made: &Made) -> Result<&'static str, Failure> {
    let done = match observe(invocation, Query::Read(made.path.clone())) {
        Some(Answer::Bytes(bytes)) if bytes == made.text.as_bytes() => return Ok("is up to date:"),
        Some(Answer::Bytes(_)) => "changed",
        _ => "wrote",
    };
    let access = |mode| Access { owner: None, group: None, mode };
    let system = &invocation.base.system;
    let mut parents: Vec<_> = made
        .path
        .ancestors()
        .skip(1)
        .take_while(|path| path.starts_with(system) && path != system)
        .filter(|path| matches!(observe(invocation, Query::Stat((*path).to_owned())), Some(Answer::Absent)))
        .map(|path| FileOperation::MakeDirectory { path: path.to_owned(), access: access(0o755) })
        .collect();
    parents.reverse();
    let bytes = made.text.clone().into_bytes().into();
    parents.push(FileOperation::Replace { path: made.path.clone(), access: access(0o644), bytes });
    let written = invocation.block_on(invocation.host.files(parents));
    written.map_err(|error| Diagnostic::from(error).help("run it as root, or look at it with `-print`"))?;
    Ok(done)
}

/// Has systemd start the timer, now and after each boot.
fn enable(invocation: &Invocation, timer: &str) -> Result<(), Failure> {
    let vectors: [&[&str]; 2] = [&["daemon-reload"], &["enable", "--now", timer]];
    if invocation.base.system != Path::new("/") {
        invocation.terminal.note(&format!(
            "the files are below {}: enable it there with `systemctl enable --now {timer}`",
            invocation.base.system.display()
        ));
        return Ok(());
    }
    for arguments in vectors {
        systemctl(invocation, arguments)?;
    }
    invocation.terminal.line(&format!("{timer} is enabled"));
    Ok(())
}

/// Tells systemd something.
pub(super) fn systemctl(invocation: &Invocation, arguments: &[&str]) -> Result<(), Failure> {
    let command =
        arguments.iter().fold(Command::new("systemctl"), |command, argument| command.arg(*argument));
    let output = invocation.block_on(invocation.host.run(command)).map_err(Diagnostic::from)?;
    if output.success() {
        return Ok(());
    }
    Err(Diagnostic::error(output.ending(&format!("`systemctl {}`", arguments.join(" "))))
        .detail(output.errors().trim().to_owned())
        .help("the files are written; run it by hand when systemd can")
        .into())
}
