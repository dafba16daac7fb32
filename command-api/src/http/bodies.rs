//! The bodies of commands, read field by field so that all errors are told at once.

use chrono::{DateTime, Utc};
use marquee_domain::{
    movie::{RevisePatch, decide::MAX_CAPTION_TRACKS, decide::MAX_STREAM_SOURCES},
    values::{
        AvailabilityWindow, CaptionFormat, CaptionUrl, DurationMinutes, Genres, LanguageCode,
        PosterUrl, QualityTag, StreamUrl, Synopsis, Title, Visibility,
    },
};
use marquee_infra::http::{Fields, Problem};
use serde_json::Value;

use crate::commands::{CaptionToAdd, SourceToAttach};

/// `POST /v1/movies`.
pub struct MovieToCreate {
    pub title: Title,
    pub synopsis: Synopsis,
    pub genres: Genres,
    pub duration_minutes: DurationMinutes,
    pub availability: AvailabilityWindow,
    pub visibility: Visibility,
    pub poster_url: PosterUrl,
    pub stream_sources: Vec<SourceToAttach>,
    pub caption_tracks: Vec<CaptionToAdd>,
}

pub fn movie_to_create(body: Value, now: DateTime<Utc>) -> Result<MovieToCreate, Problem> {
    let mut fields = Fields::of_body(body)?;
    let title = fields.required_str("title", Title::parse);
    let synopsis = fields.required_str("synopsis", Synopsis::parse);
    let genres = fields.required_strings("genres", Genres::parse);
    let duration_minutes = fields.required_u64("duration_minutes", DurationMinutes::parse);
    let start = fields.required_instant("availability_start");
    let end = fields.required_instant("availability_end");
    let visibility = fields.optional_str("visibility", Visibility::parse);
    let poster_url = fields.required_str("poster_url", PosterUrl::parse);
    let stream_sources = fields.objects("stream_sources", MAX_STREAM_SOURCES, source_fields);
    let caption_tracks = fields.objects("caption_tracks", MAX_CAPTION_TRACKS, caption_fields);

    if start.is_some_and(|start| start <= now) {
        fields.error("availability_start", "must be in the future for a new movie");
    }
    let availability = start.zip(end).and_then(|(start, end)| {
        AvailabilityWindow::new(start, end)
            .map_err(|error| fields.error("availability_end", error))
            .ok()
    });
    let movie = (|| {
        Some(MovieToCreate {
            title: title?,
            synopsis: synopsis?,
            genres: genres?,
            duration_minutes: duration_minutes?,
            availability: availability?,
            visibility: visibility.unwrap_or(Visibility::Hidden),
            poster_url: poster_url?,
            stream_sources,
            caption_tracks,
        })
    })();
    fields.finish(movie)
}

/// `PATCH /v1/movies/{movie_id}`: a merge patch (RFC 7396). No field can be taken away, so `null` is
/// refused.
pub fn revision(body: Value) -> Result<RevisePatch, Problem> {
    let nulls: Vec<String> = match &body {
        Value::Object(fields) => fields
            .iter()
            .filter(|(_, value)| value.is_null())
            .map(|(name, _)| name.clone())
            .collect(),
        _ => Vec::new(),
    };
    let mut fields = Fields::of_body(body)?;
    let patch = RevisePatch {
        title: fields.optional_str("title", Title::parse),
        synopsis: fields.optional_str("synopsis", Synopsis::parse),
        genres: fields.optional_strings("genres", Genres::parse),
        duration_minutes: fields.optional_u64("duration_minutes", DurationMinutes::parse),
        poster_url: fields.optional_str("poster_url", PosterUrl::parse),
        availability_start: fields.optional_instant("availability_start"),
        availability_end: fields.optional_instant("availability_end"),
    };
    for name in nulls.iter().filter(|name| REVISABLE.contains(&name.as_str())) {
        fields.error(name, "is required, so it cannot be null");
    }
    if let (Some(start), Some(end)) = (patch.availability_start, patch.availability_end)
        && let Err(error) = AvailabilityWindow::new(start, end)
    {
        fields.error("availability_end", error);
    }
    fields.finish(Some(patch))
}

const REVISABLE: [&str; 7] = [
    "title",
    "synopsis",
    "genres",
    "duration_minutes",
    "poster_url",
    "availability_start",
    "availability_end",
];

/// `PUT /v1/movies/{movie_id}/visibility`.
pub fn visibility(body: Value) -> Result<Visibility, Problem> {
    let mut fields = Fields::of_body(body)?;
    let visibility = fields.required_str("visibility", Visibility::parse);
    fields.finish(visibility)
}

/// `POST /v1/movies/{movie_id}/stream-sources`.
pub fn source(body: Value) -> Result<SourceToAttach, Problem> {
    let mut fields = Fields::of_body(body)?;
    let source = source_fields(&mut fields);
    fields.finish(source)
}

/// `POST /v1/movies/{movie_id}/caption-tracks`, and `PUT` of one.
pub fn caption(body: Value) -> Result<CaptionToAdd, Problem> {
    let mut fields = Fields::of_body(body)?;
    let caption = caption_fields(&mut fields);
    fields.finish(caption)
}

fn source_fields(fields: &mut Fields) -> Option<SourceToAttach> {
    let stream_url = fields.required_str("stream_url", StreamUrl::parse);
    let quality_tag = fields.optional_str("quality_tag", QualityTag::parse);
    let drm_required = fields.required_bool("drm_required");
    let primary = fields.optional_bool("primary").unwrap_or(false);
    Some(SourceToAttach {
        stream_url: stream_url?,
        quality_tag,
        drm_required: drm_required?,
        primary,
    })
}

fn caption_fields(fields: &mut Fields) -> Option<CaptionToAdd> {
    let language_code = fields.required_str("language_code", LanguageCode::parse);
    let caption_url = fields.required_str("caption_url", CaptionUrl::parse);
    let format = fields.required_str("format", CaptionFormat::parse);
    let is_default = fields.optional_bool("is_default").unwrap_or(false);
    Some(CaptionToAdd {
        language_code: language_code?,
        caption_url: caption_url?,
        format: format?,
        is_default,
    })
}
