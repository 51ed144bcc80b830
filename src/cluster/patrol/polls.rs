//! The polls of all pairs in one tick: their questions travel with the tick's own, their corrections in one packet per
//! server more, where there is any.

use super::{Desk, Patrol, place};
use crate::clock::{self, Deadline};
use crate::cluster::ServerStat;
use crate::cluster::copies::{Legs, Packet, Poll, Polled, Request, Side, Step, View};
use crate::cluster::courier::{Courier, Load, Parcels, Want};

/// The poll of one pair.
pub(super) struct Round {
    beat: usize,
    poll: Poll,
    request: Request,
    parcels: Parcels,
    /// Both servers were asked, but for those that are known to be down.
    full: bool,
    /// Where the home's answer about strays will be.
    strays: Option<usize>,
}

impl Patrol {
    /// Adds the pairs' questions to the packets of the servers `due`, which the courier has opened.
    pub fn ask(&mut self, courier: &mut Courier, desk: &mut Desk, due: &[usize]) {
        self.heed_other_lists();
        self.polls.clear();
        let now_ms = clock::monotonic_ms();
        let mut open = vec![false; desk.links.len()];
        due.iter().for_each(|server| open[*server] = true);
        for (at, beat) in self.beats.iter().enumerate() {
            let asked = beat.pair.servers.map(|server| open[server]);
            if asked == [false; 2] {
                continue;
            }
            let cell = |side: usize| self.shared.server_cell(beat.pair.servers[side]);
            let down = |side: usize| cell(side).health.health().failed();
            let view = cell(0).pair.view(beat.pair.tag);
            let mut poll = Poll::new(view, self.host, beat.pace.map(|pace| pace.allows(now_ms)));
            poll.used = beat.pair.servers.map(|server| self.shared.server_up(server));
            poll.renews = beat.polled.repairs.then_some(self.rules.lease_ttl);
            let Step::Send(mut request) = poll.start() else { continue };
            for side in Side::BOTH.into_iter().filter(|side| !asked[*side as usize]) {
                *request.on(side) = Packet::default();
            }
            let parcels = courier.pack(desk, &place(&beat.pair), &request, &Load::default(), Want::Bare);
            let full = (0..2).all(|side| asked[side] || down(side));
            let home = beat.pair.servers[0];
            let strays = if asked[0] { beat.ask_about_strays(&mut desk.links[home]) } else { None };
            self.polls.push(Round { beat: at, poll, request, parcels, full, strays });
        }
    }

    /// Takes the answers, and puts right what has to be put right, by `deadline`. While most of the pool is down the fault is likely
    /// on our side: then this host only listens.
    pub fn hear(&mut self, courier: &mut Courier, desk: &mut Desk, deadline: Deadline) {
        let mut polls = std::mem::take(&mut self.polls);
        let listens = self.shared.mostly_down();
        for round in &polls {
            let beat = &mut self.beats[round.beat];
            if let Some(at) = round.strays {
                beat.hear_about_strays(&desk.links[beat.pair.servers[0]], at);
            }
        }
        loop {
            polls.retain_mut(|round| {
                let legs = courier.unpack(&desk.links, &round.parcels, &round.request, Want::Bare);
                self.goes_on(round, &legs, listens)
            });
            if polls.is_empty() {
                break;
            }
            courier.begin();
            for round in &mut polls {
                let pair = &self.beats[round.beat].pair;
                round.parcels = courier.pack(desk, &place(pair), &round.request, &Load::default(), Want::Bare);
            }
            courier.send(desk, deadline);
        }
        self.polls = polls;
        self.sum_up();
    }

    /// One step of a poll; true when there is another one.
    fn goes_on(&mut self, round: &mut Round, legs: &Legs, listens: bool) -> bool {
        let pair = &self.beats[round.beat].pair;
        let step = if round.full && !listens {
            round.poll.next(&self.scene(pair), legs)
        } else {
            round.poll.learn(legs);
            Step::Done(Polled { ill: true, ..Polled::default() })
        };
        self.shared.server_cell(pair.servers[0]).pair.merge(pair.tag, &round.poll.view);
        match step {
            Step::Send(request) => round.request = request,
            Step::Done(polled) if round.full => self.polled(round.beat, &polled, &round.poll.view),
            Step::Done(_) => {}
        }
        matches!(step, Step::Send(_))
    }

    /// A pair was polled.
    fn polled(&mut self, at: usize, polled: &Polled, view: &View) {
        let now_ms = clock::monotonic_ms();
        let beat = &mut self.beats[at];
        for side in Side::BOTH.into_iter().filter(|side| polled.activated[*side as usize]) {
            beat.pace[side as usize].used(now_ms);
            let server = self.shared.server_cell(beat.pair.servers[side as usize]);
            server.counts.add(ServerStat::Activations as usize, u64::from(view.of(side).active(&self.rules)));
        }
        beat.polled = *polled;
        beat.sweep.compared(self.shared.lists_agree(), now_ms);
        let swept = !beat.sweep.due();
        // While the lists differ nothing would come of a pass for strays.
        let enough = polled.whole && (swept || !beat.sweep.settled(&self.rules, now_ms));
        beat.repair.polled(&Polled { whole: enough, ..*polled }, view, &self.rules, now_ms);
        self.tell(at, now_ms);
    }
}
