//! The append transaction: a whole batch of commands, written at once.

use std::time::Instant;

use marquee_domain::values::Slug;
use sqlx::MySqlConnection;

use super::{
    metrics,
    prepared::Prepared,
    session::{STATEMENTS_TIMEOUT, Session, in_time},
    settle::{Known, Settled, SlugsNeeded, settle},
    sql::{self, NewEvent, ReceiptRow},
};

/// How many slugs are asked for when the first choice is taken; doubled each time.
const FIRST_SLUG_PROBE: u32 = 64;
const MAX_SLUG_PROBE: u32 = 4_096;

/// Looks up what the batch is about, settles it and writes it, up to but without COMMIT.
pub(super) async fn write(
    session: &mut Session,
    batch: &mut [Prepared],
) -> Result<Settled, sqlx::Error> {
    let connection = session.connection();
    in_time(STATEMENTS_TIMEOUT, async {
        let head = take_head(connection, batch).await?;
        let looking = Instant::now();
        let mut known = sql::look_up(connection, batch).await?;
        let settled = settle_all(connection, batch, &mut known, head).await?;
        metrics::step("look_up", looking.elapsed());
        write_rows(connection, batch, &settled, head).await?;
        Ok(settled)
    })
    .await
}

/// Writes the batch on the hope that nothing stands in its way, which spares it the lookup: versions,
/// titles, slugs and receipts all have unique keys, so MySQL objects where the hope is wrong. `None`:
/// something did, and the transaction has to be rolled back.
pub(super) async fn write_hopefully(
    session: &mut Session,
    batch: &mut [Prepared],
) -> Result<Option<Settled>, sqlx::Error> {
    let connection = session.connection();
    in_time(STATEMENTS_TIMEOUT, async {
        let head = take_head(connection, batch).await?;
        let Ok(settled) = settle(batch, &Known::hoped_for(batch), head) else { return Ok(None) };
        // A refusal has to rest on what is known.
        if settled.verdicts.iter().any(Result::is_err) {
            return Ok(None);
        }
        match write_rows(connection, batch, &settled, head).await {
            Ok(()) => Ok(Some(settled)),
            Err(error) if sql::is_collision(&error) => Ok(None),
            Err(error) => Err(error),
        }
    })
    .await
}

/// Locks the head and moves it by all events of the batch; answers where it stood.
async fn take_head(
    connection: &mut MySqlConnection,
    batch: &[Prepared],
) -> Result<u64, sqlx::Error> {
    let started = Instant::now();
    let head = sql::take_head(connection, count_events(batch)).await?;
    metrics::step("lock", started.elapsed());
    Ok(head)
}

fn count_events(batch: &[Prepared]) -> u64 {
    batch.iter().map(|command| command.rows.len() as u64).sum()
}

async fn write_rows(
    connection: &mut MySqlConnection,
    batch: &[Prepared],
    settled: &Settled,
    head: u64,
) -> Result<(), sqlx::Error> {
    let started = Instant::now();
    if settled.event_count != count_events(batch) {
        sql::set_head(connection, head + settled.event_count).await?;
    }
    sql::insert_events(connection, &new_events(batch, settled)).await?;
    sql::write_names(connection, &settled.names).await?;
    sql::insert_receipts(connection, &receipt_rows(batch, settled)).await?;
    metrics::step("write", started.elapsed());
    Ok(())
}

async fn settle_all(
    connection: &mut MySqlConnection,
    batch: &mut [Prepared],
    known: &mut Known,
    head: u64,
) -> Result<Settled, sqlx::Error> {
    let mut probe = FIRST_SLUG_PROBE;
    loop {
        match settle(batch, known, head) {
            Ok(settled) => return Ok(settled),
            Err(SlugsNeeded { base, from }) => {
                let slugs: Vec<_> =
                    (from..from + probe).map(|n| owned(&base.numbered(n))).collect();
                sql::look_up_slugs(connection, known, &slugs).await?;
                probe = (probe * 2).min(MAX_SLUG_PROBE);
            }
        }
    }
}

fn owned(slug: &Slug) -> String {
    slug.as_str().to_owned()
}

fn new_events<'a>(batch: &'a [Prepared], settled: &Settled) -> Vec<NewEvent<'a>> {
    let mut events = Vec::new();
    for (index, first_position) in &settled.accepted {
        let command = &batch[*index];
        let sequences = command.expected_version + 1..;
        for ((position, sequence), row) in (*first_position..).zip(sequences).zip(&command.rows) {
            events.push(NewEvent { position, sequence, command, row });
        }
    }
    events
}

fn receipt_rows<'a>(batch: &'a [Prepared], settled: &'a Settled) -> Vec<ReceiptRow<'a>> {
    let row = |(index, response): &'a (usize, _)| {
        let command = &batch[*index];
        command.receipt.as_ref().map(|receipt| ReceiptRow {
            caller: receipt.caller,
            key: &receipt.key,
            request_sha256: &receipt.request_sha256,
            response,
            recorded_at: command.recorded_at,
        })
    };
    settled.receipts.iter().filter_map(row).collect()
}
