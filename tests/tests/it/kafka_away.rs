//! Kafka cut off under load: commands go on, memory stays where it is, and Kafka gets everything once it is back.
//! Two minutes of it, with figures: `infra/local/kafka-outage`.

use marquee_tests::{
    Marquee, Setup,
    chaos_proxy::Weather,
    detour,
    evidence::assert_consistent,
    load::{Load, Pace},
    summary, until,
};

const CROWD: Pace = Pace { clients: 32, commands_per_second: None };
/// Before the cut, so that caches are filled and buffers allocated.
const WARM_UP: usize = 2_000;
/// While Kafka is away: far more than the relay takes in one batch, and as many as make several megabytes of events.
const AWAY: usize = 5_000;
/// What the process may have grown by at the end of the outage: for what thousands of commands leave behind in caches
/// and in the allocator, and not enough to keep the events of an outage of hours.
const MARGIN_BYTES: u64 = 32 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_kafka_every_command_is_accepted_memory_stays_and_later_all_is_published_once() {
    for weather in [Weather::Cut, Weather::Stalled] {
        let proxy = detour::to_kafka().await;
        let setup = Setup { kafka: Some(proxy.address()), ..Setup::default() };
        let marquee = Marquee::prepare(setup).await;
        let relay = async || marquee.command_api.check("relay").await;
        marquee.command_api.start_ready().await;
        marquee.projector.start_ready().await;
        let load = Load::start(&[marquee.commands()], CROWD);
        load.more(WARM_UP).await;

        let before = marquee.command_api.resident_bytes();
        proxy.set(weather);
        until("the relay cannot publish", async || relay().await.is_none().then_some(())).await;
        let published = marquee.database.head().await;
        load.more(AWAY).await;
        let away = marquee.command_api.resident_bytes();
        let head = marquee.database.head().await;
        assert!(relay().await.is_none(), "Kafka was away all the time");
        assert!(
            away <= before + MARGIN_BYTES,
            "{before} bytes before, {away} after {} events without Kafka",
            head - published
        );
        let told = load.stop().await;
        assert!(told.iter().all(|told| told.attempts == 1), "every command was accepted at once");

        proxy.set(Weather::Fair);
        until(&format!("the relay comes to position {head}"), async || {
            (relay().await?["position"].as_u64()? >= head).then_some(())
        })
        .await;
        let acknowledged = told.into_iter().map(|told| told.acknowledged).collect();
        let evidence = assert_consistent(&marquee, acknowledged).await;
        summary::say(&format!(
            "kafka away ({weather:?}): {} events meanwhile, all accepted, then published exactly once; memory {:.1} MiB \
             before, {:.1} MiB after",
            head - published,
            mebibytes(before),
            mebibytes(away),
        ));
        assert!(evidence.log.len() >= WARM_UP + AWAY);
    }
}

fn mebibytes(bytes: u64) -> f64 {
    let kibibytes = u32::try_from(bytes >> 10).expect("less than 4 TiB");
    f64::from(kibibytes) / 1024.0
}
