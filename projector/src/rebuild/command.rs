//! The command lines, and what each command does in which order.

use std::{num::NonZeroU32, process::ExitCode};

use clap::{Args, ValueEnum};

use super::{
    compare::{Comparison, compare},
    error::RebuildError,
    fill::Filler,
    session::Session,
    sets, swap,
};
use crate::{catalog::TableSet, settings::Settings};

/// What can be rebuilt. The token audit can't: it is a record of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    Catalog,
}

/// Make the catalog's tables anew from the event log, beside the live ones, and swap them
#[derive(Debug, Clone, Copy, Args)]
pub struct RebuildArgs {
    what: What,
    /// Events a second, at most
    #[arg(long, value_name = "EVENTS")]
    throttle: Option<NonZeroU32>,
    /// Swap although the live rows differ from the rebuilt ones
    #[arg(long, conflicts_with = "no_swap")]
    yes: bool,
    /// Rebuild and compare only; the next rebuild goes on from there
    #[arg(long)]
    no_swap: bool,
    /// Begin anew instead of going on with what an earlier rebuild left
    #[arg(long)]
    restart: bool,
}

/// Put the tables from before the last swap back in place, brought up to date first
#[derive(Debug, Clone, Copy, Args)]
pub struct RollbackArgs {
    what: What,
    /// Events a second, at most
    #[arg(long, value_name = "EVENTS")]
    throttle: Option<NonZeroU32>,
}

/// Exits with 0 when it is done; 1 when it is not, and may be run again; 2 when it can't be done.
pub async fn rebuild(settings: &Settings, args: RebuildArgs) -> ExitCode {
    let RebuildArgs { what: What::Catalog, .. } = args;
    let outcome =
        Session::run(settings, async |session| rebuild_catalog(session, args).await).await;
    exit_code("rebuild", outcome)
}

/// The same.
pub async fn rollback(settings: &Settings, args: RollbackArgs) -> ExitCode {
    let RollbackArgs { what: What::Catalog, throttle } = args;
    let outcome =
        Session::run(settings, async |session| rollback_catalog(session, throttle).await).await;
    exit_code("rollback", outcome)
}

fn exit_code(command: &str, outcome: Result<bool, RebuildError>) -> ExitCode {
    match outcome {
        Ok(done) => ExitCode::from(u8::from(!done)),
        Err(error) => {
            let code = error.exit_code();
            eprintln!("projector {command}: {:#}", anyhow::Error::from(error));
            ExitCode::from(code)
        }
    }
}

async fn rebuild_catalog(session: &Session, args: RebuildArgs) -> Result<bool, RebuildError> {
    refuse_mariadb(session).await?;
    let mut filler = begin(session, args.restart).await?;
    filler.fill(args.throttle).await?;
    // What was appended while it waited for its turn.
    filler.fill(None).await?;
    let comparison = compare(&filler).await?;
    tell(&filler, &comparison);
    if args.no_swap {
        eprintln!("nothing was swapped, as asked for");
        return Ok(comparison.differences == 0);
    }
    if comparison.differences > 0 && !args.yes {
        eprintln!(
            "nothing was swapped. Where the rebuilt rows are right: --yes. After a change of the \
             projector: --restart"
        );
        return Ok(false);
    }
    put_in_place(&mut filler).await?;
    if comparison.parked > 0 {
        eprintln!("what is parked and was rebuilt: projector parked retry --all");
    }
    Ok(true)
}

async fn rollback_catalog(
    session: &Session,
    throttle: Option<NonZeroU32>,
) -> Result<bool, RebuildError> {
    refuse_mariadb(session).await?;
    let mut connection = session.pool.acquire().await?;
    sets::drop_all(&mut connection, TableSet::Retired).await?;
    let Some(mut contents) = sets::contents(&session.pool, TableSet::Previous).await? else {
        return Err(RebuildError::Refused("there are no tables of before a rebuild".to_owned()));
    };
    if !sets::is_alike(&mut connection, TableSet::Previous).await? {
        let text = "a migration has changed the tables since; rebuild them instead";
        return Err(RebuildError::Refused(text.to_owned()));
    }
    drop(connection);
    sets::claim(&session.pool, TableSet::Previous, session.epoch).await?;
    contents.epoch = session.epoch;
    eprintln!("the tables of before the last swap have every event up to {}", contents.position);
    let mut filler = Filler::new(session, TableSet::Previous, contents);
    filler.fill(throttle).await?;
    put_in_place(&mut filler).await?;
    Ok(true)
}

/// Goes on with what is there, or makes empty tables.
async fn begin(session: &Session, restart: bool) -> Result<Filler<'_>, RebuildError> {
    let set = TableSet::Rebuild;
    let mut connection = session.pool.acquire().await?;
    sets::drop_all(&mut connection, TableSet::Retired).await?;
    let found = sets::contents(&session.pool, set).await?;
    let goes_on = !restart && found.is_some() && sets::is_alike(&mut connection, set).await?;
    if goes_on {
        sets::claim(&session.pool, set, session.epoch).await?;
    } else {
        sets::create(&mut connection, set, session.epoch).await?;
    }
    let mut contents = sets::contents(&session.pool, set).await?.ok_or(RebuildError::Superseded)?;
    if goes_on {
        contents.by_movie = sets::by_movie(&session.pool, set).await?;
        eprintln!("a rebuild that has {} events goes on", contents.position);
    }
    Ok(Filler::new(session, set, contents))
}

async fn put_in_place(filler: &mut Filler<'_>) -> Result<(), RebuildError> {
    let position = swap::swap(filler).await?;
    eprintln!("swapped: the catalog's tables have every event up to position {position}");
    eprintln!("those of before are kept for: projector rollback catalog");
    let mut connection = filler.session.pool.acquire().await?;
    if let Err(error) = sets::drop_all(&mut connection, TableSet::Retired).await {
        // The next run drops them.
        tracing::debug!(%error, "tables of long before could not be dropped");
    }
    Ok(())
}

fn tell(filler: &Filler<'_>, comparison: &Comparison) {
    let Comparison { movies, differences, named, parked, older_states } = comparison;
    let position = filler.contents.position;
    eprintln!("{movies} movies were rebuilt up to position {position}");
    for (movie_id, broken) in filler.contents.broken.iter().take(10) {
        eprintln!("movie {movie_id} stays at version {}: {}", broken.version, broken.error);
    }
    if *parked > 0 {
        eprintln!("{parked} movies have parked events; they are rebuilt as far as the log can be");
    }
    if *older_states > 0 {
        eprintln!("{older_states} rows' states are of an older form");
    }
    if *differences == 0 {
        eprintln!("the live rows are the same");
    }
    for (number, difference) in named.iter().enumerate() {
        let which = if number == 0 { "first difference" } else { "difference" };
        eprintln!("{which}: {difference}");
    }
    if *differences > named.len() as u64 {
        eprintln!("... {differences} differences in all");
    }
}

/// There, tables that are locked can't be renamed.
async fn refuse_mariadb(session: &Session) -> Result<(), RebuildError> {
    let version: String = sqlx::query_scalar("SELECT VERSION()").fetch_one(&session.pool).await?;
    if version.contains("MariaDB") {
        let text = format!("MySQL 8.0.13 or later is needed to swap tables; this is {version}");
        return Err(RebuildError::Refused(text));
    }
    Ok(())
}
