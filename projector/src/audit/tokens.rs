//! `projector audit-tokens`: proves that every stream token has its row in the audit, and that what was
//! denied and revoked has, too.
//!
//! A token's record is on its way from the outbox, if Kafka was away, to the topic and from there to the
//! table. They are looked at in this order, so that a record that moves meanwhile is found further on.

use std::{
    collections::{HashMap, HashSet},
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use clap::Args;
use marquee_domain::stream_token::StreamTokenEvent;
use marquee_infra::mysql;
use sqlx::{MySqlPool, QueryBuilder, Row};
use uuid::Uuid;

use super::{
    progress::Progress,
    scan::{Record, Scan},
    tokens_report::TokensReport,
};
use crate::{
    projection::Projection,
    settings::Settings,
    sql,
    token_audit::{self, AuditRow, AuditedToken, TokenAudit},
};

const CONNECTIONS: u32 = 2;
/// Of ids that are asked for at once.
const MAX_IDS: usize = 1_024;

#[derive(Debug, Args)]
pub struct AuditTokensArgs {
    /// Tokens that are known to have been given out: their ids, one a line, as in a CDN's log
    #[arg(long, value_name = "FILE")]
    seen: Option<PathBuf>,
    /// For scripts
    #[arg(long)]
    json: bool,
}

/// Exits with 0 when every token has its row, 1 when not, 2 when the audit could not be done.
pub async fn command(settings: &Settings, args: &AuditTokensArgs) -> ExitCode {
    match audit(settings, args).await {
        Ok(clean) => ExitCode::from(u8::from(!clean)),
        Err(error) => {
            eprintln!("projector audit-tokens: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn audit(settings: &Settings, args: &AuditTokensArgs) -> anyhow::Result<bool> {
    // A mistake in the file is told before anything is read.
    let seen = args.seen.as_deref().map(read_ids).transpose()?.unwrap_or_default();
    let pool = mysql::connect_lazy(&settings.mysql.url, CONNECTIONS)?;
    let report = run(&pool, settings, &seen).await?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{report}");
    }
    Ok(report.clean())
}

fn read_ids(path: &Path) -> anyhow::Result<Vec<Uuid>> {
    let shown = path.display();
    let file = File::open(path).with_context(|| format!("{shown} can't be read"))?;
    let lines = BufReader::new(file).lines().enumerate();
    let ids = lines.map(|(number, line)| {
        let line = line.with_context(|| format!("{shown} can't be read"))?;
        let number = number + 1;
        line.trim().parse().with_context(|| format!("{shown}: line {number} is no token's id"))
    });
    ids.collect()
}

async fn run(pool: &MySqlPool, settings: &Settings, seen: &[Uuid]) -> anyhow::Result<TokensReport> {
    let topic = settings.topics.names().stream_tokens;
    let mut progress = Progress::new(true);
    let mut report = TokensReport::default();

    let on_their_way = in_outbox(pool).await.context("the outbox can't be read")?;
    report.in_outbox = on_their_way.len();
    let checkpoints = checkpoints(pool, &topic).await.context("the checkpoints can't be read")?;
    let mut scan = Scan::start(&settings.kafka, &topic).await?;
    progress.begin("records of stream tokens", scan.expected);
    let mut on_their_way = on_their_way;
    while let Some(records) = scan.next().await? {
        progress.moved(records.len());
        report.records += records.len();
        let (projected, waiting): (Vec<_>, Vec<_>) = records.into_iter().partition(|record| {
            checkpoints.get(&record.partition).is_some_and(|next| record.offset < *next)
        });
        for record in &waiting {
            if let Ok(Some(event)) = event_of(record)
                && let Some(token) = event.token()
            {
                on_their_way.insert(token.token_id);
            }
        }
        report.not_projected += waiting.len();
        compare(pool, &topic, &projected, &mut report).await?;
    }
    report.seen = seen.len();
    for ids in seen.chunks(MAX_IDS) {
        let rows = rows(pool, ids).await?;
        for id in ids {
            if rows.contains_key(id) {
                report.seen_with_row += 1;
            } else if on_their_way.contains(id) {
                report.seen_on_their_way += 1;
            } else {
                report.without_record.add(id.to_string());
            }
        }
    }
    Ok(report)
}

/// Records that the projector has read, with their rows.
async fn compare(
    pool: &MySqlPool,
    topic: &str,
    records: &[Record],
    report: &mut TokensReport,
) -> anyhow::Result<()> {
    let (mut tokens, mut denials, mut revocations) = (Vec::new(), Vec::new(), Vec::new());
    let mut lacking = Vec::new();
    for record in records {
        match event_of(record) {
            Ok(Some(event)) => {
                report.count(&event);
                match event {
                    StreamTokenEvent::StreamTokenIssued(token) => {
                        tokens.push((record, AuditedToken::issued(token)));
                    }
                    StreamTokenEvent::StreamTokenRenewed(renewed) => {
                        tokens.push((record, AuditedToken::renewed(renewed)));
                    }
                    StreamTokenEvent::StreamTokenDenied(denial) => denials.push((record, denial)),
                    StreamTokenEvent::StreamTokenRevoked(revocation) => {
                        revocations.push((record, revocation));
                    }
                }
            }
            Ok(None) => report.other_types += 1,
            Err(_) => lacking.push(record),
        }
    }
    let ids: Vec<Uuid> = tokens.iter().map(|(_, audited)| audited.token.token_id).collect();
    let rows = rows(pool, &ids).await?;
    for (record, audited) in &tokens {
        match rows.get(&audited.token.token_id) {
            None => lacking.push(record),
            Some(row) if row == audited => report.with_row += 1,
            Some(_) => report.differing.add(audited.token.token_id.to_string()),
        }
    }
    // Only that they are there: of a revocation that several query-apis told of, one is.
    lacking.extend(without_row(pool, denials, report).await?);
    lacking.extend(without_row(pool, revocations, report).await?);
    for record in lacking {
        if is_parked(pool, topic, record).await? {
            report.parked += 1;
        } else {
            let Record { partition, offset, .. } = record;
            let id = event_of(record).ok().flatten().map(|event| event.event_id());
            let id = id.unwrap_or_else(|| "a record that can't be read".to_owned());
            report.without_row.add(format!("{id} (partition {partition}, offset {offset})"));
        }
    }
    Ok(())
}

/// The records among these that have none.
async fn without_row<'a, R: AuditRow>(
    pool: &MySqlPool,
    told: Vec<(&'a Record, R)>,
    report: &mut TokensReport,
) -> anyhow::Result<Vec<&'a Record>> {
    let (records, rows): (Vec<&Record>, Vec<R>) = told.into_iter().unzip();
    let known = token_audit::known(&mut *pool.acquire().await?, &rows).await?;
    let lacking: Vec<&Record> = records
        .into_iter()
        .zip(&rows)
        .filter(|(_, row)| !known.contains(&row.key()))
        .map(|(record, _)| record)
        .collect();
    report.with_row += rows.len() - lacking.len();
    Ok(lacking)
}

fn event_of(record: &Record) -> Result<Option<StreamTokenEvent>, String> {
    token_audit::decode(record.value.as_deref())
}

async fn in_outbox(pool: &MySqlPool) -> Result<HashSet<Uuid>, sqlx::Error> {
    let ids: Vec<String> = sqlx::query("SELECT token_id FROM stream_token_outbox")
        .fetch_all(pool)
        .await?
        .iter()
        .map(|row| row.try_get_unchecked("token_id"))
        .collect::<Result<_, _>>()?;
    Ok(ids.iter().filter_map(|id| id.parse().ok()).collect())
}

/// By partition, the offset that the projector reads next.
async fn checkpoints(pool: &MySqlPool, topic: &str) -> Result<HashMap<i32, i64>, sqlx::Error> {
    let rows: Vec<(i32, i64)> = sqlx::query_as(
        "SELECT kafka_partition, next_offset FROM projection_checkpoints
         WHERE projection = ? AND topic = ?",
    )
    .bind(TokenAudit::NAME)
    .bind(topic)
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().collect())
}

async fn rows(pool: &MySqlPool, ids: &[Uuid]) -> anyhow::Result<HashMap<Uuid, AuditedToken>> {
    let mut found = HashMap::with_capacity(ids.len());
    let ids: Vec<String> = ids.iter().map(Uuid::to_string).collect();
    for ids in ids.chunks(MAX_IDS) {
        let mut select = QueryBuilder::new(token_audit::SELECT_BY_ID);
        sql::push_list(&mut select, ids);
        for row in select.build().fetch_all(pool).await? {
            let audited =
                AuditedToken::of_row(&row).context("a row of stream_token_audit can't be read")?;
            found.insert(audited.token.token_id, audited);
        }
    }
    Ok(found)
}

async fn is_parked(pool: &MySqlPool, topic: &str, record: &Record) -> Result<bool, sqlx::Error> {
    let parked: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM parked_events
         WHERE projection = ? AND topic = ? AND kafka_partition = ? AND kafka_offset = ?",
    )
    .bind(TokenAudit::NAME)
    .bind(topic)
    .bind(record.partition)
    .bind(record.offset)
    .fetch_one(pool)
    .await?;
    Ok(parked > 0)
}
