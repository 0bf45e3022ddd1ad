//! The commands of a guide, run as a reader would: one shell, in order; what they print is what the guide shows.
//!
//! A fence `sh` holds commands. A fence `console` holds commands, each after `$ `, and what each prints: in there a line
//! `…` stands for any lines, and `…` within a line for anything.

use std::fs;
use std::path::Path;
use std::process::Command;

use regex::Regex;

use super::Run;

/// A command, or several of one fence, with the output that the guide shows.
struct Step {
    commands: String,
    shown: Option<String>,
}

/// The fences of a page with this language.
pub fn fences(page: &str, language: &str) -> Vec<String> {
    let fence = Regex::new(r"(?ms)^```(\w+)\n(.*?)^```$").unwrap();
    let of_it = fence.captures_iter(page).filter(|found| &found[1] == language);
    of_it.map(|found| found[2].to_owned()).collect()
}

fn steps(page: &str) -> Vec<Step> {
    let fence = Regex::new(r"(?ms)^```(sh|console)\n(.*?)^```$").unwrap();
    let mut steps = Vec::new();
    for found in fence.captures_iter(page) {
        if &found[1] == "sh" {
            steps.push(Step { commands: found[2].to_owned(), shown: None });
            continue;
        }
        for line in found[2].lines() {
            match (line.strip_prefix("$ "), steps.last_mut()) {
                (Some(command), _) => {
                    steps.push(Step { commands: format!("{command}\n"), shown: Some(String::new()) });
                }
                (None, Some(Step { shown: Some(shown), .. })) => {
                    shown.push_str(line);
                    shown.push('\n');
                }
                (None, _) => panic!("what prints this? {line}"),
            }
        }
    }
    steps
}

/// Whether an output is what is shown.
fn is_shown(shown: &str, output: &str) -> bool {
    let lines = shown.lines().map(|line| match line.trim() {
        "…" => r"(?:.*\n)*?".to_owned(),
        _ => regex::escape(line).replace('…', ".*") + r"\n",
    });
    Regex::new(&format!(r"\A{}\z", lines.collect::<String>())).unwrap().is_match(output)
}

/// Runs the commands of a page in a shell, which `shell` starts with these arguments. `outputs` is an empty directory.
pub fn follow(page: &str, outputs: &Path, shell: impl FnOnce(&[&str]) -> Command) {
    let steps = steps(page);
    assert!(!steps.is_empty(), "the guide has commands");
    let output = |index: usize| outputs.join(index.to_string());
    let lines = steps.iter().enumerate().map(|(index, step)| {
        format!("exec >'{}' 2>&1 </dev/null\n{}", output(index).display(), step.commands)
    });
    let script: String = std::iter::once("set -eu\n".to_owned()).chain(lines).collect();
    let ran = Run::of_patient(shell(&["-c", &script]), std::time::Duration::from_mins(10));
    for (index, step) in steps.iter().enumerate() {
        let Ok(text) = fs::read_to_string(output(index)) else { break };
        let is_last = ran.exit != Some(0) && !output(index + 1).exists();
        assert!(!is_last, "the guide's command fails:\n{}\n{text}", step.commands);
        if let Some(shown) = &step.shown {
            assert!(
                is_shown(shown, &text),
                "the guide shows of\n{}\n{shown}\nand it prints\n{text}",
                step.commands
            );
        }
    }
    drop(ran.code(0));
}
