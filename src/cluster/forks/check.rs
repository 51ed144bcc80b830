//! What must hold when all processes are dead.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use super::{Ledger, Row, SERVERS, STRIPE, TAGS, first_address, mark_of, sound};
use crate::clock;
use crate::cluster::copies::{Mark, View};
use crate::cluster::{ServerStat, Shared, TableStat};
use crate::health::{Poll, Reason, Seen, State};
use crate::near::children::until;

/// Nobody works, `killed` died: everything on the board is something that somebody meant, and can be moved on.
pub(super) fn check(shared: &Shared, ledger: &Ledger, killed: u64) {
    let newest = |of: fn(&Row) -> &AtomicU64| ledger.0.iter().map(|row| of(row).load(SeqCst)).max().unwrap_or(0);
    let sum = |of: fn(&Row) -> &AtomicU64| ledger.0.iter().map(|row| of(row).load(SeqCst)).sum::<u64>();
    for (what, count, counted) in [
        ("sets", shared.table_count(0, TableStat::Sets), sum(|row| &row.counted)),
        ("near hits", shared.table_count(0, TableStat::NearHits), sum(|row| &row.near)),
        ("voids", shared.versions().stamp(0, STRIPE), sum(|row| &row.voided)),
    ] {
        assert!((counted..=counted + killed).contains(&count), "{what}: {count}, not {counted} to {killed} more");
    }
    assert!(shared.table_cell(0).generation.load(SeqCst) >= newest(|row| &row.generation));
    check_seat(shared, newest(|row| &row.seat));
    check_marks(shared, newest);
    for server in 0..SERVERS {
        let before = shared.server_count(server, ServerStat::Trips);
        check_server(shared, server);
        assert!(shared.server_count(server, ServerStat::Trips) > before);
    }
    assert!(!shared.mostly_down(), "all servers are up: {:?}", shared.servers_down());
}

/// The seat known is the newest, and the next one is taken over.
fn check_seat(shared: &Shared, newest: u64) {
    let cell = &shared.server_cell(0).seat;
    let now = cell.get();
    assert!(now.0 >= newest, "{now:?} is older than {newest}");
    cell.read(now.next(), clock::monotonic_ms());
    assert_eq!(cell.look(clock::monotonic_ms(), 60_000), (now.next(), true));
    shared.versions().polled(0, clock::monotonic_ms());
    assert!(shared.versions().fresh(0, clock::monotonic_ms(), 60_000));
}

/// The marks known are the newest of the pair that was named last; the next partner starts anew.
fn check_marks(shared: &Shared, newest: impl Fn(fn(&Row) -> &AtomicU64) -> u64) {
    let cell = &shared.server_cell(0).pair;
    for (pair, tag) in TAGS.into_iter().enumerate() {
        let View { home, partner } = cell.view(tag);
        assert!(mark_of(home, pair) && mark_of(partner, pair), "{home:?} {partner:?} of pair {pair}");
    }
    let next = 1_000_000 + newest(|row| &row.marks[0]).max(newest(|row| &row.marks[1]));
    for (pair, tag) in TAGS.into_iter().enumerate() {
        let view = View { home: Mark(next), partner: Mark(next) };
        cell.merge(tag, &view);
        assert_eq!(cell.view(tag), view, "pair {pair}");
    }
    cell.merge(1, &View { home: Mark(1), partner: Mark(1) });
    assert_eq!(cell.view(TAGS[1]), View::default());
}

/// It is in a state that can be left: down by one hard failure, up again by probes, known by a new address.
fn check_server(shared: &Shared, server: usize) {
    let cell = shared.server_cell(server);
    assert!(cell.address.get().is_none_or(|found| sound(server, found)), "{:?}", cell.address.get());
    cell.address.set(first_address(server));
    assert_eq!(cell.address.get(), Some(first_address(server)));
    shared.set_drained(server, false);
    let probe = |poll| shared.probed(server, cell.health.incarnation(), poll, 0);
    let good = || {
        until(|| {
            probe(Poll::Known);
            cell.health.state() == State::Up
        })
    };
    good();
    shared.observe(server, clock::monotonic_ms(), cell.health.incarnation(), Seen::Hard(Reason::Refused));
    assert_eq!((shared.server_up(server), cell.health.state()), (false, State::Down));
    assert_eq!(shared.server_view(server).last_error, Reason::Refused.text());
    good();
    assert!(shared.server_up(server));
}
