//! `vsa cert import`

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;

use super::KIND;
use crate::address::Address;
use crate::cli::applying::{self, ApplyFlags};
use crate::cli::arguments::VariableFlags;
use crate::cli::editing::Edited;
use crate::cli::planning::{self, Options};
use crate::cli::{Exit, Failure, Invocation, certbot, render};
use crate::config::{self, Edit, set_text};
use crate::diag::{Diagnostic, Sources, day, visible};
use crate::names::{HostName, Text as _};
use crate::plan::issuance::FoundLineage;
use crate::plan::issuance::lineage::plain;
use crate::plan::{Answer, Query};

/// The file that new blocks are written into.
const FILE: &str = "certificates.hcl";

/// The types of keys that a block may name, but for the one that it has without.
const KEY_TYPES: [&str; 4] = ["ecdsa-p384", "rsa-2048", "rsa-3072", "rsa-4096"];

/// Take certificates over from certbot: write their blocks, and apply them
#[derive(Debug, Args)]
pub(super) struct Import {
    /// What certbot calls them; all that are whole and not taken over yet unless named
    names: Vec<String>,
    /// The directory of certbot's; `/etc/letsencrypt` unless set
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
    /// List those that there are, and do nothing
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    variables: VariableFlags,
    #[command(flatten)]
    apply: ApplyFlags,
}

type Lineages = BTreeMap<String, Result<FoundLineage, String>>;

impl Import {
    /// Whether it changes anything.
    pub(super) fn is_mutating(&self) -> bool {
        !self.list
    }

    /// Runs the command.
    pub(super) fn run(&self, invocation: &Invocation) -> Result<Exit, Failure> {
        let home = match &self.from {
            Some(from) => plain(&invocation.base.configuration.join(from)),
            None => invocation.base.place(certbot::HOME),
        };
        let found = lineages(invocation, &home)?;
        let terminal = invocation.terminal;
        terminal.print(&table(&found));
        if self.list {
            // Its audit begins by what the configuration says.
            invocation.begin()?;
            return Ok(Exit::Done);
        }
        let chosen = self.chosen(&found, &home)?;
        let mut files = invocation.source_files()?;
        let mut edits = Edits::default();
        let mut targets = BTreeSet::new();
        for (name, lineage) in chosen {
            targets.insert(edits.add(&mut files, name, lineage, &home)?);
        }
        let edits = edits.finish(&mut files);
        let declared = invocation.load_files(files, &self.variables)?;
        let _lock = invocation.lock(self.apply.lock)?;
        invocation.ensure_key()?;
        let is_it = |address: &&Address| address.kind() == KIND && targets.contains(address.name());
        let targets: BTreeSet<Address> = declared.resources.keys().filter(is_it).cloned().collect();
        let options = Options::about(targets, self.apply.auto_approve);
        let prepared = planning::plan(invocation, &declared, options)?;
        applying::confirm(invocation, &prepared, planning::Manner::default(), self.apply)?;
        let directory = &invocation.base.configuration;
        let mut written: Vec<&Edited> = Vec::new();
        let mut result = Ok(Exit::Done);
        for edited in &edits {
            result = edited.write(directory).map(|()| Exit::Done);
            if result.is_err() {
                break;
            }
            terminal.note(&format!("{} says so now", edited.path.display()));
            written.push(edited);
        }
        let result = result.and_then(|_| applying::apply(invocation, &declared, prepared, self.apply));
        match result {
            // As it was before: the configuration too.
            Err(mut failure) if failure.exit != Exit::Left => {
                let failed = written.iter().filter_map(|edited| edited.take_back(directory).err());
                failure.diagnostics.extend(failed.flat_map(|failed| failed.diagnostics));
                Err(failure)
            }
            result => result,
        }
    }

    /// Those that are to be taken over.
    fn chosen<'a>(
        &self,
        found: &'a Lineages,
        home: &Path,
    ) -> Result<Vec<(&'a str, &'a FoundLineage)>, Failure> {
        if self.names.is_empty() {
            let whole = found.iter().filter_map(|(name, found)| Some((name.as_str(), found.as_ref().ok()?)));
            return Ok(whole.filter(|(_, found)| found.renewal.autorenew).collect());
        }
        let one = |wanted: &String| match found.get_key_value(wanted) {
            Some((name, Ok(found))) => Ok((name.as_str(), found)),
            Some((_, Err(why))) => {
                Err(Diagnostic::error(format!("the lineage `{wanted}` is broken: {why}")).into())
            }
            None => Err(Diagnostic::error(format!("there is no lineage `{wanted}` in `{}`", home.display()))
                .did_you_mean(wanted, found.keys().map(String::as_str), |error| {
                    error.help("`vsa cert import -list` shows those that there are")
                })
                .into()),
        };
        self.names.iter().map(one).collect()
    }
}

fn lineages(invocation: &Invocation, home: &Path) -> Result<Lineages, Failure> {
    let query = Query::Lineages(home.to_owned());
    let error = match invocation.block_on(invocation.host.observe(&[query])).pop() {
        Some(Answer::Lineages(found)) => return Ok(found),
        Some(Answer::Failed(why)) => {
            Diagnostic::error(format!("the lineages in `{}` cannot be read: {why}", home.display()))
        }
        _ => Diagnostic::error(format!("`{}` is no directory of certbot's", home.display()))
            .help("name the directory that certbot is configured in with `-from DIR`"),
    };
    Err(error.into())
}

fn table(found: &Lineages) -> String {
    let row = |(name, found): (&String, &Result<FoundLineage, String>)| match found {
        Ok(FoundLineage { renewal, certificate, hook_files, .. }) => [
            visible(name).to_string(),
            certificate.names.join(", "),
            day(certificate.not_after),
            match (renewal.autorenew, renewal.hooks.is_empty() && hook_files.is_empty()) {
                (true, true) => "renewed by certbot",
                (true, false) => "renewed by certbot, with hooks",
                (false, _) => "not renewed by certbot",
            }
            .to_owned(),
        ],
        Err(why) => {
            [visible(name).to_string(), String::new(), String::new(), format!("broken: {}", visible(why))]
        }
    };
    render::table(["LINEAGE", "NAMES", "ENDS", "STATUS"], &found.iter().map(row).collect::<Vec<_>>())
}

/// What the configuration shall say.
#[derive(Default)]
struct Edits {
    /// What files held before, by their place in the list.
    before: BTreeMap<usize, Vec<u8>>,
    /// New blocks.
    blocks: String,
}

impl Edits {
    /// Has the configuration say that a lineage is taken over; gives the label of its certificate.
    fn add(
        &mut self,
        files: &mut [config::File],
        name: &str,
        found: &FoundLineage,
        home: &Path,
    ) -> Result<String, Failure> {
        let certified = &found.certificate.names;
        let is_label = |name: &str| HostName::parse(name).is_ok();
        let plain = || certified.iter().map(String::as_str).find(|name| is_label(name));
        // As a site brings its certificate along: called after its first name.
        let is_its_own = certified.iter().any(|certified| certified == name);
        let label = if is_its_own { name } else { plain().unwrap_or(name) };
        if !is_label(label) {
            return Err(Diagnostic::error(format!(
                "`{}` is no label of a certificate",
                label.escape_default()
            ))
            .help("write its block yourself, with `certbot` and `lineage`")
            .into());
        }
        let home = home.to_string_lossy();
        let mut sources = Sources::new();
        for (index, file) in
            files.iter_mut().enumerate().filter(|(_, file)| !config::holds_values(&file.path))
        {
            let Ok(text) = std::str::from_utf8(&file.bytes) else { continue };
            let text = text.to_owned();
            let id = sources.add(&file.path, text.as_str());
            let values =
                [("certbot", &*home)].into_iter().chain((label != name).then_some(("lineage", name)));
            let mut edited = text.clone();
            for value in values {
                match set_text((id, &edited), (KIND, label), value, "", &["names"]) {
                    Edit::NoBlock | Edit::Same => {}
                    Edit::Changed(after) => edited = after,
                    Edit::Computed(span) => {
                        return Err(Diagnostic::error(format!(
                            "`{}` of `certificate.{label}` is worked out by an expression",
                            value.0
                        ))
                        .at(Some(span))
                        .help(format!("change what it is worked out from: it shall be `{}`", value.1))
                        .quoting(&sources)
                        .into());
                    }
                }
            }
            let is_here = config::labels(id, &text, KIND).iter().any(|found| found == label);
            if edited != text {
                let before = std::mem::replace(&mut file.bytes, edited.into_bytes());
                self.before.entry(index).or_insert(before);
            }
            if is_here {
                return Ok(label.to_owned());
            }
        }
        self.block(label, name, found, &home);
        Ok(label.to_owned())
    }

    fn block(&mut self, label: &str, name: &str, found: &FoundLineage, home: &str) {
        let certificate = &found.certificate;
        let quoted = |text: &str| {
            format!(
                "\"{}\"",
                text.replace('\\', "\\\\").replace('"', "\\\"").replace("${", "$${").replace("%{", "%%{")
            )
        };
        let names: Vec<_> = certificate.names.iter().map(|name| quoted(name)).collect();
        let mut attributes = vec![("names", format!("[{}]", names.join(", "))), ("certbot", quoted(home))];
        attributes.extend((label != name).then(|| ("lineage", quoted(name))));
        let is_usual = !KEY_TYPES.contains(&certificate.key_type.as_str());
        attributes.extend((!is_usual).then(|| ("key_type", quoted(&certificate.key_type))));
        let width = attributes.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        if !self.blocks.is_empty() {
            self.blocks.push('\n');
        }
        let _ = writeln!(self.blocks, "certificate {} {{", quoted(label));
        for (name, value) in attributes {
            let _ = writeln!(self.blocks, "  {name:width$} = {value}");
        }
        self.blocks.push_str("}\n");
    }

    /// The files that are to be written; the list has them as they will be.
    fn finish(self, files: &mut Vec<config::File>) -> Vec<Edited> {
        let edited = |(index, before): (usize, Vec<u8>)| {
            let file = files.get(index)?;
            Some(Edited { path: file.path.clone(), before: Some(before), after: file.bytes.clone() })
        };
        let mut edits: Vec<Edited> = self.before.into_iter().filter_map(edited).collect();
        if self.blocks.is_empty() {
            return edits;
        }
        let path = PathBuf::from(FILE);
        let place = files.iter().position(|file| file.path == path);
        let now = place.and_then(|place| files.get(place)).map(|file| file.bytes.clone());
        let mut after = now.clone().unwrap_or_default();
        if !after.is_empty() {
            after.extend_from_slice(if after.ends_with(b"\n") { b"\n" } else { b"\n\n" });
        }
        after.extend_from_slice(self.blocks.as_bytes());
        if let Some(edited) = edits.iter_mut().find(|edited| edited.path == path) {
            edited.after.clone_from(&after);
        } else {
            edits.push(Edited { path: path.clone(), before: now, after: after.clone() });
        }
        match place.and_then(|place| files.get_mut(place)) {
            Some(file) => file.bytes = after,
            None => files.push(config::File { path, bytes: after }),
        }
        edits
    }
}
