//! How many cores the parties of a measurement kept busy, from Linux's /proc.

use std::{fs, time::Instant};

use serde::Serialize;

/// What the kernel counts CPU time in, per second (USER_HZ), on every Linux that this runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// In cores. The machine's includes MySQL and whatever else was running.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct CpuUse {
    pub client: f64,
    pub server: Option<f64>,
    pub machine: f64,
}

pub struct CpuWatch {
    server_pid: Option<u32>,
    started: Instant,
    client: f64,
    server: Option<f64>,
    machine: f64,
}

impl CpuWatch {
    pub fn start(server_pid: Option<u32>) -> Self {
        Self {
            server_pid,
            started: Instant::now(),
            client: process_ticks("self"),
            server: server_pid.map(|pid| process_ticks(&pid.to_string())),
            machine: machine_ticks(),
        }
    }

    pub fn stop(self) -> CpuUse {
        let end = Self::start(self.server_pid);
        let ticks = (end.started - self.started).as_secs_f64() * TICKS_PER_SECOND;
        CpuUse {
            client: (end.client - self.client) / ticks,
            server: end.server.zip(self.server).map(|(end, start)| (end - start) / ticks),
            machine: (end.machine - self.machine) / ticks,
        }
    }
}

/// utime and stime: the 14th and 15th field. The second one, a name in brackets, may have spaces.
fn process_ticks(pid: &str) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    after_name.split_whitespace().skip(11).take(2).map(number).sum()
}

/// All but idle and iowait, the 4th and 5th number of the first line.
fn machine_ticks() -> f64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let numbers = stat.lines().next().unwrap_or_default().split_whitespace().skip(1).map(number);
    // user, nice, system, idle, iowait, irq, softirq, steal; guest time is in user already.
    numbers.take(8).enumerate().filter(|(index, _)| !matches!(index, 3 | 4)).map(|(_, n)| n).sum()
}

fn number(text: &str) -> f64 {
    text.parse().unwrap_or(0.0)
}
