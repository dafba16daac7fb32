//! A movie as it is served: rendered once, when it changes, with what reads decide by beside it.

use actix_web::http::header::HeaderValue;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use marquee_domain::{
    MovieId, StreamSourceId,
    values::{
        AvailabilityWindow, CaptionFacts, CaptionFormat, LanguageCode, SealedUrl, Title, TitleKey,
        ValidationStatus, Visibility,
    },
};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::rows::{CaptionRow, MovieRow, MovieRows, SourceRow};
use crate::documents::{
    CaptionTrack, EditorialCaptionTrack, EditorialFields, EditorialMovie, EditorialStreamSource,
    Movie, MovieFields, ProbedStream, StreamSource,
};

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
    /// Of what decides when viewers see it; 0 while they don't at any time.
    pub(super) availability: u64,
    pub version: u64,
    pub position: u64,
    pub primary: Option<PrimarySource>,
    /// What viewers get, a [`Movie`] as JSON.
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

/// Facts are in the order of what they are of.
#[derive(Debug)]
struct Editorial {
    fields: EditorialFields,
    stream_facts: Box<[ProbedStream]>,
    caption_facts: Box<[CaptionFacts]>,
}

/// A row that no event could have made.
#[derive(Debug, Error)]
#[error("the catalog row of movie {movie_id} has an impossible {column}")]
pub struct ImpossibleRow {
    movie_id: String,
    column: &'static str,
}

/// The column that is impossible.
type Read<T> = Result<T, &'static str>;

impl CatalogMovie {
    pub(super) fn from_rows(rows: &MovieRows) -> Result<Self, ImpossibleRow> {
        Self::read(rows)
            .map_err(|column| ImpossibleRow { movie_id: rows.movie.movie_id.to_string(), column })
    }

    fn read(rows: &MovieRows) -> Read<Self> {
        let MovieRows { movie, sources, captions } = rows;
        let fields = movie_fields(movie)?;
        let editorial = Editorial {
            fields: editorial_fields(movie)?,
            stream_facts: sources.iter().map(stream_facts).collect::<Read<_>>()?,
            caption_facts: captions.iter().map(caption_facts).collect::<Read<_>>()?,
        };
        let window = AvailabilityWindow::new(fields.availability_start, fields.availability_end)
            .map_err(|_| "availability_end")?;
        let shown = Movie {
            stream_sources: sources.iter().map(stream_source).collect::<Read<_>>()?,
            caption_tracks: captions.iter().map(caption_track).collect::<Read<_>>()?,
            fields,
        };
        let primary = sources.iter().find(|source| source.is_primary);
        let playable = shown
            .stream_sources
            .iter()
            .any(|source| source.primary && source.validation_status != ValidationStatus::Invalid);
        let document = Bytes::from(serde_json::to_vec(&shown).map_err(|_| "document")?);
        let showable = editorial.fields.visibility == Visibility::Visible && playable;
        Ok(Self {
            movie_id: shown.fields.movie_id,
            slug: (&*movie.slug).into(),
            title_key: Title::parse(&movie.title).map_err(|_| "title")?.key(),
            genres: movie.genres.iter().map(|genre| genre.as_str().into()).collect(),
            languages: captions
                .iter()
                .map(|caption| {
                    LanguageCode::parse(&caption.language_code).map_err(|_| "language_code")
                })
                .collect::<Read<_>>()?,
            availability: if showable { availability(shown.fields.movie_id, &window) } else { 0 },
            window,
            showable,
            version: movie.version,
            position: movie.position,
            primary: primary.map(primary_source).transpose()?,
            etag: etag(movie.position, &document),
            document,
            editorial,
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

    /// What `catalog:read` gets. Put together when it is asked for: editors are few, and the memory
    /// of a second rendering would not be.
    pub fn editorial(
        &self,
        stale_since: Option<DateTime<Utc>>,
    ) -> Result<EditorialMovie, serde_json::Error> {
        let Movie { fields, stream_sources, caption_tracks } =
            serde_json::from_slice(&self.document)?;
        let Editorial { fields: editorial, stream_facts, caption_facts } = &self.editorial;
        Ok(EditorialMovie {
            fields,
            editorial: editorial.clone(),
            stale_since,
            stream_sources: stream_sources
                .into_iter()
                .zip(stream_facts)
                .map(|(source, facts)| EditorialStreamSource { source, facts: facts.clone() })
                .collect(),
            caption_tracks: caption_tracks
                .into_iter()
                .zip(caption_facts)
                .map(|(track, facts)| EditorialCaptionTrack { track, facts: facts.clone() })
                .collect(),
        })
    }
}

/// The position that made these bytes, and a digest: two renderings never share a tag.
pub(crate) fn etag(position: u64, bytes: &[u8]) -> HeaderValue {
    let digest = Sha256::digest(bytes);
    let tag = format!("\"{position}-{}\"", hex::encode(&digest[..8]));
    HeaderValue::try_from(tag).expect("digits and a hyphen between quotes are visible ASCII")
}

/// The same in every process, whatever its build.
fn availability(movie_id: MovieId, window: &AvailabilityWindow) -> u64 {
    let [from, until] = [window.start(), window.end()].map(|edge| edge.timestamp_micros());
    let digest = Sha256::digest(format!("{movie_id} {from} {until}"));
    digest.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

fn movie_fields(row: &MovieRow) -> Read<MovieFields> {
    Ok(MovieFields {
        movie_id: row.movie_id.parse().map_err(|_| "movie_id")?,
        title: row.title.to_string(),
        slug: row.slug.to_string(),
        synopsis: row.synopsis.to_string(),
        genres: row.genres.0.clone(),
        duration_minutes: row.duration_minutes,
        availability_start: row.availability_start.and_utc(),
        availability_end: row.availability_end.and_utc(),
        poster_url: row.poster_url.to_string(),
        version: row.version,
        position: row.position,
    })
}

fn editorial_fields(row: &MovieRow) -> Read<EditorialFields> {
    Ok(EditorialFields {
        visibility: Visibility::parse(&row.visibility).map_err(|_| "visibility")?,
        created_at: row.created_at.and_utc(),
        created_by: row.created_by.parse().map_err(|_| "created_by")?,
        updated_at: row.updated_at.and_utc(),
        updated_by: row.updated_by.parse().map_err(|_| "updated_by")?,
    })
}

fn stream_source(row: &SourceRow) -> Read<StreamSource> {
    Ok(StreamSource {
        stream_source_id: row.stream_source_id.parse().map_err(|_| "stream_source_id")?,
        quality_tag: row.quality_tag.as_deref().map(str::to_owned),
        drm_required: row.drm_required,
        primary: row.is_primary,
        last_validated_at: row.last_validated_at.and_utc(),
        validation_status: validation_status(&row.validation_status)?,
    })
}

fn primary_source(row: &SourceRow) -> Read<PrimarySource> {
    Ok(PrimarySource {
        stream_source_id: row.stream_source_id.parse().map_err(|_| "stream_source_id")?,
        sealed_url: SealedUrl::from_text(&*row.stream_url),
    })
}

fn caption_track(row: &CaptionRow) -> Read<CaptionTrack> {
    Ok(CaptionTrack {
        caption_track_id: row.caption_track_id.parse().map_err(|_| "caption_track_id")?,
        language_code: row.language_code.to_string(),
        caption_url: row.caption_url.to_string(),
        format: CaptionFormat::parse(&row.format).map_err(|_| "format")?,
        is_default: row.is_default,
        last_validated_at: row.last_validated_at.and_utc(),
        validation_status: validation_status(&row.validation_status)?,
    })
}

fn stream_facts(row: &SourceRow) -> Read<ProbedStream> {
    serde_json::from_str(row.facts.get()).map_err(|_| "facts")
}

fn caption_facts(row: &CaptionRow) -> Read<CaptionFacts> {
    serde_json::from_str(row.facts.get()).map_err(|_| "facts")
}

fn validation_status(text: &str) -> Read<ValidationStatus> {
    [ValidationStatus::Valid, ValidationStatus::Invalid, ValidationStatus::Unknown]
        .into_iter()
        .find(|status| status.as_str() == text)
        .ok_or("validation_status")
}
