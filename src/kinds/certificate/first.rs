//! What stands in the way of a certificate that is to be made, or laid out for the first time: it is told before an authority
//! is asked.

use std::path::PathBuf;

use super::judgement::former;
use super::known::Known;
use super::published::{Home, place};
use crate::diag::Diagnostic;
use crate::plan::Subject;
use crate::plan::issuance::Lineage;
use crate::plan::observation::{Answer, FileType, Query};
use crate::resource::Resource;

/// What to do about what stands in the node's own directory.
pub(super) const HELP: &str = "move it away: vsa lays the certificate out there for other programs";

/// Where one will be that is not laid out yet: its directories, and the configuration of its renewal.
fn places(subject: Subject<'_>, resource: &Resource, known: &Known) -> Option<([PathBuf; 2], PathBuf)> {
    let is_first = known.settings.is_some() && place(subject, resource, known, Home::Own).is_none();
    let lineage = Lineage::new(subject.node.spec.root.clone(), &*resource.name).ok().filter(|_| is_first)?;
    Some(([lineage.live(), lineage.archive()], lineage.renewal()))
}

/// What is asked about these.
pub(super) fn queries(
    subject: Subject<'_>,
    resource: &Resource,
    known: &Known,
) -> impl Iterator<Item = Query> {
    let asked = places(subject, resource, known).map(|(directories, file)| {
        let [live, archive] = directories.map(|path| [Query::Stat(path.clone()), Query::Entries(path)]);
        live.into_iter().chain(archive).chain([Query::Stat(file)])
    });
    asked.into_iter().flatten()
}

/// That something else stands there.
pub(super) fn obstacle(subject: Subject<'_>, resource: &Resource, known: &Known) -> Option<Diagnostic> {
    let (directories, file) = places(subject, resource, known)?;
    let directory = directories.iter().find(|path| is_no_directory(subject, path));
    let file = Some(&file).filter(|file| is(subject, file) == Some(&FileType::Directory));
    let (path, what) =
        directory.map(|path| (path, "is no directory")).or(file.map(|file| (file, "is no file")))?;
    let error = Diagnostic::error(format!("`{}` {what}", path.display()));
    Some(error.code("obstructed").help(HELP).on(subject.address))
}

/// What is asked about the directory of its issues, where one is to be made.
pub(super) fn of_issues(subject: Subject<'_>) -> impl Iterator<Item = Query> {
    let asked = former(subject).and_then(|query| match &query {
        Query::Entries(path) => Some([Query::Stat(path.clone()), query]),
        _ => None,
    });
    asked.into_iter().flatten()
}

/// That something else stands in the place of that directory.
pub(super) fn no_place(subject: Subject<'_>) -> Option<Diagnostic> {
    let Some(Query::Entries(path)) = former(subject) else { return None };
    is_no_directory(subject, &path).then(|| {
        let error = Diagnostic::error(format!("`{}` is no directory", path.display()));
        error
            .code("obstructed")
            .help("move it away: vsa keeps keys and certificates there")
            .on(subject.address)
    })
}

fn is<'a>(subject: Subject<'a>, path: &PathBuf) -> Option<&'a FileType> {
    subject.observed.stat(path).map(|stat| &stat.file_type)
}

/// Whether something stands there that is none, nor a link to one, which is as good.
fn is_no_directory(subject: Subject<'_>, path: &PathBuf) -> bool {
    let listed = subject.observed.get(&Query::Entries(path.clone()));
    is(subject, path).is_some_and(|is| *is != FileType::Directory)
        && !matches!(listed, Some(Answer::Entries(_)))
}
