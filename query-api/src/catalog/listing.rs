//! Movies in every order that they are listed in, and by what lists are filtered by. Persistent: a
//! copy costs nothing, and a change of one movie copies a few nodes.

use std::{
    hash::Hash,
    ops::Bound::{Excluded, Unbounded},
    sync::Arc,
};

use imbl::{HashMap, OrdMap, OrdSet};
use marquee_domain::values::LanguageCode;

use super::{
    CatalogMovie,
    order::{ByCreation, ByEnd, ByStart, ByTitle, Order, Place, Ranked, Sort},
};

#[derive(Debug, Clone, Default)]
pub struct Listing {
    by_title: OrdSet<Ranked<ByTitle>>,
    by_start: OrdSet<Ranked<ByStart>>,
    by_end: OrdSet<Ranked<ByEnd>>,
    by_creation: OrdSet<Ranked<ByCreation>>,
    facets: HashMap<Facet, Members>,
}

/// What a list can be filtered by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Facet {
    /// In lower case.
    Genre(Arc<str>),
    /// A caption track's.
    Language(Arc<LanguageCode>),
}

/// The movies of a facet.
#[derive(Debug, Clone, Default)]
struct Members {
    by_title: OrdSet<Ranked<ByTitle>>,
    /// The ways in which the genre is written, with how many write it so.
    spellings: OrdMap<Arc<str>, usize>,
}

/// All movies, those that viewers do not see, too: for editors, who are few. One order is kept; others
/// are made when they are asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Everything(OrdSet<Ranked<ByTitle>>);

impl Everything {
    pub(super) fn movies(&self) -> impl Iterator<Item = &Arc<CatalogMovie>> {
        self.0.iter().map(|ranked| &ranked.movie)
    }

    pub(super) fn insert(&mut self, movie: &Arc<CatalogMovie>) {
        self.0.insert(Ranked::new(movie));
    }

    pub(super) fn remove(&mut self, movie: &CatalogMovie) {
        self.0.remove(&ByTitle::place(movie));
    }

    /// As [`Listing::count`].
    pub(super) fn count(&self, wanted: &[Facet]) -> usize {
        self.movies().filter(|movie| has_all(movie, wanted)).count()
    }

    /// As [`Listing::walk`].
    pub(super) fn walk<'a>(
        &'a self,
        wanted: &[Facet],
        sort: Sort,
        after: Option<&Place<'_>>,
    ) -> Walk<'a> {
        let with_all = self.movies().filter(|movie| has_all(movie, wanted));
        sorted(with_all.collect(), sort, after)
    }
}

/// One of several ways through movies.
pub(super) type Walk<'a> = Box<dyn Iterator<Item = &'a Arc<CatalogMovie>> + 'a>;

impl Listing {
    pub fn len(&self) -> usize {
        self.by_title.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_title.is_empty()
    }

    /// Each genre as it is written (of several ways the first in the alphabet), with how many movies
    /// have it. In alphabetical order, whatever the case.
    pub fn genres(&self) -> Vec<(&str, usize)> {
        let mut genres: Vec<(&Arc<str>, &Members)> = self
            .facets
            .iter()
            .filter_map(|(facet, members)| match facet {
                Facet::Genre(folded) => Some((folded, members)),
                Facet::Language(_) => None,
            })
            .collect();
        genres.sort_unstable_by_key(|(folded, _)| *folded);
        genres
            .into_iter()
            .filter_map(|(_, members)| {
                members.spellings.get_min().map(|(spelling, _)| (&**spelling, members.len()))
            })
            .collect()
    }

    pub(super) fn insert(&mut self, movie: &Arc<CatalogMovie>) {
        self.by_title.insert(Ranked::new(movie));
        self.by_start.insert(Ranked::new(movie));
        self.by_end.insert(Ranked::new(movie));
        self.by_creation.insert(Ranked::new(movie));
        for (facet, spelling) in facets(movie) {
            let members = self.facets.entry(facet).or_default();
            members.by_title.insert(Ranked::new(movie));
            if let Some(spelling) = spelling {
                *members.spellings.entry(Arc::clone(spelling)).or_insert(0) += 1;
            }
        }
    }

    /// The very movie that was inserted.
    pub(super) fn remove(&mut self, movie: &CatalogMovie) {
        self.by_title.remove(&ByTitle::place(movie));
        self.by_start.remove(&ByStart::place(movie));
        self.by_end.remove(&ByEnd::place(movie));
        self.by_creation.remove(&ByCreation::place(movie));
        for (facet, spelling) in facets(movie) {
            let Some(members) = self.facets.get_mut(&facet) else { continue };
            members.by_title.remove(&ByTitle::place(movie));
            if let Some(spelling) = spelling {
                let left = members.spellings.get(spelling).map_or(0, |count| count - 1);
                if left == 0 {
                    members.spellings.remove(spelling);
                } else {
                    members.spellings.insert(Arc::clone(spelling), left);
                }
            }
            if members.len() == 0 {
                self.facets.remove(&facet);
            }
        }
    }

    /// How many movies have all of the facets.
    pub(super) fn count(&self, wanted: &[Facet]) -> usize {
        let Some((rarest, others)) = self.rarest(wanted) else { return self.len() };
        match (rarest, others.as_slice()) {
            (None, _) => 0,
            (Some(members), []) => members.len(),
            (Some(members), others) => members
                .movies()
                .filter(|movie| others.iter().all(|facet| has(movie, facet)))
                .count(),
        }
    }

    /// Those that have all of the facets, in this order, after this place in it.
    pub(super) fn walk<'a>(
        &'a self,
        wanted: &[Facet],
        sort: Sort,
        after: Option<&Place<'_>>,
    ) -> Walk<'a> {
        let Some((rarest, others)) = self.rarest(wanted) else { return self.walk_all(sort, after) };
        let Some(members) = rarest else { return Box::new(std::iter::empty()) };
        let found: Walk<'a> = match sort {
            Sort::Title | Sort::TitleDescending => {
                walk(&members.by_title, sort.is_descending(), after)
            }
            // To walk through all until enough are found takes longer the rarer they are.
            _ if members.len() < self.len() / 16 => sorted(members.movies().collect(), sort, after),
            _ => {
                let wanted = wanted.to_vec();
                let all = self.walk_all(sort, after);
                return Box::new(all.filter(move |movie| has_all(movie, &wanted)));
            }
        };
        if others.is_empty() {
            return found;
        }
        Box::new(found.filter(move |movie| has_all(movie, &others)))
    }

    fn walk_all(&self, sort: Sort, after: Option<&Place<'_>>) -> Walk<'_> {
        let descending = sort.is_descending();
        match sort {
            // Nothing is searched for: all fit alike.
            Sort::Relevance | Sort::Title | Sort::TitleDescending => {
                walk(&self.by_title, descending, after)
            }
            Sort::AvailabilityStart | Sort::AvailabilityStartDescending => {
                walk(&self.by_start, descending, after)
            }
            Sort::AvailabilityEnd | Sort::AvailabilityEndDescending => {
                walk(&self.by_end, descending, after)
            }
            Sort::Newest => walk(&self.by_creation, descending, after),
        }
    }

    /// The members of the rarest facet (none where it has none), and the other facets.
    fn rarest(&self, wanted: &[Facet]) -> Option<(Option<&Members>, Vec<Facet>)> {
        let members = |facet: &Facet| self.facets.get(facet);
        let rarest = wanted.iter().min_by_key(|facet| members(facet).map_or(0, Members::len))?;
        let others = wanted.iter().filter(|facet| *facet != rarest).cloned().collect();
        Some((members(rarest), others))
    }
}

impl Members {
    fn len(&self) -> usize {
        self.by_title.len()
    }

    fn movies(&self) -> impl Iterator<Item = &Arc<CatalogMovie>> {
        self.by_title.iter().map(|ranked| &ranked.movie)
    }
}

fn sorted<'a>(
    mut movies: Vec<&'a Arc<CatalogMovie>>,
    sort: Sort,
    after: Option<&Place<'_>>,
) -> Walk<'a> {
    if let Some(after) = after {
        movies.retain(|movie| sort.compare(&sort.place(movie, 0), after).is_gt());
    }
    movies.sort_unstable_by(|a, b| sort.compare(&sort.place(a, 0), &sort.place(b, 0)));
    Box::new(movies.into_iter())
}

fn walk<'a, O: Order>(
    movies: &'a OrdSet<Ranked<O>>,
    descending: bool,
    after: Option<&Place<'_>>,
) -> Walk<'a> {
    fn movie<O>(ranked: &Ranked<O>) -> &Arc<CatalogMovie> {
        &ranked.movie
    }
    match (descending, after) {
        (false, None) => Box::new(movies.iter().map(movie)),
        (true, None) => Box::new(movies.iter().rev().map(movie)),
        (false, Some(place)) => Box::new(movies.range((Excluded(*place), Unbounded)).map(movie)),
        (true, Some(place)) => {
            Box::new(movies.range((Unbounded, Excluded(*place))).rev().map(movie))
        }
    }
}

/// Those of a movie, each once, with how a genre is written.
fn facets(movie: &CatalogMovie) -> impl Iterator<Item = (Facet, Option<&Arc<str>>)> {
    let genres = movie.genres.iter();
    let genres =
        genres.map(|genre| (Facet::Genre(Arc::clone(&genre.folded)), Some(&genre.written)));
    let languages = movie.languages.iter();
    genres.chain(languages.map(|language| (Facet::Language(Arc::clone(language)), None)))
}

pub(super) fn has_all(movie: &CatalogMovie, wanted: &[Facet]) -> bool {
    wanted.iter().all(|facet| has(movie, facet))
}

fn has(movie: &CatalogMovie, facet: &Facet) -> bool {
    match facet {
        Facet::Genre(folded) => movie.genres.iter().any(|genre| genre.folded == *folded),
        Facet::Language(language) => movie.languages.contains(language),
    }
}
