//! `projector migrate`: the database's tables, its users and their rights, and Kafka's topics, all made
//! what this release needs. It runs as a MySQL user of its own.

use std::{io::Write, process::ExitCode};

use anyhow::Context;
use clap::Args;
use marquee_infra::{
    kafka,
    mysql::{
        self, Schema,
        accounts::{self, Account, Grant, Outcome, Provisioned},
    },
};

use crate::settings::Settings;

/// One for the lock and the statements.
const CONNECTIONS: u32 = 1;

/// Bring the database's tables and users, and Kafka's topics, up to date; safe to run at any time
#[derive(Debug, Clone, Copy, Args)]
pub struct MigrateArgs {
    /// From now on, only the users' new passwords are good
    #[arg(long)]
    discard_old_passwords: bool,
}

/// Print the SQL that gives a MySQL user its rights, for whoever makes the users by hand
#[derive(Debug, Clone, Args)]
pub struct GrantsArgs {
    /// command_api, query_api, projector or rebuild
    account: Account,
    #[arg(long, default_value = "marquee")]
    database: String,
    /// As in SQL
    #[arg(long, default_value = "'marquee'@'%'")]
    user: String,
}

pub async fn migrate(settings: &Settings, args: &MigrateArgs) -> anyhow::Result<ExitCode> {
    let pool = mysql::connect_lazy(&settings.mysql.url, CONNECTIONS)?;
    let migrated = accounts::migrate_and_provision(
        &pool,
        &settings.mysql.url,
        &settings.mysql_users,
        args.discard_old_passwords,
    )
    .await
    .context("the database can't be brought up to date")?;
    match migrated.schema {
        Schema::Newer => println!("the database is of a later release, and was left as it is"),
        _ => println!("the database's tables are up to date"),
    }
    for user in &migrated.users {
        tell(user);
    }
    let topics = settings.topics.names();
    let found = kafka::ensure_topics(&settings.kafka, &topics, &settings.topics.creation())
        .await
        .context("Kafka's topics can't be brought up to date")?;
    for topic in found {
        println!("topic {}: {}", topic.topic, if topic.created { "made" } else { "was there" });
    }
    Ok(ExitCode::SUCCESS)
}

pub fn print_grants(args: &GrantsArgs) -> anyhow::Result<ExitCode> {
    let statements = accounts::statements(args.account, &args.database, &args.user);
    let text: String = statements.iter().flat_map(|one| [one.as_str(), ";\n"]).collect();
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn tell(user: &Provisioned) {
    let Provisioned { account, name, outcome, granted, revoked, beyond } = user;
    let what = match outcome {
        Outcome::Made => "made",
        Outcome::Changed => "has a new password",
        Outcome::AsItWas => "was there",
    };
    println!("user {name} of {account}: {what}, {granted} rights granted");
    let list =
        |grants: &[Grant]| grants.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    if !revoked.is_empty() {
        println!("user {name}: revoked {}", list(revoked));
    }
    if !beyond.is_empty() {
        eprintln!("user {name} may do more than it needs: {}", list(beyond));
    }
}
