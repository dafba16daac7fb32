//! A process looks at what its own user may do.

use std::{collections::BTreeSet, time::Duration};

use sqlx::MySqlPool;
use tokio::time::sleep;

use super::{Account, Grant, held, rights};

const ASK_AGAIN: Duration = Duration::from_secs(5);
/// A user who may do everything has a hundred rights too many.
const MAX_NAMED: usize = 12;

/// The same as [`lacking`], for people: the first of them, and how many more there are.
pub async fn lacking_in_words(pool: &MySqlPool, account: Account) -> Result<String, sqlx::Error> {
    let (wanted, held) = both(pool, account).await?;
    Ok(named(&held::missing(&wanted, &held)))
}

/// What the pool's user lacks of what it needs.
pub async fn lacking(pool: &MySqlPool, account: Account) -> Result<Vec<Grant>, sqlx::Error> {
    let (wanted, held) = both(pool, account).await?;
    Ok(held::missing(&wanted, &held).into_iter().collect())
}

/// Logs once what the pool's user lacks, and what it has beyond its needs. Waits for MySQL.
pub async fn report_own(pool: MySqlPool, account: Account) {
    let (wanted, held) = loop {
        match both(&pool, account).await {
            Ok(both) => break both,
            // Others tell of a MySQL that is away.
            Err(error) => tracing::debug!(%error, "the MySQL user's rights can't be read"),
        }
        sleep(ASK_AGAIN).await;
    };
    let missing = held::missing(&wanted, &held);
    if !missing.is_empty() {
        let rights = named(&missing);
        tracing::error!(%account, rights, "the MySQL user lacks rights: run `projector migrate`");
    }
    let excess = held::excess(&wanted, &held);
    if !excess.is_empty() {
        let rights = named(&excess);
        tracing::warn!(%account, rights, "the MySQL user may do more than it needs");
    }
    if missing.is_empty() && excess.is_empty() {
        tracing::info!(%account, "the MySQL user has the rights that it needs, and no others");
    }
}

async fn both(
    pool: &MySqlPool,
    account: Account,
) -> Result<(BTreeSet<Grant>, BTreeSet<Grant>), sqlx::Error> {
    let mut connection = pool.acquire().await?;
    let database: Option<String> =
        sqlx::query_scalar("SELECT DATABASE()").fetch_one(&mut *connection).await?;
    let database = database.unwrap_or_default();
    let held = held::held(&mut connection, &database).await?;
    Ok((rights(account, &database), held))
}

fn named(grants: &BTreeSet<Grant>) -> String {
    let mut names: Vec<String> = grants.iter().take(MAX_NAMED).map(ToString::to_string).collect();
    if grants.len() > MAX_NAMED {
        names.push(format!("and {} more", grants.len() - MAX_NAMED));
    }
    names.join("; ")
}
