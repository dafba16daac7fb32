//! `POST /v1/movies`

use actix_web::HttpResponse;
use marquee_domain::{MovieCommand, MovieId, movie::CreateMovie, values::Slug};
use marquee_infra::{
    clock,
    http::{CommonProblems, Problem, ProblemBody},
};

use super::{
    bodies::{self, MovieToCreate},
    command::{Call, Work},
    openapi::{CommandHeaders, CreateMovieBody, DryRun},
};
use crate::commands::{CommandAnswer, CommandError, Done, NewIds};

/// Creates a movie, with its stream sources and caption tracks, atomically
#[utoipa::path(
    post, operation_id = "create_movie", path = "/v1/movies", tag = "movies",
    params(CommandHeaders, DryRun),
    request_body = CreateMovieBody,
    responses(
        (status = 201, description = "Created; Location, ETag and Consistency-Token tell the rest", body = CommandAnswer),
        (status = 409, description = "title_taken (names the holder and suggests a free title), language_taken, not_showable", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "validation_failed with every field, stream_unusable, caption_unusable, duration_mismatch, drm_mismatch, idempotency_key_reused", body = ProblemBody, content_type = "application/problem+json"),
        CommonProblems,
    ),
)]
pub async fn handle(call: Call) -> Result<HttpResponse, Problem> {
    let incoming = call.read("CreateMovie").await?;
    match bodies::movie_to_create(incoming.json()?, clock::now()) {
        Ok(movie) => incoming.run(move |work| async move { create(&work, movie).await }).await,
        // A repeat may come when the window has begun: what was valid then is answered as then.
        Err(problem) => incoming.replay_or(problem).await,
    }
}

/// Creates a movie with all that it comes with, or nothing.
pub async fn create(work: &Work, movie: MovieToCreate) -> Result<Done, CommandError> {
    let movie_id = MovieId::new(clock::new_uuid());
    if !movie.stream_sources.is_empty() || !movie.caption_tracks.is_empty() {
        work.commands.expect_title_free(movie_id, &movie.title).await?;
    }
    let (stream_sources, caption_tracks) =
        work.ingest.all(movie_id, movie.stream_sources, movie.caption_tracks).await?;
    let ids = NewIds {
        stream_source_ids: stream_sources.iter().map(|new| new.stream_source_id).collect(),
        caption_track_ids: caption_tracks.iter().map(|new| new.caption_track_id).collect(),
    };
    let command = MovieCommand::Create(Box::new(CreateMovie {
        movie_id,
        slug: Slug::from_title(&movie.title),
        title: movie.title,
        synopsis: movie.synopsis,
        genres: movie.genres,
        duration_minutes: movie.duration_minutes,
        availability: movie.availability,
        visibility: movie.visibility,
        poster_url: movie.poster_url,
        stream_sources,
        caption_tracks,
    }));
    work.execute(movie_id, command, ids, 201).await
}
