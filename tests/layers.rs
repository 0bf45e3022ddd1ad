//! The architecture as a test: every path in the source is resolved, and none may go up a layer, from one kind to
//! another, or to an outside library whose home is elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

/// The layers from the floor up; a module may use its own layer and those before it.
const LAYERS: [(&str, &[&str]); 5] = [
    ("floor", &["address", "diag", "digest", "names", "resource", "schema", "shipped", "value"]),
    ("declare", &["config", "lang"]),
    ("decide", &["compose", "kinds", "nginx", "plan", "state", "template"]),
    ("do", &["acme", "apply", "audit", "host", "store"]),
    ("edge", &["cli"]),
];

/// Libraries that bring effects, and the layers that may use them.
const HOMES: [(&str, &[&str]); 20] = [
    ("bollard", &["do"]),
    ("clap", &["edge"]),
    ("getrandom", &["do"]),
    ("hickory_proto", &["do"]),
    ("hickory_resolver", &["do"]),
    ("http_body_util", &["do"]),
    ("hyper", &["do"]),
    ("hyper_rustls", &["do"]),
    ("hyper_util", &["do"]),
    ("indicatif", &["edge"]),
    ("instant_acme", &["do"]),
    ("nix", &["do", "edge"]),
    ("rsa", &["do"]),
    ("rusqlite", &["do"]),
    ("rustix", &["do"]),
    ("rustls", &["do"]),
    ("rustls_native_certs", &["do"]),
    ("tempfile", &["do", "edge"]),
    ("tokio", &["do", "edge"]),
    ("uuid", &["do", "edge"]),
];

/// One use of a path.
#[derive(Debug)]
struct Use {
    /// The module it stands in, from the crate's root.
    from: Vec<String>,
    /// The path: `crate::…` resolved, or the path of an outside library.
    to: Target,
    /// The line in its file.
    line: usize,
}

#[derive(Debug)]
enum Target {
    Inside(Vec<String>),
    Outside(String),
}

/// A source file: its module's path and its text.
struct Source {
    module: Vec<String>,
    text: String,
}

#[derive(Default)]
struct Uses {
    module: Vec<String>,
    found: Vec<Use>,
    /// The module has `impl Kind for …`.
    is_kind: bool,
}

impl Uses {
    fn note(&mut self, segments: &[String], line: usize) {
        let Some(first) = segments.first() else { return };
        let to = match first.as_str() {
            "crate" | "vsa" => Target::Inside(segments[1..].to_vec()),
            "self" | "super" => {
                let ups = segments.iter().take_while(|segment| *segment == "super").count();
                let start = ups.max(1).min(segments.len());
                let mut path = self.module.clone();
                path.truncate(path.len().saturating_sub(ups));
                path.extend_from_slice(&segments[if first == "self" { 1 } else { start }..]);
                Target::Inside(path)
            }
            outside => Target::Outside(outside.to_owned()),
        };
        self.found.push(Use { from: self.module.clone(), to, line });
    }

    fn tree(&mut self, prefix: &mut Vec<String>, tree: &syn::UseTree) {
        match tree {
            syn::UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.tree(prefix, &path.tree);
                prefix.pop();
            }
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.tree(prefix, tree);
                }
            }
            syn::UseTree::Name(syn::UseName { ident })
            | syn::UseTree::Rename(syn::UseRename { ident, .. }) => {
                let mut path = prefix.clone();
                path.push(ident.to_string());
                self.note(&path, ident.span().start().line);
            }
            syn::UseTree::Glob(glob) => {
                self.note(&prefix.clone(), glob.star_token.spans[0].start().line);
            }
        }
    }

    /// Paths in the arguments of macros and attributes, which are not parsed: every run of `name::name`.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        let mut line = 0;
        for token in tokens {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.finish(&mut path, line);
                    }
                    line = ident.span().start().line;
                    path.push(ident.to_string());
                    colons = 0;
                }
                other => {
                    self.finish(&mut path, line);
                    colons = 0;
                    match other {
                        TokenTree::Group(group) => self.tokens(group.stream()),
                        // `#[serde(with = "crate::…")]`
                        TokenTree::Literal(literal) => {
                            let text = literal.to_string();
                            if let Some(inside) = text.strip_prefix("\"crate::") {
                                let segments = inside.trim_end_matches('"').split("::").map(str::to_owned);
                                let path: Vec<_> =
                                    std::iter::once("crate".to_owned()).chain(segments).collect();
                                self.note(&path, literal.span().start().line);
                            }
                        }
                        TokenTree::Punct(_) | TokenTree::Ident(_) => {}
                    }
                }
            }
        }
        self.finish(&mut path, line);
    }

    fn finish(&mut self, path: &mut Vec<String>, line: usize) {
        if path.len() > 1 {
            self.note(path, line);
        }
        path.clear();
    }
}

impl<'ast> Visit<'ast> for Uses {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.tree(&mut Vec::new(), &item.tree);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let of = item.trait_.as_ref().and_then(|(_, path, _)| path.segments.last());
        self.is_kind |= of.is_some_and(|segment| segment.ident == "Kind");
        visit::visit_item_impl(self, item);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            let segments: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            self.note(&segments, path.segments[0].ident.span().start().line);
        }
        visit::visit_path(self, path);
    }

    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.tokens(item.tokens.clone());
        visit::visit_macro(self, item);
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if let syn::Meta::List(list) = &attribute.meta {
            self.tokens(list.tokens.clone());
        }
    }
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|(_, modules)| modules.contains(&module))
}

/// What is wrong with these sources, a line each.
fn violations(sources: &[Source]) -> Vec<String> {
    let mut kinds = BTreeSet::new();
    let mut all = Vec::new();
    for source in sources {
        let file = match syn::parse_file(&source.text) {
            Ok(file) => file,
            Err(error) => return vec![format!("{}: {error}", source.module.join("::"))],
        };
        let mut uses = Uses { module: source.module.clone(), ..Uses::default() };
        uses.visit_file(&file);
        if uses.is_kind && source.module.first().is_some_and(|top| top == "kinds") {
            kinds.extend(source.module.get(1).cloned());
        }
        all.extend(uses.found);
    }
    let mut wrong = BTreeMap::new();
    for Use { from, to, line } in &all {
        // The crate's root lists the modules and belongs to no layer.
        let Some(top) = from.first() else { continue };
        let place = format!("{}:{line}", from.join("::"));
        let Some(layer) = layer_of(top) else {
            wrong.insert(top.clone(), format!("{top}: the module belongs to no layer"));
            continue;
        };
        match to {
            Target::Inside(path) => {
                let Some(used) = path.first() else { continue };
                if layer_of(used).is_some_and(|used| used > layer) {
                    wrong.insert(place.clone(), format!("{place} goes up: {top} uses {}", path.join("::")));
                }
                let own = from.get(1).filter(|_| top == "kinds");
                let other = path.get(1).filter(|_| used == "kinds");
                if let (Some(own), Some(other)) = (own, other)
                    && own != other
                    && kinds.contains(other)
                {
                    wrong.insert(place.clone(), format!("{place} crosses kinds: {own} uses {other}"));
                }
            }
            Target::Outside(library) => {
                let home = HOMES.iter().find(|(name, _)| name == library);
                if home.is_some_and(|(_, layers)| !layers.contains(&LAYERS[layer].0)) {
                    wrong.insert(place.clone(), format!("{place} has effects: {top} uses {library}"));
                }
            }
        }
    }
    wrong.into_values().collect()
}

/// Every Rust file below `directory`, with its module's path.
fn sources(directory: &Path, module: &[String], found: &mut Vec<Source>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let mut module = module.to_vec();
        if path.is_dir() {
            module.push(name);
            sources(&path, &module, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let root = module.is_empty() && (name == "lib" || name == "main");
            if name != "mod" && !root {
                module.push(name);
            }
            found.push(Source { module, text: fs::read_to_string(&path).unwrap() });
        }
    }
}

#[test]
fn imports_only_go_down() {
    let mut found = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &[], &mut found);
    assert!(found.len() > 20, "only {} source files were found", found.len());
    let wrong = violations(&found);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_bad_import_is_found_in_every_disguise() {
    let source = |module: &str, text: &str| Source {
        module: module.split("::").map(str::to_owned).collect(),
        text: text.to_owned(),
    };
    let auth = source("kinds::auth", "struct Auth; impl crate::plan::Kind for Auth {}");
    let bad = [
        ("lang::parse", "use crate::{diag::Span, plan::{Action, Phase}};"),
        ("lang::parse", "fn f() -> crate::plan::Action { loop {} }"),
        ("lang", "fn f() { super::host::run(); }"),
        ("lang::parse", "mod inner { use super::super::super::store as somewhere; }"),
        ("value", "fn f() { assert_eq!(1, crate::lang::one()); }"),
        ("value", "#[derive(Deserialize)] struct S { #[serde(with = \"crate::config::dates\")] at: i64 }"),
        ("plan::build", "pub use crate::apply::*;"),
        ("state", "use vsa::cli::run;"),
        ("kinds::domain::files", "use crate::kinds::auth::Auth;"),
        ("kinds::domain", "use super::auth;"),
        ("plan", "fn f() { tokio::spawn(async {}); }"),
        ("state", "fn f() { uuid::Uuid::new_v4(); }"),
        ("config", "use rustix::fs::getxattr;"),
        ("somewhere", "use crate::diag::Span;"),
    ];
    for (module, text) in bad {
        let auth = Source { module: auth.module.clone(), text: auth.text.clone() };
        let wrong = violations(&[auth, source(module, text)]);
        assert_eq!(wrong.len(), 1, "{module}: {text}: {wrong:?}");
    }
    let good = [
        ("kinds::domain", "use super::shared; use crate::{plan::Kind, lang, diag}; use self::auth::Auth;"),
        ("kinds", "mod auth; use auth::Auth; fn all() { self::auth::Auth; }"),
        ("cli::plan", "use crate::{apply, host, plan}; fn f() { std::env::args(); }"),
        ("host", "pub(crate) fn f() { tokio::spawn(async {}); super::plan::f() }"),
    ];
    for (module, text) in good {
        let auth = Source { module: auth.module.clone(), text: auth.text.clone() };
        assert_eq!(violations(&[auth, source(module, text)]), Vec::<String>::new(), "{module}: {text}");
    }
}
