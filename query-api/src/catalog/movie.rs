//! A movie as it is served: rendered once, when it changes, with what reads decide by beside it.

use actix_web::http::header::HeaderValue;
use bytes::Bytes;
use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use marquee_domain::{
    MovieId, StreamSourceId,
    values::{AvailabilityWindow, LanguageCode, SealedUrl, Title, TitleKey, Visibility},
};
use serde::Serialize;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::rows::{CaptionRow, MovieRow, MovieRows, SourceRow};

#[derive(Debug)]
pub struct CatalogMovie {
    pub movie_id: MovieId,
    pub slug: Box<str>,
    pub title_key: TitleKey,
    pub genres: Box<[Box<str>]>,
    pub languages: Box<[LanguageCode]>,
    pub window: AvailabilityWindow,
    /// VISIBLE and with a primary source that is not known to be broken: inside its window,
    /// viewers see it.
    pub showable: bool,
    pub version: u64,
    pub position: u64,
    pub primary: Option<PrimarySource>,
    /// What viewers get, as JSON.
    pub document: Bytes,
    pub etag: HeaderValue,
    /// The members that only `catalog:read` gets.
    editorial: Editorial,
}

/// The source that stream tokens are for.
#[derive(Debug)]
pub struct PrimarySource {
    pub stream_source_id: StreamSourceId,
    pub sealed_url: SealedUrl,
}

#[derive(Debug, Serialize)]
struct Editorial {
    visibility: Visibility,
    created_at: Instant,
    created_by: Box<str>,
    updated_at: Instant,
    updated_by: Box<str>,
}

/// A row that no event could have made.
#[derive(Debug, Error)]
#[error("the catalog row of movie {movie_id} has an impossible {column}")]
pub struct ImpossibleRow {
    movie_id: String,
    column: &'static str,
}

impl CatalogMovie {
    pub(super) fn from_rows(rows: &MovieRows) -> Result<Self, ImpossibleRow> {
        let MovieRows { movie, sources, captions } = rows;
        let impossible = |column| ImpossibleRow { movie_id: movie.movie_id.to_string(), column };
        let window = AvailabilityWindow::new(
            movie.availability_start.and_utc(),
            movie.availability_end.and_utc(),
        )
        .map_err(|_| impossible("availability_end"))?;
        let visibility =
            Visibility::parse(&movie.visibility).map_err(|_| impossible("visibility"))?;
        let primary = sources.iter().find(|source| source.is_primary);
        let playable = primary.is_some_and(|source| &*source.validation_status != "INVALID");
        let document = Bytes::from(
            serde_json::to_vec(&Document::of(rows)).map_err(|_| impossible("document"))?,
        );
        Ok(Self {
            movie_id: movie.movie_id.parse().map_err(|_| impossible("movie_id"))?,
            slug: (&*movie.slug).into(),
            title_key: Title::parse(&movie.title).map_err(|_| impossible("title"))?.key(),
            genres: movie.genres.iter().map(|genre| genre.as_str().into()).collect(),
            languages: captions
                .iter()
                .map(|caption| LanguageCode::parse(&caption.language_code))
                .collect::<Result<_, _>>()
                .map_err(|_| impossible("language_code"))?,
            window,
            showable: visibility == Visibility::Visible && playable,
            version: movie.version,
            position: movie.position,
            primary: primary
                .map(|source| {
                    Ok(PrimarySource {
                        stream_source_id: source
                            .stream_source_id
                            .parse()
                            .map_err(|_| impossible("stream_source_id"))?,
                        sealed_url: SealedUrl::from_text(&*source.stream_url),
                    })
                })
                .transpose()?,
            etag: etag(movie.position, &document),
            document,
            editorial: Editorial {
                visibility,
                created_at: Instant(movie.created_at),
                created_by: (&*movie.created_by).into(),
                updated_at: Instant(movie.updated_at),
                updated_by: (&*movie.updated_by).into(),
            },
        })
    }

    /// Whether viewers see it at this instant.
    pub fn is_available(&self, now: DateTime<Utc>) -> bool {
        self.showable && self.window.contains(now)
    }

    /// When that changes next, if by the passing of time alone.
    pub fn next_edge(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        [self.window.start(), self.window.end()]
            .into_iter()
            .find(|edge| self.showable && *edge > now)
    }

    /// The viewer's document with some more members: what `catalog:read` gets.
    pub fn editorial_document(&self) -> Vec<u8> {
        let more = serde_json::to_vec(&self.editorial)
            .expect("plain members with string keys are always JSON");
        let viewers = self.document.strip_suffix(b"}").unwrap_or(&self.document);
        [viewers, b",", more.strip_prefix(b"{").unwrap_or(&more)].concat()
    }
}

/// The position that made these bytes, and a digest: two renderings never share a tag.
pub(crate) fn etag(position: u64, bytes: &[u8]) -> HeaderValue {
    let digest = Sha256::digest(bytes);
    let tag = format!("\"{position}-{}\"", hex::encode(&digest[..8]));
    HeaderValue::try_from(tag).expect("digits and a hyphen between quotes are visible ASCII")
}

/// An instant of a row, as RFC 3339 in UTC.
#[derive(Debug, Clone, Copy)]
struct Instant(NaiveDateTime);

impl Serialize for Instant {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.and_utc().to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

/// JSON names are the data model's. No stream URL, sealed or not.
#[derive(Serialize)]
struct Document<'a> {
    movie_id: &'a str,
    title: &'a str,
    slug: &'a str,
    synopsis: &'a str,
    genres: &'a [String],
    duration_minutes: u32,
    availability_start: Instant,
    availability_end: Instant,
    poster_url: &'a str,
    stream_sources: Vec<Source<'a>>,
    caption_tracks: Vec<Caption<'a>>,
    version: u64,
    position: u64,
}

#[derive(Serialize)]
struct Source<'a> {
    stream_source_id: &'a str,
    quality_tag: Option<&'a str>,
    drm_required: bool,
    primary: bool,
    last_validated_at: Instant,
    validation_status: &'a str,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the data model's names")]
struct Caption<'a> {
    caption_track_id: &'a str,
    language_code: &'a str,
    caption_url: &'a str,
    format: &'a str,
    is_default: bool,
    last_validated_at: Instant,
    validation_status: &'a str,
}

impl<'a> Document<'a> {
    fn of(rows: &'a MovieRows) -> Self {
        let MovieRow { movie_id, title, slug, synopsis, genres, poster_url, .. } = &rows.movie;
        Self {
            movie_id,
            title,
            slug,
            synopsis,
            genres: &genres.0,
            duration_minutes: rows.movie.duration_minutes,
            availability_start: Instant(rows.movie.availability_start),
            availability_end: Instant(rows.movie.availability_end),
            poster_url,
            stream_sources: rows.sources.iter().map(Source::of).collect(),
            caption_tracks: rows.captions.iter().map(Caption::of).collect(),
            version: rows.movie.version,
            position: rows.movie.position,
        }
    }
}

impl<'a> Source<'a> {
    fn of(row: &'a SourceRow) -> Self {
        Self {
            stream_source_id: &row.stream_source_id,
            quality_tag: row.quality_tag.as_deref(),
            drm_required: row.drm_required,
            primary: row.is_primary,
            last_validated_at: Instant(row.last_validated_at),
            validation_status: &row.validation_status,
        }
    }
}

impl<'a> Caption<'a> {
    fn of(row: &'a CaptionRow) -> Self {
        Self {
            caption_track_id: &row.caption_track_id,
            language_code: &row.language_code,
            caption_url: &row.caption_url,
            format: &row.format,
            is_default: row.is_default,
            last_validated_at: Instant(row.last_validated_at),
            validation_status: &row.validation_status,
        }
    }
}
