//! `make chaos SEED=1 MINUTES=30`: three memcached servers and two Kamailio hosts under load, one fault after the other, and a
//! judge who holds every answer against the promises. The report goes to the terminal and to bench-out; the exit code
//! says whether all were kept.

#[path = "../tests/chaos/mod.rs"]
#[allow(dead_code)]
mod chaos;
#[path = "../tests/support/mod.rs"]
mod support;

use chaos::{Plan, campaign, faults::Kind, report::Outcome};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::time::Duration;

fn main() -> ExitCode {
    let on_signal: extern "C" fn(libc::c_int) = stop;
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: the handler only stores into an atomic, which is async-signal-safe.
        unsafe { libc::signal(signal, on_signal as libc::sighandler_t) };
    }
    let length = Duration::from_secs(60 * number("MINUTES", 30));
    let copies = number("COPIES", 2) as u8;
    let (seed, rounds, rate) = (number("SEED", 0), usize::MAX, 40);
    let plan = Plan { seed, length, rounds, kinds: kinds(), copies, keeps: copies > 1, rate, told: true };
    let report = campaign::run(plan);
    let text = report.markdown();
    println!("\n{text}");
    std::fs::create_dir_all("bench-out").expect("bench-out");
    std::fs::write("bench-out/chaos.md", text).expect("the report");
    std::fs::write("bench-out/chaos.json", format!("{:#}\n", report.json())).expect("the report");
    for broken in &report.broken {
        println!("{}{}", if report.apart(broken) { "with a second fault by the machine: " } else { "" }, broken.text);
    }
    let (text, code) = match report.outcome() {
        Outcome::Kept => ("every promise was kept while one thing failed at a time", 0),
        Outcome::Broken => ("BROKEN", 1),
        Outcome::Void => ("VOID: in too many rounds the machine added a second fault", 2),
    };
    println!("{text}");
    ExitCode::from(code)
}

/// The report is of what was done until then.
extern "C" fn stop(_signal: libc::c_int) {
    chaos::STOP.store(true, Ordering::Relaxed);
}

/// From the environment.
fn number(name: &str, otherwise: u64) -> u64 {
    let text = std::env::var(name).unwrap_or_default();
    if text.is_empty() { otherwise } else { text.parse().unwrap_or_else(|_| panic!("{name}: expected a number")) }
}

/// `FAULTS="KillEmpty,CutOne"`, or all.
fn kinds() -> Vec<Kind> {
    let text = std::env::var("FAULTS").unwrap_or_default();
    let named = |name: &str| Kind::ALL.into_iter().find(|kind| format!("{kind:?}") == name);
    let kind = |name: &str| named(name).unwrap_or_else(|| panic!("FAULTS: expected some of {:?}", Kind::ALL));
    if text.is_empty() { Kind::ALL.to_vec() } else { text.split(',').map(kind).collect() }
}
