//! Kafka cut off under load: commands go on, memory stays where it is, and Kafka gets everything once it is back.
//! Two minutes without a broker, with figures: `infra/local/kafka-outage`.

use marquee_tests::{
    Marquee, Setup,
    chaos_proxy::Weather,
    detour,
    evidence::assert_consistent,
    load::{Load, Pace},
    summary, until,
};

const SYNOPSIS_CHARS: usize = 8_000;
const CROWD: Pace = Pace::of(32).with_synopses_of(SYNOPSIS_CHARS);
const BEFORE: usize = 200;
/// Until every buffer that has a bound has reached it.
const FILLING: usize = 1_200;
/// After that. Were they kept in memory, they would take more than `MARGIN_BYTES`.
const MORE: usize = 2_000;
/// How much the process may grow while these are appended; allocators are not exact.
const MARGIN_BYTES: u64 = 10 << 20;
const _: () = assert!((MORE * SYNOPSIS_CHARS) as u64 > 3 * MARGIN_BYTES / 2);

async fn nothing_is_lost_while_kafka_is_away(weather: Weather) {
    let proxy = detour::to_kafka().await;
    // Movies in memory are no backlog.
    let small_cache = ("MARQUEE_APPEND_CACHE_CAPACITY_MOVIES", "64".to_owned());
    let setup =
        Setup { kafka: Some(proxy.address()), settings: vec![small_cache], ..Setup::default() };
    let marquee = Marquee::prepare(setup).await;
    let relay = async || marquee.command_api.check("relay").await;
    marquee.command_api.start_ready().await;
    marquee.projector.start_ready().await;
    let load = Load::start(&[marquee.commands()], CROWD);
    load.more(BEFORE).await;

    proxy.set(weather);
    load.more(FILLING).await;
    until("the relay cannot publish", async || relay().await.is_none().then_some(())).await;
    let filled = marquee.command_api.resident_bytes();
    load.more(MORE).await;
    let grown = marquee.command_api.resident_bytes();
    assert!(relay().await.is_none(), "Kafka was away all the time");
    let told = load.stop().await;
    assert!(told.iter().all(|told| told.attempts == 1), "every command was accepted at once");

    proxy.set(Weather::Fair);
    let head = marquee.database.head().await;
    until(&format!("the relay comes to position {head}"), async || {
        (relay().await?["position"].as_u64()? >= head).then_some(())
    })
    .await;
    let acknowledged = told.into_iter().map(|told| told.acknowledged).collect();
    let evidence = assert_consistent(&marquee, acknowledged).await;
    let line = format!(
        "kafka away ({weather:?}): {} events of 8 kB accepted, {MORE} of them after the buffers were full, all \
         published once when it was back; memory {:.1} MiB, then {:.1} MiB",
        evidence.log.len(),
        mebibytes(filled),
        mebibytes(grown),
    );
    assert!(grown <= filled + MARGIN_BYTES, "{line}");
    summary::say(&line);
}

fn mebibytes(bytes: u64) -> f64 {
    let kibibytes = u32::try_from(bytes >> 10).expect("less than 4 TiB");
    f64::from(kibibytes) / 1024.0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_asked_to_end_while_kafka_is_away_ends() {
    for weather in [Weather::Cut, Weather::Stalled] {
        let proxy = detour::to_kafka().await;
        let setup = Setup { kafka: Some(proxy.address()), ..Setup::default() };
        let marquee = Marquee::prepare(setup).await;
        marquee.command_api.start_ready().await;
        let load = Load::start(&[marquee.commands()], CROWD);
        load.more(BEFORE).await;
        // In the middle of a transaction, most likely.
        proxy.set(weather);
        load.more(BEFORE).await;
        load.stop().await;
        marquee.command_api.terminate();
        let status = marquee.command_api.exit_status().await;
        assert_eq!(status.code(), Some(0), "{weather:?}: {}", marquee.command_api.log());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_kafka_is_cut_off_commands_are_accepted_memory_stays_and_later_all_is_published_once()
{
    nothing_is_lost_while_kafka_is_away(Weather::Cut).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_kafka_hangs_commands_are_accepted_memory_stays_and_later_all_is_published_once() {
    nothing_is_lost_while_kafka_is_away(Weather::Stalled).await;
}
