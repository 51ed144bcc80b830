//! Calls on tables with two copies: each runs its machine over both servers of the key's pair, one exchange after another.
//!
//! The machines of `cluster::copies` decide; here is what they need: packets on the wire within the deadline, what this
//! host knows of the pair's marks, and the table's generation. While the watcher's polls are too old to vouch for it, each packet
//! also reads its record, and a call that began under an old generation is begun again under the new one. What it stored under the old
//! one may have been read: then it does not end as if it had done nothing.

mod count;
mod desk;
mod entry;
mod lock;
mod many;

pub(crate) use desk::Desk;
pub(crate) use many::Many;

use super::farm::{BUMPED, CHASES, Farm, Held};
use super::goods::Goods;
use super::{Answer, Fault};
use crate::clock::{self, Deadline};
use crate::cluster::copies::{Commit, Count, Legs, Outcome, Read, Request, Rules, Scene, Side, Step, View, Write};
use crate::cluster::courier::{Load, Pair, Place, Stored, Want};
use crate::cluster::record::key_ref;
use crate::key::{Kind, Space, WireKey};
use desk::Post;

/// An operation on one key, step by step.
trait Machine {
    fn start(&mut self, scene: &Scene<'_>) -> Step<Outcome>;
    fn next(&mut self, scene: &Scene<'_>, legs: &Legs) -> Step<Outcome>;
    fn view(&self) -> &View;
}

macro_rules! machines {
    ($($machine:ident),*) => {$(
        impl Machine for $machine {
            fn start(&mut self, scene: &Scene<'_>) -> Step<Outcome> {
                $machine::start(self, scene)
            }

            fn next(&mut self, scene: &Scene<'_>, legs: &Legs) -> Step<Outcome> {
                $machine::next(self, scene, legs)
            }

            fn view(&self) -> &View {
                &self.view
            }
        }
    )*};
}

machines!(Read, Write, Commit, Count);

/// One call about one key.
pub(crate) struct Call<'a> {
    farm: &'a mut Farm,
    desk: &'a mut Desk,
    pair: &'a Pair,
    kind: Kind,
    table: usize,
    key: &'a [u8],
    deadline: Deadline,
    /// Taken by the first exchange: no time has passed by then.
    begun_ns: Option<u64>,
}

impl<'a> Call<'a> {
    /// `deadline`: as the farm gave it when the call began, before the key's pair was looked for.
    pub fn new(
        farm: &'a mut Farm,
        desk: &'a mut Desk,
        pair: &'a Pair,
        table: usize,
        key: &'a [u8],
        deadline: Deadline,
    ) -> Self {
        farm.at_home(pair.servers[0]);
        let begun_ns = Some(farm.now_ns());
        Self { farm, desk, pair, kind: Kind::Entry, table, key, deadline, begun_ns }
    }

    /// Runs a machine to its end.
    fn run<M: Machine>(&mut self, make: impl Fn(View) -> M, goods: Goods<'_>, want: Want) -> Result<Outcome, Fault> {
        self.farm.hold(Held::Nothing);
        self.farm.refuse()?;
        self.desk.notes.changed = false;
        for _ in 0..CHASES {
            // What an earlier attempt stored, others may have seen.
            let changed = self.desk.notes.changed;
            let known = self.farm.set_key(self.table, self.key)?;
            let generation = if self.kind == Kind::Entry { known } else { 0 };
            self.desk.expect(generation);
            let key = std::mem::take(&mut self.farm.key);
            let outcome = self.attempt(make(self.view()), &key, generation, goods, want);
            self.farm.key = key;
            match outcome {
                Some(Outcome::Unavailable | Outcome::Missing) if changed => return Err(Fault::Ambiguous),
                Some(Outcome::Unavailable) => return Err(self.desk.fault(&scene(self.farm, self.pair))),
                Some(Outcome::Ambiguous) => return Err(Fault::Ambiguous),
                Some(outcome) => return Ok(outcome),
                None => {}
            }
        }
        Err(if self.desk.notes.changed { Fault::Ambiguous } else { BUMPED })
    }

    /// `None` when the table was bumped meanwhile.
    fn attempt(
        &mut self,
        mut machine: impl Machine,
        key: &WireKey,
        generation: u64,
        goods: Goods<'_>,
        want: Want,
    ) -> Option<Outcome> {
        let mut length = [0; 4];
        let parts = goods.parts(key, &mut length);
        let item = (self.kind == Kind::Entry).then_some(key_ref(key));
        let load = Load { item, value: Some(Stored { parts, flags: goods.flags }), ..Load::default() };
        let space = Space { kind: self.kind, table: &self.farm.shared.table_at(self.table).name, generation };
        let place = Place { pair: self.pair, space, key: self.key, stripe: self.farm.news() };
        let mut step = machine.start(&scene(self.farm, self.pair));
        loop {
            let request = match &step {
                Step::Done(outcome) => {
                    self.desk.notes.view = *machine.view();
                    return Some(*outcome);
                }
                Step::Send(request) => request,
            };
            let legs = self.exchange(&place, request, &load, want);
            if self.desk.bumped() {
                return None;
            }
            step = machine.next(&scene(self.farm, self.pair), &legs);
            self.learn(machine.view());
        }
    }

    /// Runs a machine whose end is a yes or no.
    fn decide<M: Machine>(&mut self, make: impl Fn(View) -> M, goods: Goods<'_>) -> Answer {
        Ok(self.run(make, goods, Want::Digest)? == Outcome::Done)
    }

    fn exchange(&mut self, place: &Place<'_>, request: &Request, load: &Load<'_>, want: Want) -> Legs {
        let now_ns = self.begun_ns.take().unwrap_or_else(clock::monotonic_ns);
        let deadline = match self.farm.leg_deadline_at(now_ns, self.deadline) {
            Ok(deadline) => deadline,
            Err(fault) => {
                self.desk.failed(fault);
                return Legs::default();
            }
        };
        let table = (self.kind == Kind::Entry).then_some(self.table);
        let Desk { courier, notes, .. } = &mut *self.desk;
        let mut post = Post { farm: self.farm, notes, table };
        courier.begin();
        let parcels = courier.pack(&mut post, place, request, load, want);
        courier.send(&mut post, deadline);
        let legs = courier.unpack(&self.farm.links, &parcels, request, want);
        notes.take(request, parcels, &legs);
        if let Some(side) = Side::BOTH.into_iter().find(|side| legs.of(*side).answered()) {
            self.farm.answered(self.pair.servers[side as usize]);
        }
        legs
    }

    /// What this host knows of the pair.
    fn view(&self) -> View {
        self.farm.shared.server_cell(self.pair.servers[0]).pair.view(self.pair.tag)
    }

    fn learn(&self, view: &View) {
        self.farm.shared.server_cell(self.pair.servers[0]).pair.merge(self.pair.tag, view);
    }
}

/// What holds for the next exchange with a pair.
fn scene(farm: &Farm, pair: &Pair) -> Scene<'static> {
    farm.shared.pair_scene(&Rules::ALL, pair, farm.vouched(pair.servers[1]), farm.now_ms())
}
