//! The admin REST API, one endpoint a file.

mod add_caption_track;
mod attach_stream_source;
mod bodies;
mod command;
mod create_movie;
mod detach_stream_source;
mod import_movies;
mod ndjson;
mod openapi;
mod problem;
mod promote_stream_source;
mod remove_caption_track;
mod remove_movie;
mod replace_caption_track;
mod revise_movie;
mod set_default_caption;
mod set_visibility;
mod validate_caption_track;
mod validate_stream_source;

use actix_web::{
    HttpResponse,
    web::{self, ServiceConfig},
};
use marquee_infra::http::{Problem, ProblemCode};
use tokio::runtime::Handle;

pub use openapi::ApiDescription;

use crate::commands::{CommandService, Ingest};

/// What the endpoints work with.
#[derive(Debug, Clone)]
pub struct ApiState {
    pub commands: CommandService,
    pub ingest: Ingest,
    /// Where commands are carried out, so that a client that hangs up does not leave one half done.
    pub runtime: Handle,
}

/// The routes under `/v1`.
pub fn routes(config: &mut ServiceConfig) {
    let wrong_method = || web::route().to(method_not_allowed);
    config
        .service(
            web::resource("/movies")
                .route(web::post().to(create_movie::handle))
                .default_service(wrong_method()),
        )
        .service(
            web::resource("/movies/import")
                .route(web::post().to(import_movies::handle))
                .default_service(wrong_method()),
        )
        .service(
            web::resource("/movies/{movie_id}")
                .route(web::patch().to(revise_movie::handle))
                .route(web::delete().to(remove_movie::handle))
                .default_service(wrong_method()),
        )
        .service(
            web::resource("/movies/{movie_id}/visibility")
                .route(web::put().to(set_visibility::handle))
                .default_service(wrong_method()),
        )
        .service(
            web::resource("/movies/{movie_id}/stream-sources")
                .route(web::post().to(attach_stream_source::handle))
                .default_service(wrong_method()),
        )
        .service(
            web::resource("/movies/{movie_id}/stream-sources/{stream_source_id}")
                .route(web::delete().to(detach_stream_source::handle))
                .default_service(wrong_method()),
        )
        .service(
            web::resource("/movies/{movie_id}/stream-sources/{stream_source_id}/primary")
                .route(web::put().to(promote_stream_source::handle))
                .default_service(wrong_method()),
        )
        .service(
            web::resource("/movies/{movie_id}/stream-sources/{stream_source_id}/validate")
                .route(web::post().to(validate_stream_source::handle))
                .default_service(wrong_method()),
        )
        .service(
            web::resource("/movies/{movie_id}/caption-tracks")
                .route(web::post().to(add_caption_track::handle))
                .default_service(wrong_method()),
        )
        .service(
            web::resource("/movies/{movie_id}/caption-tracks/{caption_track_id}")
                .route(web::put().to(replace_caption_track::handle))
                .route(web::delete().to(remove_caption_track::handle))
                .default_service(wrong_method()),
        )
        .service(
            web::resource("/movies/{movie_id}/caption-tracks/{caption_track_id}/default")
                .route(web::put().to(set_default_caption::handle))
                .default_service(wrong_method()),
        )
        .service(
            web::resource("/movies/{movie_id}/caption-tracks/{caption_track_id}/validate")
                .route(web::post().to(validate_caption_track::handle))
                .default_service(wrong_method()),
        );
}

async fn method_not_allowed() -> Result<HttpResponse, Problem> {
    Err(Problem::new(ProblemCode::MethodNotAllowed, "see /docs for the methods of this address"))
}
