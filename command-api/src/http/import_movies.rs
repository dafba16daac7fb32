//! `POST /v1/movies/import`: many movies as newline-delimited JSON, answered line by line.
//!
//! Each line is a command of its own: one that is refused does not stop the rest. With a key per line
//! (its member `idempotency_key`, or the header's key with the line's number) an import that broke off
//! is simply sent again.

use actix_web::{HttpMessage, HttpResponse};
use bytes::Bytes;
use futures::{StreamExt, stream};
use marquee_infra::{
    clock,
    event_log::IdempotencyKey,
    http::{CommonProblems, MAX_BODY_BYTES, Problem, ProblemBody, ProblemCode},
};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{
    ApiState, bodies,
    command::{Call, Conditions, Work, invalid},
    create_movie::create,
    ndjson::{Line, Lines},
    openapi::{CommandHeaders, DryRun},
    problem::problem,
};
use crate::commands::{CommandRequest, Done};

/// Lines carried out at once. They are appended in groups, answered in order.
const MAX_IN_FLIGHT: usize = 64;
const MEDIA_TYPE: &str = "application/x-ndjson";

/// Creates many movies, each on its own
#[utoipa::path(
    post, operation_id = "import_movies", path = "/v1/movies/import", tag = "movies",
    params(CommandHeaders, DryRun),
    request_body(content = String, content_type = "application/x-ndjson", description = "One body of POST /v1/movies a line, with an idempotency_key of its own if it likes"),
    responses(
        (status = 200, description = "One result a line, in order: what POST /v1/movies would have answered, and `line`", body = String, content_type = "application/x-ndjson"),
        (status = 415, description = "unsupported_media_type", body = ProblemBody, content_type = "application/problem+json"),
        CommonProblems,
    ),
)]
pub async fn handle(call: Call) -> Result<HttpResponse, Problem> {
    let Call { state, http, principal, payload } = call;
    let conditions = Conditions::read(&http, &principal)?;
    if !http.content_type().eq_ignore_ascii_case(MEDIA_TYPE) {
        return Err(Problem::new(
            ProblemCode::UnsupportedMediaType,
            "send one movie a line with Content-Type: application/x-ndjson",
        ));
    }
    if http.headers().contains_key(actix_web::http::header::IF_MATCH) {
        return Err(invalid("If-Match means nothing for new movies"));
    }
    let results = stream::unfold(Lines::new(payload), |mut lines| async move {
        lines.next().await.map(|line| (line, lines))
    })
    .map(move |line| {
        let state = (**state).clone();
        let conditions = conditions.clone();
        async move {
            let number = line.number;
            let runtime = state.runtime.clone();
            // Where a client that hangs up cannot stop it half-way.
            runtime
                .spawn(async move { import_line(&state, &conditions, line).await })
                .await
                .unwrap_or_else(|error| result(number, Err(Problem::internal(error)), ""))
        }
    })
    .buffered(MAX_IN_FLIGHT)
    .map(Ok::<Bytes, actix_web::Error>);
    Ok(HttpResponse::Ok().content_type(MEDIA_TYPE).streaming(results))
}

async fn import_line(state: &ApiState, conditions: &Conditions, line: Line) -> Bytes {
    let number = line.number;
    let request_id = conditions.request_id.clone();
    result(number, imported(state, conditions, line).await, &request_id)
}

async fn imported(
    state: &ApiState,
    conditions: &Conditions,
    line: Line,
) -> Result<Map<String, Value>, Problem> {
    let Some(bytes) = line.bytes else {
        return Err(Problem::new(
            ProblemCode::PayloadTooLarge,
            format!("a line has at most {MAX_BODY_BYTES} bytes"),
        ));
    };
    let mut body: Value = serde_json::from_slice(&bytes).map_err(|error| malformed(&error))?;
    let request = request(conditions, line.number, &mut body, &bytes)?;
    let work = Work { commands: state.commands.clone(), ingest: state.ingest.clone(), request };
    let movie = bodies::movie_to_create(body, clock::now());
    let done = match work.commands.replay(&work.request).await.map_err(problem)? {
        Some(done) => done,
        None => create(&work, movie?).await.map_err(problem)?,
    };
    answer(done)
}

/// serde_json counts lines too, but sees only one: which line of the import it is, `line` says.
fn malformed(error: &serde_json::Error) -> Problem {
    let text = error.to_string();
    let reason = text.rsplit_once(" at line ").map_or(text.as_str(), |(reason, _)| reason);
    Problem::new(ProblemCode::MalformedJson, format!("column {}: {reason}", error.column()))
}

/// The line's own key comes first, then the header's with the line's number.
fn request(
    conditions: &Conditions,
    number: u64,
    body: &mut Value,
    bytes: &Bytes,
) -> Result<CommandRequest, Problem> {
    let own = body.as_object_mut().and_then(|fields| fields.remove("idempotency_key"));
    let key = match own {
        Some(Value::String(key)) => Some(key),
        Some(_) => return Err(invalid("idempotency_key must be a string")),
        None => conditions.idempotency_key.as_ref().map(|key| format!("{key}/{number}")),
    };
    let idempotency = key
        .map(|key| {
            IdempotencyKey::parse(&key)
                .map(|key| (key, Sha256::digest(bytes).into()))
                .map_err(|error| invalid(format!("idempotency_key {error}")))
        })
        .transpose()?;
    Ok(CommandRequest { idempotency, ..conditions.request("ImportMovie") })
}

fn answer(done: Done) -> Result<Map<String, Value>, Problem> {
    match done {
        Done::Answered { answer, replayed } => {
            let mut members: Map<String, Value> =
                serde_json::from_str(&answer.body).map_err(Problem::internal)?;
            members.insert("status".to_owned(), json!(answer.status));
            if replayed {
                members.insert("replayed".to_owned(), json!(true));
            }
            Ok(members)
        }
        Done::DryRun { events, .. } => {
            let members = json!({ "status": 200, "dry_run": true, "events": events.len() });
            Ok(members.as_object().cloned().unwrap_or_default())
        }
    }
}

/// One line of the answer.
fn result(number: u64, outcome: Result<Map<String, Value>, Problem>, request_id: &str) -> Bytes {
    let mut members = match outcome {
        Ok(members) => members,
        Err(problem) => problem.to_json(request_id).as_object().cloned().unwrap_or_default(),
    };
    members.insert("line".to_owned(), json!(number));
    Bytes::from(format!("{}\n", Value::Object(members)))
}
