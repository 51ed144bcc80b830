//! The watcher's work on repairs between its polls, in small steps.

use super::lister::{Listed, Order, Unlisted};
use super::mender::Mender;
use super::repair::Pass;
use super::{Beat, Desk, Patrol, place};
use crate::clock::{self, Deadline};
use crate::cluster::copies::{Side, View};
use crate::cluster::courier::{Courier, Load, Want};

/// One step takes so long, milliseconds, and what the exchange under way then needs.
const STEP_MS: u64 = 5;
/// A server that cannot list its keys is asked again after so many milliseconds, and up to as many more.
const AGAIN_MS: u64 = 500;

impl Patrol {
    /// Goes on with what there is to repair.
    pub fn work(&mut self, courier: &mut Courier, desk: &mut Desk) {
        let until_ms = clock::monotonic_ms() + STEP_MS;
        self.take_lists();
        self.ask_for_lists();
        while (self.take_strays(desk) || self.mend_some(courier, desk)) && clock::monotonic_ms() < until_ms {}
    }

    fn take_lists(&mut self) {
        let Some(Listed { home, slice, outcome }) = self.lister.finished() else { return };
        let Some(beat) = self.beats.iter_mut().find(|beat| beat.pair.servers[0] == home) else { return };
        let now_ms = clock::monotonic_ms();
        match outcome {
            Ok(listing) => {
                if beat.repair.listed(slice, listing.keys, now_ms) {
                    beat.sweep.found(listing.strays, &self.rules, now_ms);
                }
            }
            Err(Unlisted::Busy) => beat.repair.unlisted(now_ms + AGAIN_MS + self.host % AGAIN_MS),
            Err(unlisted) => {
                beat.repair.unlisted(now_ms + 10 * AGAIN_MS);
                if let Unlisted::Disabled { server } = unlisted {
                    self.listless(server);
                }
            }
        }
    }

    fn ask_for_lists(&mut self) {
        if !self.lister.idle() {
            return;
        }
        let now_ms = clock::monotonic_ms();
        let wish = self.beats.iter_mut().find_map(|beat| Some((beat.repair.lists(now_ms)?, beat)));
        let Some((slice, Beat { pair, repair, .. })) = wish else { return };
        let order = Order { layout: self.layout.clone(), shared: self.shared, servers: pair.servers, slice };
        if !self.lister.start(order) {
            repair.unlisted(now_ms + AGAIN_MS);
        }
    }

    /// Looks at some keys of the next pair that has any; false when there is nothing to do now.
    fn mend_some(&mut self, courier: &mut Courier, desk: &mut Desk) -> bool {
        for _ in 0..self.beats.len() {
            self.next = (self.next + 1) % self.beats.len();
            let (at, now_ms) = (self.next, clock::monotonic_ms());
            let view = self.view(at);
            // Nothing can be stamped under marks that are not active.
            if !Side::BOTH.iter().all(|side| view.of(*side).active(&self.rules)) {
                continue;
            }
            let free = self.rate.free(now_ms);
            let Mender { turns, .. } = &mut self.mender;
            let fresh = self.beats[at].repair.batch(free, now_ms, turns);
            let some = !turns.is_empty();
            if some {
                self.rate.used(fresh);
                self.mend(courier, desk, at);
            }
            let (view, now_ms, beat) = (self.view(at), clock::monotonic_ms(), &mut self.beats[at]);
            if let Some(pass) = beat.repair.over(&view, beat.polled.whole, &self.rules, now_ms) {
                self.passed(courier, desk, at, &pass);
            }
            if some {
                return true;
            }
        }
        false
    }

    /// A pass is over: what it has shown is written down.
    fn passed(&mut self, courier: &mut Courier, desk: &mut Desk, beat: usize, pass: &Pass) {
        let Beat { pair, sweep, .. } = &self.beats[beat];
        if let Some(list) = sweep.proven(pass.began_ms, &self.rules).filter(|_| pass.calm) {
            self.note_swept(desk, pair, list);
        }
        if let Some(request) = &pass.declares {
            courier.begin();
            courier.pack(desk, &place(pair), request, &Load::default(), Want::Bare);
            courier.send(desk, Deadline::after(self.budget()));
        }
    }

    fn view(&self, beat: usize) -> View {
        let pair = &self.beats[beat].pair;
        self.shared.server_cell(pair.servers[0]).pair.view(pair.tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Shared;
    use crate::cluster::copies::{Polled, Rules};
    use crate::config::Config;
    use crate::near::children::Child;

    /// No process of this user gets another thread. True when that is so.
    fn without_threads() -> bool {
        let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: plain system calls; the raw one changes this thread alone, which is all that a child has.
        let limited = unsafe {
            libc::setrlimit(libc::RLIMIT_NPROC, &raw const none) == 0
                && (libc::geteuid() != 0 || libc::syscall(libc::SYS_setuid, 65_534) == 0)
        };
        limited && std::thread::Builder::new().spawn(|| {}).is_err()
    }

    /// A listing that has no thread: is it asked for again, and not at once?
    fn asks_again(shared: &'static Shared) -> bool {
        let mut patrol = Patrol::new(shared, Rules::ALL);
        patrol.follow(&shared.layout());
        let (rules, polled) = (patrol.rules, Polled { repairs: true, ..Polled::default() });
        patrol.beats[0].repair.polled(&polled, &View::default(), &rules, clock::monotonic_ms());
        patrol.ask_for_lists();
        let (repair, now_ms) = (&mut patrol.beats[0].repair, clock::monotonic_ms());
        repair.lists(now_ms).is_none() && repair.lists(now_ms + AGAIN_MS).is_some()
    }

    #[test]
    fn a_list_for_which_there_was_no_thread_is_asked_for_again() {
        let mut config = Config::default();
        (1..=2).for_each(|n| config.add_server(&format!("name=s{n};addr=127.0.0.1:{n}")).unwrap());
        config.add_table("t=>copies=2").unwrap();
        let shared = Shared::create(config).unwrap();
        let child = Child::fork(|| {
            if !(without_threads() && asks_again(shared)) {
                // Without a word, for which a child may have to wait for locks of its parent's other threads.
                std::panic::resume_unwind(Box::new(()));
            }
        });
        assert!(child.done());
    }
}
