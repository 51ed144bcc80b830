//! Many reads in one call: they all go in step, so that each step of all of them is one exchange.
//!
//! What has two copies takes the steps of its machine; what has one is [asked for](alone) in the first exchange, of whoever
//! serves it.

mod alone;

use super::{Desk, Post, scene};
use crate::cache::Fault;
use crate::cache::batch::{Batch, Detail};
use crate::cache::farm::{BUMPED, CHASES, Farm};
use crate::cache::token::Token;
use crate::clock::Deadline;
use crate::cluster::copies::{self, Legs, Outcome, Read, Request, Scene, Side, Step};
use crate::cluster::courier::{Load, Parcel, Parcels, Place, Want};
use crate::cluster::{Layout, ServerStat};
use crate::key::{Kind, Prefix, Space, behind_full_key};
use crate::wire::Reply;
use alone::Alone;

/// So many reads are kept room for.
const KEPT: usize = 64;

/// The reads of one batch that are not over.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    tasks: Vec<Task>,
    alone: Vec<Alone>,
}

impl Reads {
    fn clear(&mut self) {
        self.tasks.clear();
        self.alone.clear();
    }

    fn over(&self) -> bool {
        self.tasks.is_empty() && self.alone.is_empty()
    }
}

/// One key's read.
#[derive(Debug)]
struct Task {
    /// The key's place in the batch.
    at: usize,
    home: usize,
    read: Read,
    request: Request,
    parcels: Parcels,
}

/// A batch under way.
pub(crate) struct Many<'a> {
    pub farm: &'a mut Farm,
    pub desk: &'a mut Desk,
    pub layout: &'a Layout,
    /// As the farm gave it with that layout.
    pub deadline: Deadline,
    pub table: usize,
    pub keys: &'a [&'a [u8]],
    /// Tags whose records are read in the same exchanges: their answers follow those of the keys.
    pub tags: &'a [&'a [u8]],
    pub want: Want,
}

impl<'a> Many<'a> {
    /// Reads all keys and tags; what was found is in the batch.
    pub fn mget(mut self, batch: &mut Batch) {
        let mut reads = std::mem::take(&mut self.desk.reads);
        let read = self.read(batch, &mut reads);
        reads.clear();
        reads.tasks.shrink_to(KEPT);
        reads.alone.shrink_to(KEPT);
        self.desk.reads = reads;
        if let Err(fault) = read {
            batch.refuse(self.keys.len() + self.tags.len(), fault);
        }
    }

    fn read(&mut self, batch: &mut Batch, reads: &mut Reads) -> Result<(), Fault> {
        self.farm.refuse()?;
        for _ in 0..CHASES {
            let generation = self.farm.shared.generation(self.table);
            self.desk.expect(generation);
            self.plan(batch, reads)?;
            while !reads.over() && !self.desk.bumped() {
                let sent = self.exchange(reads, generation);
                self.take_alone(batch, &mut reads.alone, sent);
                reads.tasks.retain_mut(|task| self.goes_on(batch, task, sent.is_ok()));
            }
            if !self.desk.bumped() {
                return Ok(());
            }
        }
        Err(BUMPED)
    }

    /// The table and key of a read.
    fn of(&self, at: usize) -> (usize, &'a [u8]) {
        match at.checked_sub(self.keys.len()) {
            None => (self.table, self.keys[at]),
            Some(tag) => (self.farm.shared.tags(), self.tags[tag]),
        }
    }

    /// Only the table of the keys may have been bumped.
    fn space(&self, at: usize, generation: u64) -> Space<'static> {
        let (table, _) = self.of(at);
        let generation = if at < self.keys.len() { generation } else { 0 };
        Space { kind: Kind::Entry, table: &self.farm.shared.table_at(table).name, generation }
    }

    /// Begins a read for every key and tag.
    fn plan(&mut self, batch: &mut Batch, reads: &mut Reads) -> Result<(), Fault> {
        batch.clear();
        reads.clear();
        let shared = self.farm.shared;
        for (table, first, keys) in [(self.table, 0, self.keys), (shared.tags(), self.keys.len(), self.tags)] {
            let (layout, mirrored) = (self.layout, self.farm.mirrors(table));
            let prefix = Prefix::new(&shared.table_at(table).name, 0)?;
            layout.ring().homes(prefix.bytes(), keys, |nth, home| {
                let at = first + nth;
                if at < self.keys.len() {
                    self.farm.at_home(home);
                }
                batch.push(Err(if keys[nth].is_empty() { Fault::EmptyKey } else { Fault::Down }));
                match layout.pair(home).filter(|_| mirrored) {
                    _ if keys[nth].is_empty() => {}
                    None => reads.alone.push(Alone::new(at, home)),
                    Some(pair) => {
                        let mut read = Read::new(shared.server_cell(home).pair.view(pair.tag));
                        match read.start(&scene(self.farm, pair)) {
                            Step::Send(request) => {
                                reads.tasks.push(Task { at, home, read, request, parcels: Parcels::default() });
                            }
                            Step::Done(_) => batch.set(at, Err(Fault::Down)),
                        }
                    }
                }
            });
        }
        self.seat(batch, &mut reads.alone);
        Ok(())
    }

    /// The next step of all reads; nothing is sent when no time is left.
    fn exchange(&mut self, reads: &mut Reads, generation: u64) -> Result<(), Fault> {
        let deadline = self.farm.leg_deadline(self.deadline).inspect_err(|fault| self.desk.failed(*fault))?;
        self.desk.courier.begin();
        for task in &mut reads.tasks {
            let Some(pair) = self.layout.pair(task.home) else { continue };
            let (space, (_, key)) = (self.space(task.at, generation), self.of(task.at));
            let place = Place { pair, space, key, stripe: None };
            let Desk { courier, notes, .. } = &mut *self.desk;
            let mut post = Post { farm: self.farm, notes, table: Some(self.table) };
            task.parcels = courier.pack(&mut post, &place, &task.request, &Load::default(), self.want);
        }
        self.ask_alone(&mut reads.alone, generation);
        let Desk { courier, notes, .. } = &mut *self.desk;
        let mut post = Post { farm: self.farm, notes, table: Some(self.table) };
        courier.send(&mut post, deadline);
        Ok(())
    }

    /// One step of a read; true when there is another one.
    fn goes_on(&mut self, batch: &mut Batch, task: &mut Task, sent: bool) -> bool {
        let Some(pair) = self.layout.pair(task.home) else { return false };
        let mut legs = Legs::default();
        if sent {
            legs = self.desk.courier.unpack(&self.farm.links, &task.parcels, &task.request, self.want);
            self.desk.notes.take(&task.request, task.parcels, &legs);
        }
        let scene = scene(self.farm, pair);
        let step = task.read.next(&scene, &legs);
        self.farm.shared.server_cell(task.home).pair.merge(pair.tag, &task.read.view);
        match step {
            Step::Send(request) => {
                task.request = request;
                true
            }
            Step::Done(outcome) => {
                let answered = Side::BOTH.into_iter().find(|side| legs.of(*side).answered());
                let answered = answered.map_or(task.home, |side| pair.servers[side as usize]);
                self.done(batch, task, outcome, &scene, answered);
                false
            }
        }
    }

    fn done(&mut self, batch: &mut Batch, task: &Task, outcome: Outcome, scene: &Scene<'_>, answered: usize) {
        let at = task.at;
        let parcel = match outcome {
            Outcome::Found { side, .. } => task.parcels[side as usize],
            Outcome::Number(_) => self.desk.notes.counter,
            Outcome::Missing => None,
            _ => return batch.set(at, Err(self.desk.fault(scene))),
        };
        let (table, key) = self.of(at);
        let _ = self.farm.set_key(table, key);
        let reply = parcel.map(|Parcel { server, at, .. }| self.farm.links[server].reply(at));
        let found = match reply {
            Some(Reply::Value { data, meta }) => {
                if self.want == Want::All {
                    let (token, sure) = token(task, outcome, meta.cas);
                    batch.note(Detail { at, left: meta.left(), token, sure });
                }
                behind_full_key(&self.farm.key, data).map(|skip| (&data[skip..], meta.flags))
            }
            _ => None,
        };
        let server = parcel.map_or(answered, |parcel| parcel.server);
        self.count(at, task.home, server, found.is_some());
        batch.set(at, Ok(found));
    }

    /// Counts what a server said of a key.
    fn count(&self, at: usize, home: usize, server: usize, found: bool) {
        self.farm.count_server(server, if found { ServerStat::Hits } else { ServerStat::Misses });
        if at < self.keys.len() {
            self.farm.count_failover(self.table, home, server);
        }
    }
}

/// By what a value read may be replaced, and whether it is beyond doubt.
fn token(task: &Task, outcome: Outcome, cas: u64) -> (Token, bool) {
    match outcome {
        Outcome::Found { side, verified: true } => {
            (Token::Two(copies::Token { side, mark: task.read.view.of(side), cas }), true)
        }
        Outcome::Number(_) => (Token::Unsettled, true),
        _ => (Token::Unsettled, false),
    }
}
