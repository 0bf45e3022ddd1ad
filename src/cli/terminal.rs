//! Standard output and standard error: the one place that prints.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::sync::{OnceLock, mpsc};
use std::time::Duration;

use crate::diag::{Diagnostic, Sources, Style, coloured, render};

use super::render::{Paint, condensed};

/// The first error of standard output, which is one for the whole process.
static LOST: OnceLock<String> = OnceLock::new();

/// Whether standard output has been closed by who read it.
static CLOSED: AtomicBool = AtomicBool::new(false);

/// How many diagnostics are drawn: nobody mends more at once, and each takes a look at its whole file.
const SHOWN: usize = 50;

/// How often it is looked whether somebody wants an end, where a question is asked.
const LOOKS: Duration = Duration::from_millis(50);

/// Where a command writes: results on standard output, diagnostics and progress on standard error.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    /// Colours on standard output.
    pub output: Paint,
    /// Colours on standard error.
    pub error: Paint,
    /// Whether somebody can answer a question.
    pub interactive: bool,
    /// Whether progress bars can be drawn.
    pub progress: bool,
}

/// Standard error for the trace log. That nobody reads it any more is no error: a run goes on to its defined end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TraceLog;

impl Write for TraceLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = io::stderr().write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Terminal {
    /// With colours where there is a terminal and nobody refused them.
    pub fn new(no_color: bool) -> Self {
        let colour = |is_terminal: bool| Paint { colour: is_terminal && !no_color };
        Self {
            output: colour(io::stdout().is_terminal()),
            error: colour(io::stderr().is_terminal()),
            interactive: io::stdin().is_terminal() && io::stderr().is_terminal(),
            progress: io::stderr().is_terminal(),
        }
    }

    /// Writes a result. That nobody reads it any more (a closed pipe) is no error; that it cannot be kept (a full
    /// disk) is one, see [`Terminal::lost`].
    pub fn print(&self, text: &str) {
        let mut output = io::stdout().lock();
        match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => CLOSED.store(true, Ordering::Relaxed),
            Err(error) => drop(LOST.set(error.to_string())),
        }
    }

    /// Whether nobody reads results any more, as far as writing has shown.
    pub fn is_closed(&self) -> bool {
        CLOSED.load(Ordering::Relaxed)
    }

    /// Why a result could not be written, where one could not.
    pub fn lost(&self) -> Option<Diagnostic> {
        let why = LOST.get()?;
        Some(Diagnostic::error(format!("the result could not be written to standard output: {why}")))
    }

    /// Writes a result and a newline.
    pub fn line(&self, text: &str) {
        self.print(&format!("{text}\n"));
    }

    /// What a program said, as it may be shown: it must not steer a terminal. Whoever reads it from a pipe gets it whole.
    pub fn said<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if io::stdout().is_terminal() { coloured(text, self.output.colour) } else { text.into() }
    }

    /// Writes a remark about the run.
    pub fn note(&self, text: &str) {
        let mut error = io::stderr().lock();
        let _ = writeln!(error, "{text}");
    }

    /// Draws diagnostics; see [`condensed`].
    pub fn diagnostics<'a>(&self, diagnostics: impl IntoIterator<Item = &'a Diagnostic>, sources: &Sources) {
        let style = Style { colour: self.error.colour };
        let diagnostics = condensed(diagnostics);
        for diagnostic in diagnostics.iter().take(SHOWN) {
            self.note(&render(diagnostic, sources, style));
        }
        if diagnostics.len() > SHOWN {
            let more = diagnostics.len() - SHOWN;
            self.note(&format!("… and {more} more; mend these first, or see all with `vsa validate -json`"));
        }
    }

    /// Asks for the word `yes`, and waits for an answer until somebody wants an end.
    pub fn confirm(&self, question: &str, is_ended: &dyn Fn() -> bool) -> bool {
        let mut error = io::stderr().lock();
        let _ = write!(error, "\n{question}\n  Only `yes` will be accepted.\n\n  Enter a value: ");
        let _ = error.flush();
        drop(error);
        let (tell, answered) = mpsc::channel();
        // One that waits for an answer that nobody gives any more ends with the program.
        std::thread::spawn(move || {
            let mut answer = String::new();
            let is_yes = io::stdin().read_line(&mut answer).is_ok() && answer.trim() == "yes";
            let _ = tell.send(is_yes);
        });
        loop {
            match answered.recv_timeout(LOOKS) {
                Ok(is_yes) => return is_yes,
                Err(RecvTimeoutError::Timeout) if !is_ended() => {}
                Err(_) => {
                    let _ = writeln!(io::stderr());
                    return false;
                }
            }
        }
    }
}
