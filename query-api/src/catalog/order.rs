//! The orders that lists have. The id breaks ties, so that an order is total and a cursor is one
//! place in it.

use std::{
    cmp::{Ordering, Reverse},
    fmt,
    marker::PhantomData,
    sync::Arc,
};

use equivalent::{Comparable, Equivalent};
use marquee_domain::MovieId;
use serde::{Deserialize, Serialize};

use super::CatalogMovie;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// What fits a search best comes first.
    Relevance,
    Title,
    TitleDescending,
    AvailabilityStart,
    AvailabilityStartDescending,
    AvailabilityEnd,
    AvailabilityEndDescending,
    /// What was added last comes first.
    Newest,
}

impl Sort {
    const ALL: [(&'static str, Self); 8] = [
        ("relevance", Self::Relevance),
        ("title", Self::Title),
        ("-title", Self::TitleDescending),
        ("availability_start", Self::AvailabilityStart),
        ("-availability_start", Self::AvailabilityStartDescending),
        ("availability_end", Self::AvailabilityEnd),
        ("-availability_end", Self::AvailabilityEndDescending),
        ("newest", Self::Newest),
    ];

    pub fn parse(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|(name, _)| *name == text);
        known.map(|(_, sort)| sort).ok_or_else(|| {
            let names = Self::ALL.map(|(name, _)| name).join(", ");
            format!("must be one of {names}")
        })
    }

    pub(super) const fn is_descending(self) -> bool {
        matches!(
            self,
            Self::TitleDescending
                | Self::AvailabilityStartDescending
                | Self::AvailabilityEndDescending
                | Self::Newest
        )
    }

    /// Where a movie stands that fits a search so well.
    pub(super) fn place(self, movie: &CatalogMovie, score: u32) -> Place<'_> {
        match self {
            Self::Relevance => {
                Place::Score(Reverse(score), movie.title_key.as_str(), movie.movie_id)
            }
            Self::Title | Self::TitleDescending => ByTitle::place(movie),
            Self::AvailabilityStart | Self::AvailabilityStartDescending => ByStart::place(movie),
            Self::AvailabilityEnd | Self::AvailabilityEndDescending => ByEnd::place(movie),
            Self::Newest => ByCreation::place(movie),
        }
    }

    /// Which of two places comes first in a list.
    pub(super) fn compare(self, a: &Place<'_>, b: &Place<'_>) -> Ordering {
        if self.is_descending() { b.cmp(a) } else { a.cmp(b) }
    }
}

/// A place in an order. Those of different orders are not to be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place<'a> {
    Title(&'a str, MovieId),
    /// Microseconds since 1970.
    Time(i64, MovieId),
    Score(Reverse<u32>, &'a str, MovieId),
}

/// The same by itself, in a cursor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum OwnedPlace {
    Title(String, MovieId),
    Time(i64, MovieId),
    Score(u32, String, MovieId),
}

impl Place<'_> {
    pub(super) fn to_owned(self) -> OwnedPlace {
        match self {
            Self::Title(title, id) => OwnedPlace::Title(title.to_owned(), id),
            Self::Time(time, id) => OwnedPlace::Time(time, id),
            Self::Score(Reverse(score), title, id) => {
                OwnedPlace::Score(score, title.to_owned(), id)
            }
        }
    }
}

impl OwnedPlace {
    pub(super) fn as_place(&self) -> Place<'_> {
        match self {
            Self::Title(title, id) => Place::Title(title, *id),
            Self::Time(time, id) => Place::Time(*time, *id),
            Self::Score(score, title, id) => Place::Score(Reverse(*score), title, *id),
        }
    }
}

/// An order that movies are kept in.
pub(super) trait Order {
    fn place(movie: &CatalogMovie) -> Place<'_>;
}

#[derive(Debug, Clone, Copy)]
pub(super) struct ByTitle;
#[derive(Debug, Clone, Copy)]
pub(super) struct ByStart;
#[derive(Debug, Clone, Copy)]
pub(super) struct ByEnd;
#[derive(Debug, Clone, Copy)]
pub(super) struct ByCreation;

impl Order for ByTitle {
    fn place(movie: &CatalogMovie) -> Place<'_> {
        Place::Title(movie.title_key.as_str(), movie.movie_id)
    }
}

impl Order for ByStart {
    fn place(movie: &CatalogMovie) -> Place<'_> {
        Place::Time(movie.window.start().timestamp_micros(), movie.movie_id)
    }
}

impl Order for ByEnd {
    fn place(movie: &CatalogMovie) -> Place<'_> {
        Place::Time(movie.window.end().timestamp_micros(), movie.movie_id)
    }
}

impl Order for ByCreation {
    fn place(movie: &CatalogMovie) -> Place<'_> {
        Place::Time(movie.created_at().timestamp_micros(), movie.movie_id)
    }
}

/// A movie in its place.
pub(super) struct Ranked<O> {
    pub(super) movie: Arc<CatalogMovie>,
    order: PhantomData<O>,
}

impl<O: Order> Ranked<O> {
    pub(super) fn new(movie: &Arc<CatalogMovie>) -> Self {
        Self { movie: Arc::clone(movie), order: PhantomData }
    }

    fn place(&self) -> Place<'_> {
        O::place(&self.movie)
    }
}

impl<O> Clone for Ranked<O> {
    fn clone(&self) -> Self {
        Self { movie: Arc::clone(&self.movie), order: PhantomData }
    }
}

impl<O: Order> Ord for Ranked<O> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.place().cmp(&other.place())
    }
}

impl<O: Order> PartialOrd for Ranked<O> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<O: Order> PartialEq for Ranked<O> {
    fn eq(&self, other: &Self) -> bool {
        self.place() == other.place()
    }
}

impl<O: Order> Eq for Ranked<O> {}

// A set of movies in their places is looked into by place.

impl<O: Order> Equivalent<Ranked<O>> for Place<'_> {
    fn equivalent(&self, key: &Ranked<O>) -> bool {
        *self == key.place()
    }
}

impl<O: Order> Comparable<Ranked<O>> for Place<'_> {
    fn compare(&self, key: &Ranked<O>) -> Ordering {
        self.cmp(&key.place())
    }
}

impl<O> fmt::Debug for Ranked<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.movie.movie_id.fmt(f)
    }
}
