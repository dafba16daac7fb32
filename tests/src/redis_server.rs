//! A Redis of a test's own: it may be killed, and remembers nothing then.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
};

use crate::{edge::free_port, servers::tool, service::open_log, wait::until};

#[derive(Debug)]
pub struct RedisServer {
    port: u16,
    log: std::path::PathBuf,
    child: Option<Child>,
}

impl RedisServer {
    /// `folder` is for its log.
    pub async fn start(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).expect("a folder can be made below target/");
        let log = folder.join("redis.log");
        let mut server = Self { port: free_port(), log, child: None };
        server.start_again().await;
        server
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// At the same port, and empty.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_again(&mut self) {
        let log = open_log(&self.log);
        let child = Command::new(tool("redis-server"))
            .args(["--bind", "127.0.0.1", "--port", &self.port.to_string()])
            .args(["--save", "", "--appendonly", "no"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file can be opened twice"))
            .stderr(log)
            .spawn();
        self.child = Some(child.unwrap_or_else(|error| panic!("redis-server: {error}")));
        let client = redis::Client::open(format!("redis://{}", self.address())).expect("a URL");
        until("Redis answers", async || {
            let mut connection = client.get_multiplexed_async_connection().await.ok()?;
            redis::cmd("PING").query_async::<String>(&mut connection).await.ok()
        })
        .await;
    }

    /// SIGKILL, and waits until it is gone.
    ///
    /// # Panics
    /// When our own child can't be killed.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("our own child can be killed");
            child.wait().expect("a killed child ends");
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_file(&self.log);
        if let Some(folder) = self.log.parent() {
            let _ = std::fs::remove_dir(folder);
        }
    }
}
