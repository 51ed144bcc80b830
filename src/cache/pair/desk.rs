//! What a worker keeps for its calls on pairs: the courier, and notes on the exchange under way.

use super::many::Reads;
use crate::cache::Fault;
use crate::cache::farm::Farm;
use crate::cache::token::Token;
use crate::cluster::copies::{Answer, Command, Fate, Legs, Request, Scene, Side, Slot, View};
use crate::cluster::courier::{Courier, Lines, Parcel, Parcels};
use crate::cluster::record::key_ref;
use crate::wire::Link;

/// The courier and its notes.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    pub courier: Courier,
    pub notes: Notes,
    /// Room for a value that is stored anew.
    pub data: Vec<u8>,
    pub reads: Reads,
}

/// What the exchanges of a call brought.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// The generation that the call goes by, and the newest that a server told of.
    generation: u64,
    newest: u64,
    /// Servers whose packet also reads the generation's record.
    unsure: Vec<bool>,
    /// Why a server did not answer.
    fault: Option<Fault>,
    /// What the call knew of the marks in the end.
    pub view: View,
    /// Something was deleted.
    pub deleted: bool,
    /// A packet went out that changes the entry.
    pub changed: bool,
    /// Where the last packets lie.
    pub parcels: Parcels,
    /// Where a counter was found in the last exchange: the home's, else the partner's.
    pub counter: Option<Parcel>,
    /// What was read may be old.
    pub doubt: bool,
    /// By what the value read last may be replaced; `None` = the call was not about a pair, or read nothing.
    token: Option<Token>,
}

impl Desk {
    /// Begins a call.
    pub fn begin(&mut self) {
        let notes = &mut self.notes;
        (notes.fault, notes.deleted, notes.token, notes.doubt) = (None, false, None, false);
    }

    /// Begins an attempt under this generation.
    pub fn expect(&mut self, generation: u64) {
        (self.notes.generation, self.notes.newest) = (generation, 0);
    }

    /// Has the table a newer generation than the one this attempt goes by?
    pub fn bumped(&self) -> bool {
        self.notes.newest > self.notes.generation
    }

    /// Notes why a packet did not go out.
    pub fn failed(&mut self, fault: Fault) {
        self.notes.fault = Some(fault);
    }

    /// Why nobody who knows could be asked.
    pub fn fault(&self, scene: &Scene<'_>) -> Fault {
        let unknown = if scene.up == [true; 2] { Fault::Unsettled } else { Fault::Down };
        self.notes.fault.unwrap_or(unknown)
    }

    pub fn token(&self) -> Option<Token> {
        self.notes.token
    }

    /// May what the call read be old?
    pub fn doubtful(&self) -> bool {
        self.notes.doubt
    }

    /// Keeps what the value just read may be replaced by.
    pub fn keep(&mut self, token: Token) {
        self.notes.token = Some(token);
    }
}

impl Notes {
    /// Notes what an exchange brought.
    pub fn take(&mut self, request: &Request, parcels: Parcels, legs: &Legs) {
        (self.parcels, self.counter) = (parcels, None);
        for side in Side::BOTH {
            let (Some(parcel), leg) = (parcels[side as usize], legs.of(side)) else { continue };
            for (nth, command) in request.of(side).commands().iter().enumerate().filter(|_| leg.answered()) {
                let counter = matches!(command, Command::Get { slot: Slot::Counter(_) });
                if counter && leg.answers[nth].counter().is_some() && self.counter.is_none() {
                    self.counter = Some(Parcel { at: parcel.at + nth, ..parcel });
                }
                self.deleted |= leg.answers[nth] == Answer::Deleted;
            }
            if leg.fate != Fate::Unsent {
                self.changed |= request.of(side).commands().iter().any(Command::changes);
            }
        }
    }
}

/// The farm's links as the courier uses them.
pub(crate) struct Post<'a> {
    pub farm: &'a mut Farm,
    pub notes: &'a mut Notes,
    /// The table whose generation the packets go by; `None` = by none.
    pub table: Option<usize>,
}

impl Lines for Post<'_> {
    fn links(&mut self) -> &mut [Link] {
        &mut self.farm.links
    }

    fn open(&mut self, server: usize) {
        self.farm.prepare(server);
        let unsure = self.table.filter(|_| !self.farm.vouched(server));
        if self.notes.unsure.len() <= server {
            self.notes.unsure.resize(server + 1, false);
        }
        self.notes.unsure[server] = unsure.is_some();
        if let Some(table) = unsure {
            let _ = self.farm.record.record("gen", &self.farm.shared.table_at(table).name, b"");
            self.farm.links[server].mg(key_ref(&self.farm.record), "v");
        }
    }

    fn over(&mut self, server: usize) {
        let error = self.farm.links[server].status().err();
        self.farm.report(server, self.farm.life(server), error);
        if let Some(error) = error {
            self.notes.fault = Some(Fault::Wire(error.kind.text()));
            return;
        }
        if let Some(table) = self.table.filter(|_| self.notes.unsure[server]) {
            match self.farm.learn(table, &self.farm.links[server].reply(0)) {
                Ok(told) => self.notes.newest = self.notes.newest.max(told),
                Err(fault) => self.notes.fault = Some(fault),
            }
        }
    }
}
