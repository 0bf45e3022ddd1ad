//! Independent judges of nginx files: `crossplane` parses them, `gixy` looks for known mistakes.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

/// A directive as crossplane reads it.
#[derive(Clone, Debug, Deserialize)]
pub struct Directive {
    /// Its name.
    #[serde(rename = "directive")]
    pub name: String,
    /// Its arguments, unquoted.
    pub args: Vec<String>,
    /// What it encloses.
    #[serde(default)]
    pub block: Vec<Directive>,
}

impl Directive {
    /// The directives of a name that it encloses, at any depth.
    pub fn find<'a>(&'a self, name: &'a str) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        find(&self.block, name)
    }

    /// The arguments of the first directive of this name directly inside.
    pub fn args_of(&self, name: &str) -> Option<&[String]> {
        self.block.iter().find(|inner| inner.name == name).map(|inner| inner.args.as_slice())
    }
}

/// The directives of a name among these and what they enclose.
pub fn find<'a>(directives: &'a [Directive], name: &'a str) -> Box<dyn Iterator<Item = &'a Directive> + 'a> {
    Box::new(directives.iter().flat_map(move |directive| {
        let own = (directive.name == name).then_some(directive);
        own.into_iter().chain(directive.find(name))
    }))
}

#[derive(Deserialize)]
struct Payload {
    status: String,
    errors: Vec<serde_json::Value>,
    config: Vec<Parsed>,
}

#[derive(Deserialize)]
struct Parsed {
    parsed: Vec<Directive>,
}

/// What nginx reads from this main file and all that it includes, as one tree. `None` where crossplane is not
/// installed, with a line that says so.
pub fn crossplane(main: &Path) -> Option<Vec<Directive>> {
    let run = Command::new(tool("crossplane")?).args(["parse", "--combine"]).arg(main).output().unwrap();
    let payload: Payload = serde_json::from_slice(&run.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&run.stderr)));
    assert_eq!(payload.status, "ok", "{:#?}", payload.errors);
    Some(payload.config.into_iter().flat_map(|file| file.parsed).collect())
}

/// One finding of gixy.
#[derive(Clone, Debug, Deserialize)]
pub struct Finding {
    /// The check.
    pub plugin: String,
    /// `LOW`, `MEDIUM`, `HIGH`.
    pub severity: String,
    /// What was found.
    pub summary: String,
    /// The directives.
    pub config: String,
}

/// What gixy finds of severity medium or higher. `None` where it is not installed, with a line that says so.
pub fn gixy(main: &Path) -> Option<Vec<Finding>> {
    let run = Command::new(tool("gixy")?).args(["-f", "json"]).arg(main).output().unwrap();
    let findings: Vec<Finding> = serde_json::from_slice(&run.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&run.stderr)));
    let grave = |finding: &Finding| matches!(finding.severity.as_str(), "MEDIUM" | "HIGH");
    Some(findings.into_iter().filter(grave).collect())
}

fn tool(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/venv/bin").join(name);
    if path.exists() {
        return Some(path);
    }
    super::skipped(&format!("{name} is not installed; run `make setup`"));
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const BAD: &str = "events {}\nhttp {\n  server {\n    server_name a.example;\n    \
                       location /a { add_header X-A \"one; two\"; return 301 http://$host$uri; }\n  }\n}\n";

    #[test]
    fn judges_read_what_they_are_given() {
        let directory = tempfile::tempdir().unwrap();
        let main = directory.path().join("nginx.conf");
        std::fs::write(&main, BAD).unwrap();
        let (Some(tree), Some(findings)) = (crossplane(&main), gixy(&main)) else { return };
        let header = find(&tree, "add_header").next().unwrap();
        assert_eq!(header.args, ["X-A", "one; two"]);
        assert_eq!(find(&tree, "server").next().unwrap().args_of("server_name").unwrap(), ["a.example"]);
        assert!(findings.iter().any(|finding| finding.plugin == "http_splitting"), "{findings:#?}");
    }
}
