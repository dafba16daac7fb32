//! Where the servers of profile `test` are, and its secrets: what `infra/local/stack env --profile test` prints.

use std::{
    env,
    fmt::Display,
    fs,
    path::{Path, PathBuf},
    str::FromStr,
    sync::LazyLock,
};

/// What the tests' environment says.
#[derive(Debug)]
pub struct Servers {
    /// As the application's user, who may create databases named `marquee_t_...`.
    pub database_url: String,
    pub kafka_brokers: String,
    /// Of each of Kafka's listeners for a proxy: where Kafka listens, and the port it tells clients.
    pub kafka_detours: Vec<(u16, u16)>,
    pub redis_url: String,
    /// The edge that all tests may probe.
    pub edge_url: String,
    pub probe_allow: String,
    pub ca_file: PathBuf,
    /// What probes show to the edge.
    pub ingest_secret: String,
    pub jwt_secret: String,
    pub tools: PathBuf,
}

/// # Panics
/// When the environment lacks something, with what to do about it.
pub fn servers() -> &'static Servers {
    static SERVERS: LazyLock<Servers> = LazyLock::new(|| Servers {
        database_url: variable("DATABASE_URL"),
        kafka_brokers: variable("KAFKA_BROKERS"),
        kafka_detours: detours(&optional("MARQUEE_TEST_KAFKA_DETOURS").unwrap_or_default()),
        redis_url: variable("REDIS_URL"),
        edge_url: variable("MARQUEE_EDGE_URL"),
        probe_allow: variable("MARQUEE_PROBE_ALLOW"),
        ca_file: variable("MARQUEE_PROBE_CA_FILE").into(),
        ingest_secret: variable("MARQUEE_PROBE_HEADER")
            .split_once(": ")
            .map(|(_, secret)| secret.to_owned())
            .expect("MARQUEE_PROBE_HEADER is \"Name: value\""),
        jwt_secret: variable("MARQUEE_JWT_HS256_SECRET"),
        tools: variable("MARQUEE_TOOLS_BIN").into(),
    });
    &SERVERS
}

/// The folder of the checkout.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate is in a workspace")
}

/// Where cargo puts the binaries: beside this one, or above when it is a test.
pub fn binaries() -> PathBuf {
    let executable = env::current_exe().expect("a process knows its executable");
    let mut folder = executable.parent().expect("a file is in a folder");
    if folder.ends_with("deps") {
        folder = folder.parent().expect("deps is in the profile's folder");
    }
    folder.to_owned()
}

/// The services' programs, which the tests start.
const PROGRAMS: [&str; 3] = ["command-api", "projector", "query-api"];

/// A service's program: as new as its sources, for tests of yesterday's code show nothing. It is looked at once, so
/// that whoever edits while the tests run does not disturb them.
///
/// # Panics
/// When one of them is missing or older, with what to do about it.
pub fn program(name: &str) -> PathBuf {
    static STALE: LazyLock<Option<String>> =
        LazyLock::new(|| PROGRAMS.into_iter().find_map(staleness));
    if let Some(staleness) = &*STALE {
        panic!(
            "{staleness}: run `make test`, or `infra/local/cargo build --workspace --bins` first"
        );
    }
    binaries().join(name)
}

/// Why the program is not what its sources say, if so.
fn staleness(name: &str) -> Option<String> {
    let file = binaries().join(name);
    let changed = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
    let Some(built) = changed(&file) else { return Some(format!("{name} is missing")) };
    // cargo's note of what the program was made of: "program: source source ...".
    let note = fs::read_to_string(file.with_extension("d")).unwrap_or_default();
    let (_, sources) = note.split_once(": ").unwrap_or_default();
    // A space within a path is escaped.
    sources
        .replace("\\ ", "\0")
        .split_whitespace()
        .map(|source| source.replace('\0', " "))
        .find(|source| changed(Path::new(source)).is_none_or(|changed| changed > built))
        .map(|source| format!("{name} is older than {source}"))
}

/// The command of that name: on the PATH, or among the tools that the local stack has fetched.
///
/// # Panics
/// When it is in neither: the stack installs it, so something is broken.
pub fn tool(name: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain([servers().tools.clone()])
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("{name} is not there: run `infra/local/stack up --profile test`"))
}

/// `29101:29111 29102:29112`
fn detours(text: &str) -> Vec<(u16, u16)> {
    let detour = |pair: &str| {
        let (listens, advertised) = pair.split_once(':')?;
        Some((listens.parse().ok()?, advertised.parse().ok()?))
    };
    text.split_whitespace()
        .map(|pair| detour(pair).unwrap_or_else(|| panic!("{pair} is not LISTENS:ADVERTISED")))
        .collect()
}

/// A test's own setting, such as how long it goes on.
///
/// # Panics
/// When there is one that cannot be read.
pub fn setting<T: FromStr<Err: Display>>(name: &str) -> Option<T> {
    let parse = |text: String| text.parse().unwrap_or_else(|error| panic!("{name}: {error}"));
    optional(name).map(parse)
}

fn variable(name: &str) -> String {
    optional(name).unwrap_or_else(|| {
        panic!("{name} is not set: run `make test`, or `infra/local/cargo --with-env test test`")
    })
}

#[expect(clippy::disallowed_methods, reason = "the tests' one home of the environment")]
fn optional(name: &str) -> Option<String> {
    env::var(name).ok()
}
