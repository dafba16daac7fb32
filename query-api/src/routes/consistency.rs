//! Read your writes: a read that carries a command's token waits until it shows that command.

use std::time::Duration;

use actix_web::HttpRequest;
use marquee_infra::http::{ConsistencyToken, FieldError, Problem, ProblemCode};

use crate::catalog::Catalog;

/// How long a read waits.
#[derive(Debug, Clone, Copy)]
pub struct Patience(pub Duration);

pub(super) async fn wait(
    request: &HttpRequest,
    catalog: &Catalog,
    patience: Patience,
) -> Result<(), Problem> {
    let Some(header) = request.headers().get(ConsistencyToken::HEADER) else { return Ok(()) };
    let token: ConsistencyToken =
        header.to_str().ok().and_then(|text| text.parse().ok()).ok_or_else(|| {
            Problem::new(ProblemCode::InvalidRequest, "see errors").with_errors(vec![FieldError {
                pointer: ConsistencyToken::HEADER.to_owned(),
                detail: "is not a token from a command's answer".to_owned(),
            }])
        })?;
    if catalog.wait_for(token.movie_id, token.version, patience.0).await {
        return Ok(());
    }
    Err(Problem::new(
        ProblemCode::NotYetProjected,
        format!("version {} of the movie is not readable yet", token.version),
    )
    .with_retry_after(1))
}
