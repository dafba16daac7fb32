//! Connections to Redis.

use std::time::Duration;

use redis::{
    Client, RedisError,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use secrecy::{ExposeSecret, SecretString};

/// How long one command may take. Redis is asked on the way of a request: slow is as bad as down.
const RESPONSE_TIMEOUT: Duration = Duration::from_millis(250);
const CONNECTION_TIMEOUT: Duration = Duration::from_millis(500);

/// A multiplexed connection that reconnects by itself, and connects when it is first used.
pub fn connect_lazy(url: &SecretString) -> Result<ConnectionManager, RedisError> {
    connect_lazy_for(url, RESPONSE_TIMEOUT)
}

/// The same for whom an answer is worth waiting for as long as this.
pub fn connect_lazy_for(
    url: &SecretString,
    response_timeout: Duration,
) -> Result<ConnectionManager, RedisError> {
    let config = ConnectionManagerConfig::new()
        .set_response_timeout(Some(response_timeout))
        .set_connection_timeout(Some(CONNECTION_TIMEOUT))
        .set_number_of_retries(1);
    ConnectionManager::new_lazy_with_config(Client::open(url.expose_secret())?, config)
}
