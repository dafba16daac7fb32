//! Reading request bodies, with a limit.

use actix_web::{HttpMessage, HttpRequest, error::PayloadError};
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};
use serde_json::Value;

use super::{Problem, ProblemCode};

/// Enough for a movie with all its sources and captions.
pub const MAX_BODY_BYTES: usize = 256 * 1024;

/// The whole body, if it is not larger than `MAX_BODY_BYTES`.
pub async fn read_body(
    payload: impl Stream<Item = Result<Bytes, PayloadError>>,
) -> Result<Bytes, Problem> {
    let mut payload = std::pin::pin!(payload);
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| {
            Problem::new(ProblemCode::InvalidRequest, "the body broke off").with_cause(error)
        })?;
        if body.len() + chunk.len() > MAX_BODY_BYTES {
            return Err(Problem::new(
                ProblemCode::PayloadTooLarge,
                format!("a body has at most {MAX_BODY_BYTES} bytes"),
            ));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// `body` as JSON. The media type must say so.
pub fn read_json(request: &HttpRequest, body: &[u8]) -> Result<Value, Problem> {
    let media_type = request.content_type();
    let is_json = media_type.eq_ignore_ascii_case("application/json")
        || media_type.to_ascii_lowercase().ends_with("+json");
    if !is_json {
        return Err(Problem::new(
            ProblemCode::UnsupportedMediaType,
            "send the body with Content-Type: application/json",
        ));
    }
    serde_json::from_slice(body).map_err(|error| {
        Problem::new(
            ProblemCode::MalformedJson,
            format!("line {}, column {}: {}", error.line(), error.column(), reason(&error)),
        )
    })
}

fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rfind(" at line ").map_or(text.clone(), |end| text[..end].to_owned())
}
