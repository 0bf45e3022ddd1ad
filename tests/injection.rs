//! Hostile values in every text that the schemas know: refused at their place, or written so that an independent parser
//! reads back exactly the value, with nothing around it changed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use vsa::kinds::registry;
use vsa::names::TextType;
use vsa::schema::{Block, Nesting, Schema, Ty, Vocabulary as _};

use crate::support::judges::{Directive, crossplane};
use crate::support::{Random, Workspace, count};

/// One place where a configuration holds a text of its own.
struct Slot {
    /// The kind and the way to the attribute: `domain.csp.policy`.
    path: String,
    /// What it takes.
    ty: &'static TextType,
    /// How it stands there.
    form: Form,
    /// The blocks around it, each with its label where it has one.
    blocks: Vec<(String, Option<String>)>,
    name: String,
}

#[derive(Clone, Copy)]
enum Form {
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
    fn kind(&self) -> &str {
        self.path.split('.').next().unwrap()
    }

    fn is_resource_label(&self) -> bool {
        matches!(self.form, Form::ResourceLabel)
    }

    /// Whether a value is more than an argument: it names the file, or is directives.
    fn is_free(&self) -> bool {
        self.is_resource_label() || self.ty.name == "nginx snippet" || self.path == "domain.name"
    }

    /// A value that is right here, and that no other resource has claimed.
    fn benign(&self) -> &'static str {
        let examples = self.ty.examples;
        let example =
            if matches!(self.form, Form::Element | Form::Label) { examples.last() } else { examples.first() };
        example.unwrap_or_else(|| panic!("{} has no example", self.ty.name))
    }
}

impl Slot {
    /// The right value as it is kept.
    fn canonical_benign(&self) -> String {
        (self.ty.canonical)(self.benign()).unwrap()
    }
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

/// What a block needs beside the slot for the slot to mean something.
fn context(kind: &str, block: Option<&str>, slot: &Slot) -> Vec<String> {
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
                line("root = \"/srv/www\"");
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
            line(if is(&["key"]) { "certificate = \"/srv/c.pem\"" } else { "key = \"/srv/k.pem\"" });
        }
        _ => {}
    }
    if kind == "domain" && block.is_none() {
        line("tls {\n    enabled = false\n  }");
    }
    if matches!(kind, "domain" | "auth") && block.is_none() {
        line("tenant = tenant.acme");
    }
    lines
}

/// The slot as HCL, with this value, and where the value stands in it.
fn written(slot: &Slot, value: &str) -> (String, std::ops::Range<usize>) {
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
            let lines = context(slot.kind(), Some(name), &inner).join("\n");
            (format!("{name} "), format!(" {{\n{lines}\n}}"))
        }
        Form::ResourceLabel => (String::new(), String::new()),
    };
    // A key is underlined together with its value.
    let tail = if matches!(slot.form, Form::Key(_)) { after.len() } else { 0 };
    let range = before.len()..before.len() + value.len() + tail;
    (before + &value + &after, range)
}

/// A resource for one slot, and where the value stands in it.
fn resource(slot: &Slot, label: &str, value: &str) -> (String, std::ops::Range<usize>) {
    let kind = slot.kind();
    if slot.is_resource_label() {
        let head = format!("{kind} ");
        let range = head.len()..head.len() + literal(value).len();
        let lines = context(kind, None, slot).join("\n");
        return (format!("{head}{} {{\n{lines}\n}}\n", literal(value)), range);
    }
    let mut text = format!("{kind} {} {{\n", literal(label));
    let lines = context(kind, None, slot);
    text.push_str(&lines.join("\n"));
    text.push('\n');
    for (name, label) in &slot.blocks {
        let label = label.as_ref().map(|label| literal(label) + " ").unwrap_or_default();
        text.extend([name, " ", &label, "{\n"]);
        text.push_str(&context(kind, Some(name), slot).join("\n"));
        text.push('\n');
    }
    let (inner, range) = written(slot, value);
    let range = text.len() + range.start..text.len() + range.end;
    text.push_str(&inner);
    text.push_str(&"\n}".repeat(slot.blocks.len() + 1));
    text.push('\n');
    (text, range)
}

/// The label under which a slot's resource stands.
fn label(slot: &Slot, number: usize) -> String {
    match slot.kind() {
        "node" => "local".to_owned(),
        "domain" | "certificate" => format!("slot{number}.example.com"),
        _ => format!("slot{number}"),
    }
}

/// A configuration with these values in these slots, and where each value stands.
struct Configuration {
    text: String,
    places: BTreeMap<usize, std::ops::Range<usize>>,
}

fn configuration(slots: &[(usize, &Slot, &str)]) -> Configuration {
    let mut text = "tenant \"acme\" {}\n".to_owned();
    let mut places = BTreeMap::new();
    for (number, slot, value) in slots {
        let (resource, range) = resource(slot, &label(slot, *number), value);
        places.insert(*number, text.len() + range.start..text.len() + range.end);
        text.push_str(&resource);
    }
    Configuration { text, places }
}

/// The slots that are refused, by their number; everything else that is wrong ends the test.
fn refused(workspace: &Workspace, configuration: &Configuration) -> BTreeMap<usize, String> {
    workspace.write("main.hcl", &configuration.text);
    let run = workspace.vsa(["validate", "-json"]);
    let report = run.json();
    let mut refused = BTreeMap::new();
    for diagnostic in report["diagnostics"].as_array().unwrap() {
        if diagnostic["severity"] != "error" {
            continue;
        }
        let at = |end: &str| usize::try_from(diagnostic["range"][end]["byte"].as_u64().unwrap_or(0)).unwrap();
        let (start, end) = (at("start"), at("end"));
        let line = |at: usize| configuration.text[..at].matches('\n').count();
        let of = configuration.places.iter().find(|(_, range)| range.start <= start && end <= range.end);
        // What is no HCL at all is shown where the parser gave up: in the slot's line.
        let unparsed = diagnostic["summary"] == "this is not valid HCL";
        let of = of.or_else(|| {
            configuration.places.iter().find(|(_, range)| unparsed && line(range.start) == line(start))
        });
        let Some((number, _)) = of else {
            panic!("an error that is at no slot: {diagnostic:#}\n{}", &configuration.text[start..end]);
        };
        refused.insert(*number, diagnostic["summary"].as_str().unwrap().to_owned());
    }
    assert_eq!(run.exit, Some(i32::from(!refused.is_empty())), "{run}");
    refused
}

/// What nginx would read of each file of the next generation, by its path.
type Tree = BTreeMap<String, Vec<Directive>>;

/// Plans a configuration of values that `validate` lets pass; or the slots that the plan refuses, by their number.
fn planned(
    workspace: &Workspace,
    configuration: &Configuration,
) -> Result<serde_json::Value, BTreeMap<usize, String>> {
    workspace.write("main.hcl", &configuration.text);
    let run = workspace.vsa(["plan", "-json", "-preflight=false"]);
    if run.exit == Some(0) {
        return Ok(run.json());
    }
    let mut refused = BTreeMap::new();
    let mut summary = "";
    for line in run.stderr.lines() {
        let place = line.trim_start().strip_prefix("--> main.hcl:");
        if line.starts_with("error") || line.starts_with("warning") {
            summary = line;
        } else if let (Some(place), true) = (place, summary.starts_with("error")) {
            let line: usize = place.split(':').next().unwrap().parse().unwrap();
            let line_of = |at: usize| configuration.text[..at].matches('\n').count() + 1;
            let of = configuration.places.iter().find(|(_, range)| line_of(range.start) == line);
            refused.insert(
                *of.unwrap_or_else(|| panic!("an error that is at no slot\n{run}")).0,
                summary.to_owned(),
            );
        }
    }
    assert!(run.exit == Some(1) && !refused.is_empty(), "{run}");
    Err(refused)
}

/// Reads the next generation back from the plan, with the resource that each file is of.
fn read_back(
    workspace: &Workspace,
    configuration: &Configuration,
) -> Option<(Tree, BTreeMap<String, String>)> {
    let plan = planned(workspace, configuration).unwrap_or_else(|refused| panic!("{refused:#?}"));
    let directory = tempfile::tempdir().unwrap();
    let base = directory.path();
    // What comes into a generation without being of a resource.
    fs::create_dir(base.join("base")).unwrap();
    for own in ["mime.types", "base/marker.conf"] {
        fs::write(base.join(own), "").unwrap();
    }
    let mut resources = BTreeMap::new();
    for file in plan["vsa"]["files"].as_array().unwrap() {
        let path = file["path"].as_str().unwrap();
        let diff = file["diff"].as_str().unwrap();
        let lines = diff.split_inclusive('\n');
        let text: String =
            lines.map(|line| line.strip_prefix('+').unwrap_or_else(|| panic!("{diff}"))).collect();
        resources.insert(path.to_owned(), file["resource"].as_str().unwrap().to_owned());
        if !text.starts_with("link to ") {
            fs::create_dir_all(base.join(path).parent().unwrap()).unwrap();
            fs::write(base.join(path), text).unwrap();
        }
    }
    let files = crossplane(&base.join("nginx.conf"))?;
    let name = |path: &Path| path.strip_prefix(base).unwrap_or(path).to_string_lossy().into_owned();
    Some((files.into_iter().map(|(path, directives)| (name(&path), directives)).collect(), resources))
}

/// An argument without what follows from a value rather than holds it: the hash in the name of a zone or variable.
fn unhashed(argument: &str) -> String {
    let Some(start) = argument.find("vsa_") else { return argument.to_owned() };
    let end = argument[start..].find([':', ' ']).map_or(argument.len(), |length| start + length);
    let hash = argument[..end].rfind('_').unwrap_or(start) + 1;
    let is_hash = end - hash == 8 && argument[hash..end].bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hash { [&argument[..hash], "#", &argument[end..]].concat() } else { argument.to_owned() }
}

/// How what nginx reads differs when a benign value gives way to another, beyond that value itself.
fn differences(benign: &[Directive], hostile: &[Directive], from: &str, to: &str) -> Vec<String> {
    let (old, new): (Vec<_>, Vec<_>) = (
        benign.iter().flat_map(Directive::flatten).collect(),
        hostile.iter().flat_map(Directive::flatten).collect(),
    );
    if old.len() != new.len() {
        return vec![format!("{} directives became {}", old.len(), new.len())];
    }
    // A relative path is read below a directory.
    let (from, to) = (from.trim_end_matches('/'), to.trim_end_matches('/'));
    let holds = |old: &String, new: &String| {
        let (old, new) = (unhashed(old), unhashed(new));
        old == new
            || old.replace(from, to) == new
            || old.contains(from) && new.ends_with(&old.replace(from, to))
            || old.starts_with(from) && new.contains(&format!("/{to}"))
    };
    let mut found = Vec::new();
    for ((old_path, old), (new_path, new)) in old.iter().zip(&new) {
        let same = old.len() == new.len() && old.iter().zip(*new).all(|(old, new)| holds(old, new));
        if old_path != new_path || !same {
            found.push(format!("{old_path} {old:?} became {new_path} {new:?}"));
        }
    }
    found
}

/// Whether a value stands in an argument of what nginx reads.
fn stands_in(tree: &Tree, value: &str) -> bool {
    let arguments = tree.values().flatten().flat_map(Directive::flatten).flat_map(|(_, arguments)| arguments);
    let mut arguments = arguments.map(String::as_str);
    arguments.any(|argument| argument.contains(value))
}

/// Values that break out of a file, a line, a word or a path where they are not written with care.
fn hostile_values() -> Vec<String> {
    let mut values: Vec<String> = [
        "\"",
        "\\",
        "a\"b",
        "a\\",
        "\\\"",
        "';",
        "'",
        "`id`",
        "$(id)",
        ";",
        "a;b",
        "; return 200 pwned;",
        "}",
        "{",
        "}} server {",
        "a; } server { listen 1; }",
        "x\"; return 200 \"pwned",
        "\n",
        "a\nb",
        "a\nreturn 200 pwned;",
        "\r\n",
        "a\r\nSet-Cookie: x=1",
        "\r",
        "\0",
        "a\0b",
        "\u{1}",
        "\u{2}3\u{1}",
        "\u{7f}",
        "\u{85}",
        "\u{2028}",
        "\u{feff}a",
        "\u{202e}a",
        "\t",
        "a\tb",
        " ",
        " a",
        "a ",
        "$",
        "$uri",
        "${uri}",
        "a$",
        "$$",
        "$http_x_forwarded_for",
        "$arg_x",
        "${",
        "%{",
        "{{ 7 * 7 }}",
        "{% raw %}",
        "#",
        "a # b",
        "a#b",
        "include /etc/passwd;",
        "include /etc/nginx/*.conf",
        "/etc/passwd",
        "../../etc/passwd",
        "/srv/../etc/passwd",
        "/srv/./a",
        "//",
        "/a//b",
        "~",
        "~*",
        "~ ^/(.*)$",
        "= /",
        "@named",
        "/a b",
        "/a;b",
        "/a{b",
        "/a\"b",
        "/a\\",
        "/a\nb",
        "/a$uri",
        "https://a.example/\"; x",
        "https://a.example/$uri",
        "https://a.example/ b",
        "javascript:alert(1)",
        "unix:/run/docker.sock",
        "http://unix:/run/docker.sock",
        "http://a.example@b.example",
        "127.0.0.1:80;",
        "127.0.0.1:99999",
        "a.example:80 weight=5",
        "localhost;",
        "*.example.com",
        "~^(.+)$",
        "_",
        "-",
        "--",
        "-h",
        "a:b",
        "alice:x",
        "alice\nroot:x",
        "off",
        "default_server",
        "10r/s burst=5",
        "1h 2h",
        "1e9",
        "0x10",
        "0; x",
        "\u{1f4a9}\"",
        "é;",
        "<script>",
        "<!--#exec cmd=\"id\" -->",
    ]
    .map(str::to_owned)
    .to_vec();
    values.extend([
        String::new(),
        "a".repeat(5_000),
        "a.".repeat(200),
        "/".repeat(3_000),
        "é".repeat(2_000),
        "\"".repeat(300),
    ]);
    values
}

/// A hostile value by itself, and behind a right one, so that it also gets past the first look. A path ends in `/` where
/// the right one does: without, it is written as two locations.
fn variants(value: &str, slot: &Slot) -> [String; 2] {
    let end = if slot.path == "domain.location" { "/" } else { "" };
    [format!("{value}{end}"), format!("{}{value}{end}", slot.benign())]
}

/// Whether nginx is told the value: not of files that vsa itself reads, nor of accounts, which must exist.
fn is_written(slot: &Slot) -> bool {
    !matches!(slot.path.as_str(), "certificate.certificate" | "certificate.key") && slot.ty.name != "account"
}

/// A configuration, and what nginx reads of it.
struct Base {
    tree: Tree,
    resources: BTreeMap<String, String>,
}

impl Base {
    /// Of right values in these slots. `None` where crossplane is not installed.
    fn new(workspace: &Workspace, slots: &[(usize, &Slot)]) -> Option<Self> {
        let right: Vec<_> = slots.iter().map(|(number, slot)| (*number, *slot, slot.benign())).collect();
        let none = refused(workspace, &configuration(&right));
        assert!(none.is_empty(), "right values are refused: {none:#?}");
        let written: Vec<_> = right.into_iter().filter(|(_, slot, _)| is_written(slot)).collect();
        read_back(workspace, &configuration(&written)).map(|(tree, resources)| Self { tree, resources })
    }

    /// Puts a value in each slot: those that are not refused must be read back exactly, and nothing else may change.
    /// Says which were refused and what is wrong.
    fn check(
        &self,
        workspace: &Workspace,
        values: &[(usize, &Slot, &str)],
    ) -> (BTreeMap<usize, String>, Vec<String>) {
        let mut refused = refused(workspace, &configuration(values));
        let written = loop {
            let written = values.iter().filter(|(_, slot, _)| is_written(slot));
            let written = written.map(|(number, slot, value)| {
                (*number, *slot, if refused.contains_key(number) { slot.benign() } else { *value })
            });
            let written: Vec<_> = written.collect();
            match planned(workspace, &configuration(&written)) {
                Ok(_) => break written,
                Err(more) => refused.extend(more),
            }
        };
        let accepted = |number: &usize| !refused.contains_key(number);
        let Some((tree, resources)) = read_back(workspace, &configuration(&written)) else {
            return (refused, Vec::new());
        };
        let mut wrong = Vec::new();
        for (number, slot, value) in
            written.iter().filter(|(number, slot, _)| accepted(number) && !slot.is_free())
        {
            let canonical = (slot.ty.canonical)(value).unwrap_or_else(|_| (*value).to_owned());
            let of_slot = |path: &str, resources: &BTreeMap<String, String>| {
                slot.kind() == "node"
                    || resources.get(path).is_some_and(|of| of.contains(&label(slot, *number)))
            };
            for (path, old) in self.tree.iter().filter(|(path, _)| of_slot(path, &self.resources)) {
                match tree.get(path).filter(|_| of_slot(path, &resources)) {
                    None => wrong.push(format!("{} = {value:?}: {path} is gone", slot.path)),
                    Some(new) => {
                        let found = differences(old, new, &slot.canonical_benign(), &canonical);
                        wrong.extend(
                            found.into_iter().map(|found| format!("{} = {value:?}: {found}", slot.path)),
                        );
                    }
                }
            }
        }
        // What belongs to no slot keeps its shape. A file is named after the label or name that a slot gave another value.
        let renamed: Vec<_> = written
            .iter()
            .filter(|(number, slot, _)| accepted(number) && slot.is_free())
            .map(|(_, slot, _)| slot.canonical_benign())
            .collect();
        let of_none =
            |path: &str| !path.contains("slot") && !renamed.iter().any(|name| path.contains(name.as_str()));
        for (path, old) in self.tree.iter().filter(|(path, _)| of_none(path)) {
            let shape = |of: &[Directive]| {
                of.iter().flat_map(Directive::flatten).map(|(path, _)| path).collect::<Vec<_>>()
            };
            let new = tree.get(path).map(|new| shape(new));
            if new.as_ref() != Some(&shape(old)) {
                let values: Vec<_> = written.iter().map(|(_, slot, value)| (&slot.path, value)).collect();
                wrong.push(format!("{path} changes from {:?} to {new:?} by one of {values:?}", shape(old)));
            }
        }
        (refused, wrong)
    }
}

#[test]
fn hostile_values_are_refused_or_read_back_exactly() {
    let workspace = Workspace::new();
    // ACME is refused as a whole, whatever stands in its block.
    let schemas = registry().schemas().into_iter();
    let all: Vec<Slot> =
        schemas.flat_map(slots).filter(|slot| !slot.path.starts_with("node.acme.")).collect();
    let (of_node, others): (Vec<_>, Vec<_>) =
        all.iter().enumerate().partition(|(_, slot)| slot.kind() == "node");
    assert!(others.len() > 40, "{} slots", others.len());
    // There is one node: its slots take turns.
    let mut groups: Vec<Vec<(usize, &Slot)>> = of_node.into_iter().map(|slot| vec![slot]).collect();
    groups.push(others);
    let hostile = hostile_values();
    assert!(hostile.len() >= 60);
    // The short run looks at the same values each time. The full one takes them all, and is not green yet: some values
    // that crossplane reads otherwise than nginx are still taken for changed.
    let mut random = if count(0, 1) == 1 { Random::from_environment() } else { Random::seeded(3) };
    let mut accepted = 0;
    for group in groups {
        let Some(base) = Base::new(&workspace, &group) else { return };
        for value in &hostile {
            if random.below(u64::from(count(12, 1))) > 0 {
                continue;
            }
            for variant in 0..2 {
                let texts: Vec<_> =
                    group.iter().map(|(_, slot)| variants(value, slot)[variant].clone()).collect();
                let values =
                    group.iter().zip(&texts).map(|((number, slot), text)| (*number, *slot, text.as_str()));
                let (refused, wrong) = base.check(&workspace, &values.collect::<Vec<_>>());
                assert!(wrong.is_empty(), "{}", wrong.join("\n"));
                accepted += group.len() - refused.len();
            }
        }
    }
    assert!(accepted > 20, "only {accepted} values were read back");
}

/// Values that look odd and are right.
const AWKWARD: &[(&str, &str)] = &[
    ("tenant", "a"),
    ("tenant", "z23456789-123456789-123456789-12"),
    ("tenant.name", "O'Reilly & Söhne; \"Ltd\" {sic}"),
    ("tenant.name", "株式会社 🏢"),
    ("auth.realm", "Nur für Mitarbeiter; bitte {anmelden}"),
    ("auth.realm", "it's #1, isn't it?"),
    ("auth.user", "alice@example.com"),
    ("auth.user", "müller-lüdenscheidt"),
    ("auth.user.password", "$2y$ \\ \" ' ; { } # 🔑 and spaces "),
    ("domain", "münchen.example"),
    ("domain", "xn--mnchen-3ya.example"),
    ("domain", "a-1.b-2.c-3.example"),
    ("domain", "localhost"),
    ("domain.aliases", "3.example.com"),
    ("domain.upstream.address", "[::1]:8080"),
    ("domain.upstream.address", "https://127.0.0.1:8443"),
    ("domain.upstream.address", "[::ffff:127.0.0.1]:3000"),
    ("domain.upstream.host_header", "other.example.com:8080"),
    ("domain.redirect.to", "https://example.com:8443/a;b=c/%20/~d"),
    ("domain.location", "/a,b/"),
    ("domain.location", "/~user/file.tar.gz"),
    ("domain.location", "/c++/(x)/"),
    ("domain.location", "/café/"),
    ("domain.root", "/srv/acme/a b; {c}"),
    ("domain.index", "index.en.html"),
    ("domain.headers", "a, b; q=\"0.5\", 'c' {d} #e"),
    ("domain.headers", "max-age=0, no-cache"),
    ("domain.headers", ""),
    ("domain.headers[key]", "X-9-Lives"),
    ("domain.csp.policy", "default-src 'self'; img-src * data:; script-src 'nonce-abc=' https://a.example"),
    ("domain.security_headers.permissions_policy", "geolocation=(self \"https://a.example\"), camera=()"),
    ("domain.body_size", "0"),
    ("domain.body_size", "1024g"),
    ("domain.timeouts.read", "500ms"),
    ("domain.timeouts.connect", "1m"),
    ("domain.allow", "2001:db8::/32"),
    ("domain.deny", "10.0.0.1"),
    ("domain.rate_limit.rate", "100000r/m"),
    ("domain.extra_config", "proxy_buffers 8 16k; # a remark; with { signs }\nsub_filter \"a; b\" 'c } d';"),
];

#[test]
fn awkward_values_that_are_right_are_accepted() {
    let workspace = Workspace::new();
    let all: Vec<Slot> = registry().schemas().into_iter().flat_map(slots).collect();
    assert!(AWKWARD.len() >= 30);
    let mut wrong = Vec::new();
    for (path, value) in AWKWARD {
        let found = all.iter().enumerate().find(|(_, slot)| slot.path == *path);
        let Some((number, slot)) = found else { panic!("there is no {path}") };
        let one = configuration(&[(number, slot, value)]);
        let refused = refused(&workspace, &one);
        if !refused.is_empty() {
            wrong.extend(refused.values().map(|summary| format!("{path} = {value:?} is refused: {summary}")));
            continue;
        }
        let Some((tree, _)) = read_back(&workspace, &one) else { return };
        // What nginx reads of it, where it reads it at all.
        let Some(base) = Base::new(&workspace, &[(number, slot)]) else { return };
        let canonical = (slot.ty.canonical)(value).unwrap();
        if !slot.is_free() && stands_in(&base.tree, &slot.canonical_benign()) && !stands_in(&tree, &canonical)
        {
            wrong.push(format!("{path} = {value:?} is not read back"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
