//! Data model: "validated on ingest". What an admin gives as a URL is probed, and stream URLs are
//! sealed, before a command is decided.

use futures::future::join_all;
use marquee_domain::{
    CaptionTrackId, MovieId, StreamSourceId,
    movie::{NewCaptionTrack, NewStreamSource},
    values::{CaptionFormat, CaptionUrl, LanguageCode, QualityTag, StreamUrl},
};
use marquee_infra::{
    clock,
    probing::{ProbeError, Prober},
    sealing::{Sealer, SealingError},
};
use thiserror::Error;

/// A stream source as an admin describes it.
#[derive(Debug, Clone)]
pub struct SourceToAttach {
    pub stream_url: StreamUrl,
    pub quality_tag: Option<QualityTag>,
    pub drm_required: bool,
    pub primary: bool,
}

/// A caption track as an admin describes it.
#[derive(Debug, Clone)]
pub struct CaptionToAdd {
    pub language_code: LanguageCode,
    pub caption_url: CaptionUrl,
    pub format: CaptionFormat,
    pub is_default: bool,
}

#[derive(Debug, Error)]
pub enum IngestError {
    #[error("a URL cannot be used")]
    Unusable(Vec<Unusable>),
    #[error("too many URLs are being probed")]
    Busy,
    #[error(transparent)]
    Sealing(#[from] SealingError),
}

/// A URL that did not pass its probe.
#[derive(Debug)]
pub struct Unusable {
    /// Where the URL stands in the request's body.
    pub pointer: String,
    pub is_stream: bool,
    pub why: ProbeError,
}

/// Probes and seals.
#[derive(Debug, Clone)]
pub struct Ingest {
    prober: Prober,
    sealer: Sealer,
}

impl Ingest {
    pub const fn new(prober: Prober, sealer: Sealer) -> Self {
        Self { prober, sealer }
    }

    pub const fn prober(&self) -> &Prober {
        &self.prober
    }

    pub const fn sealer(&self) -> &Sealer {
        &self.sealer
    }

    /// `pointer` is where the source stands in the request's body.
    pub async fn source(
        &self,
        movie_id: MovieId,
        source: SourceToAttach,
        pointer: &str,
    ) -> Result<NewStreamSource, IngestError> {
        let probe = self.prober.stream(&source.stream_url).await.map_err(|why| {
            let pointer = format!("{pointer}/stream_url");
            IngestError::Unusable(vec![Unusable { pointer, is_stream: true, why }])
        })?;
        let stream_source_id = StreamSourceId::new(clock::new_uuid());
        let sealed_url = self.sealer.seal(movie_id, stream_source_id, &source.stream_url).await?;
        Ok(NewStreamSource {
            stream_source_id,
            sealed_url,
            quality_tag: source.quality_tag,
            drm_required: source.drm_required,
            primary: source.primary,
            probe,
        })
    }

    /// `caption_track_id` is new, or that of the track to be replaced.
    pub async fn caption(
        &self,
        caption_track_id: CaptionTrackId,
        caption: CaptionToAdd,
        pointer: &str,
    ) -> Result<NewCaptionTrack, IngestError> {
        let facts =
            self.prober.caption(&caption.caption_url, caption.format).await.map_err(|why| {
                let pointer = format!("{pointer}/caption_url");
                IngestError::Unusable(vec![Unusable { pointer, is_stream: false, why }])
            })?;
        Ok(NewCaptionTrack {
            caption_track_id,
            language_code: caption.language_code,
            caption_url: caption.caption_url,
            format: caption.format,
            is_default: caption.is_default,
            facts,
        })
    }

    /// All that a new movie comes with, side by side. Every URL that cannot be used is reported.
    pub async fn all(
        &self,
        movie_id: MovieId,
        sources: Vec<SourceToAttach>,
        captions: Vec<CaptionToAdd>,
    ) -> Result<(Vec<NewStreamSource>, Vec<NewCaptionTrack>), IngestError> {
        let sources = sources.into_iter().enumerate().map(|(index, source)| async move {
            self.source(movie_id, source, &format!("/stream_sources/{index}")).await
        });
        let captions = captions.into_iter().enumerate().map(|(index, caption)| async move {
            let id = CaptionTrackId::new(clock::new_uuid());
            self.caption(id, caption, &format!("/caption_tracks/{index}")).await
        });
        let (sources, captions) = futures::join!(join_all(sources), join_all(captions));
        let mut unusable = Vec::new();
        let sources = usable(sources, &mut unusable)?;
        let captions = usable(captions, &mut unusable)?;
        if unusable.is_empty() {
            Ok((sources, captions))
        } else {
            Err(IngestError::Unusable(unusable))
        }
    }
}

fn usable<T>(
    results: Vec<Result<T, IngestError>>,
    unusable: &mut Vec<Unusable>,
) -> Result<Vec<T>, IngestError> {
    let mut usable = Vec::with_capacity(results.len());
    for result in results {
        match result {
            Ok(item) => usable.push(item),
            Err(IngestError::Unusable(more)) => unusable.extend(more),
            Err(other) => return Err(other),
        }
    }
    Ok(usable)
}
