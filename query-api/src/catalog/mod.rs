//! The catalog in memory: what the projector has written, followed by position.
//!
//! Readers take a [`Snapshot`], which never changes; the [`Follower`] puts a newer one in its place,
//! and so does the passing of time ([`Catalog::turn`]).

mod cursor;
mod example;
mod follower;
mod listing;
mod movie;
mod order;
mod packed;
mod past;
mod query;
mod rows;
mod search;
mod snapshot;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::{ArcSwapOption, Guard};
use marquee_domain::MovieId;
use marquee_infra::clock;
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

pub use cursor::{Cursor, CursorKey};
pub use follower::{Follower, FollowerSettings, Following};
pub use listing::Listing;
pub(crate) use movie::etag;
pub use movie::{CatalogMovie, Genre, PrimarySource};
pub use order::Sort;
pub use past::{NotKept, PastLimits};
pub use query::{Facets, ListQuery, Page};
pub use rows::statements;
pub use search::SearchText;
pub use snapshot::{NotPlayable, Snapshot};

/// The newest snapshot, for all threads.
#[derive(Debug)]
pub struct Catalog {
    current: ArcSwapOption<Snapshot>,
    /// Held by whoever makes a newer one of it.
    updating: Mutex<()>,
    /// Changes with every snapshot; for those who wait for one.
    serial: watch::Sender<u64>,
}

impl Catalog {
    pub fn empty() -> Self {
        Self {
            current: ArcSwapOption::empty(),
            updating: Mutex::default(),
            serial: watch::Sender::new(0),
        }
    }

    /// `None` until the catalog has been read for the first time. What viewers see of it now is
    /// [`Snapshot::at`].
    pub fn snapshot(&self) -> Guard<Option<Arc<Snapshot>>> {
        self.current.load()
    }

    /// The same, to be kept for longer.
    fn current(&self) -> Option<Arc<Snapshot>> {
        self.current.load_full()
    }

    fn begin(&self, first: Snapshot) {
        self.put(Arc::new(first));
    }

    /// Makes a newer snapshot of the current one, if there is one.
    fn update(&self, newer: impl FnOnce(&Arc<Snapshot>) -> Snapshot) {
        // There is nothing to protect but the order.
        let _updating = self.updating.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(current) = self.current() {
            self.put(Arc::new(newer(current.at(clock::now()))));
        }
    }

    fn put(&self, snapshot: Arc<Snapshot>) {
        let serial = snapshot.serial();
        self.current.store(Some(snapshot));
        self.serial.send_replace(serial);
    }

    /// Lets movies come and go with their windows, for ever. Readers do so by themselves when they are
    /// earlier: this is for what is kept to be of today.
    pub async fn turn(&self) {
        let mut serial = self.serial.subscribe();
        loop {
            serial.mark_unchanged();
            let edge = self.snapshot().as_ref().and_then(|snapshot| snapshot.next_edge());
            let due = async {
                match edge {
                    Some(edge) => sleep((edge - clock::now()).to_std().unwrap_or_default()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => self.turn_now(),
                changed = serial.changed() => {
                    if changed.is_err() {
                        return;
                    }
                }
            }
        }
    }

    fn turn_now(&self) {
        let _updating = self.updating.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(current) = self.current() {
            let turned = current.at(clock::now());
            if !Arc::ptr_eq(&current, turned) {
                self.put(Arc::clone(turned));
            }
        }
    }

    /// Whether the movie is known as of `version`, now or within `patience`.
    pub async fn wait_for(&self, movie_id: MovieId, version: u64, patience: Duration) -> bool {
        let arrived = |snapshot: &Snapshot| snapshot.version_of(movie_id) >= version;
        self.wait_until(arrived, patience).await
    }

    /// Whether the catalog is as wanted, now or within `patience`.
    async fn wait_until(&self, wanted: impl Fn(&Snapshot) -> bool, patience: Duration) -> bool {
        let mut serial = self.serial.subscribe();
        let arrived = || self.snapshot().as_ref().is_some_and(|snapshot| wanted(snapshot));
        timeout(patience, serial.wait_for(|_| arrived())).await.is_ok_and(|seen| seen.is_ok())
    }

    /// Whether the catalog that the cursor is of has been reached, now or within `patience`.
    pub async fn wait_for_cursor(&self, cursor: &Cursor, patience: Duration) -> bool {
        self.wait_until(|snapshot| snapshot.has(cursor), patience).await
    }
}
