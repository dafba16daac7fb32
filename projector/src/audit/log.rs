//! The event log by itself: is every position there?

use marquee_infra::event_log::LogInspector;

use super::{
    Progress,
    finding::{Findings, Kind},
    positions::{Positions, ranges},
    report::LookedAt,
};

const PAGE: u32 = 50_000;

/// Looks at positions `from..=to`; answers which there are.
pub async fn audit(
    log: &LogInspector,
    from: u64,
    to: u64,
    findings: &mut Findings,
    looked_at: &mut LookedAt,
    progress: &mut Progress,
) -> anyhow::Result<Positions> {
    let ends = log.ends().await?;
    if ends.head != ends.last {
        let detail = format!("the head row says {}, the last event is at {}", ends.head, ends.last);
        findings.add(Kind::LogHead, None, detail);
    }
    let mut present = Positions::up_to(to);
    progress.begin("event log", to.saturating_sub(from) + 1);
    let mut after = from - 1;
    loop {
        let page = log.positions(after, to, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = *last;
        looked_at.events += page.len() as u64;
        for position in &page {
            present.insert(*position);
        }
        progress.moved(page.len());
    }
    for missing in ranges(from, to, |position| !present.contains(position)) {
        findings.add_range(Kind::LogMissing, missing);
    }
    Ok(present)
}
