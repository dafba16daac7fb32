//! A MySQL that may be killed: that of the local stack's profile `spare`, which nobody else needs while a test has it.

use std::process::Command;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::{edge::run, servers::repository, wait::until};

/// Dropped, it is as it was before: ended, or running. Its data stays.
#[derive(Debug)]
pub struct SpareMysql {
    url: String,
    ran_before: bool,
}

impl SpareMysql {
    /// # Panics
    /// When it does not start, with what the script says.
    pub async fn start() -> Self {
        let ran_before = pid().await.is_some();
        up().await;
        let env = stack(&["env"]).await;
        let url = env
            .lines()
            .find_map(|line| line.strip_prefix("export DATABASE_URL='")?.strip_suffix('\''))
            .unwrap_or_else(|| panic!("no DATABASE_URL: {env}"));
        Self { url: url.to_owned(), ran_before }
    }

    /// As `DATABASE_URL` has it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// SIGKILL, and waits until the process is gone.
    ///
    /// # Panics
    /// When it does not run.
    pub async fn kill(&self) {
        let pid = pid().await.expect("MySQL runs");
        kill_process(pid, Signal::KILL).expect("a server of ours takes signals");
        until("MySQL is gone", async || test_kill_process(pid).is_err().then_some(())).await;
    }

    /// Starts it after it was killed, with the data that it has made durable.
    pub async fn start_again(&self) {
        up().await;
    }
}

impl Drop for SpareMysql {
    fn drop(&mut self) {
        let action = if self.ran_before { "up" } else { "down" };
        let done = command(&[action, "mysql"]).output();
        if !matches!(&done, Ok(output) if output.status.success()) {
            eprintln!("the spare MySQL is not {action}: {done:?}");
        }
    }
}

async fn up() {
    let _ = stack(&["up", "mysql"]).await;
}

/// Of `mysql    running   24306   4711     /.../mysql.log`.
async fn pid() -> Option<Pid> {
    let status = stack(&["status"]).await;
    status.lines().find_map(|line| match line.split_whitespace().collect::<Vec<_>>()[..] {
        ["mysql", "running", _, pid, ..] => pid.parse().ok().and_then(Pid::from_raw),
        _ => None,
    })
}

async fn stack(arguments: &[&str]) -> String {
    let mut command = command(arguments);
    tokio::task::spawn_blocking(move || run(&mut command)).await.expect("the script succeeds")
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(repository().join("infra/local/stack"));
    command.args(arguments).args(["--profile", "spare"]);
    command
}
