//! What nginx says about a configuration, and back to the configuration of vsa.

use crate::plan::File;
use crate::resource::Path;

/// One message of `nginx -t`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NginxMessage {
    /// `emerg`, `warn`, ….
    pub level: String,
    /// The message, without the place.
    pub text: String,
    /// The file, as nginx named it.
    pub file: Option<String>,
    /// The line, from 1.
    pub line: Option<u32>,
}

impl NginxMessage {
    /// Whether nginx goes on in spite of it.
    pub fn is_warning(&self) -> bool {
        matches!(self.level.as_str(), "warn" | "notice" | "info" | "debug")
    }

    /// The host name of a `conflicting server name` warning.
    pub fn conflicting_name(&self) -> Option<&str> {
        self.text.strip_prefix("conflicting server name \"")?.split_once('"').map(|(name, _)| name)
    }
}

/// The messages in what `nginx -t` wrote to standard error, or in an error log.
pub fn parse_error(stderr: &str) -> Vec<NginxMessage> {
    stderr.lines().filter_map(message).collect()
}

fn message(line: &str) -> Option<NginxMessage> {
    let (_, rest) = line.split_once('[')?;
    let (level, rest) = rest.split_once(']')?;
    if !level.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return None;
    }
    let rest = rest.trim_start();
    // In a log, the process and its thread stand in front: `123#123: `.
    let text = match rest.split_once(": ") {
        Some((process, text)) if process.bytes().all(|byte| byte.is_ascii_digit() || byte == b'#') => text,
        _ => rest,
    };
    let place = text.rsplit_once(" in ").and_then(|(text, place)| {
        let (file, line) = place.rsplit_once(':')?;
        Some((text, file.to_owned(), line.parse().ok()?))
    });
    Some(match place {
        Some((text, file, line)) => NginxMessage {
            level: level.to_owned(),
            text: text.to_owned(),
            file: Some(file),
            line: Some(line),
        },
        None => NginxMessage { level: level.to_owned(), text: text.to_owned(), file: None, line: None },
    })
}

/// The place in its resource that wrote a line (from 1) of a file that was rendered with a trace; the resource itself
/// where no value went into that line.
pub fn origin(file: &File, line: u32) -> Path {
    let exact = file.origins.iter().filter(|(at, _)| *at == line).map(|(_, path)| path);
    exact.max_by_key(|path| path.0.len()).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_logs() {
        let messages = parse_error(
            "nginx: [emerg] host not found in upstream \"x in y\" in /r/sites/a.conf:12\n\
             nginx: [warn] conflicting server name \"a.example\" on 0.0.0.0:80, ignored\n\
             2026/01/02 03:04:05 [error] 12#12: still could not bind()\n\
             nginx: configuration file /r/nginx.conf test failed\n",
        );
        assert_eq!(messages.len(), 3);
        assert_eq!(messages[0].file.as_deref(), Some("/r/sites/a.conf"));
        assert_eq!(messages[0].line, Some(12));
        assert_eq!(messages[0].text, "host not found in upstream \"x in y\"");
        assert_eq!(messages[1].conflicting_name(), Some("a.example"));
        assert_eq!(messages[2].text, "still could not bind()");
    }
}
