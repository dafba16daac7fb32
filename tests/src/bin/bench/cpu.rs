//! How many cores the parties of a measurement kept busy, and how much memory they held, from Linux's /proc.

use std::{collections::BTreeMap, fs, time::Instant};

use serde::Serialize;

/// What the kernel counts CPU time in, per second (USER_HZ), on every Linux that this runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// Processes to tell apart, by what they are to a reader of the report.
pub type Processes = BTreeMap<&'static str, u32>;

/// In cores. The machine's includes all the others.
#[derive(Debug, Clone, Default, Serialize)]
pub struct CpuUse {
    pub processes: BTreeMap<&'static str, f64>,
    pub client: f64,
    pub machine: f64,
}

pub struct CpuWatch {
    pids: Processes,
    started: Instant,
    ticks: CpuUse,
}

impl CpuWatch {
    pub fn start(pids: &Processes) -> Self {
        let ticks = pids.iter().map(|(name, pid)| (*name, process_ticks(&pid.to_string())));
        let ticks = CpuUse {
            processes: ticks.collect(),
            client: process_ticks("self"),
            machine: machine_ticks(),
        };
        Self { pids: pids.clone(), started: Instant::now(), ticks }
    }

    pub fn stop(self) -> CpuUse {
        self.so_far()
    }

    pub fn so_far(&self) -> CpuUse {
        let Self { started, ticks, .. } = Self::start(&self.pids);
        let elapsed = (started - self.started).as_secs_f64() * TICKS_PER_SECOND;
        let cores = |end: f64, start: f64| (end - start) / elapsed;
        let before = |name: &str| self.ticks.processes.get(name).copied().unwrap_or_default();
        let processes = ticks.processes.iter();
        CpuUse {
            processes: processes.map(|(name, end)| (*name, cores(*end, before(name)))).collect(),
            client: cores(ticks.client, self.ticks.client),
            machine: cores(ticks.machine, self.ticks.machine),
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

/// The most that the process has held in memory since it began, or since [`forget_peak`], in MiB.
pub fn peak_memory_mib(pid: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(number(line.trim_end_matches("kB").trim()) / 1024.0)
}

pub fn forget_peak(pid: u32) -> std::io::Result<()> {
    fs::write(format!("/proc/{pid}/clear_refs"), "5")
}

fn number(text: &str) -> f64 {
    text.parse().unwrap_or(0.0)
}
