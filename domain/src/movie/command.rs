//! What an admin can ask of a movie. Everything from outside (ids, the time, sealed URLs, probe
//! results) is in the command or the context already.

use crate::{
    ids::{CaptionTrackId, MovieId, StreamSourceId},
    values::{
        AvailabilityWindow, CaptionFacts, CaptionFormat, CaptionUrl, DurationMinutes, Genres,
        LanguageCode, PosterUrl, QualityTag, SealedUrl, Slug, StreamProbe, Synopsis, Title,
        Visibility,
    },
};

#[derive(Debug, Clone, PartialEq)]
pub enum MovieCommand {
    Create(Box<CreateMovie>),
    Revise(Box<RevisePatch>),
    SetVisibility(Visibility),
    Remove,
    AttachStreamSource(Box<NewStreamSource>),
    RecordStreamValidation(StreamSourceId, ValidationOutcome<StreamProbe>, Trigger),
    PromoteStreamSource(StreamSourceId),
    DetachStreamSource(StreamSourceId),
    AddCaptionTrack(Box<NewCaptionTrack>),
    /// Keeps the track's id and whether it is the default, unless `is_default` is true.
    ReplaceCaptionTrack(Box<NewCaptionTrack>),
    RecordCaptionValidation(CaptionTrackId, ValidationOutcome<CaptionFacts>, Trigger),
    SetDefaultCaption(CaptionTrackId),
    RemoveCaptionTrack(CaptionTrackId),
}

#[derive(Debug, Clone, PartialEq)]
pub struct CreateMovie {
    pub movie_id: MovieId,
    pub title: Title,
    /// The first choice; the append transaction numbers it if it is taken.
    pub slug: Slug,
    pub synopsis: Synopsis,
    pub genres: Genres,
    pub duration_minutes: DurationMinutes,
    pub availability: AvailabilityWindow,
    pub visibility: Visibility,
    pub poster_url: PosterUrl,
    pub stream_sources: Vec<NewStreamSource>,
    pub caption_tracks: Vec<NewCaptionTrack>,
}

/// A merge patch: `None` leaves the field as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RevisePatch {
    pub title: Option<Title>,
    pub synopsis: Option<Synopsis>,
    pub genres: Option<Genres>,
    pub duration_minutes: Option<DurationMinutes>,
    pub poster_url: Option<PosterUrl>,
    pub availability_start: Option<chrono::DateTime<chrono::Utc>>,
    pub availability_end: Option<chrono::DateTime<chrono::Utc>>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct NewStreamSource {
    pub stream_source_id: StreamSourceId,
    pub sealed_url: SealedUrl,
    pub quality_tag: Option<QualityTag>,
    pub drm_required: bool,
    /// The first source is primary whatever this says.
    pub primary: bool,
    pub probe: StreamProbe,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCaptionTrack {
    pub caption_track_id: CaptionTrackId,
    pub language_code: LanguageCode,
    pub caption_url: CaptionUrl,
    pub format: CaptionFormat,
    /// The first track is the default whatever this says.
    pub is_default: bool,
    pub facts: CaptionFacts,
}

/// Why something attached was probed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// Somebody asked: the answer is recorded, whatever it is.
    Request,
    /// It was due: only news is recorded, or a large catalog's log would fill with nothing.
    Schedule,
}

/// How a later probe of something already attached ended.
#[derive(Debug, Clone, PartialEq)]
pub enum ValidationOutcome<F> {
    Read(F),
    /// The rule that failed, by its id ("not_ended", "unreachable", ...), for people.
    Failed {
        rule: String,
    },
}
