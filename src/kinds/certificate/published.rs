//! What is wrong with how the last issue is laid out for other programs: in the node's own directory, and in certbot's where
//! it was taken over from there.

use std::borrow::Cow;
use std::path::Path as FilePath;

use super::facts::Facts;
use super::imported;
use super::issue::{IssueDrift, another_owner, said_exposed};
use super::known::Known;
use crate::diag::{Diagnostic, Severity};
use crate::plan::Subject;
use crate::plan::issuance::lineage::{KEY_MODE, is_open_laid_out};
use crate::plan::issuance::{Damage, Obstacle, Piece, PublishedLineage};
use crate::plan::observation::{Answer, Observations, Query};
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
type Place<'a> = (Cow<'a, FilePath>, Cow<'a, str>);

fn place<'a>(subject: Subject<'a>, resource: &'a Resource, known: &Known, home: Home) -> Option<Place<'a>> {
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

/// One question for all certificates of a home.
pub(super) fn queries(
    subject: Subject<'_>,
    resource: &Resource,
    known: &Known,
) -> impl Iterator<Item = Query> {
    let home = move |home| Some(Query::Published(place(subject, resource, known, home)?.0.into_owned()));
    [Home::Own, Home::Certbot].into_iter().filter_map(home)
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
    let found = found(subject, &place)??.as_ref().ok()?;
    let why = why_exposed(subject.observed, &known.facts, found)?;
    let (file, what) = (archived(&place, found, Piece::Privkey), said_exposed(&why));
    Some(IssueDrift { file, what, is_exposed: true, is_usable: true })
}

/// Why others may have read the key where it is laid out.
pub(super) fn why_exposed(
    observed: &Observations,
    facts: &Facts,
    found: &PublishedLineage,
) -> Option<String> {
    let mode = found.key_mode;
    if is_open_laid_out(mode) {
        return Some(format!("its mode is {mode:04o}, not {KEY_MODE:04o}"));
    }
    another_owner(observed, facts, found.key_owner)
}

/// That something stands where it is laid out, which only its owner may move away. In certbot's home nothing is laid out
/// then, and all else goes on: it is another program's, and no other certificate is to wait for it.
pub(super) fn obstacle(
    subject: Subject<'_>,
    resource: &Resource,
    known: &Known,
    home: Home,
) -> Option<Diagnostic> {
    let place = place(subject, resource, known, home)?;
    let damage = found(subject, &place)??.as_ref().err()?;
    let (severity, help) = match (home, damage.obstacle?) {
        (Home::Own, Obstacle::File | Obstacle::Unseen) => return None,
        (Home::Own, Obstacle::Other) => {
            (Severity::Error, "move it away: vsa lays the certificate out there for other programs")
        }
        (Home::Certbot, _) => (
            Severity::Warning,
            "move it away: until then vsa lays nothing out there, and who reads it gets no new certificate",
        ),
    };
    let error = Diagnostic::error(format!("`{}` {}", place.0.join(&damage.path).display(), damage.what));
    Some(Diagnostic { severity, ..error.code("obstructed").help(help).on(subject.address) })
}

fn archived((_, name): &Place<'_>, found: &PublishedLineage, piece: Piece) -> String {
    format!("archive/{name}/{}", piece.archived(found.number))
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
        return Some((archived(place, found, Piece::Fullchain), what.to_owned()));
    }
    let mode = found.key_mode;
    // Of an authority's, that is more than a wrong mode.
    let is_wrong = home == Home::Own && known.settings.is_none() && is_open_laid_out(mode);
    let what = || format!("its mode is {mode:04o}, not {KEY_MODE:04o}");
    is_wrong.then(|| (archived(place, found, Piece::Privkey), what()))
}
