//! Two command-api processes on one log, each with its own ways to MySQL and Kafka, and what can happen to them.

use std::time::Duration;

use futures::future::join_all;
use marquee_infra::mysql::accounts::Account;
use marquee_tests::{
    Api, Marquee, Setup,
    chaos_proxy::{ChaosProxy, Weather},
    client::http,
    detour,
    follower::Follower,
    jwt,
    servers::servers,
    service::Service,
    until,
};
use serde_json::Value;
use tokio::time::sleep;

use super::plan::{Fault, Kind, Round, Target};

/// Short, so that much can happen in two minutes.
pub const LEASE: Duration = Duration::from_secs(1);

pub struct Stage {
    processes: [Process; 2],
    pub marquee: Marquee,
}

struct Process {
    service: Service,
    mysql: ChaosProxy,
    kafka: ChaosProxy,
}

impl Stage {
    pub async fn set() -> Self {
        let lease = ("MARQUEE_RELAY_LEASE_MS", LEASE.as_millis().to_string());
        let setup = Setup { settings: vec![lease], ..Setup::default() };
        let marquee = Marquee::prepare(setup).await;
        let processes = [
            Process::new(&marquee, "command-api-1").await,
            Process::new(&marquee, "command-api-2").await,
        ];
        for process in &processes {
            process.service.start_ready().await;
        }
        Self { processes, marquee }
    }

    /// As an admin, at each of the two.
    pub fn processes(&self) -> Vec<Api> {
        let http = http();
        let api =
            |process: &Process| Api::new(http.clone(), process.service.url(), Some(jwt::admin()));
        self.processes.iter().map(api).collect()
    }

    /// Returns when everything is as it was before, except for what it has led to.
    pub async fn play(&self, round: &Round) {
        let leader = self.leader().await;
        join_all(round.0.iter().map(|fault| {
            let process = match fault.target {
                Target::Leader => &self.processes[leader],
                Target::Standby => &self.processes[1 - leader],
            };
            process.suffer(fault)
        }))
        .await;
    }

    /// Waits until both are ready, one of them leads, and Kafka has all that the log has now.
    pub async fn recovered(&self, follower: &Follower) {
        for process in &self.processes {
            process.service.wait_ready().await;
        }
        self.leader().await;
        let head = self.marquee.database.head().await;
        until(&format!("Kafka has the log up to {head}"), async || {
            (follower.count() as u64 >= head).then_some(())
        })
        .await;
    }

    async fn leader(&self) -> usize {
        until("exactly one leads and publishes", async || {
            let standings = join_all(self.processes.iter().map(Process::standing)).await;
            match (&standings[..], standings.iter().position(leads)) {
                ([Some(_), Some(_)], Some(leader)) if !leads(&standings[1 - leader]) => {
                    Some(leader)
                }
                _ => None,
            }
        })
        .await
    }

    /// How often the lead was taken.
    pub async fn leaders(&self) -> u64 {
        self.marquee.database.number("SELECT epoch FROM relay_lease").await
    }
}

#[expect(clippy::ref_option, reason = "it is asked of an iterator's items")]
fn leads(standing: &Option<Value>) -> bool {
    standing.as_ref().is_some_and(|relay| relay["role"] == "leader" && relay["mode"] != "starting")
}

impl Process {
    async fn new(marquee: &Marquee, name: &str) -> Self {
        let mysql = url::Url::parse(&servers().database_url).expect("DATABASE_URL is a URL");
        let mysql = format!("127.0.0.1:{}", mysql.port().expect("it has a port"));
        let mysql = ChaosProxy::start(&mysql, Weather::Fair).await;
        let kafka = detour::to_kafka().await;
        let service = marquee.command_api.twin(name);
        service.set(
            "DATABASE_URL",
            &marquee.database.url_of(Account::CommandApi, Some(&mysql.address())),
        );
        service.set("KAFKA_BROKERS", &kafka.address());
        Self { service, mysql, kafka }
    }

    /// What it tells of its relay, if that has no problem.
    async fn standing(&self) -> Option<Value> {
        self.service.check("relay").await
    }

    async fn suffer(&self, fault: &Fault) {
        // Faults have their times from the seed; what they lead to is waited for.
        sleep(fault.after).await;
        match fault.kind {
            Kind::Kill => self.service.kill(),
            Kind::Pause => self.service.pause(),
            Kind::CutKafka => self.kafka.set(Weather::Cut),
            Kind::HangKafka => self.kafka.set(Weather::Stalled),
            Kind::CutMysql => self.mysql.set(Weather::Cut),
            Kind::HangMysql => self.mysql.set(Weather::Stalled),
            Kind::LoseCommit => self.mysql.lose_answers_to_commits(1),
        }
        sleep(fault.lasting).await;
        match fault.kind {
            Kind::Kill => self.service.start().await,
            Kind::Pause => self.service.resume(),
            Kind::CutKafka | Kind::HangKafka => self.kafka.set(Weather::Fair),
            Kind::CutMysql | Kind::HangMysql => self.mysql.set(Weather::Fair),
            // One that comes too late for this round hits the next.
            Kind::LoseCommit => {}
        }
    }
}
