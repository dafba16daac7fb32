//! An HTTPS server that misbehaves on demand, a certificate authority, and a name server's answers.

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use marquee_domain::values::{CaptionUrl, StreamUrl};
use marquee_infra::{
    clock,
    probing::{ProbeSettings, Prober, Resolve, Resolving},
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

/// The name most tests fetch from.
pub const NAME: &str = "media.test";
pub const OTHER: &str = "other.test";

/// What a server does with a request.
#[derive(Clone)]
pub enum Reply {
    /// The head without the status line's protocol, and the body: sent with its length.
    Body(&'static str, Vec<u8>),
    Redirect(String),
    /// A body without end, as fast as it is read.
    Endless,
    /// A byte now and then, for ever: never idle, never done.
    Trickle,
    /// The head, and then nothing more.
    Silent,
    /// A length, and then less than that.
    Short,
}

pub fn ok(body: impl Into<Vec<u8>>) -> Reply {
    Reply::Body("200 OK", body.into())
}

/// A certificate authority of the test's own, and its file.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub file: PathBuf,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let file = std::env::temp_dir().join(format!("marquee-probe-{}.pem", clock::new_uuid()));
        std::fs::write(&file, pem).unwrap();
        Self { issuer: Issuer::new(params, key), file }
    }

    fn acceptor(&self, names: &[&str]) -> TlsAcceptor {
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(names).unwrap().signed_by(&key, &self.issuer).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            )
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        // Best effort: what is left behind is a public certificate in the temporary folder.
        drop(std::fs::remove_file(&self.file));
    }
}

/// A running server; it stops when dropped.
pub struct Server {
    pub address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl Server {
    pub async fn start(
        authority: &Authority,
        routes: impl Fn(&str) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let names = [NAME, OTHER, "localhost", "127.0.0.1"];
        Self::start_at("127.0.0.1:0", authority, &names, routes).await
    }

    pub async fn start_at(
        address: &str,
        authority: &Authority,
        names: &[&str],
        routes: impl Fn(&str) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let acceptor = authority.acceptor(names);
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let routes = Arc::new(routes);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, seen) = (acceptor.clone(), Arc::clone(&seen));
                let routes = Arc::clone(&routes);
                connections.spawn(async move {
                    // A client that refuses the certificate or leaves is what some tests are about.
                    drop(serve(stream, &acceptor, &seen, &*routes).await);
                });
            }
        });
        Self { address, requests, _tasks: tasks }
    }

    /// The heads of the requests so far.
    pub fn requests(&self) -> Vec<String> {
        lock(&self.requests).clone()
    }

    pub fn url(&self, path: &str) -> String {
        format!("https://{NAME}:{}{path}", self.address.port())
    }

    /// Settings that allow this server, and little else.
    pub fn settings(&self, authority: &Authority) -> ProbeSettings {
        ProbeSettings {
            allow: self.address.to_string().parse().unwrap(),
            ca_file: Some(authority.file.clone()),
            ..ProbeSettings::default()
        }
    }

    /// A prober for which every test name is this server.
    pub fn prober(&self, settings: ProbeSettings) -> Prober {
        let ip = self.address.ip();
        let names = Names::new([(NAME, vec![vec![ip]]), (OTHER, vec![vec![ip]])]);
        Prober::with_resolver(settings, Arc::new(names)).unwrap()
    }
}

async fn serve(
    stream: TcpStream,
    acceptor: &TlsAcceptor,
    seen: &Mutex<Vec<String>>,
    routes: &(impl Fn(&str) -> Reply + ?Sized),
) -> io::Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    while let Some(head) = read_head(&mut stream).await? {
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        lock(seen).push(head);
        reply(&mut stream, routes(&path)).await?;
    }
    Ok(())
}

async fn read_head(stream: &mut TlsStream<TcpStream>) -> io::Result<Option<String>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    Ok(Some(String::from_utf8_lossy(&head).into_owned()))
}

async fn reply(stream: &mut TlsStream<TcpStream>, reply: Reply) -> io::Result<()> {
    let endless_head = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n#EXTM3U\n";
    match reply {
        Reply::Body(head, body) => {
            let head = format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(&body).await
        }
        Reply::Redirect(to) => {
            let head = format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(head.as_bytes()).await
        }
        Reply::Endless => {
            stream.write_all(endless_head).await?;
            loop {
                stream.write_all(&[b'\n'; 16 * 1024]).await?;
            }
        }
        Reply::Trickle => {
            stream.write_all(endless_head).await?;
            let mut beat = tokio::time::interval(Duration::from_millis(5));
            loop {
                beat.tick().await;
                stream.write_all(b"\n").await?;
                stream.flush().await?;
            }
        }
        Reply::Silent => {
            stream.write_all(endless_head).await?;
            stream.flush().await?;
            // Until the client leaves.
            stream.read_u8().await.map(drop)
        }
        Reply::Short => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n#EXTM3U\n").await?;
            stream.shutdown().await
        }
    }
}

/// A name server: each name's answers in turn, the last one for ever. Counts what it is asked.
#[derive(Debug)]
pub struct Names {
    answers: Mutex<HashMap<String, VecDeque<Vec<IpAddr>>>>,
    asked: Mutex<Vec<String>>,
}

impl Names {
    pub fn new<const N: usize>(answers: [(&str, Vec<Vec<IpAddr>>); N]) -> Self {
        let answers = answers.map(|(name, answers)| (name.to_owned(), answers.into()));
        Self { answers: Mutex::new(answers.into()), asked: Mutex::default() }
    }

    pub fn asked(&self) -> Vec<String> {
        lock(&self.asked).clone()
    }
}

impl Resolve for Names {
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
        lock(&self.asked).push(host.to_owned());
        let mut answers = lock(&self.answers);
        let answer = answers.get_mut(host).and_then(|answers| {
            if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() }
        });
        Box::pin(async move { answer.ok_or_else(|| io::ErrorKind::NotFound.into()) })
    }
}

pub fn stream_url(text: &str) -> StreamUrl {
    StreamUrl::parse(text).unwrap()
}

pub fn caption_url(text: &str) -> CaptionUrl {
    CaptionUrl::parse(text).unwrap()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
