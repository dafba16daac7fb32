//! Why a command was refused.

use thiserror::Error;

use crate::{
    ids::{CaptionTrackId, StreamSourceId},
    values::{Encryption, LanguageCode, ValueError},
};

#[derive(Debug, Clone, PartialEq, Error)]
pub enum MovieError {
    #[error("there is no such movie")]
    NotFound,
    #[error("the movie exists already")]
    AlreadyExists,
    #[error("availability_start must be in the future for a new movie")]
    WindowNotInFuture,
    #[error("availability_end {0}")]
    Window(ValueError),
    #[error(
        "the stream runs {measured_seconds:.3} s, but duration_minutes says {expected_seconds} s \
         (tolerance {tolerance_seconds} s)"
    )]
    DurationMismatch { measured_seconds: f64, expected_seconds: f64, tolerance_seconds: f64 },
    #[error("the stream is not complete: a media playlist has no EXT-X-ENDLIST")]
    StreamNotEnded,
    #[error("drm_required is {drm_required}, but the stream's encryption is {encryption:?}")]
    DrmMismatch { drm_required: bool, encryption: Encryption },
    #[error("there is no such stream source")]
    StreamSourceNotFound(StreamSourceId),
    #[error("there is no such caption track")]
    CaptionTrackNotFound(CaptionTrackId),
    #[error("the movie has a caption track in \"{language}\" already")]
    LanguageTaken { language: LanguageCode, holder: CaptionTrackId },
    #[error("the movie cannot be VISIBLE: {}", list(.0))]
    NotShowable(Vec<Unmet>),
    #[error(
        "a VISIBLE movie keeps its primary stream source: promote another one first, or hide the movie"
    )]
    PrimarySourceRequired,
    #[error(
        "a VISIBLE movie keeps at least one caption track: add another one first, or hide the movie"
    )]
    CaptionRequired,
    #[error("a movie has at most {max} {what}")]
    TooMany { what: &'static str, max: usize },
}

/// What a movie lacks to be VISIBLE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Unmet {
    #[error("it has no primary stream source")]
    PrimarySource,
    #[error("its primary stream source is INVALID")]
    ValidPrimarySource,
    #[error("it has no caption track")]
    Caption,
}

fn list(unmet: &[Unmet]) -> String {
    unmet.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
