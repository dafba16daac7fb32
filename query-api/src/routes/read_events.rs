//! `GET /v1/events`: the event log as a stream, for data teams. How to use it: `docs/feed.md`.

use actix_web::{
    HttpMessage, HttpRequest, HttpResponse,
    http::{
        Method,
        header::{ACCEPT, Accept, CACHE_CONTROL, Header},
    },
    web,
};
use marquee_domain::{
    MovieId,
    movie::{EventName, EventType},
};
use marquee_infra::{
    event_log::EventFilter,
    http::{CommonProblems, MaybePrincipal, Problem, ProblemBody, RequestId, Scope},
};

use super::{
    openapi::{EventHeaders, EventParameters, FeedEvent},
    parameters::Parameters,
    require,
};
use crate::feed::{FeedRequest, Feeds, Format};

const LAST_EVENT_ID: &str = "Last-Event-ID";
/// Where the log ended when the request came.
const LOG_HEAD: &str = "Marquee-Log-Head";

/// The event log, in order, as a stream
///
/// Each line is a CloudEvent. `docs/feed.md` of the source says what ends a stream and how to resume.
#[utoipa::path(
    get, path = "/v1/events", tag = "data",
    params(EventParameters, EventHeaders),
    responses(
        (status = 200, description = "Events after position `after`: one a line, or as server-sent events if `Accept` prefers text/event-stream. `Marquee-Log-Head` is where the log ended",
            content((FeedEvent = "application/x-ndjson"), (String = "text/event-stream"))),
        (status = 403, description = "insufficient_scope: events:read is needed", body = ProblemBody, content_type = "application/problem+json"),
        CommonProblems,
    ),
    security(("bearer" = ["events:read"])),
)]
pub(super) async fn read_events(
    request: HttpRequest,
    feeds: web::Data<Feeds>,
    principal: MaybePrincipal,
) -> Result<HttpResponse, Problem> {
    require(&principal, Scope::EventsRead)?;
    let feed = feeds.into_inner().open(read_request(&request)?).await?;
    let mut response = HttpResponse::Ok();
    response
        .content_type(format(&request).media_type())
        .insert_header((LOG_HEAD, feed.head()))
        .insert_header((CACHE_CONTROL, "no-store"))
        // nginx would wait for more before it passes anything on.
        .insert_header(("X-Accel-Buffering", "no"));
    if request.method() == Method::HEAD {
        return Ok(response.finish());
    }
    Ok(response.streaming(feed.into_chunks()))
}

fn read_request(request: &HttpRequest) -> Result<FeedRequest, Problem> {
    let format = format(request);
    let mut parameters = Parameters::of(request.query_string());
    let mut after = parameters.take("after", position).unwrap_or(0);
    let limit = parameters.take("limit", |limit| {
        limit.parse().ok().filter(|limit| *limit > 0).ok_or("must be a whole number from 1")
    });
    let types = parameters.take("types", types).unwrap_or_default();
    let movie_id = parameters.take("movie_id", |id| {
        id.parse::<MovieId>().map_err(|_| "must be the id of a movie, a UUID")
    });
    let follow = parameters
        .take("follow", |follow| follow.parse::<bool>().map_err(|_| "must be true or false"));
    // An event stream that broke off is asked for again at the same address, with this header.
    if let Some(last) = request.headers().get(LAST_EVENT_ID)
        && format == Format::EventStream
    {
        match position(last.to_str().unwrap_or_default()) {
            Ok(last) => after = last,
            Err(error) => parameters.error(LAST_EVENT_ID, error),
        }
    }
    parameters.finish()?;
    let request_id = request.extensions().get::<RequestId>().map(ToString::to_string);
    Ok(FeedRequest {
        after,
        limit,
        filter: EventFilter { types, movies: movie_id.into_iter().collect() },
        follow: follow.unwrap_or(false),
        format,
        request_id: request_id.unwrap_or_default(),
    })
}

fn position(text: &str) -> Result<u64, &'static str> {
    text.parse().map_err(|_| "must be a position: a whole number, 0 for the beginning")
}

/// `MovieShown`, for all its versions, or `marquee.movie.MovieShown.v1`; several with commas between.
fn types(text: &str) -> Result<Vec<String>, String> {
    let (mut types, mut unknown) = (Vec::new(), Vec::new());
    for one in text.split(',') {
        match (EventName::parse(one), one.parse::<EventType>()) {
            (Some(name), _) => types.push(all_versions(name)),
            (None, Ok(event_type)) => types.push(event_type.to_string()),
            (None, Err(_)) => unknown.push(one.chars().take(64).collect::<String>()),
        }
    }
    if unknown.is_empty() {
        return Ok(types);
    }
    let known = EventName::ALL.map(EventName::as_str).join(", ");
    Err(format!(
        "does not know {}; the types are {known}, for one version alone such as {}",
        unknown.join(", "),
        EventType::current(EventName::MovieShown)
    ))
}

fn all_versions(name: EventName) -> String {
    let newest = EventType::current(name);
    newest.to_string().trim_end_matches(&format!(".v{}", newest.version())).to_owned()
}

/// Lines, unless an event stream is liked better.
fn format(request: &HttpRequest) -> Format {
    if !request.headers().contains_key(ACCEPT) {
        return Format::Ndjson;
    }
    let Ok(accept) = Accept::parse(request) else { return Format::Ndjson };
    let preferred = accept.ranked().into_iter().find_map(|media| match media.essence_str() {
        "text/event-stream" => Some(Format::EventStream),
        "application/x-ndjson" | "application/json" | "application/*" | "*/*" => {
            Some(Format::Ndjson)
        }
        _ => None,
    });
    preferred.unwrap_or(Format::Ndjson)
}
