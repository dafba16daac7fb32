//! What a test leaves in Redis: read as a whole, and removed.

use redis::{AsyncCommands, Client, RedisResult, aio::MultiplexedConnection};

use crate::servers::servers;

async fn connect() -> RedisResult<MultiplexedConnection> {
    Client::open(servers().redis_url.as_str())?.get_multiplexed_async_connection().await
}

async fn keys(connection: &mut MultiplexedConnection, prefix: &str) -> RedisResult<Vec<Vec<u8>>> {
    let mut keys = Vec::new();
    let mut found = connection.scan_match::<_, Vec<u8>>(format!("{prefix}*")).await?;
    while let Some(key) = found.next_item().await {
        keys.push(key?);
    }
    Ok(keys)
}

/// Every key with its value as Redis serialises it, uncompressed as far as its text is short.
pub async fn dump(prefix: &str) -> RedisResult<Vec<String>> {
    let mut connection = connect().await?;
    let mut entries = Vec::new();
    for key in keys(&mut connection, prefix).await? {
        let kind: String = redis::cmd("TYPE").arg(&key).query_async(&mut connection).await?;
        let value: redis::Value = match kind.as_str() {
            "string" => redis::cmd("GET").arg(&key).query_async(&mut connection).await?,
            "hash" => redis::cmd("HGETALL").arg(&key).query_async(&mut connection).await?,
            "set" => redis::cmd("SMEMBERS").arg(&key).query_async(&mut connection).await?,
            "zset" => {
                let range = &mut redis::cmd("ZRANGE");
                range
                    .arg(&key)
                    .arg(0)
                    .arg(-1)
                    .arg("WITHSCORES")
                    .query_async(&mut connection)
                    .await?
            }
            "list" => {
                redis::cmd("LRANGE").arg(&key).arg(0).arg(-1).query_async(&mut connection).await?
            }
            // Gone since.
            _ => redis::Value::Nil,
        };
        entries.push(format!("{} = {}", String::from_utf8_lossy(&key), shown(&value)));
    }
    Ok(entries)
}

fn shown(value: &redis::Value) -> String {
    match value {
        redis::Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        redis::Value::Array(items) | redis::Value::Set(items) => {
            items.iter().map(shown).collect::<Vec<_>>().join(" ")
        }
        redis::Value::Map(pairs) => pairs
            .iter()
            .map(|(name, value)| format!("{} {}", shown(name), shown(value)))
            .collect::<Vec<_>>()
            .join(" "),
        other => format!("{other:?}"),
    }
}

pub async fn remove(prefix: &str) -> RedisResult<()> {
    let mut connection = connect().await?;
    for key in keys(&mut connection, prefix).await? {
        let _: () = connection.del(key).await?;
    }
    Ok(())
}
