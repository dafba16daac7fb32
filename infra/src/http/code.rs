//! Every problem a client can be told of. Each has a page, `docs/errors/CODE.md`.

use actix_web::http::StatusCode;

/// The stable name of a kind of problem (RFC 9457 section 3.1.1: `type`), for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProblemCode {
    MalformedJson,
    InvalidRequest,
    ValidationFailed,
    PayloadTooLarge,
    UnsupportedMediaType,
    Unauthenticated,
    InsufficientScope,
    NotFound,
    MethodNotAllowed,
    MovieNotFound,
    StreamSourceNotFound,
    CaptionTrackNotFound,
    TitleTaken,
    LanguageTaken,
    NotShowable,
    PrimarySourceRequired,
    CaptionRequired,
    TooMany,
    VersionConflict,
    PreconditionFailed,
    IdempotencyKeyReused,
    StreamUnusable,
    CaptionUnusable,
    DurationMismatch,
    DrmMismatch,
    StreamNotEnded,
    ViewingSessionNotFound,
    TokenRefused,
    CursorExpired,
    QuotaExceeded,
    Busy,
    Unavailable,
    OutcomeUnknown,
    NotYetProjected,
    LogIncomplete,
    Internal,
}

impl ProblemCode {
    pub const ALL: [Self; 36] = [
        Self::MalformedJson,
        Self::InvalidRequest,
        Self::ValidationFailed,
        Self::PayloadTooLarge,
        Self::UnsupportedMediaType,
        Self::Unauthenticated,
        Self::InsufficientScope,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::MovieNotFound,
        Self::StreamSourceNotFound,
        Self::CaptionTrackNotFound,
        Self::TitleTaken,
        Self::LanguageTaken,
        Self::NotShowable,
        Self::PrimarySourceRequired,
        Self::CaptionRequired,
        Self::TooMany,
        Self::VersionConflict,
        Self::PreconditionFailed,
        Self::IdempotencyKeyReused,
        Self::StreamUnusable,
        Self::CaptionUnusable,
        Self::DurationMismatch,
        Self::DrmMismatch,
        Self::StreamNotEnded,
        Self::ViewingSessionNotFound,
        Self::TokenRefused,
        Self::CursorExpired,
        Self::QuotaExceeded,
        Self::Busy,
        Self::Unavailable,
        Self::OutcomeUnknown,
        Self::NotYetProjected,
        Self::LogIncomplete,
        Self::Internal,
    ];

    pub const fn as_str(self) -> &'static str {
        self.facts().0
    }

    pub const fn status(self) -> StatusCode {
        self.facts().1
    }

    /// A short summary of the kind of problem; the same for every occurrence.
    pub const fn title(self) -> &'static str {
        self.facts().2
    }

    #[expect(clippy::too_many_lines, reason = "a table: one row for each code")]
    const fn facts(self) -> (&'static str, StatusCode, &'static str) {
        use StatusCode as S;
        match self {
            Self::MalformedJson => ("malformed_json", S::BAD_REQUEST, "The body is not JSON"),
            Self::InvalidRequest => (
                "invalid_request",
                S::BAD_REQUEST,
                "A header, path or query parameter is not valid",
            ),
            Self::ValidationFailed => {
                ("validation_failed", S::UNPROCESSABLE_ENTITY, "Some fields are not valid")
            }
            Self::PayloadTooLarge => {
                ("payload_too_large", S::PAYLOAD_TOO_LARGE, "The body is too large")
            }
            Self::UnsupportedMediaType => (
                "unsupported_media_type",
                S::UNSUPPORTED_MEDIA_TYPE,
                "The body is not of the media type that is needed",
            ),
            Self::Unauthenticated => {
                ("unauthenticated", S::UNAUTHORIZED, "A valid access token is needed")
            }
            Self::InsufficientScope => {
                ("insufficient_scope", S::FORBIDDEN, "The access token lacks a scope")
            }
            Self::NotFound => ("not_found", S::NOT_FOUND, "There is nothing at this address"),
            Self::MethodNotAllowed => (
                "method_not_allowed",
                S::METHOD_NOT_ALLOWED,
                "This address does not take this method",
            ),
            Self::MovieNotFound => ("movie_not_found", S::NOT_FOUND, "There is no such movie"),
            Self::StreamSourceNotFound => {
                ("stream_source_not_found", S::NOT_FOUND, "There is no such stream source")
            }
            Self::CaptionTrackNotFound => {
                ("caption_track_not_found", S::NOT_FOUND, "There is no such caption track")
            }
            Self::TitleTaken => ("title_taken", S::CONFLICT, "Another movie holds this title"),
            Self::LanguageTaken => {
                ("language_taken", S::CONFLICT, "The movie has captions in this language")
            }
            Self::NotShowable => ("not_showable", S::CONFLICT, "The movie cannot be VISIBLE yet"),
            Self::PrimarySourceRequired => (
                "primary_source_required",
                S::CONFLICT,
                "A VISIBLE movie keeps its primary stream source",
            ),
            Self::CaptionRequired => (
                "caption_required",
                S::CONFLICT,
                "A VISIBLE movie keeps at least one caption track",
            ),
            Self::TooMany => ("too_many", S::CONFLICT, "The movie is full"),
            Self::VersionConflict => {
                ("version_conflict", S::CONFLICT, "Others keep changing the movie")
            }
            Self::PreconditionFailed => {
                ("precondition_failed", S::PRECONDITION_FAILED, "The movie has changed")
            }
            Self::IdempotencyKeyReused => (
                "idempotency_key_reused",
                S::UNPROCESSABLE_ENTITY,
                "The Idempotency-Key belongs to another request",
            ),
            Self::StreamUnusable => {
                ("stream_unusable", S::UNPROCESSABLE_ENTITY, "The stream cannot be used")
            }
            Self::CaptionUnusable => {
                ("caption_unusable", S::UNPROCESSABLE_ENTITY, "The caption file cannot be used")
            }
            Self::DurationMismatch => (
                "duration_mismatch",
                S::UNPROCESSABLE_ENTITY,
                "The stream is not as long as the movie",
            ),
            Self::DrmMismatch => (
                "drm_mismatch",
                S::UNPROCESSABLE_ENTITY,
                "The stream's encryption is not what drm_required says",
            ),
            Self::StreamNotEnded => {
                ("stream_not_ended", S::UNPROCESSABLE_ENTITY, "The stream is not complete")
            }
            Self::ViewingSessionNotFound => {
                ("viewing_session_not_found", S::NOT_FOUND, "There is no such viewing session")
            }
            Self::TokenRefused => {
                ("token_refused", S::FORBIDDEN, "The stream token does not open this path")
            }
            Self::CursorExpired => ("cursor_expired", S::GONE, "The list has to be begun again"),
            Self::QuotaExceeded => ("quota_exceeded", S::TOO_MANY_REQUESTS, "Too many requests"),
            Self::Busy => ("busy", S::SERVICE_UNAVAILABLE, "The service has too much to do"),
            Self::Unavailable => {
                ("unavailable", S::SERVICE_UNAVAILABLE, "The service cannot do this right now")
            }
            Self::OutcomeUnknown => (
                "outcome_unknown",
                S::SERVICE_UNAVAILABLE,
                "It is not known whether the command was carried out",
            ),
            Self::NotYetProjected => {
                ("not_yet_projected", S::SERVICE_UNAVAILABLE, "The change cannot be read yet")
            }
            Self::LogIncomplete => {
                ("log_incomplete", S::INTERNAL_SERVER_ERROR, "The event log has a hole")
            }
            Self::Internal => ("internal", S::INTERNAL_SERVER_ERROR, "The service has a bug"),
        }
    }
}
