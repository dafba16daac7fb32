//! Viewers who asked for a token in vain: `stream_token_denials`.

use marquee_domain::stream_token::Denial;
use sqlx::{MySql, query_builder::Separated};

use super::AuditRow;

impl AuditRow for Denial {
    const TABLE: &'static str = "stream_token_denials";
    const COLUMNS: &'static [&'static str] =
        &["denial_id", "movie_id", "viewer_context", "reason", "denied_at"];

    fn key(&self) -> (String, String) {
        (self.denial_id.to_string(), self.movie_id.to_string())
    }

    fn bind<'a>(&'a self, mut row: Separated<'_, 'a, MySql, &'static str>) {
        row.push_bind(self.denial_id.to_string())
            .push_bind(self.movie_id.to_string())
            .push_bind(&self.viewer_context)
            .push_bind(self.reason.as_str())
            .push_bind(self.denied_at);
    }
}
