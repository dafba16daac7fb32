//! `GET /v1/movies/{id or slug}?as_of=`: the movie as it was. For `catalog:read`.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, SecondsFormat, Utc};
use marquee_infra::http::{Problem, ProblemCode};

use super::{
    conditional,
    movie_history::{cannot_read, never_there},
    parameters::Parameters,
};
use crate::{
    catalog::etag,
    history::{AsOf, History, Until},
};

/// How far back to look, if that is asked for.
pub(super) fn read_until(parameters: &mut Parameters<'_>) -> Option<Until> {
    let instant = parameters.take("as_of", |text| {
        DateTime::parse_from_rfc3339(text).map(|instant| instant.with_timezone(&Utc)).map_err(
            |_| "must be an RFC 3339 instant, such as 2026-07-01T12:00:00Z (in a URL, + is %2B)",
        )
    });
    let version = parameters.take("as_of_version", |text| {
        text.parse().ok().filter(|version| *version > 0).ok_or("must be a whole number from 1")
    });
    match (instant, version) {
        (Some(_), Some(_)) => {
            parameters.error("as_of_version", "cannot be there beside as_of");
            None
        }
        (Some(instant), None) => Some(Until::Instant(instant)),
        (None, version) => version.map(Until::Version),
    }
}

pub(super) async fn get_movie_as_of(
    request: &HttpRequest,
    history: &web::Data<History>,
    id_or_slug: &str,
    until: Until,
) -> Result<HttpResponse, Problem> {
    let movie_id =
        history.resolve(id_or_slug).await.map_err(cannot_read)?.ok_or_else(never_there)?;
    let movie = match history.as_of(movie_id, until).await.map_err(cannot_read)? {
        AsOf::Listed(movie) => movie,
        AsOf::Removed { at } => return Err(not_then(&format!("it was removed at {}", shown(at)))),
        AsOf::NotYet { created_at } => {
            return Err(not_then(&format!("it was created only at {}", shown(created_at))));
        }
        AsOf::NoSuchVersion { last } => {
            return Err(not_then(&format!("its last version is {last}")));
        }
        AsOf::Unknown => return Err(never_there()),
    };
    let body = serde_json::to_vec(&movie).map_err(Problem::internal)?;
    let etag = etag(movie.movie.fields.position, &body);
    Ok(conditional::private(request, body.into(), etag))
}

fn not_then(why: &str) -> Problem {
    Problem::new(ProblemCode::MovieNotFound, format!("the movie was not there then: {why}"))
}

fn shown(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}
