//! What is wrong with how the last issue is laid out for other programs: in the node's own directory, and in certbot's where
//! it was taken over from there.

use std::borrow::Cow;
use std::path::{Path as FilePath, PathBuf};

use super::facts::Facts;
use super::issue::{IssueDrift, another_owner, said_exposed};
use super::known::Known;
use super::{first, imported};
use crate::diag::{Diagnostic, Severity};
use crate::plan::Subject;
use crate::plan::issuance::lineage::{KEY_MODE, is_open_laid_out};
use crate::plan::issuance::{Damage, Lineage, Obstacle, Piece, PublishedLineage};
use crate::plan::observation::{Answer, FileType, Observations, Query};
use crate::resource::Resource;

/// In whose directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Home {
    /// The node's own.
    Own,
    /// certbot's.
    Certbot,
}

/// Where it is laid out, as far as the state knows: the home, and the name there.
pub(super) type Place<'a> = (Cow<'a, FilePath>, Cow<'a, str>);

pub(super) fn place<'a>(
    subject: Subject<'a>,
    resource: &'a Resource,
    known: &Known,
    home: Home,
) -> Option<Place<'a>> {
    let is_there = known.facts.issue > 0 && !known.is_unpublished();
    match home {
        Home::Own if known.facts.published > 0 && !known.is_unpublished() => {
            Some((Cow::Borrowed(subject.node.spec.root.as_path()), Cow::Borrowed(&*resource.name)))
        }
        Home::Certbot if is_there && imported::is_stopped(resource, known) => {
            let lineage = known.attributes.lineage(resource)?;
            Some((lineage.home().to_owned().into(), lineage.name().to_owned().into()))
        }
        _ => None,
    }
}

/// One question for all certificates of a home; and more about one that is not there yet, or damaged.
pub(super) fn queries(
    subject: Subject<'_>,
    resource: &Resource,
    known: &Known,
) -> impl Iterator<Item = Query> {
    let asked = move |home| {
        let place = place(subject, resource, known, home)?.0.into_owned();
        let live = (home == Home::Certbot).then(|| Query::Stat(place.join("live")));
        Some(live.into_iter().chain([Query::Published(place)]))
    };
    let homes = [Home::Own, Home::Certbot].into_iter().filter_map(asked).flatten();
    let own = place(subject, resource, known, Home::Own);
    let found = own.as_ref().and_then(|own| found(subject, own));
    let is_damaged = found.is_some_and(|found| !matches!(found, Some(Ok(_))));
    let key = is_damaged.then(|| archived_key(&subject.node.spec.root, &resource.name, &known.facts));
    homes.chain(key.flatten().map(Query::Stat)).chain(first::queries(subject, resource, known))
}

/// The key where the last issue is laid out in the node's own directory.
pub(super) fn archived_key(root: &FilePath, name: &str, facts: &Facts) -> Option<PathBuf> {
    let is_there = facts.published > 0 && facts.published_issue == Some(facts.issue);
    let lineage = Lineage::new(root, name).ok().filter(|_| is_there)?;
    Some(lineage.archive().join(Piece::Privkey.archived(facts.published)))
}

/// How it is laid out, or what is wrong with that; `None` where it is not there at all.
type Found<'a> = Option<&'a Result<PublishedLineage, Damage>>;

fn found<'a>(subject: Subject<'a>, (home, name): &Place<'_>) -> Option<Found<'a>> {
    match subject.observed.get(&Query::Published(home.to_path_buf()))? {
        Answer::Published(all) => Some(all.get(&**name)),
        Answer::Absent => Some(None),
        _ => None,
    }
}

/// The number that it has in a home, where it is whole there.
pub(super) fn number(subject: Subject<'_>, resource: &Resource, known: &Known, home: Home) -> Option<u64> {
    let found = found(subject, &place(subject, resource, known, home)?)??.as_ref().ok()?;
    (found.digest == known.facts.digest).then_some(found.number)
}

/// That others may have read the key where it is laid out: it is the one that is served. Who may read what is certbot's is
/// another program's affair.
pub(super) fn exposed(subject: Subject<'_>, resource: &Resource, known: &Known) -> Option<IssueDrift> {
    let is_asked_for = known.settings.is_some() && known.facts.issue > 0;
    let place = place(subject, resource, known, Home::Own).filter(|_| is_asked_for)?;
    let (number, key) = match found(subject, &place)? {
        Some(Ok(found)) => (found.number, (found.key_mode, found.key_owner)),
        // Whatever else is wrong there: it is found out before mending that closes the key.
        _ => {
            let key = archived_key(&place.0, &place.1, &known.facts)?;
            let key = subject.observed.stat(key).filter(|key| key.file_type == FileType::File)?;
            (known.facts.published, (key.mode, key.uid))
        }
    };
    let why = why_exposed(subject.observed, &known.facts, key)?;
    let (file, what) = (archived(&place, number, Piece::Privkey), said_exposed(&why));
    Some(IssueDrift { file, what, is_exposed: true, is_usable: true })
}

/// Why others may have read the key with this mode and owner where it is laid out.
pub(super) fn why_exposed(
    observed: &Observations,
    facts: &Facts,
    (mode, owner): (u32, u32),
) -> Option<String> {
    if is_open_laid_out(mode) {
        return Some(format!("its mode is {mode:04o}, not {KEY_MODE:04o}"));
    }
    another_owner(observed, facts, owner)
}

/// That something stands where it is laid out, which only its owner may move away. In certbot's home nothing is laid out
/// then, and all else goes on: it is another program's, and no other certificate is to wait for it.
pub(super) fn obstacle(
    subject: Subject<'_>,
    resource: &Resource,
    known: &Known,
    home: Home,
) -> Option<Diagnostic> {
    let Some(place) = place(subject, resource, known, home) else {
        return first::obstacle(subject, resource, known).filter(|_| home == Home::Own);
    };
    if let Some(unlisted) = unlisted(subject, &place).filter(|_| home == Home::Certbot) {
        return Some(unlisted);
    }
    let damage = found(subject, &place)??.as_ref().err()?;
    let (severity, help) = match (home, damage.obstacle?) {
        (Home::Own, Obstacle::File | Obstacle::Unseen) => return None,
        (Home::Own, Obstacle::Other) => (Severity::Error, first::HELP),
        (Home::Certbot, _) => (Severity::Warning, KEPT_OUT),
    };
    let error = Diagnostic::error(format!("`{}` {}", place.0.join(&damage.path).display(), damage.what));
    Some(Diagnostic { severity, ..error.code("obstructed").help(help).on(subject.address) })
}

/// What to do about what stands in certbot's home.
const KEPT_OUT: &str =
    "move it away: until then vsa lays nothing out there, and who reads it gets no new certificate";

/// That something else stands in the place of a home's directories, so that nothing can be looked at there: said once of all
/// certificates. Whoever may not look there says nothing.
fn unlisted(subject: Subject<'_>, place: &Place<'_>) -> Option<Diagnostic> {
    let Answer::Failed(why) = subject.observed.get(&Query::Published(place.0.to_path_buf()))? else {
        return None;
    };
    let live = place.0.join("live");
    subject.observed.stat(live.as_path()).filter(|stat| stat.file_type != FileType::Directory)?;
    let warning = Diagnostic::warning(format!("`{}` cannot be looked at: {why}", live.display()));
    Some(warning.code("obstructed").help(KEPT_OUT))
}

fn archived((_, name): &Place<'_>, number: u64, piece: Piece) -> String {
    format!("archive/{name}/{}", piece.archived(number))
}

/// What is wrong, with the path before it: below the node's directory, or a whole one.
pub(super) fn drift(
    subject: Subject<'_>,
    resource: &Resource,
    known: &Known,
    home: Home,
) -> Option<(String, String)> {
    let place = place(subject, resource, known, home)?;
    let (path, what) = wrong(known, &place, found(subject, &place)?, home)?;
    let path = match home {
        Home::Own => path,
        Home::Certbot => place.0.join(path).display().to_string(),
    };
    Some((path, what))
}

fn wrong(known: &Known, place: &Place<'_>, found: Found<'_>, home: Home) -> Option<(String, String)> {
    let found = match found {
        Some(Ok(found)) => found,
        // Nothing is known of it.
        Some(Err(Damage { obstacle: Some(Obstacle::Unseen), .. })) => return None,
        Some(Err(damage)) => return Some((damage.path.clone(), damage.what.clone())),
        None => return Some((format!("live/{}", place.1), "was deleted".to_owned())),
    };
    if found.digest != known.facts.digest {
        // certbot may have been made to renew it.
        let what = if home == Home::Own { "was edited" } else { "is not the certificate that is served" };
        return Some((archived(place, found.number, Piece::Fullchain), what.to_owned()));
    }
    let mode = found.key_mode;
    // Of an authority's, that is more than a wrong mode.
    let is_wrong = home == Home::Own && known.settings.is_none() && is_open_laid_out(mode);
    let what = || format!("its mode is {mode:04o}, not {KEY_MODE:04o}");
    is_wrong.then(|| (archived(place, found.number, Piece::Privkey), what()))
}
