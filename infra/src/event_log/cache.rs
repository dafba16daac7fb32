//! Movies in memory, so that most commands need no load. What is here may be behind what other
//! processes have appended: the append checks the version, and only then is anything true.

use marquee_domain::MovieId;
use moka::{ops::compute::Op, sync::Cache};

use super::LoadedMovie;

#[derive(Debug, Clone)]
pub(super) struct MovieCache(Cache<MovieId, LoadedMovie>);

impl MovieCache {
    pub(super) fn new(capacity_movies: u64) -> Self {
        Self(Cache::new(capacity_movies))
    }

    pub(super) fn get(&self, id: MovieId) -> Option<LoadedMovie> {
        self.0.get(&id)
    }

    /// Keeps the later version: a slow load must not undo what an append has put here meanwhile.
    pub(super) fn put(&self, id: MovieId, loaded: LoadedMovie) {
        self.0.entry(id).and_compute_with(|known| match known {
            Some(known) if known.value().version >= loaded.version => Op::Nop,
            _ => Op::Put(loaded),
        });
    }

    pub(super) fn forget_all(&self) {
        self.0.invalidate_all();
    }

    pub(super) fn forget(&self, id: MovieId) {
        self.0.invalidate(&id);
    }
}
