//! What does not follow to another node.

use super::kind::Subject;
use crate::diag::Diagnostic;
use crate::resource::Path;

impl Subject<'_> {
    /// That a resource is wanted on another node than the one that it is on, where it cannot be: no data moves by itself.
    /// `there` is what there is of it on that node, `instead` what to do.
    pub fn stays(self, there: &str, instead: &str) -> Option<Diagnostic> {
        let (from, resource) = (self.moves_from?, self.desired?);
        Some(
            Diagnostic::error(format!("`{}` cannot move to another node", self.address))
                .code("cannot_move")
                .at(resource.span(&Path::root().name("node")))
                .detail(format!("{there} on `{from}`, and vsa moves no data"))
                .help(instead.to_owned())
                .on(self.address),
        )
    }
}
