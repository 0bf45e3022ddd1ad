//! What nginx writes to its error log while it reads its configuration again.

use crate::nginx::{NginxMessage, parse_error};

/// What a master has said since a reload: its warnings and errors.
#[derive(Debug, Default)]
pub(super) struct Log(Vec<NginxMessage>);

/// Why a reload is over.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// nginx refuses a file.
    Files(Vec<NginxMessage>),
    /// It could not do what the files say.
    Other(String),
}

impl Log {
    /// What of a log is this master's; all of it where the log is of one nginx, whose number in its container is its
    /// own affair.
    pub(super) fn of(log: &str, master: Option<u32>) -> Self {
        let master = master.map(|master| format!("{master}#")).unwrap_or_default();
        let marks = ["emerg", "warn"].map(|level| format!("[{level}] {master}"));
        let lines: Vec<&str> =
            log.lines().filter(|line| marks.iter().any(|mark| line.contains(mark.as_str()))).collect();
        Self(parse_error(&lines.join("\n")))
    }

    /// The names that nginx ignores, because an earlier server has them.
    pub(super) fn conflicts(&self) -> Vec<NginxMessage> {
        self.0.iter().filter(|message| message.conflicting_name().is_some()).cloned().collect()
    }

    /// What ends a reload. nginx tries five times to take a listen port; only when it gives up is the reload over.
    pub(super) fn refusal(&self) -> Option<Refused> {
        let errors: Vec<&NginxMessage> = self.0.iter().filter(|message| !message.is_warning()).collect();
        let is_attempt = |message: &NginxMessage| {
            message.text.starts_with("bind() to ") && message.text.contains(" failed ")
        };
        if errors.iter().all(|message| is_attempt(message)) {
            return None;
        }
        if errors.iter().any(|message| message.file.is_some()) {
            return Some(Refused::Files(errors.into_iter().cloned().collect()));
        }
        let mut texts: Vec<&str> = errors.iter().map(|message| &*message.text).collect();
        texts.dedup();
        Some(Refused::Other(texts.join("\n")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(log: &str, master: u32) -> Option<Refused> {
        Log::of(log, Some(master)).refusal()
    }

    #[test]
    fn a_reload_is_over_when_nginx_gives_up() {
        let attempt =
            "2026/11/21 07:00:00 [emerg] 10#10: bind() to 0.0.0.0:80 failed (98: Address already in use)\n";
        let end = "2026/11/21 07:00:02 [emerg] 10#10: still could not bind()\n";
        assert_eq!(refusal(attempt, 10), None);
        assert_eq!(refusal("", 10), None);
        assert_eq!(refusal(&format!("{attempt}{end}"), 11), None, "another nginx's words do not count");
        let said =
            "bind() to 0.0.0.0:80 failed (98: Address already in use)\nstill could not bind()".to_owned();
        assert_eq!(refusal(&format!("{attempt}{attempt}{end}"), 10), Some(Refused::Other(said)));
    }

    #[test]
    fn a_reload_is_over_when_nginx_refuses_a_file() {
        let log = "2026/11/21 07:00:00 [warn] 10#10: conflicting server name \"a.example\" on 0.0.0.0:80, ignored\n\
                   2026/11/21 07:00:00 [emerg] 10#10: duplicate upstream \"app\" in /r/current/sites/b.conf:3\n";
        let Some(Refused::Files(messages)) = refusal(log, 10) else { panic!("it is over") };
        assert_eq!(messages.len(), 1);
        assert_eq!(messages[0].text, "duplicate upstream \"app\"");
        assert_eq!(
            (messages[0].file.as_deref(), messages[0].line),
            (Some("/r/current/sites/b.conf"), Some(3))
        );
        assert_eq!(Log::of(log, Some(10)).conflicts()[0].conflicting_name(), Some("a.example"));
    }
}
