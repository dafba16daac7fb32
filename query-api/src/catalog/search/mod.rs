//! Searching titles and synopses.
//!
//! Each word of a search begins a word of the title, or is a word of the synopsis. Case, accents and
//! compatibility forms are ignored ([`fold`]).

mod fold;
mod index;
mod words;

use std::{collections::HashSet, sync::Arc};

use imbl::OrdMap;
use marquee_domain::{MovieId, values::TitleKey};

use super::CatalogMovie;
pub(super) use index::Index;
use words::Words;

/// When so many movies have changed, the index is made anew. Until then, they are looked at one by one.
const MAX_CHANGED: usize = 512;

/// So many words are searched for; each takes its time.
pub const MAX_WORDS: usize = 16;

/// What is searched for.
#[derive(Debug, Clone)]
pub struct SearchText {
    title_key: TitleKey,
    words: Vec<String>,
}

/// What a word of a search is to a movie, by how much it tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
enum Match {
    InSynopsis = 1,
    BeginsTitleWord = 3,
    IsTitleWord = 4,
}

/// Of a title that is the search, or begins with it.
const WHOLE_TITLE: u32 = 8;
const BEGINS_TITLE: u32 = 2;

/// Whoever is searched for is found in an index of movies as they were, or among those that have
/// changed since.
#[derive(Debug, Clone, Default)]
pub(super) struct Search {
    index: Arc<Index>,
    /// With their words; none of those that are not there any more.
    changed: OrdMap<MovieId, Change>,
}

#[derive(Debug, Clone)]
struct Change {
    /// Of the snapshot that brought it.
    serial: u64,
    movie: Option<(Arc<CatalogMovie>, Arc<Words>)>,
}

/// How well a movie fits.
pub(super) type Found = (u32, Arc<CatalogMovie>);

impl SearchText {
    /// What has no letter and no digit finds nothing.
    pub fn parse(text: &str) -> Result<Self, String> {
        let title =
            marquee_domain::values::Title::parse(text).map_err(|error| error.to_string())?;
        let mut seen = HashSet::new();
        let words: Vec<String> =
            fold::words(text).into_iter().filter(|word| seen.insert(word.clone())).collect();
        if words.len() > MAX_WORDS {
            return Err(format!("must have at most {MAX_WORDS} words"));
        }
        Ok(Self { title_key: title.key(), words })
    }

    /// Two that find the same.
    pub(super) fn normalised(&self) -> (&str, &[String]) {
        (self.title_key.as_str(), &self.words)
    }

    /// How well the movie fits; none if it does not.
    pub(super) fn score(&self, movie: &CatalogMovie) -> Option<u32> {
        self.score_words(movie, &Words::of(movie)?)
    }

    fn score_words(&self, movie: &CatalogMovie, words: &Words) -> Option<u32> {
        if self.words.is_empty() {
            return None;
        }
        let mut score = self.title_bonus(movie);
        for word in &self.words {
            score += words.find(word)? as u32;
        }
        Some(score)
    }

    fn title_bonus(&self, movie: &CatalogMovie) -> u32 {
        match movie.title_key.as_str().strip_prefix(self.title_key.as_str()) {
            Some("") => WHOLE_TITLE,
            Some(_) => BEGINS_TITLE,
            None => 0,
        }
    }
}

impl Search {
    /// All that fit, in no order.
    pub(super) fn find(&self, text: &SearchText) -> Vec<Found> {
        let mut found = self.index.find(text);
        if self.changed.is_empty() {
            return found;
        }
        found.retain(|(_, movie)| !self.changed.contains_key(&movie.movie_id));
        found.extend(self.changed.values().filter_map(|change| {
            let (movie, words) = change.movie.as_ref()?;
            Some((text.score_words(movie, words)?, Arc::clone(movie)))
        }));
        found
    }

    pub(super) fn change(
        &mut self,
        movie_id: MovieId,
        movie: Option<&Arc<CatalogMovie>>,
        serial: u64,
    ) {
        let movie = movie.and_then(|movie| {
            let words = Words::of(movie)?;
            Some((Arc::clone(movie), Arc::new(words)))
        });
        self.changed.insert(movie_id, Change { serial, movie });
    }

    pub(super) fn wants_index(&self) -> bool {
        self.changed.len() > MAX_CHANGED
    }

    /// With an index of all movies of the snapshot `serial`.
    pub(super) fn with_index(&self, index: Arc<Index>, serial: u64) -> Self {
        let later = self.changed.iter().filter(|(_, change)| change.serial > serial);
        Self { index, changed: later.map(|(id, change)| (*id, change.clone())).collect() }
    }
}
