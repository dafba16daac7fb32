//! Probing again what is attached already.

use marquee_domain::{
    CaptionTrackId, MovieCommand, MovieError, MovieId, StreamSourceId,
    movie::{Trigger, ValidationOutcome},
};
use marquee_infra::probing::ProbeError;

use super::{CommandError, CommandService, Ingest, IngestError};

/// The command that records what a stream source's URL gives now.
pub async fn revalidate_source(
    commands: &CommandService,
    ingest: &Ingest,
    movie_id: MovieId,
    id: StreamSourceId,
    trigger: Trigger,
) -> Result<MovieCommand, CommandError> {
    let loaded = commands.expect_listed(movie_id).await?;
    let source = loaded
        .movie
        .listed()
        .and_then(|movie| movie.source(id))
        .ok_or(MovieError::StreamSourceNotFound(id))?;
    let url = ingest
        .sealer()
        .open(movie_id, id, &source.sealed_url)
        .await
        .map_err(IngestError::Sealing)?;
    let outcome = outcome(ingest.prober().stream(&url).await)?;
    Ok(MovieCommand::RecordStreamValidation(id, outcome, trigger))
}

/// The command that records what a caption track's URL gives now.
pub async fn revalidate_caption(
    commands: &CommandService,
    ingest: &Ingest,
    movie_id: MovieId,
    id: CaptionTrackId,
    trigger: Trigger,
) -> Result<MovieCommand, CommandError> {
    let loaded = commands.expect_listed(movie_id).await?;
    let track = loaded
        .movie
        .listed()
        .and_then(|movie| movie.caption(id))
        .ok_or(MovieError::CaptionTrackNotFound(id))?;
    let outcome = outcome(ingest.prober().caption(&track.caption_url, track.format).await)?;
    Ok(MovieCommand::RecordCaptionValidation(id, outcome, trigger))
}

fn outcome<F>(probed: Result<F, ProbeError>) -> Result<ValidationOutcome<F>, CommandError> {
    match probed {
        Ok(facts) => Ok(ValidationOutcome::Read(facts)),
        // That there was no room for a probe says nothing of the URL.
        Err(ProbeError::Busy) => Err(IngestError::Busy.into()),
        Err(error) => Ok(ValidationOutcome::Failed { rule: error.rule_id().to_owned() }),
    }
}
