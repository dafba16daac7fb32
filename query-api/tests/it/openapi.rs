//! `/openapi.json` and `/docs/`: what is described is what is answered.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    bed::{Bed, Running},
    client::{Answer, bearer},
    life::{EDITOR, Life},
    log::Log,
    sample::Sample,
    viewing_sessions,
};

/// With a movie that all examples fit.
async fn with_metropolis(bed: &Bed) -> (Running, Sample, Value) {
    let api = bed.start().await;
    let life = Life::lived(bed, "metropolis").await;
    let mut movie = Sample::with_id("Metropolis", life.movie_id);
    "metropolis".clone_into(&mut movie.slug);
    bed.show(&api, &mut movie).await;
    let description = api.client.get("/openapi.json").await;
    assert_eq!((description.status, &description.json["openapi"]), (200, &json!("3.1.0")));
    (api, movie, description.json)
}

/// The address with the examples of its parameters; `None` where one that is required has none.
fn example(path: &str, operation: &Value) -> Option<String> {
    let (mut path, mut query) = (path.to_owned(), Vec::new());
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let name = parameter["name"].as_str()?;
        let example = match &parameter["example"] {
            Value::Null if parameter["required"] == true => return None,
            Value::Null => continue,
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        match parameter["in"].as_str()? {
            "path" => path = path.replace(&format!("{{{name}}}"), &example),
            "query" => query.push(format!("{name}={example}")),
            other => panic!("an example in a {other}"),
        }
    }
    Some(if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_works_and_is_answered_as_described() {
    let bed = Bed::new().await;
    let (api, _, description) = with_metropolis(&bed).await;
    let auth = bearer(EDITOR, "catalog:read events:read ops:read");
    viewing_sessions::one_with_an_error(&bed).await;
    Log::default().append(&bed, "MovieCreated", 1).await;
    let (mut sent, mut silent, mut without) = (Vec::new(), Vec::new(), Vec::new());
    for (path, operations) in description["paths"].as_object().unwrap() {
        let operation = &operations["get"];
        if operation.is_null() {
            continue;
        }
        let Some(example) = example(path, operation) else {
            without.push(path.as_str());
            continue;
        };
        let answer = api.client.get_with(&example, &[("Authorization", &auth)]).await;
        if answer.status == 204 {
            assert!(operation["responses"]["204"].is_object(), "{example}: {answer:?}");
            silent.push(path.as_str());
            continue;
        }
        assert_eq!(answer.status, 200, "{example}: {answer:?}");
        // It shows something: an example that finds nothing explains nothing.
        assert_ne!(answer.json["items"], json!([]), "{example}");
        let content = &operation["responses"]["200"]["content"];
        let media_type = answer.header("content-type");
        let schema = &content[media_type]["schema"];
        fits(&description, schema, &answer.json, &example);
        sent.push(path.as_str());
    }
    assert_eq!(
        sent,
        [
            "/v1/events",
            "/v1/genres",
            "/v1/movies",
            "/v1/movies/{id_or_slug}",
            "/v1/movies/{id_or_slug}/history",
            "/v1/viewing-sessions"
        ]
    );
    assert_eq!(silent, ["/v1/stream-tokens/validity"]);
    // Whose requests are to be looked at, a token that opens a path, and a session can't be known
    // beforehand.
    let expected = [
        "/v1/rate-limits/{scope}/{bucket_key}",
        "/v1/stream-tokens/verify",
        "/v1/viewing-sessions/{session_id}",
    ];
    assert_eq!(without, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_views_of_a_movie_and_tokens_are_as_described() {
    let bed = Bed::new().await;
    bed.make_topics().await;
    let (api, movie, description) = with_metropolis(&bed).await;
    let auth = bearer(EDITOR, "catalog:read ops:read");
    let counted = format!("/v1/rate-limits/VIEWER_READ/{EDITOR}");
    for (path, schema) in [
        ("/v1/movies/metropolis", "Movie"),
        ("/v1/movies/metropolis?visibility=any", "EditorialMovie"),
        ("/v1/movies/metropolis?as_of=2099-01-01T00:00:00Z", "MovieAsOf"),
        ("/v1/movies/metropolis?as_of_version=5", "MovieAsOf"),
        ("/v1/movies/metropolis?as_of_version=999", "Problem"),
        (counted.as_str(), "RateLimitBucket"),
        ("/v1/rate-limits/VIEWER_READ/192.0.2.1", "RateLimitBucket"),
    ] {
        let answer = api.client.get_with(path, &[("Authorization", &auth)]).await;
        let schema = json!({ "$ref": format!("#/components/schemas/{schema}") });
        fits(&description, &schema, &answer.json, path);
    }
    let operation = &description["paths"]["/v1/movies/{movie_id}/stream-tokens"]["post"];
    let body = &description["components"]["schemas"]["StreamTokenRequest"]["properties"];
    let body = json!({ "session_id": body["session_id"]["example"] });
    let answer = api.client.post(&movie.tokens_path(), &body, &[]).await;
    assert_eq!((answer.status, &answer.json["session_id"]), (201, &body["session_id"]));
    let schema = &operation["responses"]["201"]["content"]["application/json"]["schema"];
    fits(&description, schema, &answer.json, "stream-tokens");
    let answer_of = |path: &str, status: &str| {
        let operation = &description["paths"][path]["post"];
        operation["responses"][status]["content"]["application/json"]["schema"].clone()
    };
    let body = json!({ "movie_id": movie.movie_id, "device_type": "TV", "anonymous_id": "tv-1" });
    let session = api.client.post("/v1/viewing-sessions", &body, &[]).await;
    fits(&description, &answer_of("/v1/viewing-sessions", "201"), &session.json, "a session");
    let path = format!("{}/events", session.header("location"));
    // What is described is what is taken.
    let event = &description["components"]["schemas"]["PlayerEvent"]["properties"];
    let mut body = json!({ "anonymous_id": "tv-1", "watched": [{ "from_ms": 0, "to_ms": 1 }] });
    for member in ["type", "sequence", "age_ms", "position_ms", "state"] {
        body[member] = event[member]["example"].clone();
    }
    let taken = api.client.post(&path, &body, &[]).await;
    let schema = answer_of("/v1/viewing-sessions/{session_id}/events", "202");
    fits(&description, &schema, &taken.json, "a report");
    let several = json!({ "anonymous_id": "tv-1", "events": [{ "type": "END", "sequence": 9 }] });
    fits(&description, &schema, &api.client.post(&path, &several, &[]).await.json, "reports");
}

#[tokio::test(flavor = "multi_thread")]
async fn swagger_ui_is_there() {
    let bed = Bed::new().await;
    let api = bed.start().await;
    let page = api.client.get("/docs/").await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("swagger-ui"), "{page:?}");
    let head = Answer::of(api.client.request(Method::GET, "/docs")).await;
    assert_eq!(head.status, 200, "it leads there");
    let assets = api.client.get("/docs/swagger-ui-bundle.js").await;
    assert_eq!(assets.status, 200);
}

/// Every member that the schema requires is there, no member is there that it does not have, and
/// members are of its types; all the way down.
#[track_caller]
fn fits(description: &Value, schema: &Value, value: &Value, at: &str) {
    if let Err(why) = check(description, schema, value, at) {
        panic!("{why}");
    }
}

fn check(description: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let schema = resolve(description, schema);
    if let Some(choices) = schema["anyOf"].as_array().or_else(|| schema["oneOf"].as_array()) {
        let why: Vec<String> = choices
            .iter()
            .map_while(|choice| check(description, choice, value, at).err())
            .collect();
        return if why.len() < choices.len() { Ok(()) } else { Err(why.join("\nand ")) };
    }
    match value {
        Value::Object(members) => {
            let mut known = Members::default();
            known.add(description, schema);
            if known.open {
                return Ok(());
            }
            for name in &known.required {
                if !members.contains_key(*name) {
                    return Err(format!("{at} has no {name}"));
                }
            }
            for (name, member) in members {
                let place = format!("{at}/{name}");
                let found = known.schemas.iter().find(|(known, _)| known == name);
                let (_, schema) = found.ok_or_else(|| format!("{place} is not described"))?;
                check(description, schema, member, &place)?;
            }
            Ok(())
        }
        Value::Array(items) => items.iter().enumerate().try_for_each(|(index, item)| {
            check(description, &schema["items"], item, &format!("{at}/{index}"))
        }),
        scalar => {
            let kind = match scalar {
                Value::Null => "null",
                Value::Bool(_) => "boolean",
                Value::String(_) => "string",
                Value::Number(number) if number.is_f64() => "number",
                _ => "integer",
            };
            let is = |name: &Value| name == kind || (name == "number" && kind == "integer");
            let allowed = &schema["type"];
            let typed = allowed.as_array().map_or_else(|| is(allowed), |any| any.iter().any(is));
            let listed = schema["enum"].as_array().is_none_or(|values| values.contains(scalar));
            if typed && listed { Ok(()) } else { Err(format!("{at} is {scalar}, not {schema}")) }
        }
    }
}

fn resolve<'a>(description: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => description
            .pointer(reference.trim_start_matches('#'))
            .unwrap_or_else(|| panic!("{reference} leads nowhere")),
        None => schema,
    }
}

/// What `allOf` adds up to.
#[derive(Default)]
struct Members<'a> {
    required: BTreeSet<&'a str>,
    schemas: Vec<(&'a str, &'a Value)>,
    /// An object of whatever members.
    open: bool,
}

impl<'a> Members<'a> {
    fn add(&mut self, description: &'a Value, schema: &'a Value) {
        let schema = resolve(description, schema);
        if let Some(parts) = schema["allOf"].as_array() {
            for part in parts {
                self.add(description, part);
            }
            return;
        }
        let Some(properties) = schema["properties"].as_object() else {
            self.open = schema["type"] == "object";
            return;
        };
        self.schemas.extend(properties.iter().map(|(name, schema)| (name.as_str(), schema)));
        let required = schema["required"].as_array().into_iter().flatten();
        self.required.extend(required.filter_map(Value::as_str));
    }
}
