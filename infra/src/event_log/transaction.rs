//! The append transaction: a whole batch of commands, written at once.

use marquee_domain::values::Slug;
use sqlx::MySqlConnection;

use super::{
    prepared::Prepared,
    session::{STATEMENTS_TIMEOUT, Session, in_time},
    settle::{Known, Settled, SlugsNeeded, settle},
    sql::{self, NewEvent, ReceiptRow},
};

/// How many slugs are asked for when the first choice is taken; doubled each time.
const FIRST_SLUG_PROBE: u32 = 64;
const MAX_SLUG_PROBE: u32 = 4_096;

/// Settles a batch and writes it, up to but without COMMIT.
pub(super) async fn write(
    session: &mut Session,
    batch: &mut [Prepared],
) -> Result<Settled, sqlx::Error> {
    in_time(STATEMENTS_TIMEOUT, write_in_order(session.connection(), batch)).await
}

async fn write_in_order(
    connection: &mut MySqlConnection,
    batch: &mut [Prepared],
) -> Result<Settled, sqlx::Error> {
    let asked: u64 = batch.iter().map(|command| command.rows.len() as u64).sum();
    let head = sql::take_head(connection, asked).await?;
    let mut known = sql::look_up(connection, batch).await?;
    let settled = settle_all(connection, batch, &mut known, head).await?;
    if settled.event_count != asked {
        sql::set_head(connection, head + settled.event_count).await?;
    }
    sql::insert_events(connection, &new_events(batch, &settled)).await?;
    // First released, then claimed: a title can pass from one movie to another in one batch.
    sql::release_titles(connection, &settled.released_titles).await?;
    let titles = settled.claimed_titles.iter().map(|(key, id)| ("TITLE", key.as_str(), *id));
    let slugs = settled.claimed_slugs.iter().map(|(slug, id)| ("SLUG", slug.as_str(), *id));
    sql::insert_claims(connection, &titles.chain(slugs).collect::<Vec<_>>()).await?;
    sql::insert_receipts(connection, &receipt_rows(batch, &settled)).await?;
    Ok(settled)
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
