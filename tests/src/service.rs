//! One service as a real process: started, killed, paused, ended, started again at the same address.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::{
    client::{Api, http},
    servers::program,
    wait::until,
};

/// How long a process that may be paused is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// A service, running or not. Its settings are its process's environment.
#[derive(Debug)]
pub struct Service {
    name: &'static str,
    log: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    child: Option<Child>,
    /// Known from the first start on, and kept.
    address: Option<String>,
    environment: BTreeMap<String, String>,
}

impl Service {
    pub fn new(
        name: &'static str,
        folder: &Path,
        environment: impl IntoIterator<Item = (impl Into<String>, String)>,
    ) -> Self {
        let environment = environment.into_iter().map(|(name, value)| (name.into(), value));
        Self {
            name,
            log: folder.join(format!("{name}.log")),
            state: Mutex::new(State {
                child: None,
                address: None,
                environment: environment.collect(),
            }),
        }
    }

    /// Another process of the same service, with the same settings so far, at an address of its own. `log` names its
    /// log.
    #[must_use]
    pub fn twin(&self, log: &str) -> Self {
        let mut environment = self.state().environment.clone();
        environment.insert("MARQUEE_HTTP_BIND".to_owned(), "127.0.0.1:0".to_owned());
        Self {
            name: self.name,
            log: self.log.with_file_name(format!("{log}.log")),
            state: Mutex::new(State { child: None, address: None, environment }),
        }
    }

    /// Starts the process and waits until it listens. Whether it is ready is another question.
    ///
    /// # Panics
    /// When it ends, or does not listen in time.
    pub async fn start(&self) {
        let already_logged = self.log().len();
        self.spawn();
        let address =
            until(&format!("{} listens\n{}", self.name, self.log.display()), async || {
                if let Some(status) = self.try_exit_status() {
                    panic!("{} ended with {status}:\n{}", self.name, self.log());
                }
                address_in(&self.log()[already_logged..])
            })
            .await;
        let mut state = self.state();
        state.environment.insert("MARQUEE_HTTP_BIND".to_owned(), address.clone());
        state.address = Some(address);
    }

    pub async fn start_ready(&self) {
        self.start().await;
        self.wait_ready().await;
    }

    /// Waits until `/readyz` says so.
    pub async fn wait_ready(&self) {
        let api = Api::new(http(), self.url(), None);
        until(&format!("{} is ready", self.name), async || {
            let answer = api.get("/readyz").try_send().await.ok()?;
            (answer.status == 200).then_some(())
        })
        .await;
    }

    /// As a crash does: at once, with nothing put in order; then started anew.
    pub async fn crash_and_start(&self) {
        self.kill();
        self.start_ready().await;
    }

    fn spawn(&self) {
        let mut state = self.state();
        assert!(state.child.is_none(), "{} runs already", self.name);
        let log = open_log(&self.log);
        let child = Command::new(program(self.name))
            .envs(&state.environment)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file can be opened twice"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", self.name));
        state.child = Some(child);
    }

    /// The base of its addresses.
    ///
    /// # Panics
    /// When it was never started.
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// # Panics
    /// When it was never started.
    pub fn address(&self) -> String {
        self.state().address.clone().unwrap_or_else(|| panic!("{} was never started", self.name))
    }

    /// # Panics
    /// When it does not run.
    pub fn pid(&self) -> u32 {
        let state = self.state();
        state.child.as_ref().unwrap_or_else(|| panic!("{} does not run", self.name)).id()
    }

    /// Another command of the same program, with the same settings.
    pub fn command(&self, arguments: &[&str]) -> tokio::process::Command {
        let mut command = tokio::process::Command::new(program(self.name));
        command
            .args(arguments)
            .envs(&self.state().environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Changes a setting for the next start.
    pub fn set(&self, variable: &str, value: &str) {
        self.state().environment.insert(variable.to_owned(), value.to_owned());
    }

    /// SIGKILL, and waits until the process is gone.
    pub fn kill(&self) {
        if let Some(mut child) = self.state().child.take() {
            child.kill().expect("our own child can be killed");
            child.wait().expect("a killed child ends");
        }
    }

    /// SIGTERM: the request to end.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// SIGSTOP: the process stands still, its connections stay open.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// SIGCONT.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let state = self.state();
        let child = state.child.as_ref().unwrap_or_else(|| panic!("{} does not run", self.name));
        kill_process(Pid::from_child(child), signal).expect("our own child takes signals");
    }

    /// What a ready service shows of one of its checks; none while it is not ready, or the check fails.
    pub async fn check(&self, name: &str) -> Option<Value> {
        let ready = Api::new(http(), self.url(), None).get("/readyz").timeout(PATIENCE);
        let answer = ready.try_send().await.ok().filter(|answer| answer.status == 200)?.json();
        let check = &answer["checks"][name];
        (check["ok"] == true).then(|| check["info"].clone())
    }

    /// The memory that the process has now, in bytes.
    ///
    /// # Panics
    /// When it does not run.
    pub fn resident_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()));
        let status = status.expect("a running process has a status");
        let kibibytes = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"))
            .and_then(|text| text.parse::<u64>().ok());
        kibibytes.expect("Linux tells the resident size in kB") * 1024
    }

    /// Waits for the end that was asked for.
    pub async fn exit_status(&self) -> ExitStatus {
        let status = until(&format!("{} ends", self.name), async || self.try_exit_status()).await;
        self.state().child = None;
        status
    }

    fn try_exit_status(&self) -> Option<ExitStatus> {
        self.state().child.as_mut()?.try_wait().expect("our own child can be asked")
    }

    /// All that it has logged, over all of its starts.
    pub fn log(&self) -> String {
        fs::read(&self.log)
            .map_or_else(|_| String::new(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// A panic elsewhere must not keep the process from being ended.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.kill();
    }
}

pub(crate) fn open_log(path: &Path) -> File {
    let opened = OpenOptions::new().create(true).append(true).open(path);
    opened.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// `{"message":"command-api serves","address":"127.0.0.1:40001", ...}`
fn address_in(log: &str) -> Option<String> {
    log.lines().filter(|line| line.contains("\"address\":")).find_map(|line| {
        let entry: Value = serde_json::from_str(line).ok()?;
        entry["address"].as_str().map(str::to_owned)
    })
}
