//! The configuration: from the files of a directory to the resources that they declare.
//!
//! [`load`] is pure: it gets bytes, values and an environment for functions, and gives resources or diagnostics. What
//! kinds there are it knows from a [`Vocabulary`] alone.

mod builtin;
mod declarations;
mod decode;
mod edit;
mod evaluate;
mod example;
mod graph;
mod implied;
mod input;
mod instances;
mod resource_block;
mod scope;
mod secrets;
mod settings;
mod values;
mod variable;
mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rayon::prelude::*;

use crate::address::Address;
use crate::diag::{Diagnostics, FileId, Sources};
use crate::lang::{Environment, syntax};
use crate::resource::Resource;
use crate::schema::Vocabulary;
use crate::value::Value;

pub use edit::{Edit, labels, set_text};
pub use example::{Example, example};
pub use input::{Argument, File, Input, VARIABLE_PREFIX, holds_values, is_source, may_be_source};
pub use settings::{AuditSettings, Settings};

use declarations::{Kind, declarations};
use decode::Shape;
use evaluate::{Evaluation, Outcome};
use graph::{Graph, Item};
use input::{Role, role};

/// What a configuration declares.
#[derive(Debug)]
pub struct Declared {
    /// The resources, implied ones too.
    pub resources: BTreeMap<Address, Resource>,
    /// The outputs of the root module.
    pub outputs: BTreeMap<Arc<str>, Output>,
    /// The variables of the root module with the values that they have.
    pub variables: BTreeMap<Arc<str>, Value>,
}

/// An output of the root module.
#[derive(Clone, Debug)]
pub struct Output {
    /// Its value, marked sensitive where it must not be seen.
    pub value: Value,
    /// What it is.
    pub description: Option<Arc<str>>,
    /// Whether its value must not be seen.
    pub sensitive: bool,
}

/// What became of a configuration.
pub struct Loaded {
    /// Its files, for diagnostics; the values of secrets are masked in their texts.
    pub sources: Sources,
    /// What was remarked, in the order of the files.
    pub diagnostics: Diagnostics,
    /// What the `vsa` block says, as far as it could be read.
    pub settings: Settings,
    /// What it declares; `None` where one of the diagnostics is an error.
    pub declared: Option<Declared>,
}

/// Loads a configuration. Everything that is wrong with it is among the diagnostics, not the first thing alone.
pub fn load(input: Input, vocabulary: &dyn Vocabulary, environment: &dyn Environment) -> Loaded {
    let mut sources = Sources::new();
    let mut diagnostics = Diagnostics::new();
    let Input { mut files, environment: from_environment, arguments, working_directory } = input;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    let (mut configuration, mut automatic) = (Vec::new(), Vec::new());
    for file in files {
        match role(&file.path) {
            Some(Role::Configuration) => configuration.push(file),
            Some(role) => automatic.push((role, file)),
            None => {}
        }
    }
    let parsed = parse(configuration, &mut sources, &mut diagnostics);
    let broken: BTreeSet<FileId> =
        diagnostics.iter().filter_map(|error| error.primary.as_ref().map(|label| label.span.file)).collect();
    // `vsa.vsavars.hcl` goes before the others.
    automatic.sort_by_key(|(role, _)| *role);
    let automatic = automatic.into_iter().map(|(_, file)| file).collect();

    let schemas = vocabulary.schemas().into_iter();
    let kinds: BTreeMap<&str, Kind<'_>> =
        schemas.map(|schema| (schema.kind, Kind { schema, shape: Shape::new(&schema.body) })).collect();
    let declared = declarations(&parsed, &kinds, vocabulary, &mut diagnostics);
    let values = values::values(
        &declared.variables,
        &from_environment,
        automatic,
        arguments,
        &mut sources,
        &mut diagnostics,
    );
    let graph = Graph::new(&declared, &kinds, &mut diagnostics);
    let evaluation = Evaluation::run(&graph, &values, vocabulary, environment, &working_directory);
    let along = implied::implied(&evaluation, &kinds, vocabulary, &mut diagnostics);
    let (outcomes, errors) = evaluation.finish();
    diagnostics.extend(errors);

    let mut resources = along.resources;
    resources.reserve_exact(declared.resources.len());
    let (mut outputs, mut variables) = (BTreeMap::new(), BTreeMap::new());
    let settings = declared.settings.clone();
    for (item, outcome) in graph.items.iter().zip(outcomes) {
        match (item, outcome) {
            (Item::Variable(variable), Outcome::Value(value)) => {
                variables.insert(variable.name.into(), value);
            }
            (Item::Output(output), Outcome::Value(value)) => {
                let description = output.description.clone();
                let output_value = Output { value, description, sensitive: output.sensitive };
                outputs.insert(output.name.into(), output_value);
            }
            (_, Outcome::Resources(instances)) => {
                resources.extend(instances.resources);
            }
            _ => {}
        }
    }
    // A map is made of what is in order already in one pass.
    resources.par_sort_unstable_by(|a, b| a.address.cmp(&b.address));
    let resources = resources.into_iter().map(|resource| (resource.address.clone(), resource));
    let mut resources: BTreeMap<Address, Resource> = resources.collect();
    for (by, needed) in along.needs {
        // What is declared may say in turn that it needs what would have brought it along.
        let is_there = resources.get(&needed).is_some_and(|needed| !needed.depends_on.contains(&by));
        if let Some(by) = resources.get_mut(&by).filter(|_| is_there) {
            by.depends_on.insert(needed);
        }
    }
    let result = Declared { resources, outputs, variables };
    let mut secret = secrets::secrets(&declared, values.secret);
    for file in broken {
        let text = sources.get(file).map(|file| Arc::clone(&file.text)).unwrap_or_default();
        secret.extend(secrets::suspected(vocabulary, file, &text));
    }
    sources.redact(secret);
    diagnostics.sort();
    let declared = (!diagnostics.has_errors()).then_some(result);
    Loaded { sources, diagnostics, settings, declared }
}

/// What the `vsa` block of these files says, for commands that need no more of the configuration; what is wrong with
/// them is for [`load`] to say.
pub fn settings(files: Vec<File>, vocabulary: &dyn Vocabulary) -> Settings {
    let (mut sources, mut diagnostics) = (Sources::new(), Diagnostics::new());
    let files = files.into_iter().filter(|file| role(&file.path) == Some(Role::Configuration));
    let parsed = parse(files.collect(), &mut sources, &mut diagnostics);
    declarations(&parsed, &BTreeMap::new(), vocabulary, &mut diagnostics).settings
}

/// Parses files, as many at once as there are cores.
fn parse(
    files: Vec<File>,
    sources: &mut Sources,
    diagnostics: &mut Diagnostics,
) -> Vec<Arc<Vec<syntax::TopLevel>>> {
    let mut texts = Vec::new();
    for file in files {
        match syntax::read(sources, file.path, file.bytes) {
            Ok(file) => {
                let text = sources.get(file).map(|file| Arc::clone(&file.text)).unwrap_or_default();
                texts.push((file, text));
            }
            Err(error) => diagnostics.push(*error),
        }
    }
    let parsed: Vec<_> = texts.par_iter().map(|(file, text)| syntax::parse(*file, text)).collect();
    let mut structures = Vec::with_capacity(parsed.len());
    for parsed in parsed {
        diagnostics.extend(parsed.diagnostics);
        structures.push(Arc::new(parsed.structures));
    }
    structures
}
