//! A way to Kafka that can be cut.
//!
//! Clients ask any broker where the brokers are, and then talk to those addresses, past a proxy that they were only
//! introduced by. So Kafka of profile `test` has listeners that tell clients of other ports: a test's proxy has to
//! listen there. There are a few of them, and whoever takes one has it to itself.

use std::time::Duration;

use tokio::net::TcpListener;

use crate::{
    chaos_proxy::{ChaosProxy, Weather},
    servers::servers,
    wait::until_within,
};

/// Longer than any test keeps one.
const PATIENCE: Duration = Duration::from_secs(600);

/// A proxy before Kafka that clients do not get past, once no other test has it.
///
/// # Panics
/// When Kafka has no such listeners.
pub async fn to_kafka() -> ChaosProxy {
    let detours = &servers().kafka_detours;
    assert!(!detours.is_empty(), "Kafka has no listener for a proxy: see infra/local/lib/kafka.sh");
    until_within(PATIENCE, "a detour to Kafka is free", async || {
        for (listens, advertised) in detours {
            if let Ok(listener) = TcpListener::bind(("127.0.0.1", *advertised)).await {
                let server = format!("127.0.0.1:{listens}");
                return Some(ChaosProxy::start_at(listener, &server, Weather::Fair));
            }
        }
        None
    })
    .await
}
