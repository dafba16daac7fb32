//! A movie as it is served: rendered once, when it changes, with what reads decide by beside it.

use std::{collections::HashMap, io, sync::Arc};

use actix_web::http::header::HeaderValue;
use chrono::{DateTime, Utc};
use marquee_domain::{
    MovieId, StreamSourceId,
    stream_token::Unplayable,
    values::{
        AvailabilityWindow, CaptionFacts, CaptionFormat, LanguageCode, SealedUrl, Title, TitleKey,
        ValidationStatus, Visibility,
    },
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{
    packed::{Packed, Packer},
    rows::{CaptionRow, MovieRow, MovieRows, SourceRow},
};
use crate::documents::{
    CaptionTrack, EditorialCaptionTrack, EditorialFields, EditorialMovie, EditorialStreamSource,
    Movie, MovieFields, ProbedStream, StreamSource,
};

#[derive(Debug)]
pub struct CatalogMovie {
    pub movie_id: MovieId,
    pub slug: Arc<str>,
    pub title_key: TitleKey,
    pub genres: Box<[Arc<Genre>]>,
    pub languages: Box<[Arc<LanguageCode>]>,
    pub window: AvailabilityWindow,
    /// None when it is VISIBLE and has a primary source that is not known to be broken: inside its
    /// window, viewers see it.
    pub unshowable: Option<Unplayable>,
    /// Of what decides when viewers see it; 0 while they don't at any time.
    pub(super) availability: u64,
    pub version: u64,
    pub position: u64,
    /// The Kafka partition that its events come by.
    pub(super) partition: i32,
    pub primary: Option<PrimarySource>,
    created_at: DateTime<Utc>,
    /// What viewers get, a [`Movie`] as JSON.
    document: Packed,
    /// Of that.
    digest: Sha256Prefix,
    /// The members that only `catalog:read` gets, [`Editorial`] as JSON.
    editorial: Packed,
    /// Of all that is in it.
    content: Sha256Prefix,
}

/// A genre as it is written, and in lower case.
#[derive(Debug)]
pub struct Genre {
    pub written: Arc<str>,
    pub folded: Arc<str>,
}

pub(super) type Sha256Prefix = [u8; 8];

/// The source that stream tokens are for.
#[derive(Debug)]
pub struct PrimarySource {
    pub stream_source_id: StreamSourceId,
    pub sealed_url: SealedUrl,
}

/// Facts are in the order of what they are of.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Editorial {
    pub(super) fields: EditorialFields,
    pub(super) stream_facts: Vec<ProbedStream>,
    pub(super) caption_facts: Vec<CaptionFacts>,
}

/// Makes movies of rows, and keeps what they share.
#[derive(Debug)]
pub(super) struct Renderer {
    packer: Packer,
    genres: HashMap<String, Arc<Genre>>,
    /// There are fewer than two hundred.
    languages: HashMap<String, Arc<LanguageCode>>,
}

/// Beyond it, genres that no movie has any more are let go of.
const MAX_IDLE_GENRES: usize = 10_000;

/// A row that no event could have made.
#[derive(Debug, Error)]
#[error("the catalog row of movie {movie_id} has an impossible {column}")]
pub struct ImpossibleRow {
    movie_id: String,
    column: &'static str,
}

/// The column that is impossible.
type Read<T> = Result<T, &'static str>;

impl Renderer {
    pub(super) fn new() -> Self {
        Self { packer: Packer::new(), genres: HashMap::new(), languages: HashMap::new() }
    }

    /// `known` is the movie as it was, and is returned if nothing of it has changed.
    pub(super) fn movie(
        &mut self,
        rows: &MovieRows,
        known: Option<&Arc<CatalogMovie>>,
    ) -> Result<Arc<CatalogMovie>, ImpossibleRow> {
        self.read(rows, known)
            .map_err(|column| ImpossibleRow { movie_id: rows.movie.movie_id.to_string(), column })
    }

    fn read(
        &mut self,
        rows: &MovieRows,
        known: Option<&Arc<CatalogMovie>>,
    ) -> Read<Arc<CatalogMovie>> {
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
        let document = serde_json::to_vec(&shown).map_err(|_| "document")?;
        let editorial_document = serde_json::to_vec(&editorial).map_err(|_| "facts")?;
        let sealed = primary.map_or("", |source| &*source.stream_url);
        let digest = sha256_prefix(&[&document]);
        let content = sha256_prefix(&[&document, &editorial_document, sealed.as_bytes()]);
        if let Some(known) = known
            && (known.content, known.version, known.position)
                == (content, movie.version, movie.position)
        {
            return Ok(Arc::clone(known));
        }
        let unshowable = match editorial.fields.visibility {
            Visibility::Hidden => Some(Unplayable::Hidden),
            Visibility::Visible if !playable => Some(Unplayable::NoPlayableSource),
            Visibility::Visible => None,
        };
        Ok(Arc::new(CatalogMovie {
            movie_id: shown.fields.movie_id,
            slug: match known {
                // It never changes.
                Some(known) => Arc::clone(&known.slug),
                None => (&*movie.slug).into(),
            },
            title_key: Title::parse(&movie.title).map_err(|_| "title")?.key(),
            genres: movie.genres.iter().map(|genre| self.genre(genre)).collect(),
            languages: captions
                .iter()
                .map(|caption| self.language(&caption.language_code))
                .collect::<Read<_>>()?,
            availability: match unshowable {
                None => availability(shown.fields.movie_id, &window),
                Some(_) => 0,
            },
            window,
            unshowable,
            version: movie.version,
            position: movie.position,
            partition: movie.kafka_partition,
            primary: primary.map(primary_source).transpose()?,
            created_at: editorial.fields.created_at,
            document: self.packer.pack(&document).map_err(|_| "document")?,
            digest,
            editorial: self.packer.pack(&editorial_document).map_err(|_| "facts")?,
            content,
        }))
    }

    fn language(&mut self, code: &str) -> Read<Arc<LanguageCode>> {
        if let Some(known) = self.languages.get(code) {
            return Ok(Arc::clone(known));
        }
        let language = Arc::new(LanguageCode::parse(code).map_err(|_| "language_code")?);
        self.languages.insert(code.to_owned(), Arc::clone(&language));
        Ok(language)
    }

    fn genre(&mut self, written: &str) -> Arc<Genre> {
        if let Some(known) = self.genres.get(written) {
            return Arc::clone(known);
        }
        if self.genres.len() >= MAX_IDLE_GENRES {
            self.genres.retain(|_, genre| Arc::strong_count(genre) > 1);
        }
        let folded: Arc<str> = written.to_lowercase().into();
        let genre = Arc::new(Genre { written: written.into(), folded });
        self.genres.insert(written.to_owned(), Arc::clone(&genre));
        genre
    }
}

impl CatalogMovie {
    /// Whether viewers see it at this instant.
    pub fn is_available(&self, now: DateTime<Utc>) -> bool {
        self.unplayable(now).is_none()
    }

    /// What keeps viewers from it at this instant.
    pub fn unplayable(&self, now: DateTime<Utc>) -> Option<Unplayable> {
        self.unshowable.or_else(|| {
            if now < self.window.start() {
                Some(Unplayable::NotYetAvailable)
            } else {
                (!self.window.contains(now)).then_some(Unplayable::NoLongerAvailable)
            }
        })
    }

    /// When that changes, if by the passing of time alone.
    pub(super) fn edges(&self) -> impl Iterator<Item = DateTime<Utc>> {
        let edges = [self.window.start(), self.window.end()];
        edges.into_iter().filter(|_| self.unshowable.is_none())
    }

    pub fn next_edge(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.edges().find(|edge| *edge > now)
    }

    pub(super) const fn created_at(&self) -> DateTime<Utc> {
        self.created_at
    }

    /// What viewers get, a [`Movie`] as JSON.
    pub fn document(&self) -> io::Result<Vec<u8>> {
        self.document.unpack()
    }

    pub const fn document_bytes(&self) -> usize {
        self.document.unpacked_bytes()
    }

    /// Of what viewers get.
    pub fn etag(&self) -> HeaderValue {
        tag(self.position, self.digest)
    }

    /// Another rendering of the movie has another one.
    pub const fn stamp(&self) -> (u64, Sha256Prefix) {
        (self.position, self.digest)
    }

    /// What `catalog:read` gets. Put together when it is asked for: editors are few, and the memory
    /// of a second rendering would not be.
    pub fn editorial(&self, stale_since: Option<DateTime<Utc>>) -> io::Result<EditorialMovie> {
        let Movie { fields, stream_sources, caption_tracks } =
            serde_json::from_slice(&self.document()?)?;
        let Editorial { fields: editorial, stream_facts, caption_facts } =
            serde_json::from_slice(&self.editorial.unpack()?)?;
        Ok(EditorialMovie {
            fields,
            editorial,
            stale_since,
            stream_sources: stream_sources
                .into_iter()
                .zip(stream_facts)
                .map(|(source, facts)| EditorialStreamSource { source, facts })
                .collect(),
            caption_tracks: caption_tracks
                .into_iter()
                .zip(caption_facts)
                .map(|(track, facts)| EditorialCaptionTrack { track, facts })
                .collect(),
        })
    }

    /// About what it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        let sealed = self.primary.as_ref().map_or(0, |primary| primary.sealed_url.as_str().len());
        size_of::<Self>()
            + self.title_key.as_str().len()
            + 8 * (self.genres.len() + self.languages.len())
            + self.document.packed_bytes()
            + self.editorial.packed_bytes()
            + sealed
    }
}

/// The position that made these bytes, and a digest: two renderings never share a tag.
pub(crate) fn etag(position: u64, bytes: &[u8]) -> HeaderValue {
    tag(position, sha256_prefix(&[bytes]))
}

fn tag(position: u64, digest: Sha256Prefix) -> HeaderValue {
    let tag = format!("\"{position}-{}\"", hex::encode(digest));
    HeaderValue::try_from(tag).expect("digits and a hyphen between quotes are visible ASCII")
}

fn sha256_prefix(parts: &[&[u8]]) -> Sha256Prefix {
    let mut sha256 = Sha256::new();
    for part in parts {
        sha256.update(part);
    }
    let mut prefix = Sha256Prefix::default();
    let length = prefix.len();
    prefix.copy_from_slice(&sha256.finalize()[..length]);
    prefix
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
