//! Whole passes over a log of some length: how fast one is, and what an event costs.

use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::ensure;
use serde::Serialize;

use super::{
    cpu::{CpuUse, CpuWatch, peak_memory_mib},
    machine::ServerProcesses,
    report::median,
    table::count,
};

const LOOK_AGAIN: Duration = Duration::from_millis(10);

#[derive(Debug, Serialize)]
pub struct Pass {
    pub events: u64,
    pub seconds: f64,
    pub peak_memory_mib: Option<f64>,
    pub cpu: CpuUse,
}

impl Pass {
    pub fn per_second(&self) -> f64 {
        as_float(self.events) / self.seconds
    }

    /// CPU time per event, in microseconds.
    fn cost(&self, process: &str) -> f64 {
        let cores = self.cpu.processes.get(process).copied().unwrap_or(f64::NAN);
        1e6 * cores / self.per_second()
    }
}

/// The median rate, and the least and the greatest.
pub fn rates(passes: &[&Pass]) -> [String; 2] {
    let rates = || passes.iter().map(|pass| pass.per_second());
    let least = rates().fold(f64::INFINITY, f64::min);
    let most = rates().fold(0.0, f64::max);
    [count(median(rates())), format!("{}..{}", count(least), count(most))]
}

pub fn cost(passes: &[&Pass], process: &str) -> String {
    shown(median(passes.iter().map(|pass| pass.cost(process))), 1)
}

pub fn peak_memory(passes: &[&Pass]) -> String {
    shown(median(passes.iter().map(|pass| pass.peak_memory_mib.unwrap_or(f64::NAN))), 0)
}

fn shown(figure: f64, digits: usize) -> String {
    if figure.is_nan() { "-".to_owned() } else { format!("{figure:.digits$}") }
}

/// A process's whole life, as the `process` of the pass. It has to succeed.
pub async fn of_process(
    mut command: Command,
    events: u64,
    servers: ServerProcesses,
) -> anyhow::Result<Pass> {
    let run = move || -> anyhow::Result<Pass> {
        let started = Instant::now();
        let mut child = command.spawn()?;
        let mut watched = servers.alone();
        watched.insert("process", child.id());
        let watch = CpuWatch::start(&watched);
        // Neither can be asked of a process that has ended.
        let (mut peak_memory_mib_, mut cpu) = (None, CpuUse::default());
        loop {
            if let Some(status) = child.try_wait()? {
                ensure!(status.success(), "{command:?} ended with {status}");
                let seconds = started.elapsed().as_secs_f64();
                return Ok(Pass { events, seconds, peak_memory_mib: peak_memory_mib_, cpu });
            }
            peak_memory_mib_ = peak_memory_mib(child.id()).or(peak_memory_mib_);
            cpu = watch.so_far();
            thread::sleep(LOOK_AGAIN);
        }
    };
    tokio::task::spawn_blocking(run).await?
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub const fn as_float(number: u64) -> f64 {
    number as f64
}
