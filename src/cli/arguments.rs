//! The command line: Terraform's verbs and flags.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args, CommandFactory as _, FromArgMatches as _, Parser};

use super::commands::Command;

/// Hosting as code: tenants, Compose stacks, sites, passwords and certificates from HCL, planned, applied and audited.
#[derive(Debug, Parser)]
#[command(name = "vsa", version, disable_version_flag = true)]
#[command(
    after_help = "Every flag can be written with one hyphen or two: `-out=plan.json`, `--out plan.json`."
)]
pub struct Arguments {
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
    /// The version.
    #[command(flatten)]
    pub version: VersionFlag,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags of every command.
#[derive(Debug, Args)]
pub struct Global {
    /// Work in this directory
    #[arg(long, value_name = "DIR", global = true)]
    pub chdir: Option<PathBuf>,
    /// No colours, even on a terminal
    #[arg(long, global = true)]
    pub no_color: bool,
}

/// `-version`, as every program has it; `vsa version` is the command.
#[derive(Debug, Args)]
pub struct VersionFlag {
    /// Print the version
    #[arg(long, short = 'v', action = ArgAction::Version)]
    version: Option<bool>,
}

/// A value of an input variable, as the command line gives it.
#[derive(Clone)]
pub enum VariableFlag {
    /// `-var name=value`.
    Value(String, String),
    /// `-var` with something else, which may be a secret: nobody is told what.
    Malformed,
    /// `-var-file path`.
    File(PathBuf),
}

/// Values of input variables, in the order of the command line: a later one overrides an earlier one.
#[derive(Clone, Default)]
pub struct VariableFlags(pub Vec<VariableFlag>);

impl std::fmt::Debug for VariableFlags {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} variable flags", self.0.len())
    }
}

impl clap::FromArgMatches for VariableFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let values = matches.get_many::<VariableFlag>("var").into_iter().flatten().cloned();
        let files =
            matches.get_many::<PathBuf>("var-file").into_iter().flatten().cloned().map(VariableFlag::File);
        let at = |name: &str| matches.indices_of(name).into_iter().flatten().collect::<Vec<_>>();
        let mut flags: Vec<_> =
            at("var").into_iter().zip(values).chain(at("var-file").into_iter().zip(files)).collect();
        flags.sort_by_key(|(index, _)| *index);
        Ok(Self(flags.into_iter().map(|(_, flag)| flag).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for VariableFlags {
    fn augment_args(command: clap::Command) -> clap::Command {
        command
            .arg(
                Arg::new("var")
                    .long("var")
                    .value_name("NAME=VALUE")
                    .help("Set a variable; may be given several times")
                    .action(ArgAction::Append)
                    .value_parser(assignment),
            )
            .arg(
                Arg::new("var-file")
                    .long("var-file")
                    .value_name("FILE")
                    .help("Read variables from a file; may be given several times")
                    .action(ArgAction::Append)
                    .value_parser(clap::value_parser!(PathBuf)),
            )
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

/// A parser that refused would have the refused text printed.
#[expect(clippy::unnecessary_wraps, reason = "the shape of a parser")]
fn assignment(text: &str) -> Result<VariableFlag, std::convert::Infallible> {
    Ok(text.split_once('=').map_or(VariableFlag::Malformed, |(name, value)| {
        VariableFlag::Value(name.to_owned(), value.to_owned())
    }))
}

/// How long to wait for the state.
#[derive(Clone, Copy, Debug, Args)]
pub struct LockFlags {
    /// How long to wait for a state that another run has locked: `30s`, `5m`
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration)]
    pub lock_timeout: std::time::Duration,
}

fn duration(text: &str) -> Result<std::time::Duration, String> {
    let signed: jiff::SignedDuration =
        text.parse().map_err(|_| format!("`{text}` is not a duration such as `30s`"))?;
    std::time::Duration::try_from(signed).map_err(|_| format!("`{text}` is negative"))
}

/// Turns `-out=x` into `--out=x`: a hyphen before a word of two letters or more is a long flag, as in Terraform.
pub(crate) fn normalise(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut plain = false;
    arguments
        .into_iter()
        .map(|argument| {
            let text = argument.to_str().unwrap_or_default();
            plain |= text == "--";
            let long = text.strip_prefix('-').is_some_and(|name| {
                let name = name.split('=').next().unwrap_or_default();
                name.len() > 1 && name.starts_with(|char: char| char.is_ascii_alphabetic())
            });
            if long && !plain { format!("-{text}").into() } else { argument }
        })
        .collect()
}

/// What can be understood of a command line that is wrong: the flags of every command, and which audited command it is.
pub(crate) fn understood(words: &[OsString]) -> Option<(Global, String)> {
    let command = Arguments::command().ignore_errors(true);
    let matches = command.try_get_matches_from(words).ok()?;
    let name = matches.subcommand_name().filter(|name| Command::is_audited(name))?.to_owned();
    Some((Global::from_arg_matches(&matches).ok()?, name))
}

/// The words of a command line that was not understood, as the audit log keeps them: the command, and which options.
pub(crate) fn options_alone(words: &[OsString], command: &str) -> Vec<String> {
    let shown = |word: &OsString| {
        let text = word.to_string_lossy();
        match text.split_once('=') {
            Some((option, _)) if option.starts_with('-') => format!("{option}=(masked)"),
            None if text.starts_with('-') || text == command => text.into_owned(),
            _ => "(masked)".to_owned(),
        }
    };
    words
        .iter()
        .take(1)
        .map(|program| program.to_string_lossy().into_owned())
        .chain(words.iter().skip(1).map(shown))
        .collect()
}

/// The arguments as the audit log keeps them: values of variables are masked.
pub(crate) fn masked(arguments: &[OsString]) -> Vec<String> {
    let mut masked: Vec<String> = Vec::with_capacity(arguments.len());
    let mut value_follows = false;
    for argument in arguments {
        let text = argument.to_string_lossy();
        let hide = |assignment: &str| match assignment.split_once('=') {
            Some((name, _)) => format!("{name}=(masked)"),
            None => "(masked)".to_owned(),
        };
        if std::mem::take(&mut value_follows) {
            masked.push(hide(&text));
        } else if let Some(assignment) = text.strip_prefix("--var=") {
            masked.push(format!("--var={}", hide(assignment)));
        } else {
            value_follows = text == "--var";
            masked.push(text.into_owned());
        }
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn one_hyphen_is_as_good_as_two() {
        let normal = normalise(words("vsa plan -out=a.json -var x=-yes -h --full -- -raw"));
        assert_eq!(normal, words("vsa plan --out=a.json --var x=-yes -h --full -- -raw"));
    }

    #[test]
    fn values_of_variables_do_not_reach_the_audit_log() {
        let masked =
            masked(&words("vsa plan --var password=hunter2 --var=token=abc=d --var nonsense --full"));
        let expected = "vsa plan --var password=(masked) --var=token=(masked) --var (masked) --full";
        assert_eq!(masked.join(" "), expected);
    }
}
