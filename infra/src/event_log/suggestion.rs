//! A free title in place of one that is taken. Real catalogs collide: many films share a title.

use marquee_domain::values::Title;
use sqlx::MySqlPool;

use super::{EventLogError, sql};

const FIRST_PROBE: u32 = 16;
/// After so many rounds, each twice as wide, some 16,000 movies have the title.
const MAX_ROUNDS: u32 = 10;

/// The first of "Title (2)", "Title (3)", ... that nobody holds.
pub(super) async fn free_title(pool: &MySqlPool, title: &Title) -> Result<Title, EventLogError> {
    let mut from = 2;
    for round in 0..MAX_ROUNDS {
        let to = from + (FIRST_PROBE << round);
        let candidates: Vec<Title> = (from..to).filter_map(|n| numbered(title, n)).collect();
        let keys: Vec<String> =
            candidates.iter().map(|title| title.key().as_str().to_owned()).collect();
        let taken = sql::titles_taken(pool, &keys).await?;
        let free = candidates.into_iter().zip(&keys).find(|(_, key)| !taken.contains(*key));
        if let Some((title, _)) = free {
            return Ok(title);
        }
        from = to;
    }
    // Nobody has looked whether it is free; the next command will be told.
    Ok(numbered(title, from).unwrap_or_else(|| title.clone()))
}

/// The title with a number, shortened where that would make it too long.
fn numbered(title: &Title, n: u32) -> Option<Title> {
    let suffix = format!(" ({n})");
    let chars: Vec<char> = title.as_str().chars().collect();
    let mut room = Title::MAX_CHARS.saturating_sub(suffix.len()).min(chars.len());
    while room > 0 {
        let base: String = chars[..room].iter().collect();
        if let Ok(title) = Title::parse(&format!("{}{suffix}", base.trim_end())) {
            return Some(title);
        }
        // The key was too long: a few characters expand when they are normalised.
        room /= 2;
    }
    None
}
