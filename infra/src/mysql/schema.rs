//! `/readyz`: whether the database has the tables that this release needs.

use std::sync::{Arc, OnceLock};

use serde_json::{Value, json};
use sqlx::MySqlPool;

use super::{Schema, is_away};
use crate::http::Check;

/// Red while something is missing, and not when MySQL can't be asked: others tell of that.
pub fn schema_check(pool: &MySqlPool) -> Check {
    let pool = pool.clone();
    // What was applied once stays, so it is asked for until it is there, and never again.
    let found = Arc::new(OnceLock::<Value>::new());
    Check::required("schema", move || {
        let (pool, found) = (pool.clone(), Arc::clone(&found));
        async move {
            if let Some(shown) = found.get() {
                return Ok(shown.clone());
            }
            match state(&pool).await {
                Ok(schema) => shown(&schema).map(|shown| found.get_or_init(|| shown).clone()),
                Err(error) if is_away(&error) => Ok(json!("unknown while MySQL is away")),
                // Which user lacks what is not for everybody to read.
                Err(error) => {
                    tracing::error!(%error, "the database's migrations can't be read");
                    Err("can't be read: see the log".to_owned())
                }
            }
        }
    })
}

async fn state(pool: &MySqlPool) -> Result<Schema, sqlx::Error> {
    Schema::of(&mut *pool.acquire().await?).await
}

fn shown(schema: &Schema) -> Result<Value, String> {
    match schema {
        Schema::Current => Ok(json!("current")),
        Schema::Newer => Ok(json!("newer than this release")),
        Schema::Lacks(versions) => {
            let versions: Vec<String> = versions.iter().map(ToString::to_string).collect();
            Err(format!(
                "older than this release needs: run `projector migrate` (migrations {})",
                versions.join(", ")
            ))
        }
        Schema::Broken(version) => {
            Err(format!("migration {version} is being applied, or was broken off"))
        }
    }
}
