//! What the patrol has to tell: the operator and the script by events, the host's other processes by shared memory.

use super::{Beat, Patrol};
use crate::cluster::copies::{Full, Polled};
use crate::cluster::{Event, ServerStat, Torn};

/// Where both servers are in use, one late answer is no news: a pair is told of that was not whole for so long, milliseconds.
const LASTING_MS: u64 = 1_000;

/// Since when a pair is not whole.
#[derive(Debug, Default)]
pub(super) struct Trouble(Option<Since>);

#[derive(Debug)]
struct Since {
    at_ms: u64,
    /// Keys that had been repaired by then.
    repaired: u64,
    told: bool,
}

impl Trouble {
    /// The pair is not whole at `now_ms`: is that to be told? `lasting`: it will not be over in a moment.
    fn goes_on(&mut self, now_ms: u64, repaired: u64, lasting: bool) -> bool {
        let since = self.0.get_or_insert(Since { at_ms: now_ms, repaired, told: false });
        let news = !since.told && (lasting || now_ms >= since.at_ms + LASTING_MS);
        since.told |= news;
        news
    }

    /// It is whole: since when it was not, where that was told.
    fn ends(&mut self) -> Option<Since> {
        self.0.take().filter(|since| since.told)
    }
}

/// Why a pair of these servers is not whole; `up`: which of them this host uses.
fn why(servers: [usize; 2], up: [bool; 2], polled: &Polled) -> Torn {
    let first = |bad: &dyn Fn(usize) -> bool| (0..2).find(|side| bad(*side)).map(|side| servers[side]);
    let away = first(&|side| !up[side]).map(Torn::Away);
    let late = || first(&|side| !polled.reached[side] || polled.noted[side]).map(Torn::Late);
    away.or_else(late).unwrap_or_else(|| match polled.full.map(|full| full == Full::Yes) {
        [true, true] => Torn::Moved,
        [true, false] => Torn::Lacks(servers[1]),
        [false, true] => Torn::Lacks(servers[0]),
        [false, false] => Torn::Unknown,
    })
}

impl Patrol {
    /// Tells whether the copies of a pair are whole, as it was just polled.
    pub(super) fn tell(&mut self, at: usize, now_ms: u64) {
        let Beat { pair, polled, sweep, repair, trouble, .. } = &mut self.beats[at];
        let [home, partner] = pair.servers;
        let cell = self.shared.server_cell(home);
        let repaired = cell.counts.get(ServerStat::Repaired as usize);
        let whole = polled.whole && !sweep.due();
        cell.repair.tell(self.layout.version(), whole, repair.progress());
        if whole {
            if let Some(since) = trouble.ends() {
                let (after_ms, repaired) = (now_ms - since.at_ms, repaired.saturating_sub(since.repaired));
                self.news.push(Event::PairWhole { home, partner, after_ms, repaired });
            }
            return;
        }
        let why = why(pair.servers, pair.servers.map(|server| self.shared.server_up(server)), polled);
        let lasting = sweep.due() || matches!(why, Torn::Away(_));
        if trouble.goes_on(now_ms, repaired, lasting) {
            self.torn = true;
            self.news.push(Event::PairTorn { home, partner, why });
        }
    }

    /// After each round: are all copies whole again?
    pub(super) fn sum_up(&mut self) {
        let whole = self.shared.whole();
        if self.torn && whole == Some(true) {
            self.torn = false;
            self.news.push(Event::Whole);
        }
        if whole == Some(true) && !self.shared.config().has_mirrored() {
            // Nothing is left behind any more, and nothing else is to be watched.
            self.beats.clear();
        }
    }

    /// A server makes no lists: told once.
    pub(super) fn listless(&mut self, server: usize) {
        if !self.listless.contains(&server) {
            self.listless.push(server);
            self.news.push(Event::NoList { server });
        }
    }

    /// What happened since the last call.
    pub fn news(&mut self, news: &mut Vec<Event>) {
        news.append(&mut self.news);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_no_news_and_what_lasts_is_told_once() {
        for (lasting, told) in [(false, [false, false, true, false]), (true, [true, false, false, false])] {
            let mut trouble = Trouble::default();
            assert_eq!([0, 999, 1_000, 1_100].map(|after| trouble.goes_on(7 + after, 0, lasting)), told);
            assert!(trouble.ends().is_some_and(|since| since.at_ms == 7));
        }
        let mut trouble = Trouble::default();
        for now in [0, 5_000, 10_000] {
            assert!(!trouble.goes_on(now, 0, false) && !trouble.goes_on(now + 999, 0, false));
            assert!(trouble.ends().is_none(), "what was not told does not end");
        }
    }

    #[test]
    fn the_reason_is_the_gravest_one() {
        const WELL: Polled = Polled {
            reached: [true; 2],
            full: [Full::Yes; 2],
            whole: false,
            noted: [false; 2],
            ill: false,
            repairs: false,
            activated: [false; 2],
        };
        let late = Polled { reached: [true, false], full: [Full::No; 2], ..WELL };
        for (up, polled, want) in [
            ([true, false], late, Torn::Away(8)),
            ([true; 2], late, Torn::Late(8)),
            ([true; 2], Polled { noted: [true, false], ..WELL }, Torn::Late(5)),
            ([true; 2], Polled { full: [Full::Open(1), Full::Yes], ..WELL }, Torn::Lacks(5)),
            ([true; 2], Polled { full: [Full::Yes, Full::No], ..WELL }, Torn::Lacks(8)),
            ([true; 2], Polled { full: [Full::No; 2], ..WELL }, Torn::Unknown),
            ([true; 2], WELL, Torn::Moved),
        ] {
            assert_eq!(why([5, 8], up, &polled), want);
        }
    }
}
