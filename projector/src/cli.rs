//! The command line.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use marquee_infra::{mysql, telemetry};

use crate::{
    application::Application,
    audit::{self, AuditArgs, AuditTokensArgs},
    migrate::{self, GrantsArgs, MigrateArgs},
    parked::{self, ParkedCommand},
    rebuild::{self, RebuildArgs, RollbackArgs},
    replay,
    settings::Settings,
    status, viewing_sessions,
};

/// Projects Marquee's event streams into the tables that viewers read from.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service (the default)
    Run,
    Migrate(MigrateArgs),
    Grants(GrantsArgs),
    /// Show where every partition stands, and whether the log, Kafka and the read models agree
    Status {
        /// For scripts
        #[arg(long)]
        json: bool,
    },
    /// Prove that the event log, Kafka and the read models agree, or tell where they do not
    Audit(AuditArgs),
    /// Prove that every stream token has its row in the audit, or name those that have none
    AuditTokens(AuditTokensArgs),
    /// Records that could not be decoded or applied
    #[command(subcommand)]
    Parked(ParkedCommand),
    /// Viewers' sessions
    #[command(subcommand)]
    Sessions(viewing_sessions::SessionsCommand),
    Replay(replay::ReplayArgs),
    Rebuild(RebuildArgs),
    Rollback(RollbackArgs),
}

impl Cli {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        match self.command.unwrap_or(Command::Run) {
            Command::Run => {
                let settings = Settings::load()?;
                let telemetry = telemetry::init(&settings.log)?;
                let application = Application::build(settings, Some(telemetry.metrics))?;
                application.run_until_stopped().await?;
                Ok(ExitCode::SUCCESS)
            }
            Command::Migrate(args) => migrate::migrate(&Settings::load()?, &args).await,
            Command::Grants(args) => migrate::print_grants(&args),
            Command::Audit(args) => Ok(audit::command(&Settings::load()?, &args).await),
            Command::AuditTokens(args) => {
                Ok(audit::tokens_command(&Settings::load()?, &args).await)
            }
            Command::Status { json } => show_status(&Settings::load()?, json).await,
            Command::Parked(command) => parked::command(&Settings::load()?, command).await,
            Command::Sessions(command) => {
                viewing_sessions::command(&Settings::load()?, command).await
            }
            // Loads what it needs, which is less: a manifest is checked without any server.
            Command::Replay(args) => replay::command(args).await,
            Command::Rebuild(args) => Ok(rebuild::rebuild(&Settings::load()?, args).await),
            Command::Rollback(args) => Ok(rebuild::rollback(&Settings::load()?, args).await),
        }
    }
}

/// Exits with 1 when the log and the read models contradict each other.
async fn show_status(settings: &Settings, json: bool) -> anyhow::Result<ExitCode> {
    let pool = mysql::connect_lazy(&settings.mysql.url, 1)?;
    let status = status::collect(&pool, settings).await?;
    if json {
        println!("{}", serde_json::to_string_pretty(&status)?);
    } else {
        print!("{status}");
    }
    Ok(if status.contradiction.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
