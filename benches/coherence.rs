//! How long after an acknowledged change on one host another host's near cache still tells the old value: real servers,
//! two hosts, one that changes and one that reads without a pause, in health and while servers freeze, die or are cut off.
//!
//! Run with `cargo bench --bench coherence`; `BENCH_STATE=10` makes each state last 10 seconds.

mod curves;
#[path = "../tests/support/mod.rs"]
mod support;

use curves::{Curve, Panel};
use std::time::Duration;
use support::races::{self, DELTA, Fault, Pace};

const PAUSE: Duration = Duration::from_millis(5);
/// Seconds that each state lasts.
const STATE: u64 = 5;

const CASES: [(&str, Fault); 4] = [
    ("all well", Fault::None),
    ("servers freeze, die, restart", Fault::Servers),
    ("the reader is cut off", Fault::ReaderCutOff),
    ("the writer is cut off", Fault::WriterCutOff),
];

fn main() {
    let state = std::env::var("BENCH_STATE").ok().and_then(|text| text.parse().ok()).unwrap_or(STATE);
    let pace = Pace { state: Duration::from_secs(state), pause: PAUSE };
    println!("\n## The last old answer on another host, ms after the change\n\nPromised: {} ms\n", DELTA.as_millis());
    println!(
        "| case                         | copies | changes |    reads | near, % |  50 % |  99 % | 99.9 % |  last |"
    );
    println!(
        "|:-----------------------------|-------:|--------:|---------:|--------:|------:|------:|-------:|------:|"
    );
    let panels = CASES.map(|(name, fault)| panel(name, fault, pace));
    curves::publish(&panels, "coherence.svg");
}

fn panel(title: &'static str, fault: Fault, pace: Pace) -> Panel {
    let mut curves = Vec::new();
    races::run(fault, pace, |_, outcome| {
        let (copies, name) = [(1, "one copy"), (2, "two copies")][curves.len()];
        let near = 100.0 * outcome.near as f64 / outcome.reads as f64;
        let mut late = outcome.late;
        late.sort_unstable();
        let [half, most, nearly, last] = [0.5, 0.99, 0.999, 1.0].map(|part| millis(quantile(&late, part)));
        println!(
            "| {title:28} | {copies:6} | {:7} | {:8} | {near:7.2} | {half:5.1} | {most:5.1} | {nearly:6.1} | {last:5.1} |",
            late.len(),
            outcome.reads,
        );
        assert!(last <= millis(DELTA), "{title}: an old value {last} ms after the change");
        let points = (0..=1000).map(|part| f64::from(part) / 1000.0);
        let points = points.map(|part| (millis(quantile(&late, part)).max(1.0), part * 100.0)).collect();
        curves.push(Curve { name, points });
    });
    Panel { title, curves, top: 100.0 }
}

/// The value under which `part` of the sorted ones lie.
fn quantile(sorted: &[Duration], part: f64) -> Duration {
    let last = sorted.len() - 1;
    sorted[(last as f64 * part).round() as usize]
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
