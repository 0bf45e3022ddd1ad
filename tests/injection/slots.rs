//! Every text that the schemas know, and a configuration around each.

use std::collections::BTreeMap;
use std::ops::Range;

use vsa::address::Address;
use vsa::kinds::registry;
use vsa::names::TextType;
use vsa::schema::{Block, Nesting, Schema, Ty, Vocabulary as _};

/// One place where a configuration holds a text of its own.
pub struct Slot {
    /// The kind and the way to the attribute: `domain.csp.policy`.
    pub path: String,
    /// What it takes.
    pub ty: &'static TextType,
    /// How it stands there.
    pub form: Form,
    /// The blocks around it, each with its label where it has one.
    pub blocks: Vec<(String, Option<String>)>,
    pub name: String,
}

#[derive(Clone, Copy)]
pub enum Form {
    /// `name = VALUE`
    Attribute,
    /// `name = [VALUE]`
    Element,
    /// `name = { VALUE = "…" }`, with a value of the map's type.
    Key(&'static TextType),
    /// `name = { "…" = VALUE }`, with a key of the map's type.
    Entry(&'static TextType),
    /// `name VALUE { … }`: the label of a nested block.
    Label,
    /// The label of the resource itself.
    ResourceLabel,
}

impl Slot {
    pub fn kind(&self) -> &str {
        self.path.split('.').next().unwrap()
    }

    pub fn is_resource_label(&self) -> bool {
        matches!(self.form, Form::ResourceLabel)
    }

    /// Whether no plan shows the value.
    pub fn is_secret(&self) -> bool {
        self.ty.name.starts_with("password")
    }

    /// Whether vsa itself reads what the value names, so that it must be there.
    pub fn is_read_by_vsa(&self) -> bool {
        matches!(self.path.as_str(), "certificate.certificate" | "certificate.key")
    }

    /// A value that is right here, and that no other resource has claimed.
    pub fn benign(&self) -> &'static str {
        let examples = self.ty.examples;
        let example =
            if matches!(self.form, Form::Element | Form::Label) { examples.last() } else { examples.first() };
        example.unwrap_or_else(|| panic!("{} has no example", self.ty.name))
    }

    /// A value in the form in which it is kept.
    pub fn canonical(&self, value: &str) -> String {
        (self.ty.canonical)(value).unwrap_or_else(|invalid| panic!("{} = {value:?} {invalid}", self.path))
    }

    /// The address of the resource that holds this value here.
    pub fn address(&self, number: usize, value: &str) -> String {
        let label = if self.is_resource_label() { self.canonical(value) } else { label(self, number) };
        let address = Address::new(self.kind(), label.as_str());
        // A name of its own is for an instance.
        if self.path == "domain.name" { format!("{address}[\"one\"]") } else { address.to_string() }
    }
}

/// All slots of all kinds whose texts are for nginx. What an `acme` block says is for authorities; what a
/// stack says is for Compose, what a network says for Docker, and the service or container that an upstream names must
/// be there.
pub fn all() -> Vec<Slot> {
    let found = registry().schemas().into_iter().flat_map(slots);
    let elsewhere = |slot: &Slot| {
        [
            "node.acme.",
            "certificate.acme.",
            "certificate.certbot",
            "certificate.lineage",
            "node.docker.",
            "stack.",
            "network.",
        ]
        .iter()
        .any(|prefix| slot.path.starts_with(prefix))
            || ["stack", "network", "node.network", "node.proxy.container"].contains(&slot.path.as_str())
            || slot.path.ends_with("upstream.service")
            || slot.path.ends_with("upstream.container")
    };
    found.filter(|slot| !elsewhere(slot)).collect()
}

/// All slots of a schema.
fn slots(schema: &'static Schema) -> Vec<Slot> {
    fn walk(block: &'static Block, path: &str, blocks: &[(String, Option<String>)], found: &mut Vec<Slot>) {
        for attribute in &block.attributes {
            let mut add = |ty, form| {
                let key = if matches!(form, Form::Key(_)) { "[key]" } else { "" };
                found.push(Slot {
                    path: format!("{path}.{}{key}", attribute.name),
                    ty,
                    form,
                    blocks: blocks.to_vec(),
                    name: attribute.name.to_string(),
                });
            };
            match &attribute.ty {
                Ty::Text(ty) => add(ty, Form::Attribute),
                Ty::List(element) => {
                    if let Ty::Text(ty) = &**element {
                        add(ty, Form::Element);
                    }
                }
                Ty::Map(key, value) => {
                    if let Ty::Text(value) = &**value {
                        add(key, Form::Key(value));
                        add(value, Form::Entry(key));
                    }
                }
                Ty::Bool | Ty::Integer(_) | Ty::Enum(_) | Ty::Ref(_) => {}
            }
        }
        for nested in &block.blocks {
            let mut blocks = blocks.to_vec();
            let path = format!("{path}.{}", nested.name);
            let mut label = None;
            if let Nesting::Labelled(ty) = nested.nesting {
                let name = nested.name.to_string();
                found.push(Slot { path: path.clone(), ty, form: Form::Label, blocks: blocks.clone(), name });
                label = Some(ty.examples[0].to_owned());
            }
            blocks.push((nested.name.to_string(), label));
            walk(&nested.body, &path, &blocks, found);
        }
    }
    let label = Slot {
        path: schema.kind.to_owned(),
        ty: schema.label,
        form: Form::ResourceLabel,
        blocks: Vec::new(),
        name: String::new(),
    };
    let mut found = vec![label];
    walk(&schema.body, schema.kind, &[], &mut found);
    found
}

/// A text as HCL writes it.
fn literal(text: &str) -> String {
    let mut literal = String::from("\"");
    for char in text.chars() {
        match char {
            '"' => literal.push_str("\\\""),
            '\\' => literal.push_str("\\\\"),
            '\n' => literal.push_str("\\n"),
            '\r' => literal.push_str("\\r"),
            '\t' => literal.push_str("\\t"),
            control if control.is_control() => {
                literal.extend(format!("\\u{:04x}", u32::from(control)).chars());
            }
            other => literal.push(other),
        }
    }
    literal.push('"');
    literal.replace("${", "$${").replace("%{", "%%{")
}

/// Whose nginx it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// One of vsa's own.
    Managed,
    /// The system's, with Debian's files.
    Host,
}

const HOST: &str = "mode = \"host\"\n    default_server = false";
const HOST_PROXY: &str = "proxy {\n    mode = \"host\"\n    default_server = false\n  }";

/// What a block needs beside the slot for the slot to mean something.
fn context(kind: &str, block: Option<&str>, slot: &Slot, mode: Mode) -> Vec<String> {
    let in_block = |name: &str| slot.blocks.last().is_some_and(|(last, _)| last == name);
    let is = |names: &[&str]| names.contains(&slot.name.as_str());
    let mut lines = Vec::new();
    let mut line = |text: &str| lines.push(text.to_owned());
    match (kind, block) {
        ("domain", None | Some("location")) => {
            let here = slot.blocks.len() == usize::from(block.is_some());
            let redirected = in_block("redirect") && slot.blocks.len() == 1 + usize::from(block.is_some());
            let proxied = in_block("upstream") && slot.blocks.len() == 1 + usize::from(block.is_some());
            if here && is(&["root"]) || redirected || proxied {
                // The slot is the content.
            } else if here && is(&["index", "expires"]) {
                line("root = \"/srv/acme/www\"");
            } else {
                line("upstream {\n    address = \"127.0.0.1:9000\"\n  }");
            }
        }
        ("domain", Some("upstream")) if !is(&["address"]) => {
            let secure = is(&["tls_name", "ca"]);
            line(if secure {
                "address = \"https://127.0.0.1:9000\""
            } else {
                "address = \"127.0.0.1:9000\""
            });
        }
        ("auth", Some("user")) if !is(&["password", "password_hash"]) => line("password = \"long enough\""),
        ("certificate", None) if is(&["certificate", "key"]) => {
            line("issuer = \"files\"");
            line(if is(&["key"]) {
                "certificate = \"${var.here}/own.pem\""
            } else {
                "key = \"${var.here}/own.key\""
            });
        }
        ("node", None) if mode == Mode::Host => line(HOST_PROXY),
        _ => {}
    }
    if kind == "domain" && block.is_none() {
        line("tls {\n    enabled = false\n  }");
    }
    if slot.path == "domain.name" {
        line("for_each = toset([\"one\"])");
    }
    if matches!(kind, "domain" | "auth") && block.is_none() {
        line("tenant = tenant.acme");
    }
    lines
}

/// The slot as HCL, with this value, and where the value stands in it.
fn written(slot: &Slot, value: &str, mode: Mode) -> (String, Range<usize>) {
    let value = literal(value);
    let name = &slot.name;
    let (before, after) = match slot.form {
        Form::Attribute => (format!("{name} = "), String::new()),
        Form::Element => (format!("{name} = ["), "]".to_owned()),
        Form::Key(other) => (format!("{name} = {{ "), format!(" = {} }}", literal(other.examples[0]))),
        Form::Entry(key) => (format!("{name} = {{ {} = ", literal(key.examples[0])), " }".to_owned()),
        Form::Label => {
            let inner = Slot {
                path: slot.path.clone(),
                ty: slot.ty,
                form: Form::Label,
                blocks: [slot.blocks.clone(), vec![(name.clone(), None)]].concat(),
                name: String::new(),
            };
            let lines = context(slot.kind(), Some(name), &inner, mode).join("\n");
            (format!("{name} "), format!(" {{\n{lines}\n}}"))
        }
        Form::ResourceLabel => (String::new(), String::new()),
    };
    let range = before.len()..before.len() + value.len();
    (before + &value + &after, range)
}

/// A resource for one slot, and where the value stands in it.
fn resource(slot: &Slot, label: &str, value: &str, mode: Mode) -> (String, Range<usize>) {
    let kind = slot.kind();
    if slot.is_resource_label() {
        let head = format!("{kind} ");
        let range = head.len()..head.len() + literal(value).len();
        let lines = context(kind, None, slot, mode).join("\n");
        return (format!("{head}{} {{\n{lines}\n}}\n", literal(value)), range);
    }
    let mut text = format!("{kind} {} {{\n", literal(label));
    let lines = context(kind, None, slot, mode);
    text.push_str(&lines.join("\n"));
    text.push('\n');
    for (name, label) in &slot.blocks {
        let label = label.as_ref().map(|label| literal(label) + " ").unwrap_or_default();
        text.extend([name, " ", &label, "{\n"]);
        text.push_str(&context(kind, Some(name), slot, mode).join("\n"));
        text.push('\n');
    }
    let (inner, range) = written(slot, value, mode);
    let range = text.len() + range.start..text.len() + range.end;
    text.push_str(&inner);
    text.push_str(&"\n}".repeat(slot.blocks.len() + 1));
    text.push('\n');
    (text, range)
}

/// A site that brings a value before nginx, where its own resource alone does not.
fn site(slot: &Slot, number: usize) -> Option<String> {
    let (lines, address) = match slot.path.as_str() {
        "auth.realm" => (format!("auth = auth.{}", label(slot, number)), "127.0.0.1:9000"),
        "node.proxy.resolver" => (String::new(), "app.example.com:9000"),
        _ => return None,
    };
    Some(format!(
        "domain \"site{number}.example.com\" {{\n  tenant = tenant.acme\n  {lines}\n  tls {{\n    enabled = false\n  }}\n  \
         upstream {{\n    address = {address:?}\n  }}\n}}\n"
    ))
}

/// The label under which a slot's resource stands.
fn label(slot: &Slot, number: usize) -> String {
    match slot.kind() {
        "node" => "local".to_owned(),
        "domain" | "certificate" => format!("slot{number}.example.com"),
        _ => format!("slot{number}"),
    }
}

/// A value for a slot, which has a number.
pub type Filled<'a> = (usize, &'a Slot, String);

/// The one node, with all values of it.
fn node(text: &mut String, places: &mut BTreeMap<usize, Place>, mode: Mode, values: &[&Filled<'_>]) {
    let mut sites = String::new();
    let mut put = |text: &mut String, in_proxy: bool| {
        for (number, slot, value) in values.iter().filter(|(_, slot, _)| slot.blocks.is_empty() != in_proxy) {
            let (line, range) = written(slot, value, mode);
            places.insert(*number, Place::new(slot, value, text.len(), &range));
            text.extend([line.as_str(), "\n"]);
            sites.extend(site(slot, *number));
        }
    };
    text.push_str("node \"local\" {\n");
    put(text, false);
    text.push_str("proxy {\n");
    if mode == Mode::Host {
        text.extend([HOST, "\n"]);
    }
    put(text, true);
    text.extend(["}\n}\n", &sites]);
}

/// A configuration with values in slots, and where each value stands.
pub struct Configuration {
    pub text: String,
    places: BTreeMap<usize, Place>,
}

struct Place {
    value: Range<usize>,
    /// Of a label: where the header that ends in it begins, and what an error about the label calls it.
    header: Option<(usize, String)>,
}

impl Place {
    /// Of a value that stands at `range` behind `start`.
    fn new(slot: &Slot, value: &str, start: usize, range: &Range<usize>) -> Self {
        let value_at = start + range.start..start + range.end;
        let block = match slot.form {
            Form::ResourceLabel => Some(slot.kind()),
            Form::Label => Some(slot.name.as_str()),
            _ => None,
        };
        let header = block.and_then(|block| {
            let kept = (slot.ty.canonical)(value).ok()?;
            Some((value_at.start - block.len() - 1, format!("`{kept}`")))
        });
        Self { value: value_at, header }
    }
}

impl Configuration {
    pub fn new(mode: Mode, values: &[Filled<'_>]) -> Self {
        let mut text = "tenant \"acme\" {}\n".to_owned();
        let mut places = BTreeMap::new();
        let (of_node, others): (Vec<_>, Vec<_>) =
            values.iter().partition(|(_, slot, _)| slot.kind() == "node" && !slot.is_resource_label());
        if !of_node.is_empty() {
            node(&mut text, &mut places, mode, &of_node);
        } else if mode == Mode::Host && values.iter().all(|(_, slot, _)| slot.kind() != "node") {
            text.extend(["node \"local\" {\n  ", HOST_PROXY, "\n}\n"]);
        }
        for (number, slot, value) in others {
            let (resource, range) = resource(slot, &label(slot, *number), value, mode);
            places.insert(*number, Place::new(slot, value, text.len(), &range));
            text.push_str(&resource);
            text.push_str(&site(slot, *number).unwrap_or_default());
        }
        Self { text, places }
    }

    /// The slot whose value an error is about: it stands in the value. About a label, it may stand at the header that
    /// ends in the label, where it names it.
    pub fn slot_at(&self, range: &Range<usize>, said: &str) -> Option<usize> {
        let is_of = |place: &Place| {
            let within = place.value.start <= range.start && range.end <= place.value.end;
            let header = |(start, name): &(usize, String)| range.start == *start && said.contains(name);
            within || place.header.as_ref().is_some_and(header)
        };
        self.places.iter().find(|(_, place)| is_of(place)).map(|(number, _)| *number)
    }

    /// The byte at a line and a column of characters, both from 1.
    pub fn byte(&self, line: usize, column: usize) -> usize {
        let start: usize = self.text.split_inclusive('\n').take(line - 1).map(str::len).sum();
        let rest = &self.text[start..];
        start + rest.char_indices().nth(column - 1).map_or(rest.len(), |(at, _)| at)
    }
}
