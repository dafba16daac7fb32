//! A movie as the topic has it. The names are the data model's, and those of the query API's answer
//! to `catalog:read`. No stream URL is in it, sealed or not.

use chrono::{DateTime, Utc};
use marquee_domain::{
    CaptionTrackId, MovieId, StreamSourceId, UserId,
    movie::{ListedMovie, StreamSource},
    values::{
        AvailabilityWindow, CaptionFacts, CaptionFormat, CaptionUrl, DurationMinutes, Encryption,
        Genres, LanguageCode, PosterUrl, QualityTag, Slug, StreamFacts, Synopsis, Title,
        ValidationStatus, Visibility,
    },
};
use serde::{Deserialize, Serialize};

/// Its `ce_type`; of tombstones too.
pub const DOCUMENT_TYPE: &str = "marquee.catalog.MovieDocument.v1";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MovieDocument {
    pub movie_id: MovieId,
    pub title: Title,
    pub slug: Slug,
    pub synopsis: Synopsis,
    pub genres: Genres,
    pub duration_minutes: DurationMinutes,
    #[serde(flatten)]
    pub availability: AvailabilityWindow,
    pub visibility: Visibility,
    pub poster_url: PosterUrl,
    pub created_at: DateTime<Utc>,
    pub created_by: UserId,
    pub updated_at: DateTime<Utc>,
    pub updated_by: UserId,
    /// In the order attached.
    pub stream_sources: Vec<SourceDocument>,
    /// In the order added.
    pub caption_tracks: Vec<CaptionDocument>,
    /// How many events the movie has.
    pub version: u64,
    /// Of its last event in the log.
    pub position: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SourceDocument {
    pub stream_source_id: StreamSourceId,
    pub quality_tag: Option<QualityTag>,
    pub drm_required: bool,
    pub primary: bool,
    pub last_validated_at: DateTime<Utc>,
    pub validation_status: ValidationStatus,
    #[serde(flatten)]
    pub facts: ProbedStream,
}

/// What was read of a stream when it was last looked at. A form of its own: the events' may change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProbedStream {
    /// The longest variant.
    pub measured_duration_seconds: f64,
    /// The shortest variant, where it is not as long as the longest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shortest_variant_seconds: Option<f64>,
    pub variant_count: u32,
    pub encryption: Encryption,
    /// Where there are any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drm_systems: Vec<String>,
    /// Of all playlists.
    pub content_sha256: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CaptionDocument {
    pub caption_track_id: CaptionTrackId,
    pub language_code: LanguageCode,
    pub caption_url: CaptionUrl,
    pub format: CaptionFormat,
    pub is_default: bool,
    pub last_validated_at: DateTime<Utc>,
    pub validation_status: ValidationStatus,
    #[serde(flatten)]
    pub facts: CaptionFacts,
}

impl MovieDocument {
    pub fn of(movie: ListedMovie, version: u64, position: u64) -> Self {
        Self {
            movie_id: movie.movie_id,
            title: movie.title,
            slug: movie.slug,
            synopsis: movie.synopsis,
            genres: movie.genres,
            duration_minutes: movie.duration_minutes,
            availability: movie.availability,
            visibility: movie.visibility,
            poster_url: movie.poster_url,
            created_at: movie.created_at,
            created_by: movie.created_by,
            updated_at: movie.updated_at,
            updated_by: movie.updated_by,
            stream_sources: movie.stream_sources.into_iter().map(Into::into).collect(),
            caption_tracks: movie.caption_tracks.into_iter().map(Into::into).collect(),
            version,
            position,
        }
    }
}

impl From<StreamSource> for SourceDocument {
    fn from(source: StreamSource) -> Self {
        Self {
            stream_source_id: source.stream_source_id,
            quality_tag: source.quality_tag,
            drm_required: source.drm_required,
            primary: source.primary,
            last_validated_at: source.last_validated_at,
            validation_status: source.validation_status,
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

impl From<marquee_domain::movie::CaptionTrack> for CaptionDocument {
    fn from(track: marquee_domain::movie::CaptionTrack) -> Self {
        Self {
            caption_track_id: track.caption_track_id,
            language_code: track.language_code,
            caption_url: track.caption_url,
            format: track.format,
            is_default: track.is_default,
            last_validated_at: track.last_validated_at,
            validation_status: track.validation_status,
            facts: track.facts,
        }
    }
}
