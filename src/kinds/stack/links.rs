//! Where symbolic links on the way to a stack's paths lead: a container may have made them.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::attributes::{Directory, Stack};
use super::observe;
use super::wanted::Wanted;
use crate::diag::Diagnostic;
use crate::plan::observation::{FileType, Stat};
use crate::plan::{Answer, Query, Subject};
use crate::resource::Resource;

/// The longest chain of links (Linux has the same limit, `path_resolution(7)`).
const LONGEST: usize = 40;

/// What must be known of the paths that the Compose files name. Which links there are shows step by step.
pub(super) fn queries(subject: Subject<'_>, wanted: &Wanted) -> Vec<Query> {
    let paths = wanted.project.iter().flat_map(crate::compose::Project::paths);
    let on_the_way = paths.flat_map(|path| {
        let (_, asked) = follow(subject, wanted, Path::new(&path));
        asked
    });
    on_the_way.map(Query::Stat).collect()
}

/// The paths that links lead elsewhere, each with where.
pub(super) fn found(subject: Subject<'_>, wanted: &Wanted) -> BTreeMap<String, String> {
    let paths = wanted.project.iter().flat_map(crate::compose::Project::paths);
    let elsewhere = paths.filter_map(|path| {
        let (real, _) = follow(subject, wanted, Path::new(&path));
        (real != Path::new(&path)).then(|| (path, real.to_string_lossy().into_owned()))
    });
    elsewhere.collect()
}

/// Refuses symbolic links in the places of what vsa writes: it would write, and the Compose tool would read, elsewhere.
pub(super) fn in_the_way(subject: Subject<'_>, resource: &Resource, stack: &Stack) -> Option<Diagnostic> {
    let directories = observe::known_directories(subject, stack).into_iter();
    let directories = directories.filter(Directory::is_ours).map(|directory| directory.path);
    let files = subject.prior.into_iter().flat_map(|prior| prior.placed.keys().cloned());
    // Whatever is above it is the administrator's.
    let inside = directories.chain(files).filter(|path| *path != stack.layout.root);
    let link = |path: PathBuf| match &subject.observed.stat(&path)?.file_type {
        FileType::Link(target) => Some((path, target.clone())),
        _ => None,
    };
    let (path, target) = inside.into_iter().find_map(link)?;
    Some(
        Diagnostic::error(format!("`{}` is a symbolic link", path.display()))
            .code("obstructed")
            .detail(format!(
                "it leads to `{}`; vsa writes there, and follows no links below a stack's directory, where a container may \
                 have made them",
                target.display()
            ))
            .at(resource.span(&crate::resource::Path::root()))
            .help("find out who made it, and remove it: the next apply puts its own in its place")
            .on(subject.address),
    )
}

/// Where a path leads, as far as that is known, and what must be asked to know it. What is outside of the tenant's
/// directory is not followed: that it is outside is enough.
fn follow(subject: Subject<'_>, wanted: &Wanted, path: &Path) -> (PathBuf, Vec<PathBuf>) {
    let tenant = subject.node.spec.tenant(&wanted.attributes.tenant.name);
    let mut path = path.to_owned();
    for _ in 0..LONGEST {
        let Ok(below) = path.strip_prefix(&tenant) else { return (path, Vec::new()) };
        let mut asked = Vec::new();
        let mut place = tenant.clone();
        let mut names = below.components();
        let link = loop {
            let Some(name) = names.next() else { break None };
            place.push(name);
            match subject.observed.get(&Query::Stat(place.clone())) {
                None => asked.push(place.clone()),
                Some(Answer::Stat(Stat { file_type: FileType::Link(target), .. })) => {
                    let parent = place.parent().unwrap_or(&tenant);
                    break Some(parent.join(target).join(names.as_path()));
                }
                Some(_) => {}
            }
        };
        match link {
            Some(target) => path = normal(&target),
            None => return (path, asked),
        }
    }
    (path, Vec::new())
}

/// A path without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                normal.pop();
            }
            Component::CurDir => {}
            component => normal.push(component),
        }
    }
    normal
}
