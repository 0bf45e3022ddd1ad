//! Which records to list.

use jiff::Timestamp;
use rusqlite::types::Value;

use super::record::{Event, time_text};

/// Which records to list; every part that is there must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// At this time or later.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
    /// Of this command.
    pub command: Option<String>,
    /// About this resource, or an instance of it, or anything in this module.
    pub resource: Option<String>,
    /// Of this event.
    pub event: Option<Event>,
    /// Of this run.
    pub run: Option<String>,
    /// The last so many.
    pub limit: Option<u32>,
}

impl Filter {
    pub(super) fn sql(&self) -> (String, Vec<Value>) {
        let mut conditions = Vec::new();
        let mut parameters: Vec<Value> = Vec::new();
        let mut require = |condition: &'static str, text: String| {
            conditions.push(condition);
            parameters.push(text.into());
        };
        if let Some(since) = self.since {
            require("time >= ?", time_text(since));
        }
        if let Some(until) = self.until {
            require("time < ?", time_text(until));
        }
        if let Some(command) = &self.command {
            require("command = ?", command.clone());
        }
        if let Some(resource) = &self.resource {
            // What is inside an address goes on with `.` or `[`; the address itself with the dot added here.
            require("(resource || '.') GLOB ?", format!("{}[.[]*", escape_glob(resource)));
        }
        if let Some(event) = self.event {
            require("event = ?", event.as_str().to_owned());
        }
        if let Some(run) = &self.run {
            require("run = ?", run.clone());
        }
        let filter = if conditions.is_empty() {
            String::new()
        } else {
            format!(" WHERE {}", conditions.join(" AND "))
        };
        let limit = self.limit.map_or(-1, i64::from);
        parameters.push(limit.into());
        let sql = format!(
            "SELECT line FROM (SELECT seq, line FROM record{filter} ORDER BY seq DESC LIMIT ?) ORDER BY seq"
        );
        (sql, parameters)
    }
}

/// A text as a pattern of itself.
fn escape_glob(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        if matches!(char, '*' | '?' | '[') {
            escaped.extend(['[', char, ']']);
        } else {
            escaped.push(char);
        }
    }
    escaped
}
