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
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Stamp {
    pub updated_at: DateTime<Utc>,
    pub updated_by: UserId,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "type")]
pub enum MovieEvent {
    /// A movie came into being, always HIDDEN. What it was created with follows as events of its own.
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
    /// The title changed, be it in case only. The old one is free again; the slug stays.
    MovieRetitled {
        title: Title,
        previous_title: Title,
        #[serde(flatten)]
        stamp: Stamp,
    },
    /// Any of these changed; those that did not are left out.
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
    /// The window changed: both ends are given, though one may be as before.
    AvailabilityRescheduled {
        #[serde(flatten)]
        availability: AvailabilityWindow,
        #[serde(flatten)]
        stamp: Stamp,
    },
    /// The movie is VISIBLE now.
    MovieShown {
        #[serde(flatten)]
        stamp: Stamp,
    },
    /// The movie is HIDDEN now.
    MovieHidden {
        #[serde(flatten)]
        stamp: Stamp,
    },
    /// The movie is gone. No event of it follows.
    MovieRemoved {
        #[serde(flatten)]
        stamp: Stamp,
    },
    /// A stream was probed, found to keep the rules, and attached.
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
    /// A later probe found news: another status, or other content.
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
    /// This source is the primary one now, and no other.
    PrimaryStreamSourceChanged {
        stream_source_id: StreamSourceId,
        #[serde(flatten)]
        stamp: Stamp,
    },
    /// The source is gone.
    StreamSourceDetached {
        stream_source_id: StreamSourceId,
        #[serde(flatten)]
        stamp: Stamp,
    },
    /// A caption file was fetched, read as its format, and added.
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
    /// Language, URL, format or content changed. The id stays, and whether it is the default.
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
    /// A later probe found news: another status, or other content.
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
    /// This track is the default now, and no other.
    DefaultCaptionChanged {
        caption_track_id: CaptionTrackId,
        #[serde(flatten)]
        stamp: Stamp,
    },
    /// The track is gone.
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
