//! Which movies of a snapshot, in which order, from where on.

use std::{cmp::Ordering, sync::Arc};

use chrono::{DateTime, Utc};
use marquee_domain::values::{LanguageCode, TitleKey};
use sha2::{Digest, Sha256};

use super::{CatalogMovie, Cursor, Snapshot, cursor::Key};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    #[default]
    Title,
    TitleDescending,
    AvailabilityStart,
    AvailabilityStartDescending,
}

impl Sort {
    pub const ALLOWED: &'static str = "title, -title, availability_start, -availability_start";

    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "title" => Some(Self::Title),
            "-title" => Some(Self::TitleDescending),
            "availability_start" => Some(Self::AvailabilityStart),
            "-availability_start" => Some(Self::AvailabilityStartDescending),
            _ => None,
        }
    }

    const fn is_descending(self) -> bool {
        matches!(self, Self::TitleDescending | Self::AvailabilityStartDescending)
    }

    const fn is_by_title(self) -> bool {
        matches!(self, Self::Title | Self::TitleDescending)
    }

    // The id breaks ties, so that the order is total and a cursor is one place in it.

    pub(super) fn by_title(a: &CatalogMovie, b: &CatalogMovie) -> Ordering {
        a.title_key.cmp(&b.title_key).then(a.movie_id.cmp(&b.movie_id))
    }

    pub(super) fn by_start(a: &CatalogMovie, b: &CatalogMovie) -> Ordering {
        a.window.start().cmp(&b.window.start()).then(a.movie_id.cmp(&b.movie_id))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListQuery {
    /// Each of its words begins a word of the title.
    pub text: Option<TitleKey>,
    /// Case is ignored.
    pub genre: Option<String>,
    /// A caption track's.
    pub language: Option<LanguageCode>,
    pub sort: Sort,
    pub after: Option<Cursor>,
    pub limit: usize,
    /// Also what viewers do not see.
    pub any_visibility: bool,
}

#[derive(Debug)]
pub struct Page {
    pub items: Vec<Arc<CatalogMovie>>,
    /// Of all pages.
    pub total: usize,
    pub next: Option<Cursor>,
    /// When the passing of time alone makes another page of it.
    pub valid_until: Option<DateTime<Utc>>,
}

impl ListQuery {
    /// Binds a cursor to the query whose pages it turns.
    pub fn fingerprint(&self) -> [u8; 8] {
        let Self { text, genre, language, sort, any_visibility, after: _, limit: _ } = self;
        let of = format!("{text:?} {genre:?} {language:?} {sort:?} {any_visibility}");
        let digest = Sha256::digest(of.as_bytes());
        let mut fingerprint = [0; 8];
        fingerprint.copy_from_slice(&digest[..8]);
        fingerprint
    }

    pub fn page(&self, snapshot: &Snapshot, now: DateTime<Utc>) -> Page {
        let ordered =
            if self.sort.is_by_title() { snapshot.by_title() } else { snapshot.by_start() };
        if self.sort.is_descending() {
            self.collect(ordered.iter().rev(), snapshot, now)
        } else {
            self.collect(ordered.iter(), snapshot, now)
        }
    }

    fn collect<'a>(
        &self,
        ordered: impl Iterator<Item = &'a Arc<CatalogMovie>>,
        snapshot: &Snapshot,
        now: DateTime<Utc>,
    ) -> Page {
        let mut page =
            Page { items: Vec::with_capacity(self.limit), total: 0, next: None, valid_until: None };
        let mut more = false;
        for movie in ordered.filter(|movie| self.matches(movie)) {
            if !self.any_visibility {
                if let Some(edge) = movie.next_edge(now) {
                    page.valid_until =
                        Some(page.valid_until.map_or(edge, |earlier| earlier.min(edge)));
                }
                if !movie.is_available(now) {
                    continue;
                }
            }
            page.total += 1;
            if self.after.as_ref().is_some_and(|cursor| !self.is_after(movie, cursor)) {
                continue;
            }
            if page.items.len() < self.limit {
                page.items.push(Arc::clone(movie));
            } else {
                more = true;
            }
        }
        if more {
            page.next = page.items.last().map(|last| Cursor {
                fingerprint: self.fingerprint(),
                position: snapshot.position(),
                key: self.key_of(last),
                movie_id: last.movie_id,
            });
        }
        page
    }

    fn matches(&self, movie: &CatalogMovie) -> bool {
        let text = self.text.as_ref().is_none_or(|text| {
            text.as_str()
                .split(' ')
                .all(|wanted| words(movie.title_key.as_str()).any(|word| word.starts_with(wanted)))
        });
        text && self
            .genre
            .as_ref()
            .is_none_or(|wanted| movie.genres.iter().any(|genre| genre.to_lowercase() == *wanted))
            && self.language.as_ref().is_none_or(|wanted| movie.languages.contains(wanted))
    }

    fn key_of(&self, movie: &CatalogMovie) -> Key {
        if self.sort.is_by_title() {
            Key::Title(movie.title_key.as_str().to_owned())
        } else {
            Key::Start(movie.window.start().timestamp_micros())
        }
    }

    fn is_after(&self, movie: &CatalogMovie, cursor: &Cursor) -> bool {
        let by_key = match &cursor.key {
            Key::Title(title) => movie.title_key.as_str().cmp(title),
            Key::Start(start) => movie.window.start().timestamp_micros().cmp(start),
        };
        let order = by_key.then(movie.movie_id.cmp(&cursor.movie_id));
        if self.sort.is_descending() { order.is_lt() } else { order.is_gt() }
    }
}

/// The rest of the title from each of its words on, so that a word that a search begins with is
/// found whatever stands before it ("(500)").
fn words(title: &str) -> impl Iterator<Item = &str> {
    title.split(|c: char| c.is_whitespace()).flat_map(|word| {
        let bare = word.trim_start_matches(|c: char| !c.is_alphanumeric());
        [Some(word), (bare.len() < word.len()).then_some(bare)].into_iter().flatten()
    })
}
