//! The catalog in memory: what the projector has written, followed by position.
//!
//! Readers take a [`Snapshot`], which never changes; the [`Follower`] puts a newer one in its place.

mod cursor;
mod follower;
mod movie;
mod query;
mod rows;
mod snapshot;

use std::{sync::Arc, time::Duration};

use arc_swap::{ArcSwapOption, Guard};
use marquee_domain::MovieId;
use tokio::{sync::watch, time::timeout};

pub use cursor::Cursor;
pub use follower::{Follower, FollowerSettings, Following};
pub(crate) use movie::etag;
pub use movie::{CatalogMovie, PrimarySource};
pub use query::{ListQuery, Page, Sort};
pub use rows::statements;
pub use snapshot::Snapshot;

/// The newest snapshot, for all threads.
#[derive(Debug)]
pub struct Catalog {
    current: ArcSwapOption<Snapshot>,
    /// Changes with every snapshot; for those who wait for one.
    serial: watch::Sender<u64>,
}

impl Catalog {
    pub fn empty() -> Self {
        Self { current: ArcSwapOption::empty(), serial: watch::Sender::new(0) }
    }

    /// `None` until the catalog has been read for the first time.
    pub fn snapshot(&self) -> Guard<Option<Arc<Snapshot>>> {
        self.current.load()
    }

    fn publish(&self, snapshot: Snapshot) {
        let serial = snapshot.serial();
        self.current.store(Some(Arc::new(snapshot)));
        self.serial.send_replace(serial);
    }

    /// Whether the movie is known as of `version`, now or within `patience`.
    pub async fn wait_for(&self, movie_id: MovieId, version: u64, patience: Duration) -> bool {
        let mut serial = self.serial.subscribe();
        let arrived = || {
            let snapshot = self.snapshot();
            snapshot.as_ref().is_some_and(|snapshot| snapshot.version_of(movie_id) >= version)
        };
        timeout(patience, serial.wait_for(|_| arrived())).await.is_ok_and(|seen| seen.is_ok())
    }
}
