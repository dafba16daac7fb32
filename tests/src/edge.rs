//! An nginx edge of a test's own, which asks the test's own query-api about tokens.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use crate::{
    servers::{repository, servers},
    wait::in_time,
};

/// Started by the local stack's own script, ended when dropped.
#[derive(Debug)]
pub struct Edge {
    folder: PathBuf,
    pub port: u16,
}

impl Edge {
    /// # Panics
    /// When it can't be started, with what the script says.
    pub fn start(folder: &Path, port: u16, verify_port: u16) -> Self {
        let edge = Self { folder: folder.to_owned(), port };
        let tls = servers().ca_file.parent().expect("a file is in a folder");
        let mut command = edge.script("up");
        command.arg("--port").arg(port.to_string());
        command.arg("--verify-port").arg(verify_port.to_string()).arg("--tls").arg(tls);
        run(command.env("MARQUEE_INGEST_SECRET", &servers().ingest_secret));
        edge
    }

    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// The folder that it serves.
    pub fn content(&self) -> PathBuf {
        self.folder.join("edge/www")
    }

    fn script(&self, action: &str) -> Command {
        let mut command = Command::new(repository().join("infra/local/edge/edge"));
        command.arg(action).arg("--dir").arg(&self.folder);
        command
    }

    /// The status of a request whose path is sent as it is: no client of ours may tidy it up.
    pub async fn status_of(&self, path: &str) -> u16 {
        in_time(path, self.raw_status(path)).await.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    async fn raw_status(&self, path: &str) -> Result<u16, std::io::Error> {
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_file(&servers().ca_file);
        roots
            .add(authority.expect("the edge's authority can be read"))
            .expect("the authority is a certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let host = ServerName::try_from("127.0.0.1").expect("an address is a server's name");
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        let mut stream = TlsConnector::from(Arc::new(config)).connect(host, stream).await?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: edge\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await?;
        let status = std::str::from_utf8(&answer[9..]).ok().and_then(|text| text.parse().ok());
        status.ok_or_else(|| std::io::Error::other(format!("{answer:?} is no status line")))
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log/edge.log")).unwrap_or_default()
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        let ended = self.script("down").output();
        if !matches!(&ended, Ok(output) if output.status.success()) {
            eprintln!("the edge could not be ended: {ended:?}");
        }
    }
}

/// A port that nobody listens at now.
///
/// # Panics
/// When the machine has none.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    listener.local_addr().expect("a listener has an address").port()
}

/// Runs a program that must succeed, and gives what it printed.
///
/// # Panics
/// When it fails, with its messages.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}: {}", text(&output.stderr));
    text(&output.stdout)
}
