//! Real processes on one board, each killed at any instruction while the others work: what is left is valid, and nobody waits.

mod check;

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use super::copies::{Mark, View};
use super::count::Lane;
use super::seats::Seat;
use super::{Shared, TableStat};
use crate::clock;
use crate::config::Config;
use crate::health::{Poll, Reason, Seen};
use crate::near::Region;
use crate::near::children::{Child, until};
use check::check;

const SERVERS: usize = 3;
const ROLES: [fn(&Host, &mut Dice); 5] = [Host::worker, Host::worker, Host::watcher, Host::resolver, Host::operator];
const ROUNDS: u64 = 40;
/// A pair, and the one that its home forms with another partner.
const TAGS: [u32; 2] = [7, 9];
const STRIPE: u8 = 200;
const REASONS: [Reason; 3] = [Reason::Timeout, Reason::Reset, Reason::Refused];

/// What the processes write down besides the board, each in its own row.
#[derive(Debug, Default)]
#[repr(C)]
struct Ledger([Row; ROLES.len()]);

#[derive(Debug, Default)]
#[repr(C)]
struct Row {
    /// Rounds of its work.
    turns: AtomicU64,
    /// Additions to the counter that are done.
    counted: AtomicU64,
    /// The newest generation that it made known.
    generation: AtomicU64,
    /// The newest mark that it made known for each tag.
    marks: [AtomicU64; TAGS.len()],
    /// The newest seat that it made known.
    seat: AtomicU64,
    /// Times that it made a stripe's near entries void.
    voided: AtomicU64,
    /// Near hits that it counted.
    near: AtomicU64,
}

/// A stream of numbers that its seed decides.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// One process's view of the board and of its row.
struct Host {
    shared: &'static Shared,
    ledger: &'static Ledger,
    row: usize,
    lane: Lane,
}

impl Host {
    fn new(shared: &'static Shared, ledger: &'static Ledger, row: usize) -> Self {
        Self { shared, ledger, row, lane: shared.lane() }
    }

    fn hammer(&self, seed: u64) -> ! {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        loop {
            ROLES[self.row](self, &mut dice);
            self.mine().turns.fetch_add(1, SeqCst);
        }
    }

    fn mine(&self) -> &Row {
        &self.ledger.0[self.row]
    }

    fn worker(&self, dice: &mut Dice) {
        let server = dice.roll(SERVERS as u64) as usize;
        let cell = self.shared.server_cell(server);
        let begun = cell.health.incarnation();
        let seen = match dice.roll(16) {
            0 => Seen::Hard(Reason::Reset),
            1..4 => Seen::Soft(Reason::Timeout),
            _ => Seen::Ok,
        };
        self.shared.observe(server, clock::monotonic_ms(), begun, seen);
        self.shared.table_cell(0).counts.add(TableStat::Sets as usize, 1);
        self.mine().counted.fetch_add(1, SeqCst);
        assert!(cell.address.get().is_none_or(|found| sound(server, found)), "a torn address");
        self.learn_generation();
        self.learn_mark(dice.roll(TAGS.len() as u64) as usize);
        self.learn_seat();
        self.shared.versions().raise(0, STRIPE);
        self.mine().voided.fetch_add(1, SeqCst);
        self.shared.table_cell(0).near.add(self.lane, TableStat::NearHits);
        self.mine().near.fetch_add(1, SeqCst);
    }

    fn watcher(&self, dice: &mut Dice) {
        let server = dice.roll(SERVERS as u64) as usize;
        let cell = self.shared.server_cell(server);
        if dice.roll(8) == 0 {
            cell.health.restarted();
        }
        let poll = match dice.roll(8) {
            0 => Poll::Failed(Reason::Refused),
            1 => Poll::Pending,
            _ => Poll::Known,
        };
        self.shared.probed(server, cell.health.incarnation(), poll, dice.0 as u32);
        self.learn_generation();
        self.learn_seat();
        self.shared.versions().polled(server, clock::monotonic_ms());
        self.shared.recount();
    }

    /// The part of the watcher that looks names up; no other process sets addresses.
    fn resolver(&self, dice: &mut Dice) {
        self.shared.server_cell(dice.roll(SERVERS as u64) as usize).address.set(address(dice.roll(1 << 32)));
    }

    fn operator(&self, dice: &mut Dice) {
        let server = dice.roll(SERVERS as u64) as usize;
        self.shared.set_drained(server, dice.roll(4) == 0);
        let view = self.shared.server_view(server);
        assert!(view.last_error.is_empty() || REASONS.iter().any(|reason| reason.text() == view.last_error));
    }

    /// Each process has generations and marks of its own, told by what is left when they are divided.
    fn learn_generation(&self) {
        let next = self.mine().generation.load(SeqCst) + ROLES.len() as u64;
        let next = next - next % ROLES.len() as u64 + self.row as u64;
        let cell = &self.shared.table_cell(0).generation;
        let before = cell.fetch_max(next, SeqCst);
        assert!(cell.load(SeqCst) >= before.max(next), "a generation fell back");
        self.mine().generation.store(next, SeqCst);
    }

    fn learn_seat(&self) {
        let cell = &self.shared.server_cell(0).seat;
        let next = Seat(cell.get().0.max(self.mine().seat.load(SeqCst)) + 1);
        cell.read(next, clock::monotonic_ms());
        assert!(cell.get() >= next, "a seat fell back");
        self.mine().seat.store(next.0, SeqCst);
    }

    /// The home has two partners by turns: what is known of one is never taken for the other's.
    fn learn_mark(&self, pair: usize) {
        let (cell, tag) = (&self.shared.server_cell(0).pair, TAGS[pair]);
        let newest = &self.mine().marks[pair];
        let next = newest.load(SeqCst) + TAGS.len() as u64;
        let next = next - next % TAGS.len() as u64 + pair as u64;
        cell.merge(tag, &View { home: Mark(next), partner: Mark(next) });
        newest.store(next, SeqCst);
        let View { home, partner } = cell.view(tag);
        assert!([home, partner].iter().all(|mark| mark_of(*mark, pair)), "a mark of another pair");
    }
}

fn mark_of(mark: Mark, pair: usize) -> bool {
    mark == Mark::UNKNOWN || mark.0 % TAGS.len() as u64 == pair as u64
}

/// An address whose parts belong together.
fn address(number: u64) -> SocketAddr {
    let port = (number % 60_000) as u16 + 1;
    let word = u128::from(port) << 64 | u128::from(port);
    SocketAddr::new(IpAddr::V6(Ipv6Addr::from_bits(word << 8 | 1 << 127)), port)
}

fn first_address(server: usize) -> SocketAddr {
    SocketAddr::new(IpAddr::from([10, 0, 0, 1]), 11211 + server as u16)
}

fn sound(server: usize, found: SocketAddr) -> bool {
    found == first_address(server) || found == address(u64::from(found.port() - 1))
}

fn shared() -> &'static Shared {
    let mut config = Config { soft_failures: 2, ..Config::default() };
    for server in 0..SERVERS {
        config.add_server(&format!("name=s{server};addr={}", first_address(server))).unwrap();
    }
    config.add_table("t=>").unwrap();
    Shared::create(config).unwrap()
}

fn ledger() -> &'static Ledger {
    let region = Box::leak(Box::new(Region::anonymous(size_of::<Ledger>()).unwrap()));
    // SAFETY: the region is zeroed, page-aligned, large enough and never unmapped; a ledger is made of atomics only.
    unsafe { region.start().cast().as_ref() }
}

#[test]
fn the_board_survives_processes_killed_at_any_instruction() {
    let (shared, ledger) = (shared(), ledger());
    let mut dice = Dice(4711);
    for round in 0..ROUNDS {
        let begin =
            |row| Child::fork(|| Host::new(shared, ledger, row).hammer(round * ROLES.len() as u64 + row as u64));
        let mut crew: Vec<(usize, Child)> = (0..ROLES.len()).map(|row| (row, begin(row))).collect();
        while !crew.is_empty() {
            all_move(ledger, &crew);
            let moment = Instant::now() + Duration::from_micros(dice.roll(300));
            let (row, victim) = crew.swap_remove(dice.roll(crew.len() as u64) as usize);
            while Instant::now() < moment {
                std::hint::spin_loop();
            }
            assert!(victim.kill(), "the process of row {row} met something unsound");
        }
        check(shared, ledger, (round + 1) * ROLES.len() as u64);
    }
}

/// Waits until each of them went on with its work.
fn all_move(ledger: &Ledger, crew: &[(usize, Child)]) {
    let turns = |row: usize| ledger.0[row].turns.load(SeqCst);
    let before: Vec<u64> = crew.iter().map(|(row, _)| turns(*row)).collect();
    let moved = |row: usize, before: u64| turns(row) > before + 5;
    until(|| crew.iter().zip(&before).all(|((row, child), n)| moved(*row, *n) || child.has(libc::WEXITED)));
}
