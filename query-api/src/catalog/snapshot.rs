//! The catalog at one moment. It never changes; a change makes a new one, which shares all that
//! stayed the same.

use std::{
    cmp::Ordering,
    collections::HashMap,
    sync::{
        Arc,
        atomic::{self, AtomicU64},
    },
};

use chrono::{DateTime, Utc};
use marquee_domain::MovieId;

use super::{CatalogMovie, query::Sort};

/// Tells snapshots apart, whichever positions they have.
static NEXT_SERIAL: AtomicU64 = AtomicU64::new(1);

#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    serial: u64,
    position: u64,
    availability: u64,
    movies: HashMap<MovieId, Arc<CatalogMovie>>,
    by_slug: Arc<HashMap<Box<str>, MovieId>>,
    by_title: Vec<Arc<CatalogMovie>>,
    by_start: Vec<Arc<CatalogMovie>>,
    /// The versions that removed movies ended with.
    removed: Arc<HashMap<MovieId, u64>>,
    /// Movies that lag behind their events, and since when: some of them are parked.
    stale: Arc<Stale>,
}

pub(super) type Stale = HashMap<MovieId, DateTime<Utc>>;

/// What became of one movie.
#[derive(Debug)]
pub(super) enum Change {
    Listed(Arc<CatalogMovie>),
    Removed { movie_id: MovieId, version: u64 },
}

impl Snapshot {
    /// All of the catalog.
    pub(super) fn of(changes: Vec<Change>, position: u64) -> Self {
        let mut snapshot = Self { serial: next_serial(), position, ..Self::default() };
        let by_slug = Arc::make_mut(&mut snapshot.by_slug);
        let removed = Arc::make_mut(&mut snapshot.removed);
        for change in changes {
            match change {
                Change::Listed(movie) => {
                    by_slug.insert(movie.slug.clone(), movie.movie_id);
                    snapshot.availability ^= movie.availability;
                    snapshot.movies.insert(movie.movie_id, movie);
                }
                Change::Removed { movie_id, version } => {
                    removed.insert(movie_id, version);
                }
            }
        }
        snapshot.by_title = snapshot.movies.values().cloned().collect();
        snapshot.by_start = snapshot.by_title.clone();
        snapshot.by_title.sort_unstable_by(|a, b| Sort::by_title(a, b));
        snapshot.by_start.sort_unstable_by(|a, b| Sort::by_start(a, b));
        snapshot
    }

    /// This catalog with some movies changed.
    pub(super) fn with(&self, changes: Vec<Change>, position: u64) -> Self {
        let mut next = self.clone();
        next.serial = next_serial();
        next.position = position;
        for change in changes {
            match change {
                Change::Listed(movie) => next.list(movie),
                Change::Removed { movie_id, version } => {
                    next.unlist(movie_id);
                    Arc::make_mut(&mut next.removed).insert(movie_id, version);
                }
            }
        }
        next
    }

    /// The same with other movies that lag.
    pub(super) fn with_stale(self, stale: Stale) -> Self {
        let stale = if *self.stale == stale { self.stale } else { Arc::new(stale) };
        Self { stale, ..self }
    }

    fn list(&mut self, movie: Arc<CatalogMovie>) {
        self.unlist(movie.movie_id);
        if self.by_slug.get(&movie.slug) != Some(&movie.movie_id) {
            Arc::make_mut(&mut self.by_slug).insert(movie.slug.clone(), movie.movie_id);
        }
        self.availability ^= movie.availability;
        insert_sorted(&mut self.by_title, &movie, Sort::by_title);
        insert_sorted(&mut self.by_start, &movie, Sort::by_start);
        self.movies.insert(movie.movie_id, movie);
    }

    /// The slug stays: it is never given to another movie.
    fn unlist(&mut self, movie_id: MovieId) {
        if let Some(old) = self.movies.remove(&movie_id) {
            self.availability ^= old.availability;
            remove_sorted(&mut self.by_title, &old, Sort::by_title);
            remove_sorted(&mut self.by_start, &old, Sort::by_start);
        }
    }

    pub const fn serial(&self) -> u64 {
        self.serial
    }

    /// The highest event position in it.
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Differs as soon as any movie is shown, hidden, removed or rescheduled, and is the same in all
    /// processes that have the same catalog. Of each movie that can be seen at some time, it has one
    /// digest.
    pub const fn availability(&self) -> u64 {
        self.availability
    }

    pub fn get(&self, movie_id: MovieId) -> Option<&Arc<CatalogMovie>> {
        self.movies.get(&movie_id)
    }

    /// By id, else by slug.
    pub fn find(&self, id_or_slug: &str) -> Option<&Arc<CatalogMovie>> {
        let by_id = id_or_slug.parse().ok().and_then(|movie_id| self.get(movie_id));
        by_id.or_else(|| self.by_slug.get(id_or_slug).and_then(|movie_id| self.get(*movie_id)))
    }

    /// Since when the movie is not shown as it is by now; none if it is.
    pub fn stale_since(&self, movie_id: MovieId) -> Option<DateTime<Utc>> {
        self.stale.get(&movie_id).copied()
    }

    /// 0 for a movie that it does not know.
    pub fn version_of(&self, movie_id: MovieId) -> u64 {
        let listed = self.get(movie_id).map(|movie| movie.version);
        listed.or_else(|| self.removed.get(&movie_id).copied()).unwrap_or(0)
    }

    pub(super) fn by_title(&self) -> &[Arc<CatalogMovie>] {
        &self.by_title
    }

    pub(super) fn by_start(&self) -> &[Arc<CatalogMovie>] {
        &self.by_start
    }

    pub fn movies(&self) -> impl Iterator<Item = &Arc<CatalogMovie>> {
        self.by_title.iter()
    }

    pub fn len(&self) -> usize {
        self.movies.len()
    }

    pub fn is_empty(&self) -> bool {
        self.movies.is_empty()
    }
}

fn next_serial() -> u64 {
    NEXT_SERIAL.fetch_add(1, atomic::Ordering::Relaxed)
}

type Compare = fn(&CatalogMovie, &CatalogMovie) -> Ordering;

fn insert_sorted(list: &mut Vec<Arc<CatalogMovie>>, movie: &Arc<CatalogMovie>, compare: Compare) {
    let place = list.partition_point(|other| compare(other, movie).is_lt());
    list.insert(place, Arc::clone(movie));
}

fn remove_sorted(list: &mut Vec<Arc<CatalogMovie>>, movie: &CatalogMovie, compare: Compare) {
    if let Ok(place) = list.binary_search_by(|other| compare(other, movie)) {
        list.remove(place);
    }
}
