//! The HTTP side that all commands share: authorisation, conditions, and the answer's headers.

use std::future::{Ready, ready};

use actix_web::{
    FromRequest, HttpRequest, HttpResponse,
    dev::Payload,
    http::{
        StatusCode,
        header::{ETAG, HeaderName, IF_MATCH, LOCATION},
    },
    web,
};
use bytes::Bytes;
use marquee_domain::{MovieCommand, MovieId, UserId, ids::Id};
use marquee_infra::{
    event_log::{IdempotencyKey, StoredResponse},
    http::{
        ConsistencyToken, Principal, Problem, ProblemCode, RequestId, Scope, read_body, read_json,
    },
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::task::JoinHandle;

use super::{ApiState, problem::problem};
use crate::commands::{
    CommandAnswer, CommandError, CommandRequest, CommandService, Done, IfMatch, Ingest, NewIds,
};

/// What stands in a command's headers and query.
#[derive(Debug, Clone)]
pub struct Conditions {
    pub actor: UserId,
    pub request_id: String,
    pub traceparent: Option<String>,
    pub idempotency_key: Option<IdempotencyKey>,
    pub if_match: IfMatch,
    pub dry_run: bool,
}

impl Conditions {
    /// 401 and 403 come before any other complaint.
    pub fn read(http: &HttpRequest, principal: &Principal) -> Result<Self, Problem> {
        principal.require(Scope::CatalogWrite)?;
        let idempotency_key = header(http, "idempotency-key")?
            .map(|text| IdempotencyKey::parse(&text))
            .transpose()
            .map_err(|error| invalid(format!("Idempotency-Key {error}")))?;
        Ok(Self {
            actor: principal.user_id(),
            request_id: request_id(http),
            traceparent: header(http, "traceparent")?.filter(|text| text.len() <= 100),
            idempotency_key,
            if_match: if_match(http)?,
            dry_run: dry_run(http)?,
        })
    }

    /// A request without an idempotency key: what the key stands for depends on the endpoint.
    pub fn request(&self, command: &'static str) -> CommandRequest {
        CommandRequest {
            command,
            actor: self.actor,
            request_id: self.request_id.clone(),
            traceparent: self.traceparent.clone(),
            idempotency: None,
            if_match: self.if_match.clone(),
            dry_run: self.dry_run,
        }
    }
}

/// A request for a command, authenticated but not read: what every endpoint here takes.
pub struct Call {
    pub state: web::Data<ApiState>,
    pub http: HttpRequest,
    pub principal: Principal,
    pub payload: Payload,
}

impl FromRequest for Call {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(http: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let payload = payload.take();
        let call = || {
            let state = http
                .app_data::<web::Data<ApiState>>()
                .ok_or_else(|| Problem::internal("the application has no ApiState"))?;
            let principal = Principal::of_request(http)?;
            Ok(Self { state: state.clone(), http: http.clone(), principal, payload })
        };
        ready(call())
    }
}

impl Call {
    /// Reads everything but the meaning of the body.
    pub async fn read(self, command: &'static str) -> Result<Incoming, Problem> {
        let conditions = Conditions::read(&self.http, &self.principal)?;
        let body = read_body(self.payload).await?;
        let mut request = conditions.request(command);
        request.idempotency =
            conditions.idempotency_key.map(|key| (key, digest(&self.http, &body)));
        Ok(Incoming { request, body, http: self.http, state: self.state })
    }
}

/// A command's request, read and authorised.
pub struct Incoming {
    pub request: CommandRequest,
    body: Bytes,
    http: HttpRequest,
    state: web::Data<ApiState>,
}

/// What a command is carried out with.
pub struct Work {
    pub commands: CommandService,
    pub ingest: Ingest,
    pub request: CommandRequest,
}

impl Work {
    pub async fn execute(
        &self,
        movie_id: MovieId,
        command: MovieCommand,
        ids: NewIds,
        status: u16,
    ) -> Result<Done, CommandError> {
        self.commands.execute(&self.request, movie_id, command, ids, status).await
    }
}

impl Incoming {
    pub fn json(&self) -> Result<Value, Problem> {
        read_json(&self.http, &self.body)
    }

    pub fn movie_id(&self) -> Result<MovieId, Problem> {
        self.path_id("movie_id", ProblemCode::MovieNotFound)
    }

    /// An id in the path. One that is no UUID names nothing: 404.
    pub fn path_id<K>(&self, name: &str, missing: ProblemCode) -> Result<Id<K>, Problem> {
        self.http
            .match_info()
            .get(name)
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| Problem::new(missing, format!("{name} is not the UUID of anything")))
    }

    /// Carries out what `command` makes of the request, unless it was answered before. A client that
    /// hangs up cannot stop it.
    pub async fn run<C, F>(self, command: C) -> Result<HttpResponse, Problem>
    where
        C: FnOnce(Work) -> F + Send + 'static,
        F: Future<Output = Result<Done, CommandError>> + Send,
    {
        let ApiState { commands, ingest, runtime } = (**self.state).clone();
        let work = Work { commands, ingest, request: self.request };
        answer(runtime.spawn(async move {
            match work.commands.replay(&work.request).await? {
                Some(done) => Ok(done),
                None => command(work).await,
            }
        }))
        .await
    }

    /// Carries out a command that needs nothing but the movie itself.
    pub async fn run_on_movie(
        self,
        command: MovieCommand,
        status: u16,
    ) -> Result<HttpResponse, Problem> {
        let movie_id = self.movie_id()?;
        self.run(move |work| async move {
            work.execute(movie_id, command, NewIds::default(), status).await
        })
        .await
    }

    /// The answer that this very request got before; else `problem`.
    pub async fn replay_or(self, problem: Problem) -> Result<HttpResponse, Problem> {
        let ApiState { commands, runtime, .. } = (**self.state).clone();
        let request = self.request;
        let replayed = runtime.spawn(async move { commands.replay(&request).await }).await;
        match replayed.map_err(Problem::internal)?.map_err(super::problem::problem)? {
            Some(done) => respond(done),
            None => Err(problem),
        }
    }
}

async fn answer(command: JoinHandle<Result<Done, CommandError>>) -> Result<HttpResponse, Problem> {
    match command.await {
        Ok(Ok(done)) => respond(done),
        Ok(Err(error)) => Err(problem(error)),
        Err(error) => Err(Problem::internal(error)),
    }
}

fn respond(done: Done) -> Result<HttpResponse, Problem> {
    match done {
        Done::Answered { answer, replayed } => answered(answer, replayed),
        Done::DryRun { events, movie, version } => {
            let body = json!({
                "dry_run": true, "version": version, "events": events, "movie": *movie,
            });
            Ok(HttpResponse::Ok().json(body))
        }
    }
}

/// The headers are made from the stored body, so that a repeat has them all.
fn answered(stored: StoredResponse, replayed: bool) -> Result<HttpResponse, Problem> {
    let answer: CommandAnswer = serde_json::from_str(&stored.body).map_err(Problem::internal)?;
    let status = StatusCode::from_u16(stored.status).map_err(Problem::internal)?;
    let token = ConsistencyToken {
        movie_id: answer.movie_id,
        version: answer.version,
        position: answer.position,
    };
    let mut response = HttpResponse::build(status);
    response
        .insert_header((ETAG, format!("\"{}\"", answer.version)))
        .insert_header((ConsistencyToken::HEADER, token.to_string()));
    if replayed {
        response.insert_header(("Idempotency-Replayed", "true"));
    }
    if let Some(location) = location(status, &answer) {
        response.insert_header((LOCATION, location));
    }
    if status == StatusCode::NO_CONTENT {
        return Ok(response.finish());
    }
    Ok(response.content_type("application/json").body(stored.body))
}

fn location(status: StatusCode, answer: &CommandAnswer) -> Option<String> {
    let movie = format!("/v1/movies/{}", answer.movie_id);
    match (status, answer.stream_source_id, answer.caption_track_id) {
        (StatusCode::CREATED, Some(id), _) => Some(format!("{movie}/stream-sources/{id}")),
        (StatusCode::CREATED, _, Some(id)) => Some(format!("{movie}/caption-tracks/{id}")),
        (StatusCode::CREATED, None, None) => Some(movie),
        _ => None,
    }
}

fn request_id(http: &HttpRequest) -> String {
    use actix_web::HttpMessage;
    http.extensions().get::<RequestId>().map(ToString::to_string).unwrap_or_default()
}

fn header(http: &HttpRequest, name: &'static str) -> Result<Option<String>, Problem> {
    match http.headers().get(HeaderName::from_static(name)) {
        None => Ok(None),
        Some(value) => match value.to_str() {
            Ok(text) => Ok(Some(text.to_owned())),
            Err(_) => Err(invalid(format!("the header {name} must be visible ASCII"))),
        },
    }
}

/// What an idempotency key stands for: method, path and query, condition, body.
fn digest(http: &HttpRequest, body: &[u8]) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in [http.method().as_str(), &http.uri().to_string()] {
        digest.update(part);
        digest.update([0]);
    }
    digest.update(http.headers().get(IF_MATCH).map_or(&b""[..], |value| value.as_bytes()));
    digest.update([0]);
    digest.update(body);
    digest.finalize().into()
}

/// RFC 9110 section 13.1.1: `*`, or strong entity tags. A weak one never matches.
fn if_match(http: &HttpRequest) -> Result<IfMatch, Problem> {
    let Some(text) = header(http, "if-match")? else { return Ok(IfMatch::Any) };
    if text.trim() == "*" {
        return Ok(IfMatch::Any);
    }
    let mut versions = Vec::new();
    for tag in text.split(',').map(str::trim) {
        let (weak, tag) = tag.strip_prefix("W/").map_or((false, tag), |tag| (true, tag));
        let opaque =
            tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).ok_or_else(|| {
                invalid("If-Match must be \"*\" or entity tags such as \"\\\"3\\\"\"")
            })?;
        if !weak {
            versions.extend(opaque.parse::<u64>().ok());
        }
    }
    Ok(IfMatch::Versions(versions))
}

fn dry_run(http: &HttpRequest) -> Result<bool, Problem> {
    let mut dry_run = false;
    for pair in http.query_string().split('&').filter(|pair| !pair.is_empty()) {
        match pair {
            "dry_run=true" | "dry_run=1" | "dry_run" => dry_run = true,
            "dry_run=false" | "dry_run=0" => dry_run = false,
            other => {
                let name = other.split('=').next().unwrap_or_default();
                return Err(if name == "dry_run" {
                    invalid("dry_run must be true or false")
                } else {
                    invalid("the only query parameter here is dry_run")
                });
            }
        }
    }
    Ok(dry_run)
}

pub fn invalid(detail: impl Into<std::borrow::Cow<'static, str>>) -> Problem {
    Problem::new(ProblemCode::InvalidRequest, detail)
}
