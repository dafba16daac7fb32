//! The catalog at one moment. It never changes; a change makes a new one, which shares all that
//! stayed the same.

use std::{
    collections::HashMap,
    ops::Bound::{Excluded, Included, Unbounded},
    sync::{
        Arc, OnceLock,
        atomic::{self, AtomicU64},
    },
};

use chrono::{DateTime, Utc};
use imbl::{OrdMap, OrdSet};
use marquee_domain::{MovieId, stream_token::Unplayable};
use uuid::Uuid;

use super::{
    CatalogMovie, Cursor, PastLimits,
    listing::{Everything, Listing},
    past::{Batch, Changed, Differences, NotKept, Past, Positions},
    search::{Index, Search},
};

/// Tells snapshots apart, whichever positions they have.
static NEXT_SERIAL: AtomicU64 = AtomicU64::new(1);

/// No movie's.
const LAST_ID: MovieId = MovieId::new(Uuid::max());

#[derive(Debug, Clone)]
pub struct Snapshot {
    serial: u64,
    /// What it is up with.
    positions: Positions,
    position: u64,
    availability: u64,
    /// When what viewers see is so.
    instant: DateTime<Utc>,
    next_edge: Option<DateTime<Utc>>,
    // Ordered maps: imbl's hash maps take three to four times the memory.
    movies: OrdMap<MovieId, Arc<CatalogMovie>>,
    by_slug: OrdMap<Arc<str>, MovieId>,
    all: Everything,
    /// What viewers see.
    shown: Listing,
    /// When windows begin and end, of movies that viewers see inside them.
    edges: OrdSet<(DateTime<Utc>, MovieId)>,
    /// The versions that removed movies ended with.
    removed: OrdMap<MovieId, u64>,
    /// Movies that lag behind their events, and since when: some of them are parked.
    stale: Arc<Stale>,
    search: Search,
    past: Past,
    /// The same after the next edge, made by whoever needs it first.
    turned: Arc<OnceLock<Arc<Self>>>,
}

pub(super) type Stale = HashMap<MovieId, DateTime<Utc>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotPlayable {
    /// There never was such a movie, as far as is known here.
    Unknown,
    Because(Unplayable),
}

/// What became of one movie.
#[derive(Debug)]
pub(super) enum Change {
    Listed(Arc<CatalogMovie>),
    Removed(Removal),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Removal {
    pub(super) movie_id: MovieId,
    pub(super) version: u64,
    pub(super) partition: i32,
    pub(super) position: u64,
}

impl Change {
    pub(super) fn movie_id(&self) -> MovieId {
        match self {
            Self::Listed(movie) => movie.movie_id,
            Self::Removed(removal) => removal.movie_id,
        }
    }
}

/// What made the changes, and what they lead to.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) to: Positions,
    pub(super) position: u64,
    /// Whether the changes are all that happened since the last snapshot, in order.
    pub(super) in_order: bool,
    pub(super) stale: Stale,
}

impl Snapshot {
    pub(super) fn empty(now: DateTime<Utc>, limits: PastLimits) -> Self {
        Self {
            serial: 0,
            positions: Positions::default(),
            position: 0,
            availability: 0,
            instant: now,
            next_edge: None,
            movies: OrdMap::new(),
            by_slug: OrdMap::new(),
            all: Everything::default(),
            shown: Listing::default(),
            edges: OrdSet::new(),
            removed: OrdMap::new(),
            stale: Arc::default(),
            search: Search::default(),
            past: Past::none(limits),
            turned: Arc::default(),
        }
    }

    /// All of the catalog, read for the first time.
    pub(super) fn first(
        changes: Vec<Change>,
        progress: Progress,
        now: DateTime<Utc>,
        limits: PastLimits,
    ) -> Self {
        let mut first = Self::empty(now, limits);
        first.serial = next_serial();
        for change in changes {
            first.apply(change);
        }
        let index = Index::build(first.movies.values());
        first.search = Search::default().with_index(Arc::new(index), first.serial);
        first.reach(progress);
        first.whole()
    }

    /// This catalog with some movies changed.
    pub(super) fn with(&self, changes: Vec<Change>, progress: Progress) -> Self {
        let mut next = self.successor();
        let made: Vec<_> =
            changes.into_iter().map(|change| next.apply_and_search(change)).collect();
        let (from, to) = (next.positions.clone(), progress.to.clone());
        if to.reach(&from) {
            next.past.push(Batch::new(from, to, progress.in_order, made));
        } else {
            // The read models went back: no cursor fits them any more.
            next.past = next.past.forgotten();
        }
        next.reach(progress);
        next.whole()
    }

    /// With another index, made of the snapshot `serial`.
    pub(super) fn with_index(&self, index: Arc<Index>, serial: u64) -> Self {
        let mut next = self.successor();
        next.search = next.search.with_index(index, serial);
        next
    }

    fn successor(&self) -> Self {
        Self { serial: next_serial(), turned: Arc::default(), ..self.clone() }
    }

    /// Complete: it changes no more.
    fn whole(mut self) -> Self {
        let later = (Excluded((self.instant, LAST_ID)), Unbounded);
        self.next_edge = self.edges.range(later).next().map(|(edge, _)| *edge);
        self
    }

    fn reach(&mut self, progress: Progress) {
        self.positions = progress.to;
        self.position = self.position.max(progress.position);
        if *self.stale != progress.stale {
            self.stale = Arc::new(progress.stale);
        }
    }

    fn apply_and_search(&mut self, change: Change) -> Changed {
        let movie_id = change.movie_id();
        let changed = self.apply(change);
        self.search.change(movie_id, self.movies.get(&movie_id), self.serial);
        changed
    }

    fn apply(&mut self, change: Change) -> Changed {
        match change {
            Change::Listed(movie) => {
                let changed = Changed {
                    movie_id: movie.movie_id,
                    before: self.unlist(movie.movie_id),
                    partition: movie.partition,
                    position: movie.position,
                    version: movie.version,
                };
                self.list(movie);
                changed
            }
            Change::Removed(removal) => {
                let Removal { movie_id, version, partition, position } = removal;
                self.removed.insert(movie_id, version);
                let before = self.unlist(movie_id);
                Changed { movie_id, before, partition, position, version }
            }
        }
    }

    fn list(&mut self, movie: Arc<CatalogMovie>) {
        if self.by_slug.get(&movie.slug) != Some(&movie.movie_id) {
            self.by_slug.insert(Arc::clone(&movie.slug), movie.movie_id);
        }
        self.availability ^= movie.availability;
        self.all.insert(&movie);
        if movie.is_available(self.instant) {
            self.shown.insert(&movie);
        }
        for edge in movie.edges() {
            self.edges.insert((edge, movie.movie_id));
        }
        self.movies.insert(movie.movie_id, movie);
    }

    /// The slug stays: it is never given to another movie.
    fn unlist(&mut self, movie_id: MovieId) -> Option<Arc<CatalogMovie>> {
        let old = self.movies.remove(&movie_id)?;
        self.availability ^= old.availability;
        self.all.remove(&old);
        if old.is_available(self.instant) {
            self.shown.remove(&old);
        }
        for edge in old.edges() {
            self.edges.remove(&(edge, movie_id));
        }
        Some(old)
    }

    /// When the passing of time alone makes another catalog of it.
    pub const fn next_edge(&self) -> Option<DateTime<Utc>> {
        self.next_edge
    }

    /// The catalog as time makes it: movies come and go with their windows.
    pub fn at(self: &Arc<Self>, now: DateTime<Utc>) -> &Arc<Self> {
        let mut snapshot = self;
        while snapshot.next_edge.is_some_and(|edge| edge <= now) {
            snapshot = snapshot.turned.get_or_init(|| Arc::new(snapshot.turn(now)));
        }
        snapshot
    }

    fn turn(&self, now: DateTime<Utc>) -> Self {
        let mut next = self.successor();
        for movie_id in self.edges_between(self.instant, now) {
            let Some(movie) = self.movies.get(&movie_id) else { continue };
            match (movie.is_available(self.instant), movie.is_available(now)) {
                (false, true) => next.shown.insert(movie),
                (true, false) => next.shown.remove(movie),
                _ => {}
            }
        }
        next.instant = now;
        next.whole()
    }

    /// Movies whose windows begin or end after the one instant, and not after the other.
    fn edges_between(
        &self,
        after: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> impl Iterator<Item = MovieId> {
        let range = (Excluded((after, LAST_ID)), Included((until, LAST_ID)));
        self.edges.range(range).map(|(_, movie_id)| *movie_id)
    }

    /// What is otherwise in the catalog of these positions at this instant; of what viewers see, if
    /// it is for them.
    pub(super) fn differences(
        &self,
        then: &Positions,
        instant: DateTime<Utc>,
        for_viewers: bool,
    ) -> Result<Differences, NotKept> {
        let mut differences = self.past.differences(&self.positions, then)?;
        if for_viewers && instant < self.instant {
            for movie_id in self.edges_between(instant, self.instant) {
                differences.entry(movie_id).or_insert_with(|| self.movies.get(&movie_id).cloned());
            }
        }
        Ok(differences)
    }

    /// Whether it is at least as far as the one that the cursor is of.
    pub(super) fn has(&self, cursor: &Cursor) -> bool {
        self.positions.reach(&cursor.positions)
    }

    pub const fn serial(&self) -> u64 {
        self.serial
    }

    pub(super) const fn positions(&self) -> &Positions {
        &self.positions
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

    pub const fn instant(&self) -> DateTime<Utc> {
        self.instant
    }

    pub fn get(&self, movie_id: MovieId) -> Option<&Arc<CatalogMovie>> {
        self.movies.get(&movie_id)
    }

    /// The movie, if viewers may play it at this instant.
    pub fn playable(
        &self,
        movie_id: MovieId,
        now: DateTime<Utc>,
    ) -> Result<&Arc<CatalogMovie>, NotPlayable> {
        match self.get(movie_id) {
            Some(movie) => match movie.unplayable(now) {
                None => Ok(movie),
                Some(reason) => Err(NotPlayable::Because(reason)),
            },
            None if self.removed.contains_key(&movie_id) => {
                Err(NotPlayable::Because(Unplayable::Removed))
            }
            None => Err(NotPlayable::Unknown),
        }
    }

    /// By id, else by slug.
    pub fn find(&self, id_or_slug: &str) -> Option<&Arc<CatalogMovie>> {
        let by_id = id_or_slug.parse().ok().and_then(|movie_id| self.get(movie_id));
        by_id.or_else(|| self.by_slug.get(id_or_slug).and_then(|movie_id| self.get(*movie_id)))
    }

    /// Whether the change would change anything.
    pub(super) fn differs(&self, change: &Change) -> bool {
        match change {
            Change::Listed(movie) => {
                self.get(movie.movie_id).is_none_or(|known| !Arc::ptr_eq(known, movie))
            }
            Change::Removed(removal) => {
                self.movies.contains_key(&removal.movie_id)
                    || self.removed.get(&removal.movie_id) != Some(&removal.version)
            }
        }
    }

    pub fn movies(&self) -> impl Iterator<Item = &Arc<CatalogMovie>> {
        self.all.movies()
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

    /// What viewers see.
    pub const fn shown(&self) -> &Listing {
        &self.shown
    }

    pub(super) const fn all(&self) -> &Everything {
        &self.all
    }

    pub(super) const fn search(&self) -> &Search {
        &self.search
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
