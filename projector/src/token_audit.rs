//! The audit of stream tokens: a row for each that was issued or renewed, never changed after.
//!
//! `StreamTokenDenied` and `StreamTokenRevoked` are no tokens that anyone holds: they are counted and
//! skipped, as is every type that is not known. They stay readable in the topic.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use marquee_domain::MovieId;
use rdkafka::{Message, message::OwnedMessage};
use serde::Deserialize;
use sqlx::{MySqlConnection, QueryBuilder, Row};
use uuid::Uuid;

use crate::{
    failure::Failure,
    projection::{Applied, Parked, Projection},
    sql,
};

const MAX_ROWS: usize = 128;
const MAX_IDS: usize = 1024;

#[derive(Debug, Clone, Copy, Default)]
pub struct TokenAudit;

impl Projection for TokenAudit {
    const NAME: &'static str = "stream_token_audit";

    async fn apply(
        &self,
        tx: &mut MySqlConnection,
        records: &[OwnedMessage],
    ) -> Result<Applied, Failure> {
        let mut applied = Applied::default();
        let mut tokens = Vec::with_capacity(records.len());
        for (index, record) in records.iter().enumerate() {
            match decode(record) {
                Ok(Some(token)) => tokens.push(token),
                Ok(None) => applied.skipped += 1,
                Err(error) => {
                    applied.parked.push(Parked { index, movie_id: String::new(), error });
                }
            }
        }
        let mut seen = known(tx, &tokens).await?;
        tokens.retain(|token| seen.insert(token.key()));
        insert(tx, &tokens).await?;
        Ok(applied)
    }

    /// Tokens don't depend on each other.
    fn waits_for(&self, _record: &OwnedMessage) -> Option<String> {
        None
    }
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type")]
enum TokenEvent {
    StreamTokenIssued(Box<Token>),
    StreamTokenRenewed(Box<Token>),
    #[serde(other)]
    Other,
}

#[expect(clippy::struct_field_names, reason = "the payload's names")]
#[derive(Debug, Deserialize)]
struct Token {
    #[serde(skip)]
    event_type: &'static str,
    token_id: Uuid,
    movie_id: MovieId,
    viewer_context: String,
    dialect: String,
    key_id: String,
    token_sha256: String,
    signed_url: String,
    issued_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    stateless: bool,
}

impl Token {
    fn key(&self) -> (String, String) {
        (self.token_id.to_string(), self.movie_id.to_string())
    }
}

fn decode(record: &OwnedMessage) -> Result<Option<Token>, String> {
    let payload = record.payload().ok_or("the record has no value")?;
    let event: TokenEvent = serde_json::from_slice(payload)
        .map_err(|error| format!("the value is not a token event: {error}"))?;
    let (event_type, token) = match event {
        TokenEvent::StreamTokenIssued(token) => ("StreamTokenIssued", token),
        TokenEvent::StreamTokenRenewed(token) => ("StreamTokenRenewed", token),
        TokenEvent::Other => return Ok(None),
    };
    for (name, digest) in
        [("viewer_context", &token.viewer_context), ("token_sha256", &token.token_sha256)]
    {
        if digest.len() != 64 || !digest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(format!("{name} is not 64 lower-case hexadecimal digits"));
        }
    }
    Ok(Some(Token { event_type, ..*token }))
}

/// Those of the tokens that have their row. Asked first, so that nothing is ever updated: the
/// service's database user needs no more than INSERT and SELECT here.
async fn known(
    tx: &mut MySqlConnection,
    tokens: &[Token],
) -> Result<HashSet<(String, String)>, Failure> {
    let ids: Vec<String> = tokens.iter().map(|token| token.token_id.to_string()).collect();
    let mut known = HashSet::with_capacity(ids.len());
    for ids in ids.chunks(MAX_IDS) {
        let mut select = QueryBuilder::new(
            "SELECT token_id, movie_id FROM stream_token_audit WHERE token_id IN ",
        );
        sql::push_list(&mut select, ids);
        for row in select.build().fetch_all(&mut *tx).await? {
            known.insert((row.try_get_unchecked("token_id")?, row.try_get_unchecked("movie_id")?));
        }
    }
    Ok(known)
}

async fn insert(tx: &mut MySqlConnection, tokens: &[Token]) -> Result<(), Failure> {
    for run in sql::runs(tokens, MAX_ROWS) {
        let mut insert = QueryBuilder::new(
            "INSERT INTO stream_token_audit (token_id, movie_id, event_type, viewer_context,
                 dialect, key_id, token_sha256, signed_url, issued_at, expires_at, stateless) ",
        );
        insert.push_values(run, |mut row, token| {
            row.push_bind(token.token_id.to_string())
                .push_bind(token.movie_id.to_string())
                .push_bind(token.event_type)
                .push_bind(&token.viewer_context)
                .push_bind(&token.dialect)
                .push_bind(&token.key_id)
                .push_bind(&token.token_sha256)
                .push_bind(&token.signed_url)
                .push_bind(token.issued_at)
                .push_bind(token.expires_at)
                .push_bind(token.stateless);
        });
        insert.build().execute(&mut *tx).await?;
    }
    Ok(())
}
