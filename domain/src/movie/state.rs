//! What a movie's history adds up to.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    ids::{CaptionTrackId, MovieId, StreamSourceId, UserId},
    values::{
        AvailabilityWindow, CaptionFacts, CaptionFormat, CaptionUrl, DurationMinutes, Genres,
        LanguageCode, PosterUrl, QualityTag, SealedUrl, Slug, StreamFacts, Synopsis, Title,
        ValidationStatus, Visibility,
    },
};

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "UPPERCASE")]
pub enum Movie {
    /// No event yet.
    #[default]
    Absent,
    Listed(Box<ListedMovie>),
    /// Its title is free again; its slug never is.
    Removed {
        movie_id: MovieId,
        slug: Slug,
    },
}

/// A movie that exists. Fields and names are the data model's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ListedMovie {
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
    pub stream_sources: Vec<StreamSource>,
    /// In the order added.
    pub caption_tracks: Vec<CaptionTrack>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StreamSource {
    pub stream_source_id: StreamSourceId,
    pub sealed_url: SealedUrl,
    pub quality_tag: Option<QualityTag>,
    pub drm_required: bool,
    pub primary: bool,
    pub last_validated_at: DateTime<Utc>,
    pub validation_status: ValidationStatus,
    #[serde(flatten)]
    pub facts: StreamFacts,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaptionTrack {
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

impl Movie {
    pub fn listed(&self) -> Option<&ListedMovie> {
        match self {
            Self::Listed(movie) => Some(movie),
            Self::Absent | Self::Removed { .. } => None,
        }
    }
}

impl ListedMovie {
    pub fn primary_source(&self) -> Option<&StreamSource> {
        self.stream_sources.iter().find(|source| source.primary)
    }

    pub fn default_caption(&self) -> Option<&CaptionTrack> {
        self.caption_tracks.iter().find(|track| track.is_default)
    }

    pub fn source(&self, id: StreamSourceId) -> Option<&StreamSource> {
        self.stream_sources.iter().find(|source| source.stream_source_id == id)
    }

    pub fn caption(&self, id: CaptionTrackId) -> Option<&CaptionTrack> {
        self.caption_tracks.iter().find(|track| track.caption_track_id == id)
    }

    /// Has a primary source that is not known to be broken.
    pub fn is_playable(&self) -> bool {
        self.primary_source()
            .is_some_and(|source| source.validation_status != ValidationStatus::Invalid)
    }
}
