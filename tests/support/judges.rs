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
    /// Reads an escaped backslash as nginx does (`ngx_conf_read_token`); crossplane leaves it as it is written.
    fn unescape(&mut self) {
        for argument in &mut self.args {
            *argument = argument.replace("\\\\", "\\");
        }
        self.block.iter_mut().for_each(Self::unescape);
    }

    /// This directive and those that it encloses, at any depth: the names on the way to each, and its arguments.
    pub fn flatten(&self) -> Vec<(String, &[String])> {
        let inner = self.block.iter().flat_map(Self::flatten);
        let inner = inner.map(|(path, arguments)| (format!("{} > {path}", self.name), arguments));
        std::iter::once((self.name.clone(), self.args.as_slice())).chain(inner).collect()
    }
}

#[derive(Deserialize)]
struct Payload {
    status: String,
    errors: Vec<serde_json::Value>,
    config: Vec<Parsed>,
}

#[derive(Deserialize)]
struct Parsed {
    file: PathBuf,
    parsed: Vec<Directive>,
}

/// What nginx reads from this main file and from each that it includes. `None` where crossplane is not installed, with
/// a line that says so.
pub fn crossplane(main: &Path) -> Option<Vec<(PathBuf, Vec<Directive>)>> {
    let run = Command::new(tool("crossplane")?).arg("parse").arg(main).output().unwrap();
    let payload: Payload = serde_json::from_slice(&run.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&run.stderr)));
    assert_eq!(payload.status, "ok", "{:#?}", payload.errors);
    let mut files: Vec<_> = payload.config.into_iter().map(|file| (file.file, file.parsed)).collect();
    files.iter_mut().flat_map(|(_, directives)| directives).for_each(Directive::unescape);
    Some(files)
}

/// Reads each file by itself, whatever it is included in.
const EACH: &str = "import crossplane, json, sys
print(json.dumps([crossplane.parse(path, single=True, check_ctx=False) for path in sys.argv[1:]]))";

/// What nginx reads from each of these files by itself, or what is wrong with it. `None` where crossplane is not
/// installed, with a line that says so.
pub fn crossplane_each(files: &[PathBuf]) -> Option<Vec<Result<Vec<Directive>, String>>> {
    tool("crossplane")?;
    let run = Command::new(tool("python")?).args(["-c", EACH]).args(files).output().unwrap();
    let payloads: Vec<Payload> = serde_json::from_slice(&run.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&run.stderr)));
    let read = payloads.into_iter().map(|payload| {
        if payload.status != "ok" {
            return Err(format!("{:#?}", payload.errors));
        }
        let mut directives: Vec<_> = payload.config.into_iter().flat_map(|file| file.parsed).collect();
        directives.iter_mut().for_each(Directive::unescape);
        Ok(directives)
    });
    Some(read.collect())
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

pub(super) fn tool(name: &str) -> Option<PathBuf> {
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
        let directives: Vec<_> = tree[0].1.iter().flat_map(Directive::flatten).collect();
        let header = &["X-A".to_owned(), "one; two".to_owned()][..];
        assert!(
            directives.contains(&("http > server > location > add_header".to_owned(), header)),
            "{tree:#?}"
        );
        assert!(findings.iter().any(|finding| finding.plugin == "http_splitting"), "{findings:#?}");
    }
}
