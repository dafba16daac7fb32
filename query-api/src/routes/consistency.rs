//! Read your writes: a read that carries the tokens of commands waits until it shows all of them.

use std::time::Duration;

use actix_web::{HttpRequest, http::header::HeaderValue};
use marquee_infra::http::{ConsistencyToken, FieldError, Problem, ProblemCode};
use tokio::time::Instant;

use crate::catalog::Catalog;

/// Nobody changes so many movies to read them at once; each costs a look at the catalog.
const MAX_TOKENS: usize = 32;

/// How long a read waits.
#[derive(Debug, Clone, Copy)]
pub struct Patience(pub Duration);

pub(super) async fn wait(
    request: &HttpRequest,
    catalog: &Catalog,
    patience: Patience,
) -> Result<(), Problem> {
    let tokens = tokens(request)?;
    let deadline = Instant::now() + patience.0;
    for token in tokens {
        let left = deadline.saturating_duration_since(Instant::now());
        if !catalog.wait_for(token.movie_id, token.version, left).await {
            let detail = format!("version {} of the movie is not readable yet", token.version);
            return Err(Problem::new(ProblemCode::NotYetProjected, detail).with_retry_after(1));
        }
    }
    Ok(())
}

/// A list like any other header's: on one line, on several, or both.
fn tokens(request: &HttpRequest) -> Result<Vec<ConsistencyToken>, Problem> {
    let mut tokens = Vec::new();
    for header in request.headers().get_all(ConsistencyToken::HEADER) {
        let more = read(header).ok_or_else(|| invalid("is not a token from a command's answer"))?;
        tokens.extend(more);
        if tokens.len() > MAX_TOKENS {
            return Err(invalid(&format!("has more than {MAX_TOKENS} tokens")));
        }
    }
    Ok(tokens)
}

fn read(header: &HeaderValue) -> Option<Vec<ConsistencyToken>> {
    header.to_str().ok()?.split(',').map(|token| token.trim().parse().ok()).collect()
}

fn invalid(detail: &str) -> Problem {
    Problem::new(ProblemCode::InvalidRequest, "see errors").with_errors(vec![FieldError {
        pointer: ConsistencyToken::HEADER.to_owned(),
        detail: detail.to_owned(),
    }])
}
