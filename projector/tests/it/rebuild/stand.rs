//! Running the commands, and looking at what they leave.

use std::process::Stdio;

use serde_json::Value;
use tokio::process::Child;

use crate::{
    auditing::world::World,
    bed::{Bed, wait_until},
    command_line, model,
};

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub stderr: String,
}

impl Ended {
    pub fn assert_done(&self) {
        assert_eq!(self.code, 0, "{}", self.stderr);
    }

    #[track_caller]
    pub fn assert_failed(&self, code: i32, text: &str) {
        assert_eq!(self.code, code, "{}", self.stderr);
        assert!(self.stderr.contains(text), "{}", self.stderr);
    }
}

pub async fn run(bed: &Bed, arguments: &[&str]) -> Ended {
    let output = command_line::run(bed, arguments).await;
    Ended {
        code: output.status.code().expect("it ends by itself"),
        stderr: command_line::text(&output.stderr),
    }
}

pub async fn rebuild(bed: &Bed, arguments: &[&str]) -> Ended {
    run(bed, &[&["rebuild", "catalog"], arguments].concat()).await
}

pub async fn rollback(bed: &Bed) -> Ended {
    run(bed, &["rollback", "catalog"]).await
}

/// Runs until it ends or is killed.
pub fn start(bed: &Bed, arguments: &[&str]) -> Child {
    command_line::projector(bed, arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts")
}

/// As kill -9 does it; and as if the next run came only when the lease of this one has expired.
pub async fn kill(bed: &Bed, mut child: Child) {
    child.kill().await.expect("it runs");
    let expire = "UPDATE leases SET expires_at = '2000-01-01' WHERE task = 'catalog-rebuild'";
    let expired = sqlx::query(expire).execute(&bed.pool).await.expect("MySQL is up");
    assert_eq!(expired.rows_affected(), 1, "a killed run leaves its lease");
}

pub async fn end(child: Child) -> Ended {
    let output = child.wait_with_output().await.expect("it ends");
    Ended {
        code: output.status.code().expect("it ends by itself"),
        stderr: command_line::text(&output.stderr),
    }
}

pub async fn status(bed: &Bed) -> Value {
    let output = command_line::run(bed, &["status", "--json"]).await;
    serde_json::from_slice(&output.stdout).expect("a status")
}

/// How far the tables beside the live ones are; none if there are none.
pub async fn rebuilt_to(bed: &Bed) -> Option<u64> {
    sqlx::query_scalar("SELECT position FROM catalog_contents_rebuild")
        .fetch_optional(&bed.pool)
        .await
        .unwrap_or_default()
}

pub async fn wait_until_rebuilt_to(bed: &Bed, position: u64) {
    wait_until(&format!("position {position} is rebuilt"), || async {
        rebuilt_to(bed).await.is_some_and(|reached| reached >= position)
    })
    .await;
}

pub async fn generations(bed: &Bed) -> Vec<u64> {
    sqlx::query_scalar(
        "SELECT generation FROM projection_checkpoints WHERE projection = 'catalog'
         ORDER BY kafka_partition",
    )
    .fetch_all(&bed.pool)
    .await
    .expect("the checkpoints can be read")
}

/// The tables equal a pure fold of the log, and an audit agrees, which looks at the partitions too.
pub async fn assert_whole(world: &World) {
    assert_eq!(model::actual(&world.bed).await, model::expected(&world.log));
    world.audit(&[]).await.assert_clean();
}

/// Waits until a connection of this database waits in a statement that begins so.
pub async fn wait_until_waits(bed: &Bed, statement: &str) {
    let sql = format!(
        "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE DB = DATABASE()
         AND STATE LIKE 'Waiting for table metadata lock' AND INFO LIKE '{statement}%'"
    );
    wait_until(&format!("{statement} waits"), || async {
        // MySQL fails to list statements while somebody sends one with bytes in it: asked again.
        let waiting: Option<i64> = sqlx::query_scalar(&sql).fetch_one(&bed.pool).await.ok();
        waiting.is_some_and(|waiting| waiting > 0)
    })
    .await;
}
