//! The OpenAPI description of the viewers' API: `/openapi.json` and `/docs/`.
//!
//! What is here documents parameters that the endpoints read by themselves. Examples are what Swagger
//! UI sends when "Try it out" is pressed, all of an address at once: a test does the same. What cannot
//! be known beforehand (a cursor, a token, an id) has none.

use chrono::{DateTime, Utc};
use marquee_infra::http::{BearerToken, ProblemBody};
use serde::Serialize;
use utoipa::{
    IntoParams, Modify, OpenApi, ToSchema,
    openapi::{RefOr, Schema, schema::AnyOfBuilder},
};
use uuid::Uuid;

use super::{
    get_movie, get_viewing_session, issue_stream_token, list_genres, list_movies,
    list_viewing_sessions, movie_history, rate_limit_bucket, read_events, report_viewing_events,
    start_viewing_session, stream_token_validity, verify_stream_token,
};
use crate::documents::{EditorialMovie, Movie, MovieAsOf};

#[derive(Debug, OpenApi)]
#[openapi(
    info(
        title = "Marquee: viewers' API",
        description = "The catalog, and signed URLs that play it. Viewers may be anonymous. Every address that takes GET \
            takes HEAD as well, but for the edge's. Requests are limited by user, else by viewing session, else by address: \
            `RateLimit-Policy` and `RateLimit` tell. A read that sends the `Consistency-Token` of a command's answer shows \
            that command. Errors are problem+json with ALL field errors at once; each `type` is a page under `/errors/`.",
        license(name = "MIT", identifier = "MIT"),
    ),
    paths(
        list_movies::list_movies, get_movie::get_movie, list_genres::list_genres,
        movie_history::movie_history, issue_stream_token::issue_stream_token,
        verify_stream_token::verify_stream_token, stream_token_validity::stream_token_validity,
        read_events::read_events, rate_limit_bucket::look, rate_limit_bucket::reset,
        start_viewing_session::start_viewing_session, list_viewing_sessions::list_viewing_sessions,
        get_viewing_session::get_viewing_session, report_viewing_events::report_viewing_events,
    ),
    components(schemas(ProblemBody)),
    modifiers(&BearerToken, &NotExclusive),
    tags(
        (name = "catalog", description = "What there is to see"),
        (name = "playback", description = "Short-lived signed URLs"),
        (name = "sessions", description = "What players report, and what it adds up to"),
        (name = "data", description = "The event log, for `events:read`"),
        (name = "operations", description = "For `ops:read`"),
        (name = "editors", description = "What became of a movie; for `catalog:read`"),
    ),
)]
pub struct ApiDescription;

/// What editors get is valid as what viewers get, too: any of them, not one of them.
#[derive(Debug)]
struct NotExclusive;

impl Modify for NotExclusive {
    fn modify(&self, description: &mut utoipa::openapi::OpenApi) {
        let schemas = description.components.iter_mut().flat_map(|all| all.schemas.values_mut());
        for schema in schemas {
            if let RefOr::T(Schema::OneOf(one)) = schema {
                let any = one.items.drain(..).fold(AnyOfBuilder::new(), AnyOfBuilder::item);
                *schema = Schema::AnyOf(any.description(one.description.take()).build()).into();
            }
        }
    }
}

#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "documentation: conditional and consistency read them")]
pub(super) struct ReadHeaders {
    /// An earlier answer's `ETag`: 304 if the answer is still that one.
    #[param(rename = "If-None-Match")]
    if_none_match: Option<String>,
    /// br and gzip are known.
    #[param(rename = "Accept-Encoding")]
    accept_encoding: Option<String>,
    /// From a command's answer: waits until the command can be read, or answers 503 not_yet_projected. Several, of
    /// several commands, are separated by commas.
    #[param(rename = "Consistency-Token")]
    consistency_token: Option<String>,
}

#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "documentation: consistency reads it")]
pub(super) struct WaitHeader {
    /// From a command's answer: waits until the command can be read, or answers 503 not_yet_projected. Several, of
    /// several commands, are separated by commas.
    #[param(rename = "Consistency-Token")]
    consistency_token: Option<String>,
}

#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documentation: list_movies reads them")]
pub(super) struct ListParameters {
    /// Each of its words begins a word of the title, or is a word of the synopsis. Case and accents are
    /// ignored. At most 16 words.
    #[param(example = "metro")]
    q: Option<String>,
    /// Case is ignored.
    #[param(example = "drama")]
    genre: Option<String>,
    /// Of a caption track; ISO 639-1.
    #[param(example = "en")]
    language: Option<String>,
    /// `relevance` (what fits `q` best comes first) where there is a `q`, else `title`, if it is left
    /// away. `newest`: what was added last comes first.
    #[param(inline, example = "title")]
    sort: Option<SortOrder>,
    /// How many at most; 20 if it is left away.
    #[param(minimum = 1, maximum = 100, example = 50)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before, of a list with the same other parameters (`limit` and
    /// `fields` may change). After a quarter of an hour, or many changes: 410 cursor_expired.
    cursor: Option<String>,
    /// The members of each movie that are wanted, with commas between (`movie_id,title,poster_url`); all
    /// if it is left away.
    fields: Option<String>,
    /// Also what viewers do not see; needs catalog:read.
    #[param(inline)]
    visibility: Option<Any>,
}

#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documentation: get_movie reads them")]
pub(super) struct MovieParameters {
    /// Also what viewers do not see, and more of it; needs catalog:read.
    #[param(inline)]
    visibility: Option<Any>,
    /// The members that are wanted, with commas between (`title,synopsis`); all if it is left away. Not
    /// beside `as_of`.
    fields: Option<String>,
    /// The movie as it was at this instant; needs catalog:read.
    as_of: Option<DateTime<Utc>>,
    /// The movie as it was after so many events; needs catalog:read. Not beside `as_of`.
    #[param(minimum = 1)]
    as_of_version: Option<u64>,
}

#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documentation: movie_history reads them")]
pub(super) struct HistoryParameters {
    /// The version before the first one to be shown: the `next_after` of the page before.
    #[param(example = 0)]
    after: Option<u64>,
    /// How many at most; 100 if it is left away.
    #[param(minimum = 1, maximum = 200, example = 50)]
    limit: Option<u32>,
}

#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documentation: read_events reads them")]
pub(super) struct EventParameters {
    /// The last position that the reader has; 0, or nothing, for the beginning. Beyond the log's end
    /// there is nothing yet.
    #[param(example = 0)]
    after: Option<u64>,
    /// How many events at most; all of them if it is left away.
    #[param(minimum = 1, example = 50)]
    limit: Option<u64>,
    /// Names for all versions, such as MovieShown, or types, such as marquee.movie.MovieShown.v1;
    /// several with commas between. All of them if it is left away.
    #[param(example = "MovieCreated,MovieShown")]
    types: Option<String>,
    /// Events of this movie only.
    movie_id: Option<Uuid>,
    /// To go on with what is appended later, until the client hangs up.
    #[param(example = false)]
    follow: Option<bool>,
}

#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "documentation: read_events reads it")]
pub(super) struct EventHeaders {
    /// Of server-sent events: the last id that was received. It stands in for `after`.
    #[param(rename = "Last-Event-ID")]
    last_event_id: Option<u64>,
}

/// An event of the log as a CloudEvent 1.0. While a feed follows, a line may also be
/// `{"heartbeat":true,"position":N}`; one that is broken off ends with
/// `{"error":{...},"position":N}`.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "documentation: StructuredEvent is what is written")]
pub(super) struct FeedEvent {
    #[schema(example = "1.0")]
    specversion: String,
    /// The movie's id and `sequence`.
    id: String,
    #[schema(example = "marquee.movie.MovieShown.v1")]
    r#type: String,
    #[schema(example = "/marquee/command-api")]
    source: String,
    /// The movie.
    subject: Uuid,
    time: DateTime<Utc>,
    #[schema(example = "application/json")]
    datacontenttype: String,
    /// The place in the whole log: 1, 2, 3, ... without a gap.
    position: u64,
    /// The place among the movie's events: 1, 2, 3, ... without a gap.
    sequence: u64,
    /// The user who sent the command.
    actor: Option<String>,
    command: Option<String>,
    requestid: Option<String>,
    traceparent: Option<String>,
    #[schema(value_type = Object)]
    data: serde_json::Value,
}

#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "documentation: verify_stream_token reads them")]
pub(super) struct VerifyHeaders {
    /// What the viewer's URL carries.
    #[param(rename = "X-Stream-Token")]
    token: String,
    /// What the viewer asks the edge for, decoded and normalised.
    #[param(rename = "X-Original-Path")]
    path: String,
    /// The CDN's host that the edge stands for: then a token of another CDN is refused. Without it, a
    /// token of any of them is taken.
    #[param(rename = "X-Original-Host")]
    host: Option<String>,
    /// What `/v1/stream-tokens/validity` said last: without it, the answer is not to be kept.
    #[param(rename = "X-Token-Validity")]
    validity: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ViewingSessionRequest)]
pub(super) struct ViewingSessionBody {
    movie_id: Uuid,
    #[schema(inline)]
    device_type: Device,
    /// Of the stream token that it is played with.
    token_id: Option<Uuid>,
    /// Of a viewer who is not signed in: 1 to 128 visible ASCII characters, hard to guess. One that is
    /// left away is made up.
    #[schema(min_length = 1, max_length = 128)]
    anonymous_id: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(dead_code, reason = "documentation: DeviceType has the real one")]
enum Device {
    Desktop,
    Phone,
    Tablet,
    Tv,
    SetTopBox,
    GameConsole,
    Other,
}

/// One event, or several.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ViewingReport)]
#[serde(untagged)]
#[expect(dead_code, reason = "documentation: read_reports reads it")]
pub(super) enum ReportBody {
    One(OneEvent),
    Several(SeveralEvents),
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ViewingEventReport)]
pub(super) struct OneEvent {
    /// That of the session, unless `Anonymous-Id` has it; not beside an access token.
    #[schema(min_length = 1, max_length = 128)]
    anonymous_id: Option<String>,
    #[serde(flatten)]
    event: PlayerEvent,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ViewingEventReports)]
pub(super) struct SeveralEvents {
    /// That of the session, unless `Anonymous-Id` has it; not beside an access token.
    #[schema(min_length = 1, max_length = 128)]
    anonymous_id: Option<String>,
    #[schema(min_items = 1, max_items = 50)]
    events: Vec<PlayerEvent>,
}

/// What happened in a player.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PlayerEvent {
    /// `HEARTBEAT`, `STATE`, `ERROR` or `END`.
    #[schema(example = "HEARTBEAT")]
    r#type: String,
    /// The player's number for it, from 1: the same whenever it is sent again.
    #[schema(minimum = 1, maximum = 1_000_000, example = 7)]
    sequence: u64,
    /// How long ago it happened, in milliseconds; 0 if it is left away.
    #[schema(maximum = 86_400_000, example = 0)]
    age_ms: Option<u64>,
    /// The place in the movie.
    #[schema(maximum = 600_000_000, example = 210_000)]
    position_ms: Option<u64>,
    /// Of STATE, and of HEARTBEAT if it is told: `PLAYING`, `PAUSED`, `SEEKING`, `BUFFERING`.
    #[schema(example = "PLAYING")]
    state: Option<String>,
    /// Not of ERROR. Parts of the movie that were watched, told before or not, as in a media element's
    /// `played`.
    #[schema(max_items = 20)]
    watched: Option<Vec<Range>>,
    /// Of ERROR: a to z, A to Z, 0 to 9, and `._:-`.
    #[schema(min_length = 1, max_length = 64)]
    code: Option<String>,
    /// Of ERROR: the player gave up for it.
    fatal: Option<bool>,
    /// Of END: `COMPLETED`, `STOPPED` or `FAILED`; STOPPED if it is left away.
    reason: Option<String>,
    cmcd: Option<CmcdKeys>,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WatchedRange)]
pub(super) struct Range {
    #[schema(example = 180_000)]
    from_ms: u64,
    #[schema(example = 210_000)]
    to_ms: u64,
}

/// Keys of Common Media Client Data (CTA-5004), in its units.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Cmcd)]
pub(super) struct CmcdKeys {
    /// Encoded bitrate, kbit/s.
    br: Option<u32>,
    /// Top bitrate, kbit/s.
    tb: Option<u32>,
    /// Measured throughput, kbit/s.
    mtp: Option<u32>,
    /// Buffer length, milliseconds.
    bl: Option<u32>,
    /// Buffer starvation since the last report.
    bs: Option<bool>,
    /// Startup.
    su: Option<bool>,
}

#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "documentation: counted_session reads them")]
pub(super) struct SessionHeaders {
    /// Of one who is not signed in: the viewing session that the request is counted by, instead of by its address. One that is
    /// not the caller's is passed over.
    #[param(rename = "Viewing-Session")]
    viewing_session: Option<Uuid>,
    /// The viewing session's `anonymous_id`, which shows whose it is.
    #[param(rename = "Anonymous-Id")]
    anonymous_id: Option<String>,
}

#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "documentation: read_anonymous_id reads it")]
pub(super) struct AnonymousHeader {
    /// The session's `anonymous_id`, for one who is not signed in. It shows whose session it is, and counts the
    /// request by the session instead of by its address.
    #[param(rename = "Anonymous-Id")]
    anonymous_id: Option<String>,
}

#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documentation: list_viewing_sessions reads them")]
pub(super) struct SessionParameters {
    /// Sessions of this movie only.
    movie_id: Option<Uuid>,
    /// Sessions that were begun with this stream token. Not beside `movie_id` or `errors`.
    token_id: Option<Uuid>,
    /// With player errors, or without.
    #[param(example = true)]
    errors: Option<bool>,
    /// That began at this instant, or later.
    from: Option<DateTime<Utc>>,
    /// That began before this instant.
    to: Option<DateTime<Utc>>,
    /// How many at most; 50 if it is left away.
    #[param(minimum = 1, maximum = 200, example = 50)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before, of a list with the same other parameters.
    cursor: Option<String>,
}

/// A page of the catalog.
#[derive(Debug, ToSchema)]
#[schema(as = MovieList)]
#[expect(dead_code, reason = "documentation: list_movies puts it together from rendered movies")]
pub(super) struct ListAnswer {
    items: Vec<ListedMovie>,
    /// Of all pages.
    total: usize,
    /// `cursor` of the next page; null at the end.
    next_cursor: Option<String>,
    /// The highest event position that the pages may show.
    position: u64,
}

/// With `visibility=any`, the second.
#[derive(Debug, ToSchema)]
#[schema(as = MovieListItem)]
#[expect(dead_code, reason = "documentation: the endpoints render one or the other")]
#[serde(untagged)]
pub(super) enum ListedMovie {
    Viewers(Movie),
    Editors(EditorialMovie),
}

/// With `visibility=any` the second, with `as_of` or `as_of_version` the third.
#[derive(Debug, ToSchema)]
#[schema(as = MovieAnswer)]
#[expect(dead_code, reason = "documentation: the endpoint renders one of them")]
#[serde(untagged)]
pub(super) enum MovieAnswer {
    Viewers(Movie),
    Editors(EditorialMovie),
    AsOf(MovieAsOf),
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StreamTokenRequest)]
pub(super) struct StreamTokenBody {
    /// The `session_id` of the answer before, or one of the app's own: 1 to 128 visible ASCII
    /// characters. One that is left away is made up for an anonymous viewer.
    #[schema(example = "living-room-tv-1", min_length = 1, max_length = 128)]
    session_id: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[expect(dead_code, reason = "documentation: Sort::parse has the real ones")]
enum SortOrder {
    #[serde(rename = "relevance")]
    Relevance,
    #[serde(rename = "title")]
    Title,
    #[serde(rename = "-title")]
    TitleDescending,
    #[serde(rename = "availability_start")]
    AvailabilityStart,
    #[serde(rename = "-availability_start")]
    AvailabilityStartDescending,
    #[serde(rename = "availability_end")]
    AvailabilityEnd,
    #[serde(rename = "-availability_end")]
    AvailabilityEndDescending,
    #[serde(rename = "newest")]
    Newest,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "documentation: View::read has the real one")]
enum Any {
    Any,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::routes::ENDPOINTS;

    #[test]
    fn every_endpoint_is_described_and_nothing_else() {
        let description = serde_json::to_value(ApiDescription::openapi()).unwrap();
        let described: BTreeSet<(String, String)> = description["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, operations)| {
                let methods = operations.as_object().unwrap().keys();
                methods.map(|method| (path.clone(), method.to_uppercase()))
            })
            .collect();
        let served: BTreeSet<(String, String)> = ENDPOINTS
            .iter()
            .flat_map(|endpoint| {
                // That GET is HEAD as well is said once, for all of them.
                let methods = endpoint.methods.iter().filter(|method| **method != "HEAD");
                methods.map(|method| (endpoint.path.to_owned(), (*method).to_owned()))
            })
            .collect();
        assert_eq!(described, served);
    }

    /// The contract, for reviewers: a change of the API is a change of this file. To write it anew,
    /// run the tests with `UPDATE_OPENAPI=1`.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "a switch for whoever changes the API")]
    fn the_description_is_the_committed_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
        let described = ApiDescription::openapi().to_pretty_json().unwrap() + "\n";
        if std::env::var("UPDATE_OPENAPI").is_ok() {
            std::fs::write(path, &described).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap();
        assert!(
            described == committed,
            "run the tests with UPDATE_OPENAPI=1 and look at the change"
        );
    }
}
