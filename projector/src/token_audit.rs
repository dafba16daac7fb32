//! The audit of stream tokens: a row for each that was issued or renewed, never changed after.
//!
//! `StreamTokenDenied` and `StreamTokenRevoked` are no tokens that anyone holds: they are counted and
//! skipped, as is every type that is not known. They stay readable in the topic.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use marquee_domain::MovieId;
use rdkafka::{Message, message::OwnedMessage};
use serde::Deserialize;
use sqlx::{MySqlConnection, QueryBuilder, Row, mysql::MySqlRow};
use uuid::Uuid;

use crate::{
    failure::Failure,
    projection::{Applied, Parked, Projection},
    sql,
};

const MAX_ROWS: usize = 128;
const MAX_IDS: usize = 1024;

const ISSUED: &str = "StreamTokenIssued";
const RENEWED: &str = "StreamTokenRenewed";

/// A list of ids is to follow.
pub(crate) const SELECT_BY_ID: &str = "SELECT token_id, movie_id, event_type, viewer_context,
     dialect, key_id, token_sha256, signed_url, issued_at, expires_at, stateless
     FROM stream_token_audit WHERE token_id IN ";

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
            match decode(record.payload()) {
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
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Token {
    #[serde(skip)]
    event_type: &'static str,
    pub(crate) token_id: Uuid,
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

    /// A row of [`SELECT_BY_ID`].
    pub(crate) fn of_row(row: &MySqlRow) -> anyhow::Result<Self> {
        // sqlx takes text of a binary collation for bytes, unless it is told not to look.
        let text = |column| row.try_get_unchecked::<String, _>(column);
        let event_type = match text("event_type")?.as_str() {
            ISSUED => ISSUED,
            RENEWED => RENEWED,
            other => anyhow::bail!("{other} is no event of a token"),
        };
        Ok(Self {
            event_type,
            token_id: text("token_id")?.parse()?,
            movie_id: text("movie_id")?.parse()?,
            viewer_context: text("viewer_context")?,
            dialect: text("dialect")?,
            key_id: text("key_id")?,
            token_sha256: text("token_sha256")?,
            signed_url: text("signed_url")?,
            issued_at: row.try_get("issued_at")?,
            expires_at: row.try_get("expires_at")?,
            stateless: row.try_get("stateless")?,
        })
    }
}

/// The token that a record's value tells of; none of another type.
pub(crate) fn decode(value: Option<&[u8]>) -> Result<Option<Token>, String> {
    let payload = value.ok_or("the record has no value")?;
    let event: TokenEvent = serde_json::from_slice(payload)
        .map_err(|error| format!("the value is not a token event: {error}"))?;
    let (event_type, token) = match event {
        TokenEvent::StreamTokenIssued(token) => (ISSUED, token),
        TokenEvent::StreamTokenRenewed(token) => (RENEWED, token),
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
