//! What is wrong with how the last issue is laid out for other programs.

use super::known::Known;
use crate::plan::Subject;
use crate::plan::observation::{Answer, Query};
use crate::resource::Resource;

/// The permission bits that a key may have: its group may have been given the right to read it.
const KEY_MODES: [u32; 2] = [0o600, 0o640];

/// One question for all certificates of the node.
pub(super) fn query(subject: Subject<'_>, known: &Known) -> Option<Query> {
    is_there(known).then(|| Query::Published(subject.node.spec.root.clone()))
}

fn is_there(known: &Known) -> bool {
    known.facts.published > 0 && !known.is_unpublished()
}

/// What is wrong, with the path before it.
pub(super) fn drift(subject: Subject<'_>, resource: &Resource, known: &Known) -> Option<(String, String)> {
    let name = &resource.name;
    let lineage = match subject.observed.get(&query(subject, known)?)? {
        Answer::Published(all) => all.get(&**name),
        Answer::Absent => None,
        _ => return None,
    };
    let found = match lineage {
        Some(Ok(found)) => found,
        Some(Err(damage)) => return Some((damage.path.clone(), damage.what.clone())),
        None => return Some((format!("live/{name}"), "was deleted".to_owned())),
    };
    let archived = |piece: &str| format!("archive/{name}/{piece}{}.pem", found.number);
    if found.digest != known.facts.digest {
        return Some((archived("fullchain"), "was edited".to_owned()));
    }
    let mode = found.key_mode;
    let wrong = !KEY_MODES.contains(&mode);
    wrong.then(|| (archived("privkey"), format!("its mode is {mode:04o}, not {:04o}", KEY_MODES[0])))
}
