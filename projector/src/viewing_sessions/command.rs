//! `projector sessions`, for operators.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use marquee_domain::UserId;
use marquee_infra::{kafka::FactProducer, mysql};

use super::{Whose, anonymize};
use crate::settings::Settings;

#[derive(Debug, Subcommand)]
pub enum SessionsCommand {
    /// Forget whose sessions a viewer's were: published as events, which are then projected
    Anonymize(Viewer),
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Viewer {
    /// Those of a signed-in viewer
    #[arg(long)]
    viewer: Option<UserId>,
    /// Those of one who was not signed in, by the hash that the sessions have
    #[arg(long, value_name = "HASH")]
    anonymous: Option<String>,
}

pub async fn command(settings: &Settings, command: SessionsCommand) -> anyhow::Result<ExitCode> {
    let SessionsCommand::Anonymize(viewer) = command;
    let whose = match (viewer.viewer, viewer.anonymous) {
        (Some(viewer), _) => Whose::Viewer(viewer),
        (None, Some(hash)) => Whose::AnonymousViewer(hash),
        (None, None) => anyhow::bail!("say whose sessions"),
    };
    let pool = mysql::connect_lazy(&settings.mysql.url, 1)?;
    let producer = FactProducer::new(&settings.kafka)?;
    let topic = settings.topics.names().viewing_sessions;
    let published = anonymize(&pool, &producer, &topic, &whose).await?;
    println!("{published} sessions are to be anonymous, as soon as they are projected");
    Ok(ExitCode::SUCCESS)
}
