//! Tokens that a viewer was given: `stream_token_audit`.

use marquee_domain::stream_token::{IssuedToken, RenewedToken};
use sqlx::{MySql, Row, mysql::MySqlRow, query_builder::Separated};
use uuid::Uuid;

use super::AuditRow;

/// A list of ids is to follow.
pub(crate) const SELECT_BY_ID: &str = "SELECT token_id, movie_id, event_type, viewer_context,
     dialect, key_id, token_sha256, signed_url, issued_at, expires_at, stateless, renews
     FROM stream_token_audit WHERE token_id IN ";

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AuditedToken {
    event_type: String,
    pub(crate) token: IssuedToken,
    renews: Option<Uuid>,
}

impl AuditedToken {
    pub(crate) fn issued(token: IssuedToken) -> Self {
        Self { event_type: "StreamTokenIssued".to_owned(), token, renews: None }
    }

    pub(crate) fn renewed(RenewedToken { token, renews }: RenewedToken) -> Self {
        Self { event_type: "StreamTokenRenewed".to_owned(), token, renews: Some(renews) }
    }

    /// A row of [`SELECT_BY_ID`].
    pub(crate) fn of_row(row: &MySqlRow) -> anyhow::Result<Self> {
        // sqlx takes text of a binary collation for bytes, unless it is told not to look.
        let text = |column| row.try_get_unchecked::<String, _>(column);
        let renews: Option<String> = row.try_get_unchecked("renews")?;
        Ok(Self {
            event_type: text("event_type")?,
            token: IssuedToken {
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
            },
            renews: renews.map(|id| id.parse()).transpose()?,
        })
    }
}

impl AuditRow for AuditedToken {
    const TABLE: &'static str = "stream_token_audit";
    const COLUMNS: &'static [&'static str] = &[
        "token_id",
        "movie_id",
        "event_type",
        "viewer_context",
        "dialect",
        "key_id",
        "token_sha256",
        "signed_url",
        "issued_at",
        "expires_at",
        "stateless",
        "renews",
    ];

    fn key(&self) -> (String, String) {
        (self.token.token_id.to_string(), self.token.movie_id.to_string())
    }

    fn bind<'a>(&'a self, mut row: Separated<'_, 'a, MySql, &'static str>) {
        let token = &self.token;
        row.push_bind(token.token_id.to_string())
            .push_bind(token.movie_id.to_string())
            .push_bind(&self.event_type)
            .push_bind(&token.viewer_context)
            .push_bind(&token.dialect)
            .push_bind(&token.key_id)
            .push_bind(&token.token_sha256)
            .push_bind(&token.signed_url)
            .push_bind(token.issued_at)
            .push_bind(token.expires_at)
            .push_bind(token.stateless)
            .push_bind(self.renews.map(|id| id.to_string()));
    }
}
