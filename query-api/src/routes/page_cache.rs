//! Rendered lists. One is good for as long as the snapshot it was made from is the current one and
//! no movie in it comes or goes by the passing of time.

use std::sync::Arc;

use actix_web::http::header::HeaderValue;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use moka::sync::Cache;

use crate::catalog::{Snapshot, etag};

#[derive(Debug, Clone)]
pub struct PageCache(Cache<String, Arc<Rendered>>);

#[derive(Debug)]
pub(super) struct Rendered {
    serial: u64,
    pub(super) body: Bytes,
    pub(super) etag: HeaderValue,
    pub(super) valid_until: Option<DateTime<Utc>>,
}

impl Rendered {
    pub(super) fn new(
        snapshot: &Snapshot,
        body: Vec<u8>,
        valid_until: Option<DateTime<Utc>>,
    ) -> Self {
        let etag = etag(snapshot.position(), &body);
        Self { serial: snapshot.serial(), body: body.into(), etag, valid_until }
    }
}

impl PageCache {
    pub fn with_capacity(bytes: u64) -> Self {
        Self(
            Cache::builder()
                .weigher(|key: &String, page: &Arc<Rendered>| {
                    u32::try_from(key.len() + page.body.len() + 256).unwrap_or(u32::MAX)
                })
                .max_capacity(bytes)
                .build(),
        )
    }

    /// `key` is the request's path and query.
    pub(super) fn get(
        &self,
        key: &str,
        snapshot: &Snapshot,
        now: DateTime<Utc>,
    ) -> Option<Arc<Rendered>> {
        self.0.get(key).filter(|page| {
            page.serial == snapshot.serial() && page.valid_until.is_none_or(|edge| now < edge)
        })
    }

    pub(super) fn put(&self, key: &str, page: Rendered) -> Arc<Rendered> {
        let page = Arc::new(page);
        self.0.insert(key.to_owned(), Arc::clone(&page));
        page
    }
}
