//! `projector parked`, for operators.

use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::{Args, Subcommand};
use marquee_domain::MovieId;
use marquee_infra::{event_log::EventReader, mysql};
use sqlx::MySqlPool;

use super::{Selection, discard, list, retry, show};
use crate::settings::Settings;

#[derive(Debug, Subcommand)]
pub enum ParkedCommand {
    /// One line for each, the oldest first
    List {
        /// Those of one movie
        #[arg(long)]
        movie: Option<MovieId>,
        /// For scripts
        #[arg(long)]
        json: bool,
    },
    /// All that is known of one, as JSON
    Show { id: u64 },
    /// Try them again, in order, and then what the event log has in their place; what still fails
    /// stays parked
    Retry(Choice),
    /// Give them up; their movies are brought up to date from the event log
    Discard(Choice),
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Choice {
    /// Those of one movie
    #[arg(long)]
    movie: Option<MovieId>,
    /// One, with the others of its movie if it is of one: they make sense in order only
    #[arg(long)]
    id: Option<u64>,
    #[arg(long)]
    all: bool,
}

impl From<Choice> for Selection {
    fn from(choice: Choice) -> Self {
        match (choice.movie, choice.id) {
            (Some(movie), _) => Self::Movie(movie),
            (None, Some(id)) => Self::Id(id),
            (None, None) => Self::All,
        }
    }
}

/// Exits with 1 when something that was tried again is still parked, when a movie stays behind, and
/// when what was named is not parked.
pub async fn command(settings: &Settings, command: ParkedCommand) -> anyhow::Result<ExitCode> {
    let pool = mysql::connect_lazy(&settings.mysql.url, 2)?;
    match command {
        ParkedCommand::List { movie, json } => print_list(&pool, movie, json).await,
        ParkedCommand::Show { id } => {
            let found = show(&pool, id).await?.context("there is no such parked record")?;
            println!("{}", serde_json::to_string_pretty(&found)?);
            Ok(ExitCode::SUCCESS)
        }
        ParkedCommand::Retry(choice) => {
            let selection = Selection::from(choice);
            let outcome = retry(&pool, &EventReader::new(pool.clone()), &selection).await?;
            ensure_found(&selection, outcome.tried)?;
            println!("{} tried again, {} still parked", outcome.tried, outcome.still_parked);
            Ok(exit_code(outcome.still_parked == 0))
        }
        ParkedCommand::Discard(choice) => {
            let selection = Selection::from(choice);
            let outcome = discard(&pool, &EventReader::new(pool.clone()), &selection).await?;
            ensure_found(&selection, outcome.records)?;
            println!("{} discarded", outcome.records);
            for (movie_id, why) in &outcome.behind {
                println!("movie {movie_id} is behind until its next event: {why}");
            }
            Ok(exit_code(outcome.behind.is_empty()))
        }
    }
}

async fn print_list(
    pool: &MySqlPool,
    movie: Option<MovieId>,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let listed = list(pool, movie).await?;
    if json {
        println!("{}", serde_json::to_string_pretty(&listed.records)?);
    } else {
        for record in &listed.records {
            println!("{record}");
        }
    }
    if listed.more > 0 {
        eprintln!("{} more are parked after these", listed.more);
    }
    Ok(ExitCode::SUCCESS)
}

fn ensure_found(selection: &Selection, records: usize) -> anyhow::Result<()> {
    match selection {
        Selection::Movie(id) => ensure!(records > 0, "nothing of movie {id} is parked"),
        Selection::Id(id) => ensure!(records > 0, "no record is parked with id {id}"),
        Selection::All => {}
    }
    Ok(())
}

fn exit_code(done: bool) -> ExitCode {
    if done { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
