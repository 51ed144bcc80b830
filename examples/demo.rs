//! `make demo`: two Kamailio hosts and three memcached servers on this machine, a database, and real SIP calls.
//!
//! Runs cfg-examples/ipauth.cfg without a cache, with one in each host and with the shared one, deletes an entry from outside,
//! kills a server in the middle of the calls, puts one line in the place of twelve, lets triggers say what changed, and checks every claim that it prints: the
//! exit code says whether all of them hold.
//! Every process is ended and every file removed, also after a failure or Ctrl-C.

#[path = "demo/account.rs"]
mod account;
#[path = "demo/calls.rs"]
mod calls;
#[path = "demo/counts.rs"]
mod counts;
#[path = "demo/database.rs"]
mod database;
#[path = "demo/farm.rs"]
mod farm;
#[path = "demo/invalidation.rs"]
mod invalidation;
#[path = "demo/lookups.rs"]
mod lookups;
#[path = "demo/outage.rs"]
mod outage;
#[path = "../tests/support/mod.rs"]
mod support;
#[path = "demo/triggers.rs"]
mod triggers;

use account::{Account, grouped};
use farm::Farm;
use std::error::Error;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// What goes wrong on the way ends the demo with one sentence.
type Outcome<T> = Result<T, Box<dyn Error>>;

static STOP: AtomicBool = AtomicBool::new(false);

fn main() -> ExitCode {
    let on_signal: extern "C" fn(libc::c_int) = stop;
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: the handler only stores into an atomic, which is async-signal-safe.
        unsafe { libc::signal(signal, on_signal as libc::sighandler_t) };
    }
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("\ndemo: {error}");
            ExitCode::FAILURE
        }
    }
}

extern "C" fn stop(_signal: libc::c_int) {
    STOP.store(true, Ordering::Relaxed);
}

/// To be asked in every loop that waits.
fn go_on() -> Outcome<()> {
    if STOP.load(Ordering::Relaxed) { Err("interrupted, everything is being ended".into()) } else { Ok(()) }
}

fn run() -> Outcome<bool> {
    let start = Instant::now();
    let mut account = Account::new();
    account.title("shardcache: two Kamailio hosts share one cache on three memcached servers");
    let mut farm = Farm::new()?;
    account.text(&format!(
        "{} subscribers in SQLite, {} of them in the group \"ipauth\"; the routing script is cfg-examples/ipauth.cfg.",
        grouped(farm.database.users() as u64),
        grouped(farm.database.members() as u64)
    ));
    account.text("A call goes through if is_user_in(\"From\", \"ipauth\") says yes, otherwise it is refused with 403.");

    let without = lookups::without_cache(&mut farm, &mut account)?;
    let per_host = lookups::per_host(&mut farm, &mut account)?;
    let shared = lookups::shared(&mut farm, &mut account, without)?;
    invalidation::run(&mut farm, &mut account)?;
    outage::run(&mut farm, &mut account)?;
    let one_line = lookups::one_line(&mut farm, &mut account)?;
    triggers::run(&mut farm, &mut account)?;
    account.heading("What it was for: SQL queries");
    let forms = [("no cache", without), ("$sht per host", per_host), ("$shc", shared), ("shc_cached_route", one_line)];
    lookups::account_of_queries(&account, &forms);
    let left = farm.end();
    account.heading("Afterwards");
    account.check(left.is_empty(), format!("every process is ended, every file removed {}", left.join(" ")).trim_end());
    Ok(account.summary(start.elapsed()))
}
