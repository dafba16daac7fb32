//! A headless Chromium of a test's own, driven over WebDriver.

use std::{
    fs,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustix::process::{Pid, Signal, getuid, kill_process_group};
use serde_json::{Value, json};

use crate::{
    client::{Api, http},
    edge::{free_port, run},
    samples,
    servers::{binaries, servers, tool},
    service::open_log,
    wait::{in_time, until},
};

#[derive(Debug)]
pub struct Browser {
    client: Client,
    _driver: Driver,
}

/// `chromedriver`, which starts the browser. Both end when it is dropped.
#[derive(Debug)]
struct Driver {
    child: Child,
    folder: PathBuf,
    port: u16,
}

impl Browser {
    /// # Panics
    /// When it does not start, with what it says about it.
    pub async fn start() -> Self {
        let driver = Driver::start();
        let address = format!("http://127.0.0.1:{}", driver.port);
        let status = Api::new(http(), &address, None);
        until("chromedriver listens", async || {
            let answer = status.get("/status").try_send().await.ok()?;
            (answer.json()["value"]["ready"] == true).then_some(())
        })
        .await;
        let Value::Object(capabilities) = json!({ "goog:chromeOptions": driver.options() }) else {
            unreachable!("it is written as an object")
        };
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let session = builder.capabilities(capabilities).connect(&address);
        let client = in_time("the browser starts", session).await;
        let client = client.unwrap_or_else(|error| panic!("{error}\n{}", driver.log()));
        Self { client, _driver: driver }
    }

    pub async fn open(&self, url: &str) {
        let opened = in_time(url, self.client.goto(url)).await;
        opened.unwrap_or_else(|error| panic!("{url}: {error}"));
    }

    /// What a function with this body returns in the page.
    pub async fn ask(&self, script: &str) -> Value {
        let answer = in_time(script, self.client.execute(script, Vec::new())).await;
        answer.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// As a PNG.
    pub async fn screenshot(&self) -> Vec<u8> {
        let taken = in_time("a screenshot", self.client.screenshot()).await;
        taken.unwrap_or_else(|error| panic!("a screenshot: {error}"))
    }

    pub async fn close(self) {
        let closed = in_time("the browser ends", self.client.close()).await;
        closed.unwrap_or_else(|error| panic!("the browser ends: {error}"));
    }
}

impl Driver {
    fn start() -> Self {
        let port = free_port();
        let folder = binaries().join("marquee-tests").join(format!("browser-{}", samples::tag()));
        fs::create_dir_all(&folder).expect("a folder can be made below target/");
        let log = open_log(&folder.join("driver.log"));
        let child = Command::new(tool("chromedriver"))
            .arg(format!("--port={port}"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file can be opened twice"))
            .stderr(log)
            // The browser's many processes are in its group.
            .process_group(0)
            .spawn()
            .expect("chromedriver starts");
        Self { child, folder, port }
    }

    fn options(&self) -> Value {
        let mut arguments = vec![
            "--headless=new".to_owned(),
            "--window-size=720,720".to_owned(),
            "--no-first-run".to_owned(),
            "--disable-gpu".to_owned(),
            // Containers have little of it.
            "--disable-dev-shm-usage".to_owned(),
            "--disable-background-networking".to_owned(),
            "--no-proxy-server".to_owned(),
            "--mute-audio".to_owned(),
            format!("--user-data-dir={}", self.folder.join("profile").display()),
            // It trusts the edge's own key, and no other that its system does not.
            format!("--ignore-certificate-errors-spki-list={}", edge_key_digest()),
        ];
        if getuid().is_root() {
            // Its sandbox refuses to be root's.
            arguments.push("--no-sandbox".to_owned());
        }
        json!({ "binary": tool("chromium"), "args": arguments })
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("driver.log")).unwrap_or_default()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let group = Pid::from_child(&self.child);
        let ended = kill_process_group(group, Signal::KILL).map_err(std::io::Error::from);
        if let Err(error) = ended.and_then(|()| self.child.wait()) {
            eprintln!("the browser could not be ended: {error}");
        }
        // What it was writing to may be in the way; it is below target/.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The SHA-256 of the edge's public key, as Chromium wants it.
fn edge_key_digest() -> String {
    let certificate = servers().ca_file.with_file_name("server.pem");
    let script = "openssl x509 -noout -pubkey -in \"$0\" | openssl pkey -pubin -outform DER |
        openssl dgst -sha256 -binary | base64";
    run(Command::new("bash").args(["-c", script]).arg(certificate)).trim().to_owned()
}
