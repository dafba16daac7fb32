//! Whether MySQL keeps what it has acknowledged when the power fails.

use sqlx::MySqlConnection;

/// Warns, loudly, of settings under which an acknowledged event can be lost.
pub(super) async fn check(connection: &mut MySqlConnection) -> Result<(), sqlx::Error> {
    let (flush, binary_log): (i64, i64) = sqlx::query_as(
        "SELECT CAST(@@innodb_flush_log_at_trx_commit AS SIGNED), CAST(@@log_bin AS SIGNED)",
    )
    .fetch_one(&mut *connection)
    .await?;
    if flush != 1 {
        tracing::warn!(
            innodb_flush_log_at_trx_commit = flush,
            "MySQL IS NOT DURABLE: acknowledged events can be lost when its machine fails; \
             set innodb_flush_log_at_trx_commit to 1"
        );
    }
    if binary_log != 0 {
        let sync: i64 = sqlx::query_scalar("SELECT CAST(@@sync_binlog AS SIGNED)")
            .fetch_one(connection)
            .await?;
        if sync != 1 {
            tracing::warn!(
                sync_binlog = sync,
                "MySQL'S BINARY LOG IS NOT DURABLE: replicas can miss acknowledged events when \
                 its machine fails; set sync_binlog to 1"
            );
        }
    }
    Ok(())
}
