//! `/errors/{code}`: where a problem's `type` leads to. The pages are `docs/errors`, compiled in.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::ACCEPT,
    web::{self, ServiceConfig},
};

use super::{Problem, ProblemCode, server::read};

pub(super) fn configure(config: &mut ServiceConfig) {
    config.route("/errors/{code}", read().to(page));
}

/// HTML for browsers, Markdown for everyone else.
async fn page(request: HttpRequest, code: web::Path<String>) -> Result<HttpResponse, Problem> {
    let code = ProblemCode::ALL
        .into_iter()
        .find(|known| known.as_str() == code.as_str())
        .ok_or_else(|| Problem::new(ProblemCode::NotFound, "there is no such problem code"))?;
    let wants_html = request
        .headers()
        .get(ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"));
    let markdown = markdown(code);
    if !wants_html {
        return Ok(HttpResponse::Ok().content_type("text/markdown; charset=utf-8").body(markdown));
    }
    let mut html = format!("<!doctype html><meta charset=utf-8><title>{}</title>", code.as_str());
    pulldown_cmark::html::push_html(&mut html, pulldown_cmark::Parser::new(markdown));
    Ok(HttpResponse::Ok().content_type("text/html; charset=utf-8").body(html))
}

fn markdown(code: ProblemCode) -> &'static str {
    match code {
        ProblemCode::MalformedJson => include_str!("../../../docs/errors/malformed_json.md"),
        ProblemCode::InvalidRequest => include_str!("../../../docs/errors/invalid_request.md"),
        ProblemCode::ValidationFailed => include_str!("../../../docs/errors/validation_failed.md"),
        ProblemCode::PayloadTooLarge => include_str!("../../../docs/errors/payload_too_large.md"),
        ProblemCode::UnsupportedMediaType => {
            include_str!("../../../docs/errors/unsupported_media_type.md")
        }
        ProblemCode::Unauthenticated => include_str!("../../../docs/errors/unauthenticated.md"),
        ProblemCode::InsufficientScope => {
            include_str!("../../../docs/errors/insufficient_scope.md")
        }
        ProblemCode::NotFound => include_str!("../../../docs/errors/not_found.md"),
        ProblemCode::MethodNotAllowed => include_str!("../../../docs/errors/method_not_allowed.md"),
        ProblemCode::MovieNotFound => include_str!("../../../docs/errors/movie_not_found.md"),
        ProblemCode::StreamSourceNotFound => {
            include_str!("../../../docs/errors/stream_source_not_found.md")
        }
        ProblemCode::CaptionTrackNotFound => {
            include_str!("../../../docs/errors/caption_track_not_found.md")
        }
        ProblemCode::TitleTaken => include_str!("../../../docs/errors/title_taken.md"),
        ProblemCode::LanguageTaken => include_str!("../../../docs/errors/language_taken.md"),
        ProblemCode::NotShowable => include_str!("../../../docs/errors/not_showable.md"),
        ProblemCode::PrimarySourceRequired => {
            include_str!("../../../docs/errors/primary_source_required.md")
        }
        ProblemCode::CaptionRequired => include_str!("../../../docs/errors/caption_required.md"),
        ProblemCode::TooMany => include_str!("../../../docs/errors/too_many.md"),
        ProblemCode::VersionConflict => include_str!("../../../docs/errors/version_conflict.md"),
        ProblemCode::PreconditionFailed => {
            include_str!("../../../docs/errors/precondition_failed.md")
        }
        ProblemCode::IdempotencyKeyReused => {
            include_str!("../../../docs/errors/idempotency_key_reused.md")
        }
        ProblemCode::StreamUnusable => include_str!("../../../docs/errors/stream_unusable.md"),
        ProblemCode::CaptionUnusable => include_str!("../../../docs/errors/caption_unusable.md"),
        ProblemCode::DurationMismatch => include_str!("../../../docs/errors/duration_mismatch.md"),
        ProblemCode::DrmMismatch => include_str!("../../../docs/errors/drm_mismatch.md"),
        ProblemCode::StreamNotEnded => include_str!("../../../docs/errors/stream_not_ended.md"),
        ProblemCode::ViewingSessionNotFound => {
            include_str!("../../../docs/errors/viewing_session_not_found.md")
        }
        ProblemCode::TokenRefused => include_str!("../../../docs/errors/token_refused.md"),
        ProblemCode::CursorExpired => include_str!("../../../docs/errors/cursor_expired.md"),
        ProblemCode::QuotaExceeded => include_str!("../../../docs/errors/quota_exceeded.md"),
        ProblemCode::Busy => include_str!("../../../docs/errors/busy.md"),
        ProblemCode::Unavailable => include_str!("../../../docs/errors/unavailable.md"),
        ProblemCode::OutcomeUnknown => include_str!("../../../docs/errors/outcome_unknown.md"),
        ProblemCode::NotYetProjected => include_str!("../../../docs/errors/not_yet_projected.md"),
        ProblemCode::LogIncomplete => include_str!("../../../docs/errors/log_incomplete.md"),
        ProblemCode::Internal => include_str!("../../../docs/errors/internal.md"),
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    #[test]
    fn every_code_has_its_page_and_every_page_a_code() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors");
        let pages: BTreeSet<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter_map(|name| name.strip_suffix(".md").map(str::to_owned))
            .filter(|name| name != "README")
            .collect();
        let codes: BTreeSet<String> =
            ProblemCode::ALL.iter().map(|code| code.as_str().to_owned()).collect();
        assert_eq!(pages, codes);
        for code in ProblemCode::ALL {
            let heading = format!(
                "# {}\n\n**{}: {}**\n",
                code.as_str(),
                code.status().as_u16(),
                code.title()
            );
            assert!(markdown(code).starts_with(&heading), "the page of {} is off", code.as_str());
        }
    }
}
