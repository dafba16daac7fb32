//! Errors as problems: every variant is named, so that a new one cannot be forgotten.

use marquee_domain::MovieError;
use marquee_infra::{
    event_log::{AppendError, EventLogError},
    http::{FieldError, Problem, ProblemCode},
    probing::ProbeError,
    sealing::SealingError,
};
use serde_json::json;

use crate::commands::{CommandError, IngestError, Unusable};

/// When a client may try again after something that passes by itself, in seconds.
const RETRY_SOON_SECONDS: u32 = 1;

pub fn problem(error: CommandError) -> Problem {
    match error {
        CommandError::Refused(error) => refused(&error),
        CommandError::PreconditionFailed { actual } => Problem::new(
            ProblemCode::PreconditionFailed,
            format!("the movie is at version {actual}; read it again and decide anew"),
        )
        .with("version", actual),
        CommandError::Ingest(error) => ingest(error),
        CommandError::Load(error) => load(&error),
        CommandError::Append(error) => append(error),
    }
}

fn refused(error: &MovieError) -> Problem {
    let detail = error.to_string();
    let field = |name: &str| {
        Problem::fields(vec![FieldError { pointer: format!("/{name}"), detail: detail.clone() }])
    };
    let plain = |code| Problem::new(code, detail.clone());
    match error {
        MovieError::NotFound => plain(ProblemCode::MovieNotFound),
        // A new movie's id is ours: it cannot exist.
        MovieError::AlreadyExists => Problem::internal(error),
        MovieError::WindowNotInFuture => field("availability_start"),
        MovieError::Window(_) => field("availability_end"),
        MovieError::DurationMismatch { measured_seconds, expected_seconds, tolerance_seconds } => {
            plain(ProblemCode::DurationMismatch)
                .with("measured_seconds", *measured_seconds)
                .with("expected_seconds", *expected_seconds)
                .with("tolerance_seconds", *tolerance_seconds)
        }
        MovieError::StreamNotEnded => plain(ProblemCode::StreamNotEnded),
        MovieError::DrmMismatch { encryption, .. } => {
            plain(ProblemCode::DrmMismatch).with("encryption", json!(encryption))
        }
        MovieError::StreamSourceNotFound(_) => plain(ProblemCode::StreamSourceNotFound),
        MovieError::CaptionTrackNotFound(_) => plain(ProblemCode::CaptionTrackNotFound),
        MovieError::LanguageTaken { holder, .. } => {
            plain(ProblemCode::LanguageTaken).with("caption_track_id", holder.to_string())
        }
        MovieError::NotShowable(unmet) => {
            let unmet: Vec<String> = unmet.iter().map(ToString::to_string).collect();
            plain(ProblemCode::NotShowable).with("unmet", unmet)
        }
        MovieError::PrimarySourceRequired => plain(ProblemCode::PrimarySourceRequired),
        MovieError::CaptionRequired => plain(ProblemCode::CaptionRequired),
        MovieError::TooMany { .. } => plain(ProblemCode::TooMany),
    }
}

fn ingest(error: IngestError) -> Problem {
    match error {
        IngestError::Unusable(unusable) => unusable_urls(&unusable),
        IngestError::Busy => busy(),
        IngestError::Sealing(SealingError::Unavailable(cause)) => {
            Problem::unavailable("the sealing keys cannot be reached", RETRY_SOON_SECONDS, cause)
        }
        IngestError::Sealing(
            error @ (SealingError::BadKeys
            | SealingError::Damaged
            | SealingError::Shredded
            | SealingError::UnknownKek(_)),
        ) => Problem::internal(error),
    }
}

fn unusable_urls(unusable: &[Unusable]) -> Problem {
    // Not the URL's fault: nothing is known of it.
    if unusable.iter().any(|url| url.why == ProbeError::Busy) {
        return busy();
    }
    let code = if unusable.iter().any(|url| url.is_stream) {
        ProblemCode::StreamUnusable
    } else {
        ProblemCode::CaptionUnusable
    };
    let rules: Vec<&str> = unusable.iter().map(|url| url.why.rule_id()).collect();
    let errors = unusable
        .iter()
        .map(|url| FieldError { pointer: url.pointer.clone(), detail: url.why.to_string() })
        .collect();
    Problem::new(code, "see errors for what was found at each URL")
        .with_errors(errors)
        .with("rules", rules)
}

fn busy() -> Problem {
    Problem::new(ProblemCode::Busy, "too many URLs are being probed; nothing was done")
        .with_retry_after(RETRY_SOON_SECONDS)
}

fn load(error: &EventLogError) -> Problem {
    match error {
        EventLogError::Unavailable(cause) => {
            Problem::unavailable("the event log cannot be reached", RETRY_SOON_SECONDS, cause)
        }
        EventLogError::Corrupt { .. }
        | EventLogError::Undecodable(_)
        | EventLogError::Internal(_) => Problem::internal(chain(error)),
    }
}

fn append(error: AppendError) -> Problem {
    match error {
        AppendError::VersionConflict { actual } => Problem::new(
            ProblemCode::VersionConflict,
            format!("the movie is at version {actual} now, and keeps changing: try again"),
        )
        .with("version", actual),
        AppendError::TitleTaken { holder, suggestion } => Problem::new(
            ProblemCode::TitleTaken,
            format!("the title is held by movie {holder}; \"{suggestion}\" is free"),
        )
        .with("movie_id", holder.to_string())
        .with("suggestion", suggestion.as_str()),
        AppendError::KeyReused => Problem::new(
            ProblemCode::IdempotencyKeyReused,
            "another request was sent with this Idempotency-Key: use a new key",
        ),
        AppendError::TooManyEvents { max, actual } => Problem::new(
            ProblemCode::TooMany,
            format!("the command leads to {actual} events, at most {max} are allowed"),
        ),
        AppendError::QueueFull => {
            Problem::new(ProblemCode::Busy, "too many commands are waiting; nothing was done")
                .with_retry_after(RETRY_SOON_SECONDS)
        }
        AppendError::Unavailable(cause) => Problem::unavailable(
            "the event log cannot be reached; nothing was done",
            RETRY_SOON_SECONDS,
            cause,
        ),
        AppendError::OutcomeUnknown => Problem::new(
            ProblemCode::OutcomeUnknown,
            "the connection to the event log broke at the wrong moment; repeating the request \
             with the same Idempotency-Key is safe",
        )
        .with_retry_after(RETRY_SOON_SECONDS),
        error @ (AppendError::Corrupt(_) | AppendError::Internal(_)) => {
            Problem::internal(chain(&error))
        }
    }
}

/// An error with all that caused it, for the log.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
