//! Many keys in two copies: all their reads go in step, so that each step of all of them is one exchange.

use std::sync::atomic::Ordering::Relaxed;

use super::{Desk, Post, scene};
use crate::cache::Fault;
use crate::cache::batch::Batch;
use crate::cache::farm::{BUMPED, CHASES, Farm};
use crate::cache::token::Token;
use crate::clock::Deadline;
use crate::cluster::copies::{self, Legs, Outcome, Read, Request, Scene, Side, Step};
use crate::cluster::courier::{Load, Parcel, Parcels, Place, Want};
use crate::cluster::{Layout, ServerStat};
use crate::key::{Kind, Prefix, Space, behind_full_key};
use crate::wire::Reply;

/// So many reads are kept room for.
const KEPT: usize = 64;

/// The reads of one batch that are not over.
#[derive(Debug, Default)]
pub(crate) struct Reads(Vec<Task>);

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
}

impl Many<'_> {
    /// Reads all keys; what was found is in the batch.
    pub fn mget(mut self, batch: &mut Batch) {
        let mut reads = std::mem::take(&mut self.desk.reads);
        let read = self.read(batch, &mut reads.0);
        reads.0.clear();
        reads.0.shrink_to(KEPT);
        self.desk.reads = reads;
        if let Err(fault) = read {
            batch.refuse(self.keys.len(), fault);
        }
    }

    fn read(&mut self, batch: &mut Batch, tasks: &mut Vec<Task>) -> Result<(), Fault> {
        self.farm.refuse()?;
        let name = &self.farm.shared.config().tables[self.table].name;
        for _ in 0..CHASES {
            let generation = self.farm.shared.table_cell(self.table).generation.load(Relaxed);
            let space = Space { kind: Kind::Entry, table: name, generation };
            self.desk.expect(generation);
            self.plan(batch, tasks, Prefix::new(name, 0)?);
            while !tasks.is_empty() && !self.desk.bumped() {
                let sent = self.exchange(tasks, space, self.deadline);
                tasks.retain_mut(|task| self.goes_on(batch, task, sent));
            }
            if !self.desk.bumped() {
                return Ok(());
            }
        }
        Err(BUMPED)
    }

    /// What is kept near has to come with all that belongs to it.
    fn want(&self) -> Want {
        if self.farm.shared.config().tables[self.table].near { Want::All } else { Want::Value }
    }

    /// Begins a read for every key.
    fn plan(&mut self, batch: &mut Batch, tasks: &mut Vec<Task>, prefix: Prefix) {
        batch.clear();
        tasks.clear();
        let (layout, keys) = (self.layout, self.keys);
        layout.ring().homes(prefix.bytes(), keys, |at, home| {
            let pair = layout.pair(home).filter(|_| !keys[at].is_empty());
            batch.push(Err(if keys[at].is_empty() { Fault::EmptyKey } else { Fault::Down }));
            let Some(pair) = pair else { return };
            let mut read = Read::new(self.farm.shared.server_cell(home).pair.view(pair.tag));
            match read.start(&scene(self.farm, pair)) {
                Step::Send(request) => tasks.push(Task { at, home, read, request, parcels: Parcels::default() }),
                Step::Done(_) => batch.set(at, Err(Fault::Down)),
            }
        });
    }

    /// The next step of all reads; false when no time is left.
    fn exchange(&mut self, tasks: &mut [Task], space: Space<'_>, deadline: Deadline) -> bool {
        let deadline = match self.farm.leg_deadline(deadline) {
            Ok(deadline) => deadline,
            Err(fault) => {
                self.desk.failed(fault);
                return false;
            }
        };
        let want = self.want();
        let Desk { courier, notes, .. } = &mut *self.desk;
        let mut post = Post { farm: self.farm, notes, table: Some(self.table) };
        courier.begin();
        for task in tasks {
            let Some(pair) = self.layout.pair(task.home) else { continue };
            let place = Place { pair, space, key: self.keys[task.at], stripe: None };
            task.parcels = courier.pack(&mut post, &place, &task.request, &Load::default(), want);
        }
        courier.send(&mut post, deadline);
        true
    }

    /// One step of a read; true when there is another one.
    fn goes_on(&mut self, batch: &mut Batch, task: &mut Task, sent: bool) -> bool {
        let Some(pair) = self.layout.pair(task.home) else { return false };
        let mut legs = Legs::default();
        if sent {
            legs = self.desk.courier.unpack(&self.farm.links, &task.parcels, &task.request, self.want());
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
        let parcel = match outcome {
            Outcome::Found { side, .. } => task.parcels[side as usize],
            Outcome::Number(_) => self.desk.notes.counter,
            Outcome::Missing => None,
            _ => return batch.set(task.at, Err(self.desk.fault(scene))),
        };
        let _ = self.farm.set_key(self.table, self.keys[task.at]);
        let reply = parcel.map(|Parcel { server, at, .. }| self.farm.links[server].reply(at));
        let found = match reply {
            Some(Reply::Value { data, meta }) => {
                if self.want() == Want::All
                    && let Some(token) = token(task, outcome, meta.cas)
                {
                    batch.detail(task.at, meta.left(), token);
                }
                behind_full_key(&self.farm.key, data).map(|skip| (&data[skip..], meta.flags))
            }
            _ => None,
        };
        let stat = if found.is_some() { ServerStat::Hits } else { ServerStat::Misses };
        let server = parcel.map_or(answered, |parcel| parcel.server);
        self.farm.count_server(server, stat);
        self.farm.count_failover(self.table, task.home, server);
        batch.set(task.at, Ok(found));
    }
}

/// By what a value read may be replaced; `None` when the value is in doubt.
fn token(task: &Task, outcome: Outcome, cas: u64) -> Option<Token> {
    match outcome {
        Outcome::Found { side, verified: true } => {
            Some(Token::Two(copies::Token { side, mark: task.read.view.of(side), cas }))
        }
        Outcome::Number(_) => Some(Token::Unsettled),
        _ => None,
    }
}
