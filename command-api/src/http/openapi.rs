//! The OpenAPI description of the admin API: `/openapi.json` and `/docs/`.
//!
//! The shapes here document the bodies that `bodies.rs` reads; a test sends their examples to it.

use chrono::{DateTime, Utc};
use marquee_infra::http::{BearerToken, ProblemBody};
use serde::Serialize;
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::{
    add_caption_track, attach_stream_source, create_movie, detach_stream_source, import_movies,
    promote_stream_source, remove_caption_track, remove_movie, replace_caption_track, revise_movie,
    set_default_caption, set_visibility, validate_caption_track, validate_stream_source,
};
use crate::commands::CommandAnswer;

#[derive(Debug, OpenApi)]
#[openapi(
    info(
        title = "Marquee: admin API",
        description = "Commands on the movie catalog. Every command may carry an `Idempotency-Key` (a repeat is answered \
            as the first time), `If-Match` with the movie's `ETag`, and `?dry_run=true`. Errors are problem+json with \
            ALL field errors at once; each `type` is a page under `/errors/`.",
        license(name = "MIT", identifier = "MIT"),
    ),
    paths(
        create_movie::handle, revise_movie::handle, remove_movie::handle, set_visibility::handle,
        import_movies::handle, attach_stream_source::handle, promote_stream_source::handle,
        validate_stream_source::handle, detach_stream_source::handle, add_caption_track::handle,
        replace_caption_track::handle, set_default_caption::handle, validate_caption_track::handle,
        remove_caption_track::handle,
    ),
    components(schemas(ProblemBody, CommandAnswer, Visibility, CaptionFormat)),
    modifiers(&BearerToken),
    security(("bearer" = [])),
    tags(
        (name = "movies", description = "Movies as a whole"),
        (name = "stream sources", description = "What is played; probed when attached, sealed at rest"),
        (name = "caption tracks", description = "WebVTT and TTML; probed when added"),
    ),
)]
pub struct ApiDescription;

/// What may come with every command.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "documentation: Conditions::read is what reads them")]
pub struct CommandHeaders {
    /// 1 to 255 printable ASCII characters. The same key with the same request gets the same answer.
    #[param(rename = "Idempotency-Key", example = "3f6c0d3e-create")]
    idempotency_key: Option<String>,
    /// The movie's `ETag`: 412 if it has changed since.
    #[param(rename = "If-Match", example = "\"3\"")]
    if_match: Option<String>,
}

#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documentation: Conditions::read is what reads it")]
pub struct DryRun {
    /// Decide and show the events and the resulting movie, but append nothing.
    dry_run: Option<bool>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
#[expect(dead_code, reason = "documentation: the domain has the real one")]
pub enum Visibility {
    Visible,
    Hidden,
}

#[derive(Debug, Serialize, ToSchema)]
#[expect(dead_code, reason = "documentation: the domain has the real one")]
pub enum CaptionFormat {
    #[serde(rename = "WEBVTT")]
    WebVtt,
    #[serde(rename = "TTML")]
    Ttml,
}

/// A movie to be created, with all it comes with, or not at all.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CreateMovie)]
pub struct CreateMovieBody {
    /// 1 to 255 characters; unique whatever its case and Unicode form.
    #[schema(example = "Metropolis")]
    pub title: String,
    /// 1 to 10,000 characters.
    #[schema(example = "A city of towers above, of machines below.")]
    pub synopsis: String,
    /// 1 to 20, of at most 50 characters.
    #[schema(example = json!(["Drama", "Science Fiction"]), min_items = 1, max_items = 20)]
    pub genres: Vec<String>,
    #[schema(example = 153, minimum = 1, maximum = 10000)]
    pub duration_minutes: u32,
    /// In the future.
    #[schema(example = "2099-01-01T00:00:00Z")]
    pub availability_start: DateTime<Utc>,
    /// After `availability_start`.
    #[schema(example = "2100-01-01T00:00:00Z")]
    pub availability_end: DateTime<Utc>,
    #[schema(example = "https://images.example.org/metropolis.jpg")]
    pub poster_url: String,
    /// HIDDEN if it is left out. VISIBLE needs a stream source and a caption track.
    pub visibility: Option<Visibility>,
    #[schema(example = json!([]))]
    pub stream_sources: Option<Vec<StreamSourceBody>>,
    #[schema(example = json!([]))]
    pub caption_tracks: Option<Vec<CaptionTrackBody>>,
}

/// A merge patch (RFC 7396): only what is named changes. The slug never does.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ReviseMovie)]
pub struct ReviseMovieBody {
    #[schema(example = "Metropolis (restored)")]
    pub title: Option<String>,
    #[schema(example = "The long-lost scenes are back.")]
    pub synopsis: Option<String>,
    #[schema(example = json!(["Drama"]))]
    pub genres: Option<Vec<String>>,
    /// Must match the stream sources that are attached.
    #[schema(example = 148)]
    pub duration_minutes: Option<u32>,
    #[schema(example = "https://images.example.org/metropolis-2.jpg")]
    pub poster_url: Option<String>,
    #[schema(example = "2099-02-01T00:00:00Z")]
    pub availability_start: Option<DateTime<Utc>>,
    #[schema(example = "2100-02-01T00:00:00Z")]
    pub availability_end: Option<DateTime<Utc>>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SetVisibility)]
pub struct VisibilityBody {
    pub visibility: Visibility,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StreamSource)]
pub struct StreamSourceBody {
    /// HTTPS, a path that ends with .m3u8. Encrypted at rest, and never shown again.
    #[schema(example = "https://origin.example.org/metropolis/master.m3u8")]
    pub stream_url: String,
    #[schema(example = "1080p")]
    pub quality_tag: Option<String>,
    /// Must be true exactly when the playlists name a DRM system.
    #[schema(example = false)]
    pub drm_required: bool,
    /// The first source is primary in any case.
    #[schema(example = true)]
    pub primary: Option<bool>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CaptionTrack)]
pub struct CaptionTrackBody {
    /// ISO 639-1; one track per language.
    #[schema(example = "en")]
    pub language_code: String,
    #[schema(example = "https://captions.example.org/metropolis/en.vtt")]
    pub caption_url: String,
    pub format: CaptionFormat,
    /// The first track is the default in any case.
    #[schema(example = true)]
    pub is_default: Option<bool>,
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value};

    use super::*;
    use crate::http::bodies;

    /// What Swagger UI sends when "Try it out" is pressed: the example of every property.
    fn example(schema: &str) -> Value {
        let description = serde_json::to_value(ApiDescription::openapi()).unwrap();
        let properties = &description["components"]["schemas"][schema]["properties"];
        let examples: Map<String, Value> = properties
            .as_object()
            .unwrap_or_else(|| panic!("{schema} is described"))
            .iter()
            .map(|(name, property)| {
                let enumeration = match name.as_str() {
                    "visibility" => Some("HIDDEN"),
                    "format" => Some("WEBVTT"),
                    _ => None,
                };
                let example = enumeration.map_or_else(|| property["example"].clone(), Value::from);
                assert!(!example.is_null(), "{schema}.{name} has an example");
                (name.clone(), example)
            })
            .collect();
        Value::Object(examples)
    }

    #[test]
    fn the_examples_are_accepted_and_name_every_field() {
        let now = DateTime::UNIX_EPOCH;
        assert!(bodies::movie_to_create(example("CreateMovie"), now).is_ok());
        assert!(bodies::revision(example("ReviseMovie")).is_ok());
        assert!(bodies::visibility(example("SetVisibility")).is_ok());
        assert!(bodies::source(example("StreamSource")).is_ok());
        assert!(bodies::caption(example("CaptionTrack")).is_ok());
    }

    #[test]
    fn what_is_described_as_required_is_required() {
        for (schema, read) in [
            (
                "CreateMovie",
                (|body| bodies::movie_to_create(body, DateTime::UNIX_EPOCH).is_ok())
                    as fn(Value) -> bool,
            ),
            ("StreamSource", |body| bodies::source(body).is_ok()),
            ("CaptionTrack", |body| bodies::caption(body).is_ok()),
        ] {
            let description = serde_json::to_value(ApiDescription::openapi()).unwrap();
            let required = description["components"]["schemas"][schema]["required"].clone();
            let required: Vec<String> = serde_json::from_value(required).unwrap();
            let whole = example(schema);
            for name in whole.as_object().unwrap().keys() {
                let mut body = whole.clone();
                body.as_object_mut().unwrap().remove(name);
                assert_eq!(read(body), !required.contains(name), "{schema} without {name}");
            }
        }
    }

    /// The contract, for reviewers: a change of the API is a change of this file. To write it anew,
    /// run the tests with `UPDATE_OPENAPI=1`.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "a switch for whoever changes the API")]
    fn the_description_is_the_committed_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
        let described = ApiDescription::openapi().to_pretty_json().unwrap() + "\n";
        if std::env::var("UPDATE_OPENAPI").is_ok() {
            std::fs::write(path, &described).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap();
        assert!(
            described == committed,
            "run the tests with UPDATE_OPENAPI=1 and look at the change"
        );
    }
}
