//! One id type per entity, so that a `MovieId` cannot be passed where a `CaptionTrackId` is meant.

use std::{fmt, hash, marker::PhantomData, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// A UUID that identifies an entity of kind `K`.
pub struct Id<K>(Uuid, PhantomData<fn() -> K>);

/// What an id can identify. The markers are never constructed.
pub mod kind {
    #[derive(Debug)]
    pub enum Movie {}
    #[derive(Debug)]
    pub enum StreamSource {}
    #[derive(Debug)]
    pub enum CaptionTrack {}
    #[derive(Debug)]
    pub enum User {}
    #[derive(Debug)]
    pub enum ViewingSession {}
}

pub type MovieId = Id<kind::Movie>;
pub type StreamSourceId = Id<kind::StreamSource>;
pub type CaptionTrackId = Id<kind::CaptionTrack>;
pub type UserId = Id<kind::User>;
pub type ViewingSessionId = Id<kind::ViewingSession>;

impl<K> Id<K> {
    pub const fn new(uuid: Uuid) -> Self {
        Self(uuid, PhantomData)
    }

    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}
impl<K> hash::Hash for Id<K> {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}
impl<K> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
impl<K> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
impl<K> FromStr for Id<K> {
    type Err = uuid::Error;

    /// Accepts the hyphenated form only, the one that is written everywhere else.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        uuid::fmt::Hyphenated::from_str(text).map(|id| Self::new(id.into_uuid()))
    }
}
impl<K> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}
impl<'de, K> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Uuid::deserialize(deserializer).map(Self::new)
    }
}
