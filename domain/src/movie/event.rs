//! What has happened to a movie, in the shapes in which it is written today. A released shape is never
//! edited: a changed one is a new version (`event_type`) and has an upcaster (`upcast`).

use chrono::{DateTime, Utc};
use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};

use super::event_type::{EventName, EventType};
use crate::{
    ids::{CaptionTrackId, MovieId, StreamSourceId, UserId},
    values::{
        AvailabilityWindow, CaptionFacts, CaptionFormat, CaptionUrl, DurationMinutes, Genres,
        LanguageCode, PosterUrl, QualityTag, SealedUrl, Slug, StreamFacts, Synopsis, Title,
        ValidationStatus, Visibility,
    },
};

/// When and by whom. Becomes the movie's `updated_at` and `updated_by`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    pub updated_at: DateTime<Utc>,
    pub updated_by: UserId,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum MovieEvent {
    MovieCreated {
        movie_id: MovieId,
        title: Title,
        slug: Slug,
        synopsis: Synopsis,
        genres: Genres,
        duration_minutes: DurationMinutes,
        #[serde(flatten)]
        availability: AvailabilityWindow,
        visibility: Visibility,
        poster_url: PosterUrl,
        created_at: DateTime<Utc>,
        created_by: UserId,
    },
    MovieRetitled {
        title: Title,
        previous_title: Title,
        #[serde(flatten)]
        stamp: Stamp,
    },
    /// Only what changed.
    MovieDetailsRevised {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        synopsis: Option<Synopsis>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        genres: Option<Genres>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        duration_minutes: Option<DurationMinutes>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        poster_url: Option<PosterUrl>,
        #[serde(flatten)]
        stamp: Stamp,
    },
    AvailabilityRescheduled {
        #[serde(flatten)]
        availability: AvailabilityWindow,
        #[serde(flatten)]
        stamp: Stamp,
    },
    MovieShown {
        #[serde(flatten)]
        stamp: Stamp,
    },
    MovieHidden {
        #[serde(flatten)]
        stamp: Stamp,
    },
    MovieRemoved {
        #[serde(flatten)]
        stamp: Stamp,
    },
    StreamSourceAttached {
        stream_source_id: StreamSourceId,
        sealed_url: SealedUrl,
        quality_tag: Option<QualityTag>,
        drm_required: bool,
        /// When true, this source takes the place of the primary one.
        primary: bool,
        last_validated_at: DateTime<Utc>,
        validation_status: ValidationStatus,
        facts: StreamFacts,
        #[serde(flatten)]
        stamp: Stamp,
    },
    StreamSourceValidated {
        stream_source_id: StreamSourceId,
        last_validated_at: DateTime<Utc>,
        validation_status: ValidationStatus,
        /// The rule that failed, when `INVALID`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failed_rule: Option<String>,
        /// What was read, when something was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        facts: Option<StreamFacts>,
        #[serde(flatten)]
        stamp: Stamp,
    },
    PrimaryStreamSourceChanged {
        stream_source_id: StreamSourceId,
        #[serde(flatten)]
        stamp: Stamp,
    },
    StreamSourceDetached {
        stream_source_id: StreamSourceId,
        #[serde(flatten)]
        stamp: Stamp,
    },
    CaptionTrackAdded {
        caption_track_id: CaptionTrackId,
        language_code: LanguageCode,
        caption_url: CaptionUrl,
        format: CaptionFormat,
        /// When true, this track takes the place of the default one.
        is_default: bool,
        last_validated_at: DateTime<Utc>,
        validation_status: ValidationStatus,
        #[serde(flatten)]
        facts: CaptionFacts,
        #[serde(flatten)]
        stamp: Stamp,
    },
    CaptionTrackReplaced {
        caption_track_id: CaptionTrackId,
        language_code: LanguageCode,
        caption_url: CaptionUrl,
        format: CaptionFormat,
        last_validated_at: DateTime<Utc>,
        validation_status: ValidationStatus,
        #[serde(flatten)]
        facts: CaptionFacts,
        #[serde(flatten)]
        stamp: Stamp,
    },
    CaptionTrackValidated {
        caption_track_id: CaptionTrackId,
        last_validated_at: DateTime<Utc>,
        validation_status: ValidationStatus,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failed_rule: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        facts: Option<CaptionFacts>,
        #[serde(flatten)]
        stamp: Stamp,
    },
    DefaultCaptionChanged {
        caption_track_id: CaptionTrackId,
        #[serde(flatten)]
        stamp: Stamp,
    },
    CaptionTrackRemoved {
        caption_track_id: CaptionTrackId,
        #[serde(flatten)]
        stamp: Stamp,
    },
}

impl MovieEvent {
    pub const fn event_name(&self) -> EventName {
        match self {
            Self::MovieCreated { .. } => EventName::MovieCreated,
            Self::MovieRetitled { .. } => EventName::MovieRetitled,
            Self::MovieDetailsRevised { .. } => EventName::MovieDetailsRevised,
            Self::AvailabilityRescheduled { .. } => EventName::AvailabilityRescheduled,
            Self::MovieShown { .. } => EventName::MovieShown,
            Self::MovieHidden { .. } => EventName::MovieHidden,
            Self::MovieRemoved { .. } => EventName::MovieRemoved,
            Self::StreamSourceAttached { .. } => EventName::StreamSourceAttached,
            Self::StreamSourceValidated { .. } => EventName::StreamSourceValidated,
            Self::PrimaryStreamSourceChanged { .. } => EventName::PrimaryStreamSourceChanged,
            Self::StreamSourceDetached { .. } => EventName::StreamSourceDetached,
            Self::CaptionTrackAdded { .. } => EventName::CaptionTrackAdded,
            Self::CaptionTrackReplaced { .. } => EventName::CaptionTrackReplaced,
            Self::CaptionTrackValidated { .. } => EventName::CaptionTrackValidated,
            Self::DefaultCaptionChanged { .. } => EventName::DefaultCaptionChanged,
            Self::CaptionTrackRemoved { .. } => EventName::CaptionTrackRemoved,
        }
    }

    /// The event's name, as in its payload's `type`.
    pub const fn name(&self) -> &'static str {
        self.event_name().as_str()
    }
}

impl DomainEvent for MovieEvent {
    /// The CloudEvents type, such as `marquee.movie.MovieCreated.v1`.
    fn event_type(&self) -> String {
        EventType::current(self.event_name()).to_string()
    }

    fn event_version(&self) -> String {
        self.event_name().current_version().to_string()
    }
}
