//! Files that have to be there.

use std::path::Path;

use crate::diag::Diagnostic;
use crate::host::Host;
use crate::plan::{Answer, Query};

/// Reads files, all with one question.
///
/// # Errors
/// The first that is missing, or cannot be read.
pub(super) async fn read<const N: usize>(
    host: &dyn Host,
    paths: [&Path; N],
) -> Result<[Vec<u8>; N], Diagnostic> {
    let answers = host.observe(&paths.map(|path| Query::Read(path.to_owned()))).await;
    let mut contents = [const { Vec::new() }; N];
    for ((path, answer), contents) in paths.into_iter().zip(answers).zip(&mut contents) {
        let why = match answer {
            Answer::Bytes(bytes) => {
                *contents = bytes;
                continue;
            }
            Answer::Failed(why) => why,
            _ => "there is no such file".to_owned(),
        };
        return Err(Diagnostic::error(format!("cannot read `{}`: {why}", path.display())));
    }
    Ok(contents)
}
