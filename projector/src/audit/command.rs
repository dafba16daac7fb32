//! The command line of an audit.

use std::process::ExitCode;

use clap::Args;
use marquee_infra::{event_log::LogInspector, kafka::TransactionalProducer, mysql};
use sqlx::MySqlPool;

use super::{Outcome, Progress, Scope, repair, run};
use crate::settings::Settings;

/// The two sources that are read at once, and one to spare.
const CONNECTIONS: u32 = 4;

#[derive(Debug, Args)]
pub struct AuditArgs {
    /// For scripts
    #[arg(long)]
    json: bool,
    /// Only these positions, of the event log and of Kafka
    #[arg(long, value_name = "POSITION", value_parser = clap::value_parser!(u64).range(1..))]
    from: Option<u64>,
    #[arg(long, value_name = "POSITION", value_parser = clap::value_parser!(u64).range(1..))]
    to: Option<u64>,
    /// Mend what can be mended; asks for --yes, or for a range
    #[arg(long)]
    repair: bool,
    /// Yes, add what is missing to Kafka, behind later events
    #[arg(long, requires = "repair")]
    yes: bool,
}

/// Exits with 0 when all agree, 1 when not, 2 when the audit could not be done.
pub async fn command(settings: &Settings, args: &AuditArgs) -> ExitCode {
    match audit(settings, args).await {
        Ok(clean) => ExitCode::from(u8::from(!clean)),
        Err(error) => {
            eprintln!("projector audit: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn audit(settings: &Settings, args: &AuditArgs) -> anyhow::Result<bool> {
    let scope = Scope { from: args.from, to: args.to };
    if let (Some(from), Some(to)) = (scope.from, scope.to) {
        anyhow::ensure!(from <= to, "--from {from} is behind --to {to}");
    }
    let pool = mysql::connect_lazy(&settings.mysql.url, CONNECTIONS)?;
    let may_repair = args.repair && (args.yes || !scope.is_all());
    let producer = if may_repair { Some(repair::open(settings).await?) } else { None };
    let outcome = run(&pool, settings, scope, &mut Progress::new(true)).await?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&outcome.report)?);
    } else {
        print!("{}", outcome.report);
    }
    let has_work = !outcome.missing.is_empty() || !outcome.to_mend.is_empty();
    if args.repair && has_work {
        eprintln!("\n{}", repair::EXPLANATION);
        let Some(producer) = producer else {
            anyhow::bail!("nothing was changed: add --yes, or --from and --to, to repair");
        };
        mend(settings, &pool, &producer, &outcome).await?;
    }
    Ok(outcome.report.clean)
}

async fn mend(
    settings: &Settings,
    pool: &MySqlPool,
    producer: &TransactionalProducer,
    outcome: &Outcome,
) -> anyhow::Result<()> {
    let topic = settings.topics.names().movies;
    let log = LogInspector::new(pool.clone());
    let published = repair::publish(producer, &topic, &log, &outcome.missing).await?;
    let mended = repair::read_models(pool, &topic, outcome.partitions, &outcome.to_mend).await?;
    eprintln!("{published} events were added to {topic}");
    eprintln!("{} movies were projected anew", mended.movies);
    eprintln!("{} partitions' documents are published anew", mended.partitions.len());
    anyhow::ensure!(mended.failed.is_empty(), "not mended: {}", mended.failed.join("; "));
    eprintln!("audit again to see what is left");
    Ok(())
}
