//! Rendered answers, for as long as they are true: of a list while its snapshot is the current one,
//! of a movie while it is as it was rendered.

use std::sync::{Arc, OnceLock};

use actix_web::http::header::HeaderValue;
use bytes::Bytes;
use quick_cache::{
    DefaultHashBuilder, OptionsBuilder, Weighter,
    sync::{Cache, DefaultLifecycle},
};

use super::encoding::Encoding;
use crate::catalog::{CatalogMovie, Snapshot, etag};

#[derive(Debug)]
pub struct PageCache(Cache<String, Arc<Rendered>, Weight>);

#[derive(Debug, Clone)]
struct Weight;

/// What a page takes beside its bytes: its key's and its own allocations, its place in the cache.
const OVERHEAD_BYTES: usize = 512;

/// The cache is divided into parts, by default more of them the more cores there are, and keeps nothing that is larger
/// than its part: so there are few.
const PARTS: usize = 2;
/// An answer of middling size, by which the cache makes room beforehand.
const TYPICAL_BYTES: u64 = 4_096;

impl Weighter<String, Arc<Rendered>> for Weight {
    fn weight(&self, key: &String, page: &Arc<Rendered>) -> u64 {
        // Compressed, both together are shorter than the plain one.
        (key.len() + 2 * page.plain.bytes.len() + OVERHEAD_BYTES) as u64
    }
}

/// What an answer was made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Snapshot { serial: u64 },
    Movie { position: u64, digest: [u8; 8] },
}

impl From<&Snapshot> for Source {
    fn from(snapshot: &Snapshot) -> Self {
        Self::Snapshot { serial: snapshot.serial() }
    }
}

impl From<&CatalogMovie> for Source {
    fn from(movie: &CatalogMovie) -> Self {
        let (position, digest) = movie.stamp();
        Self::Movie { position, digest }
    }
}

/// A body, in each encoding that was asked for.
#[derive(Debug)]
pub(super) struct Rendered {
    source: Source,
    plain: Body,
    encoded: [OnceLock<Body>; Encoding::ALL.len()],
}

#[derive(Debug, Clone)]
pub(super) struct Body {
    pub(super) bytes: Bytes,
    pub(super) etag: HeaderValue,
    pub(super) encoding: Option<Encoding>,
}

impl Rendered {
    pub(super) fn new(source: Source, bytes: Vec<u8>, etag: HeaderValue) -> Self {
        let plain = Body { bytes: bytes.into(), etag, encoding: None };
        Self { source, plain, encoded: Default::default() }
    }

    pub(super) fn list(snapshot: &Snapshot, bytes: Vec<u8>) -> Self {
        let etag = etag(snapshot.position(), &bytes);
        Self::new(snapshot.into(), bytes, etag)
    }

    pub(super) fn plain(&self) -> &Body {
        &self.plain
    }

    /// Compressed once, by whoever wants it first.
    pub(super) fn body(&self, encoding: Option<Encoding>) -> &Body {
        let Some(encoding) = encoding else { return &self.plain };
        self.encoded[encoding as usize].get_or_init(|| self.compress(encoding))
    }

    /// Each encoding has a tag of its own (RFC 9110 section 8.8.3.3).
    fn compress(&self, encoding: Encoding) -> Body {
        let tag = self.plain.etag.to_str().ok().and_then(|tag| tag.strip_suffix('"'));
        let tag = tag.map(|tag| HeaderValue::try_from(format!("{tag}-{}\"", encoding.name())));
        match (encoding.compress(&self.plain.bytes), tag) {
            (Ok(bytes), Some(Ok(etag))) => {
                Body { bytes: bytes.into(), etag, encoding: Some(encoding) }
            }
            // What cannot be compressed is sent as it is.
            _ => self.plain.clone(),
        }
    }
}

impl PageCache {
    /// # Panics
    /// Never: all that the cache has to be told is there.
    pub fn with_capacity(bytes: u64) -> Self {
        let pages = usize::try_from(bytes / TYPICAL_BYTES).unwrap_or(usize::MAX);
        let options = OptionsBuilder::new()
            .estimated_items_capacity(pages)
            .weight_capacity(bytes)
            .shards(PARTS)
            .build()
            .expect("both capacities are there");
        let hashing = DefaultHashBuilder::default();
        Self(Cache::with_options(options, Weight, hashing, DefaultLifecycle::default()))
    }

    /// `key` is the request's path and query.
    pub(super) fn get(&self, key: &str, source: impl Into<Source>) -> Option<Arc<Rendered>> {
        let source = source.into();
        self.0.get(key).filter(|page| page.source == source)
    }

    pub(super) fn put(&self, key: &str, page: Rendered) -> Arc<Rendered> {
        let page = Arc::new(page);
        self.0.insert(key.to_owned(), Arc::clone(&page));
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_kept_however_many_cores_there_are_if_it_is_a_quarter_of_the_cache() {
        let pages = PageCache::with_capacity(8 << 20);
        let source = || Source::Snapshot { serial: 1 };
        let body = vec![b' '; 1 << 20];
        pages.put("/v1/movies", Rendered::new(source(), body, HeaderValue::from_static("\"1\"")));
        assert!(pages.get("/v1/movies", source()).is_some());
        assert!(pages.get("/v1/movies", Source::Snapshot { serial: 2 }).is_none());
        assert!(pages.get("/v1/genres", source()).is_none());
    }
}
