//! Tokens that were refused before they expired: `stream_token_revocations`. Several query-apis may tell
//! of one; what the first of them says is kept.

use marquee_domain::stream_token::Revocation;
use sqlx::{MySql, query_builder::Separated};

use super::AuditRow;

impl AuditRow for Revocation {
    const TABLE: &'static str = "stream_token_revocations";
    const COLUMNS: &'static [&'static str] =
        &["token_id", "movie_id", "viewer_context", "reason", "revoked_at"];

    fn key(&self) -> (String, String) {
        (self.token_id.to_string(), self.movie_id.to_string())
    }

    fn bind<'a>(&'a self, mut row: Separated<'_, 'a, MySql, &'static str>) {
        row.push_bind(self.token_id.to_string())
            .push_bind(self.movie_id.to_string())
            .push_bind(&self.viewer_context)
            .push_bind(self.reason.as_str())
            .push_bind(self.revoked_at);
    }
}
