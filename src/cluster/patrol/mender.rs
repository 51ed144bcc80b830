//! Mends a batch of keys of one pair: the first steps of all in one exchange, the second ones in the next, and so on.

use super::catalogue::Key;
use super::repair::Turn;
use super::{Desk, Patrol};
use crate::clock::{self, Deadline};
use crate::cluster::copies::{Mend, Mended, Request, Side, Step, View};
use crate::cluster::courier::{Courier, Load, Pair, Parcels, Place, Stored, Want};
use crate::cluster::{ServerStat, news};
use crate::key::{Kind, Space};
use crate::wire::{Link, Reply};

/// The keys under way.
#[derive(Default)]
pub(super) struct Mender {
    pub turns: Vec<Turn>,
    jobs: Vec<Job>,
}

/// One key.
struct Job {
    turn: Turn,
    kind: Kind,
    table: usize,
    /// The one that the key is looked at under, though the table may be bumped meanwhile.
    generation: u64,
    key: Vec<u8>,
    /// Where all hosts look for changes of it.
    stripe: Option<u8>,
    mend: Mend,
    request: Request,
    parcels: Parcels,
    /// What the look found on either side, when it is to be copied.
    copies: [Option<(Vec<u8>, u32)>; 2],
    looked: bool,
    ended: Option<Mended>,
}

impl Patrol {
    /// Looks at the keys of `mender.turns`, does what has to be done, and tells the repair what came of it.
    pub(super) fn mend(&mut self, courier: &mut Courier, desk: &mut Desk, beat: usize) {
        let mut mender = std::mem::take(&mut self.mender);
        mender.jobs.clear();
        let pair = self.beats[beat].pair.clone();
        let view = self.shared.server_cell(pair.servers[0]).pair.view(pair.tag);
        let calm = self.beats[beat].repair.calm(&self.rules, clock::monotonic_ms());
        for turn in &mender.turns {
            let Some(key) = self.beats[beat].repair.key(turn.at) else { continue };
            let mut mend = Mend::new(view, turn.before, calm);
            let Step::Send(request) = mend.start(&self.scene(&pair)) else { continue };
            let generation = if key.kind == Kind::Entry { self.shared.generation(key.table) } else { 0 };
            let stripe = news::stripe(self.shared.table_at(key.table), key.kind, key.key);
            mender.jobs.push(Job::new(*turn, key, stripe, generation, mend, request));
        }
        while mender.jobs.iter().any(|job| job.ended.is_none()) {
            self.exchange(courier, desk, &pair, &mut mender.jobs);
        }
        let (mut seen, mut repaired, now_ms) = (View::default(), 0, clock::monotonic_ms());
        for job in &mender.jobs {
            seen.merge(&job.mend.view);
            if let Some(mended) = &job.ended {
                repaired += u64::from(self.beats[beat].repair.looked(job.turn, mended, &self.rules, now_ms));
            }
        }
        let home = self.shared.server_cell(pair.servers[0]);
        home.counts.add(ServerStat::Repaired as usize, repaired);
        home.pair.merge(pair.tag, &seen);
        mender.turns.clear();
        self.mender = mender;
    }

    /// One step of all keys that are not done.
    fn exchange(&self, courier: &mut Courier, desk: &mut Desk, pair: &Pair, jobs: &mut [Job]) {
        courier.begin();
        for job in jobs.iter_mut().filter(|job| job.ended.is_none()) {
            let stripe = job.stripe.filter(|_| job.mend.corrects());
            let place = Place { pair, space: self.space(job), key: &job.key, stripe };
            job.parcels = courier.pack(desk, &place, &job.request, &load(&job.copies), Want::Digest);
        }
        courier.send(desk, Deadline::after(self.budget()));
        let scene = self.scene(pair);
        for job in jobs.iter_mut().filter(|job| job.ended.is_none()) {
            let legs = courier.unpack(&desk.links, &job.parcels, &job.request, Want::Digest);
            match job.mend.next(&scene, &legs) {
                Step::Done(mended) => job.ended = Some(mended),
                Step::Send(request) => {
                    job.keep(&desk.links);
                    job.request = request;
                }
            }
        }
    }

    fn space(&self, job: &Job) -> Space<'_> {
        Space { kind: job.kind, table: &self.shared.table_at(job.table).name, generation: job.generation }
    }
}

impl Job {
    fn new(turn: Turn, key: Key<'_>, stripe: Option<u8>, generation: u64, mend: Mend, request: Request) -> Self {
        Self {
            turn,
            kind: key.kind,
            table: key.table,
            generation,
            key: key.key.to_vec(),
            stripe,
            mend,
            request,
            parcels: [None; 2],
            copies: [None, None],
            looked: false,
            ended: None,
        }
    }

    /// Keeps the items of the look, which the next request on their links wipes out.
    fn keep(&mut self, links: &[Link]) {
        if std::mem::replace(&mut self.looked, true) {
            return;
        }
        for side in Side::BOTH {
            let Some(parcel) = self.parcels[side as usize] else { continue };
            // The item is the first that a look asks for.
            if let Reply::Value { data, meta } = links[parcel.server].reply(parcel.at) {
                self.copies[side as usize] = Some((data.to_vec(), meta.flags));
            }
        }
    }
}

fn load(copies: &[Option<(Vec<u8>, u32)>; 2]) -> Load<'_> {
    fn stored((data, flags): &(Vec<u8>, u32)) -> Stored<'_> {
        Stored { parts: [data, b"", b""], flags: *flags }
    }
    Load { item: None, value: None, copies: copies.each_ref().map(|copy| copy.as_ref().map(stored)) }
}
