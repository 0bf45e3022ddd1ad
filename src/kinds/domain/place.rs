//! One place of a site: the whole of it, or a location with what it takes from the whole.

use std::collections::BTreeMap;

use super::attributes::{
    Attributes, Auth, Flags, Location, Place, RateLimit, Redirect, Satisfy, Timeouts, Upstream,
};
use crate::names::{
    AddressRange, Duration, FileName, FilePath, HeaderName, HeaderValue, Size, Snippet, Text as _,
};
use crate::resource::Path;

/// What answers in a place.
#[derive(Clone, Copy, Debug)]
pub(super) enum Answer<'a> {
    Proxy(&'a Upstream),
    Static(&'a FilePath),
    Redirect(&'a Redirect),
}

/// A value, with where it was said.
#[derive(Debug)]
pub(super) struct Said<'a, T: ?Sized> {
    pub(super) value: &'a T,
    /// The location that said it; the domain where there is none.
    pub(super) location: Option<&'a Location>,
}

/// The path of an attribute of the domain, or of one of its locations.
pub(super) fn path(location: Option<&Location>, attribute: &str) -> Path {
    let root = Path::root();
    match location {
        Some(location) => root.name("location").name(location.path.as_str()).name(attribute),
        None => root.name(attribute),
    }
}

impl<T: ?Sized> Clone for Said<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for Said<'_, T> {}

impl<T: ?Sized> Said<'_, T> {
    /// Whether both stand in the same block.
    pub(super) fn is_beside<U: ?Sized>(&self, other: &Said<'_, U>) -> bool {
        self.location.map(|location| &location.path) == other.location.map(|location| &location.path)
    }

    pub(super) fn path(&self, attribute: &str) -> Path {
        path(self.location, attribute)
    }
}

/// A place with everything that it takes from the domain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resolved<'a> {
    domain: &'a Place,
    pub(super) location: Option<&'a Location>,
}

impl<'a> Resolved<'a> {
    /// Every place of a site: the locations, then the rest.
    pub(super) fn all(attributes: &'a Attributes) -> impl Iterator<Item = Self> {
        let domain = &attributes.place;
        let whole = !attributes
            .locations
            .iter()
            .any(|location| location.path.as_str() == "/" && !location.flags.exact);
        let locations =
            attributes.locations.iter().map(move |location| Self { domain, location: Some(location) });
        locations.chain(whole.then_some(Self { domain, location: None }))
    }

    /// The domain without its locations.
    pub(super) fn whole(attributes: &'a Attributes) -> Self {
        Self { domain: &attributes.place, location: None }
    }

    pub(super) fn path(&self) -> &'a str {
        self.location.map_or("/", |location| location.path.as_str())
    }

    pub(super) fn flags(&self) -> Flags {
        self.location.map(|location| location.flags).unwrap_or_default()
    }

    /// What the location says, else what the domain says.
    fn said<T: ?Sized>(&self, get: impl Fn(&'a Place) -> Option<&'a T>) -> Option<Said<'a, T>> {
        let own = self.location.and_then(|location| get(&location.place));
        match own {
            Some(value) => Some(Said { value, location: self.location }),
            None => get(self.domain).map(|value| Said { value, location: None }),
        }
    }

    fn flag(&self, get: impl Fn(&'a Place) -> Option<&'a bool>) -> bool {
        self.said(get).is_some_and(|said| *said.value)
    }

    /// What answers, and who said so.
    pub(super) fn answer(&self) -> Option<(Answer<'a>, Option<&'a Location>)> {
        let of = |place: &'a Place| {
            let proxy = place.upstream.as_ref().map(Answer::Proxy);
            let files = place.root.as_ref().map(Answer::Static);
            let redirect = place.redirect.as_ref().map(Answer::Redirect);
            proxy.or(files).or(redirect)
        };
        let own = self.location.and_then(|location| of(&location.place));
        own.map(|answer| (answer, self.location)).or_else(|| of(self.domain).map(|answer| (answer, None)))
    }

    pub(super) fn index(&self) -> Option<Said<'a, [FileName]>> {
        self.said(|place| place.index.as_deref())
    }

    pub(super) fn spa(&self) -> bool {
        self.flag(|place| place.spa.as_ref())
    }

    pub(super) fn autoindex(&self) -> bool {
        self.flag(|place| place.autoindex.as_ref())
    }

    pub(super) fn hidden_files(&self) -> bool {
        self.flag(|place| place.hidden_files.as_ref())
    }

    pub(super) fn websocket(&self) -> bool {
        self.flag(|place| place.websocket.as_ref())
    }

    pub(super) fn expires(&self) -> Option<Said<'a, Duration>> {
        self.said(|place| place.expires.as_ref())
    }

    pub(super) fn auth(&self) -> Option<Said<'a, Auth>> {
        if self.flags().public { None } else { self.said(|place| place.auth.as_ref()) }
    }

    pub(super) fn allow(&self) -> Option<Said<'a, [AddressRange]>> {
        self.said(|place| place.allow.as_deref()).filter(|said| !said.value.is_empty())
    }

    pub(super) fn deny(&self) -> Option<Said<'a, [AddressRange]>> {
        self.said(|place| place.deny.as_deref()).filter(|said| !said.value.is_empty())
    }

    pub(super) fn satisfies_any(&self) -> bool {
        self.said(|place| place.satisfy.as_ref()).is_some_and(|said| *said.value == Satisfy::Any)
    }

    /// Whether somebody may be turned away, so that nothing may answer before that is known.
    pub(super) fn is_protected(&self) -> bool {
        self.auth().is_some() || self.allow().is_some() || self.deny().is_some()
    }

    pub(super) fn timeouts(&self) -> Option<Said<'a, Timeouts>> {
        self.said(|place| place.timeouts.as_ref())
    }

    pub(super) fn rate_limit(&self) -> Option<Said<'a, RateLimit>> {
        self.said(|place| place.rate_limit.as_ref())
    }

    pub(super) fn own_body_size(&self) -> Option<Said<'a, Size>> {
        let location = self.location?;
        location.place.body_size.as_ref().map(|value| Said { value, location: self.location })
    }

    pub(super) fn own_extra_config(&self) -> Option<Said<'a, Snippet>> {
        let location = self.location?;
        location.place.extra_config.as_ref().map(|value| Said { value, location: self.location })
    }

    /// The domain's entries and the location's own, which go before them.
    fn merged(
        &self,
        get: impl Fn(&'a Place) -> Option<&'a BTreeMap<HeaderName, HeaderValue>>,
    ) -> BTreeMap<String, (&'a HeaderName, Said<'a, HeaderValue>)> {
        let mut merged = BTreeMap::new();
        let whole = get(self.domain).map(|map| (map, None));
        let own = self.location.and_then(|location| Some((get(&location.place)?, self.location)));
        for (map, location) in whole.into_iter().chain(own) {
            for (name, value) in map {
                merged.insert(name.as_str().to_ascii_lowercase(), (name, Said { value, location }));
            }
        }
        merged
    }

    pub(super) fn headers(&self) -> BTreeMap<String, (&'a HeaderName, Said<'a, HeaderValue>)> {
        self.merged(|place| place.headers.as_ref())
    }

    pub(super) fn proxy_headers(&self) -> BTreeMap<String, (&'a HeaderName, Said<'a, HeaderValue>)> {
        self.merged(|place| place.proxy_headers.as_ref())
    }

    /// Whether the location sends headers that the domain does not.
    pub(super) fn has_own_headers(&self) -> bool {
        self.location
            .is_some_and(|location| location.place.headers.as_ref().is_some_and(|map| !map.is_empty()))
    }
}
