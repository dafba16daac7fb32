//! The prober: what the services hold and share. Bounds how many probes run, and for how long.

use std::sync::Arc;

use marquee_domain::values::{CaptionFacts, CaptionFormat, CaptionUrl, StreamProbe, StreamUrl};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use url::Url;

use super::{
    ProbeError, ProbeSettings, ProbeSetupError, Resolve, SystemResolver, fetch::Fetcher, guard,
    stream, ttml, webvtt,
};

/// Cheap to clone; clones share the limits.
#[derive(Debug, Clone)]
pub struct Prober(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    fetcher: Fetcher,
    permits: Semaphore,
}

impl Prober {
    pub fn new(settings: ProbeSettings) -> Result<Self, ProbeSetupError> {
        Self::with_resolver(settings, Arc::new(SystemResolver))
    }

    pub fn with_resolver(
        settings: ProbeSettings,
        resolver: Arc<dyn Resolve>,
    ) -> Result<Self, ProbeSetupError> {
        let limits = [
            settings.max_playlist_bytes,
            settings.max_caption_bytes,
            settings.max_variants,
            settings.max_concurrent,
            settings.max_concurrent_per_probe,
        ];
        if limits.contains(&0) || settings.timeout.is_zero() {
            return Err(ProbeSetupError::ZeroLimit);
        }
        let permits = Semaphore::new(settings.max_concurrent.min(Semaphore::MAX_PERMITS));
        Ok(Self(Arc::new(Shared { fetcher: Fetcher::new(settings, resolver)?, permits })))
    }

    /// Measures a stream by its playlists.
    pub async fn stream(&self, url: &StreamUrl) -> Result<StreamProbe, ProbeError> {
        let Shared { fetcher, .. } = &*self.0;
        let session = fetcher.session();
        self.run("stream", stream::probe(&session, &fetcher.settings, url.expose())).await
    }

    /// Fetches a caption file and counts what it would show.
    pub async fn caption(
        &self,
        url: &CaptionUrl,
        format: CaptionFormat,
    ) -> Result<CaptionFacts, ProbeError> {
        let Shared { fetcher, .. } = &*self.0;
        let session = fetcher.session();
        let probe = async {
            let url = Url::parse(url.as_str()).map_err(|_| ProbeError::BadUrl)?;
            let file = session.get(&url, fetcher.settings.max_caption_bytes).await?;
            let facts = tokio::task::spawn_blocking(move || caption_facts(&file.body, format));
            // Parsing does not panic; if it did, the file would be to blame.
            facts.await.unwrap_or(Err(ProbeError::NoCues))
        };
        self.run("caption", probe).await
    }

    async fn run<T>(
        &self,
        kind: &'static str,
        probe: impl Future<Output = Result<T, ProbeError>>,
    ) -> Result<T, ProbeError> {
        let Shared { fetcher, permits } = &*self.0;
        let permit = tokio::time::timeout(fetcher.settings.queue_timeout, permits.acquire()).await;
        // Neither happens but for want of time: the semaphore is never closed.
        let Ok(Ok(_permit)) = permit else { return Err(ProbeError::Busy) };
        let outcome = guard::within(fetcher.settings.timeout, probe).await;
        let rule = outcome.as_ref().err().map_or("ok", ProbeError::rule_id);
        metrics::counter!("marquee_probe_outcomes_total", "kind" => kind, "rule" => rule)
            .increment(1);
        outcome
    }
}

fn caption_facts(bytes: &[u8], format: CaptionFormat) -> Result<CaptionFacts, ProbeError> {
    let cue_count = match format {
        CaptionFormat::WebVtt => webvtt::count_cues(bytes)?,
        CaptionFormat::Ttml => ttml::count_cues(bytes)?,
    };
    Ok(CaptionFacts { content_sha256: hex::encode(Sha256::digest(bytes)), cue_count })
}
