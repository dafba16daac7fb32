//! A movie as JSON: what viewers get, and what `catalog:read` gets. The names are the data model's;
//! no stream URL is in any of it, sealed or not.

mod schema;

use chrono::{DateTime, Utc};
use marquee_domain::{
    CaptionTrackId, MovieId, StreamSourceId, UserId,
    movie::{CaptionTrack as DomainCaptionTrack, ListedMovie, StreamSource as DomainStreamSource},
    values::{self, CaptionFacts, StreamFacts},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A movie as viewers get it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Movie {
    #[serde(flatten)]
    pub fields: MovieFields,
    /// In the order attached. What is played is the one that is `primary`.
    pub stream_sources: Vec<StreamSource>,
    /// In the order added.
    pub caption_tracks: Vec<CaptionTrack>,
}

/// A movie with what only `catalog:read` gets.
#[derive(Debug, Serialize, ToSchema)]
pub struct EditorialMovie {
    #[serde(flatten)]
    pub fields: MovieFields,
    #[serde(flatten)]
    pub editorial: EditorialFields,
    /// Since when this is not the movie's latest state: events of it could not be applied yet. Not
    /// there when it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale_since: Option<DateTime<Utc>>,
    /// In the order attached.
    pub stream_sources: Vec<EditorialStreamSource>,
    /// In the order added.
    pub caption_tracks: Vec<EditorialCaptionTrack>,
}

/// A movie as it was.
#[derive(Debug, Serialize, ToSchema)]
pub struct MovieAsOf {
    #[serde(flatten)]
    pub movie: EditorialMovie,
    /// The instant asked for; of a version asked for, when it was recorded.
    pub as_of: DateTime<Utc>,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct MovieFields {
    #[schema(value_type = Uuid)]
    pub movie_id: MovieId,
    pub title: String,
    /// Made from the first title; it never changes.
    pub slug: String,
    pub synopsis: String,
    pub genres: Vec<String>,
    pub duration_minutes: u32,
    pub availability_start: DateTime<Utc>,
    pub availability_end: DateTime<Utc>,
    pub poster_url: String,
    /// How many events the movie has: the `version` that commands answer.
    pub version: u64,
    /// Of its last event in the log.
    pub position: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EditorialFields {
    #[schema(value_type = schema::Visibility)]
    pub visibility: values::Visibility,
    pub created_at: DateTime<Utc>,
    #[schema(value_type = Uuid)]
    pub created_by: UserId,
    pub updated_at: DateTime<Utc>,
    #[schema(value_type = Uuid)]
    pub updated_by: UserId,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct StreamSource {
    #[schema(value_type = Uuid)]
    pub stream_source_id: StreamSourceId,
    /// Such as `1080p`; null where there is a single quality.
    pub quality_tag: Option<String>,
    pub drm_required: bool,
    pub primary: bool,
    pub last_validated_at: DateTime<Utc>,
    #[schema(value_type = schema::ValidationStatus)]
    pub validation_status: values::ValidationStatus,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct EditorialStreamSource {
    #[serde(flatten)]
    pub source: StreamSource,
    #[serde(flatten)]
    pub facts: ProbedStream,
}

/// What was read of a stream when it was last looked at.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ProbedStream {
    /// The longest variant.
    pub measured_duration_seconds: f64,
    /// The shortest variant, where it is not as long as the longest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shortest_variant_seconds: Option<f64>,
    variant_count: u32,
    #[schema(value_type = schema::Encryption)]
    encryption: values::Encryption,
    /// Where there are any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    drm_systems: Vec<String>,
    /// Of all playlists.
    content_sha256: String,
}

#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct CaptionTrack {
    #[schema(value_type = Uuid)]
    pub caption_track_id: CaptionTrackId,
    /// ISO 639-1.
    pub language_code: String,
    pub caption_url: String,
    #[schema(value_type = schema::CaptionFormat)]
    pub format: values::CaptionFormat,
    pub is_default: bool,
    pub last_validated_at: DateTime<Utc>,
    #[schema(value_type = schema::ValidationStatus)]
    pub validation_status: values::ValidationStatus,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct EditorialCaptionTrack {
    #[serde(flatten)]
    pub track: CaptionTrack,
    #[serde(flatten)]
    #[schema(value_type = schema::ProbedCaption)]
    pub facts: CaptionFacts,
}

impl EditorialMovie {
    /// The movie that a history adds up to.
    pub fn of(movie: ListedMovie, version: u64, position: u64) -> Self {
        Self {
            fields: MovieFields {
                movie_id: movie.movie_id,
                title: movie.title.as_str().to_owned(),
                slug: movie.slug.as_str().to_owned(),
                synopsis: movie.synopsis.as_str().to_owned(),
                genres: movie.genres.as_slice().to_vec(),
                duration_minutes: movie.duration_minutes.get(),
                availability_start: movie.availability.start(),
                availability_end: movie.availability.end(),
                poster_url: movie.poster_url.as_str().to_owned(),
                version,
                position,
            },
            editorial: EditorialFields {
                visibility: movie.visibility,
                created_at: movie.created_at,
                created_by: movie.created_by,
                updated_at: movie.updated_at,
                updated_by: movie.updated_by,
            },
            stale_since: None,
            stream_sources: movie.stream_sources.into_iter().map(Into::into).collect(),
            caption_tracks: movie.caption_tracks.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<DomainStreamSource> for EditorialStreamSource {
    fn from(source: DomainStreamSource) -> Self {
        Self {
            source: StreamSource {
                stream_source_id: source.stream_source_id,
                quality_tag: source.quality_tag.map(|tag| tag.as_str().to_owned()),
                drm_required: source.drm_required,
                primary: source.primary,
                last_validated_at: source.last_validated_at,
                validation_status: source.validation_status,
            },
            facts: source.facts.into(),
        }
    }
}

impl From<StreamFacts> for ProbedStream {
    fn from(facts: StreamFacts) -> Self {
        Self {
            measured_duration_seconds: facts.measured_duration_seconds(),
            shortest_variant_seconds: facts.shortest_variant_seconds(),
            variant_count: facts.variant_count,
            encryption: facts.encryption,
            drm_systems: facts.drm_systems,
            content_sha256: facts.content_sha256,
        }
    }
}

impl From<DomainCaptionTrack> for EditorialCaptionTrack {
    fn from(track: DomainCaptionTrack) -> Self {
        Self {
            track: CaptionTrack {
                caption_track_id: track.caption_track_id,
                language_code: track.language_code.as_str().to_owned(),
                caption_url: track.caption_url.as_str().to_owned(),
                format: track.format,
                is_default: track.is_default,
                last_validated_at: track.last_validated_at,
                validation_status: track.validation_status,
            },
            facts: track.facts,
        }
    }
}
