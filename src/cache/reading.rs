//! What a read means where the entry is more than a plain value, and what read-through needs of the cache.

use super::{Answer, Ask, Back, Cache, Fault, Hold, Last, Mode, Verdict, on_back};
use crate::cluster::TableStat;
use crate::lookup::Seen;
use crate::value::frame::{Item, Kept, Row, Tagged, Wire};
use crate::value::{Value, framed};

/// An entry of the worker's own, shown in place of what the store holds.
#[derive(Debug, Default)]
pub(super) struct Own {
    used: bool,
    /// Nothing is shown.
    empty: bool,
    kept: Kept,
}

impl Own {
    pub fn used(&self) -> bool {
        self.used
    }

    pub fn drop(&mut self) {
        self.used = false;
    }

    pub fn wire(&self) -> Option<Wire<'_>> {
        if self.empty { None } else { Some(self.kept.wire()) }
    }

    fn keep(&mut self, wire: Option<Wire<'_>>) {
        (self.used, self.empty) = (true, wire.is_none());
        if let Some(wire) = wire {
            self.kept.keep(wire);
        }
    }
}

impl Cache {
    /// As `settle`, after a read: marks that read-through left are no values.
    #[inline(always)]
    pub(super) fn settle_read(&mut self, table: usize, answer: Answer) -> Verdict {
        self.own.drop();
        if let (Back::Servers(servers), Ok(there)) = (&self.back, answer)
            && servers.told_near()
            && (!there || self.shared.table_at(table).stale == 0)
        {
            let rc = if there { Verdict::Done } else { Verdict::Missing };
            self.last = Last::new(rc, None, "");
            return rc;
        }
        self.settle_brought(table, answer)
    }

    /// The same where there may be more to be said of what was read.
    #[inline(never)]
    fn settle_brought(&mut self, table: usize, answer: Answer) -> Verdict {
        let frame = if answer == Ok(true) { self.wire().filter(|wire| framed(wire.flags)) } else { None };
        let negative = frame.is_some_and(Wire::negative);
        let hidden = frame.is_some_and(|frame| frame.shown().is_none());
        let rc = match hidden {
            true if negative => {
                self.settle(table, answer, TableStat::Hits);
                self.tally(table, TableStat::NegHits);
                self.last.rc = Verdict::Missing;
                Verdict::Missing
            }
            true => self.settle(table, Ok(false), TableStat::Hits),
            false => self.settle(table, answer, TableStat::Hits),
        };
        if rc == Verdict::Done && self.past_its_time(table) {
            self.last.stale = true;
            self.tally(table, TableStat::Stale);
        }
        rc
    }

    /// Notes the token of the entry read last, for a [`cas`](Self::cas) in the same `scope`, and its age.
    pub(crate) fn remember(&mut self, table: usize, key: &[u8], scope: u64) {
        if !self.own.used() {
            let (hold, ttl) = (self.hold(), on_back!(self, back => back.left()));
            self.tokens.keep(scope, table, key, hold);
            self.last.age = self.age(table, ttl);
        }
    }

    fn past_its_time(&mut self, table: usize) -> bool {
        let stale = self.shared.table_at(table).stale;
        stale > 0 && (1..=stale).contains(&self.left()) && !on_back!(self, back => back.stands_in())
    }

    /// Counts what happened in read-through.
    pub(crate) fn tally(&self, table: usize, stat: TableStat) {
        self.shared.table_cell(table).counts.add(stat as usize, 1);
    }

    /// Reads an entry as it is, whatever it means; `near`: from this host's own memory, if it is there. Nothing else is
    /// counted; [`wire`](Self::wire) holds it.
    pub(crate) fn see(&mut self, table: usize, key: &[u8], near: bool) -> Result<Option<Seen<Hold>>, Fault> {
        self.own.drop();
        let found = match near {
            true => on_back!(self, back => back.get(table, key, Ask::All)),
            false => on_back!(self, back => back.fetch(table, key, Ask::All)),
        };
        if !found? {
            return Ok(None);
        }
        let (left, token) = (self.left(), self.hold());
        Ok(Some(Seen { token, left, stands_in: on_back!(self, back => back.stands_in()) }))
    }

    /// By what the entry just read may be replaced.
    pub(super) fn hold(&mut self) -> Hold {
        on_back!(self, back => Hold { token: back.token(), tag: back.entry().map_or(0, Tagged::number) })
    }

    /// The last entry read, as it is.
    pub(crate) fn wire(&self) -> Option<Wire<'_>> {
        match (&self.own, &self.back) {
            (own, _) if own.used() => own.wire(),
            (_, Back::Servers(back)) => back.wire(),
            (_, Back::Local(back)) => back.wire(),
        }
    }

    /// Stores an entry as it is, for `ttl` seconds (0 = for ever), where nothing is, or over what was read. Nothing is counted.
    pub(crate) fn place(&mut self, over: Option<Hold>, table: usize, key: &[u8], wire: Wire<'_>, ttl: u32) -> Answer {
        match over {
            None => self.store(Mode::Add, table, key, wire, ttl, 0),
            Some(Hold { token, tag }) => self.store(Mode::Cas(token), table, key, wire, ttl, tag),
        }
    }

    /// What a lookup gives besides its verdict: the value of a "no" too.
    #[must_use]
    pub fn told(&self) -> Option<Value<'_>> {
        match self.wire() {
            None => self.value(),
            Some(wire) => Item::from_wire(wire)?.told(),
        }
    }

    /// Does the entry read last say that there is nothing, and not nothing at all?
    pub(crate) fn says_no(&self) -> bool {
        self.wire().is_some_and(Wire::negative)
    }

    /// The entry read last, if it is a row.
    #[must_use]
    pub fn row(&self) -> Option<Row<'_>> {
        self.wire()?.row()
    }

    /// Ends a lookup with what was read last.
    pub(crate) fn conclude_found(&mut self, table: usize, stale: bool) -> Verdict {
        let negative = self.says_no();
        self.concluded(table, negative, stale)
    }

    /// Ends a lookup with an entry from elsewhere.
    pub(crate) fn conclude_with(&mut self, table: usize, wire: Wire<'_>, stale: bool) -> Verdict {
        self.own.keep(Some(wire));
        let negative = wire.negative();
        self.concluded(table, negative, stale)
    }

    fn concluded(&mut self, table: usize, negative: bool, stale: bool) -> Verdict {
        if self.own.used() || !on_back!(self, back => back.counted()) {
            self.tally(table, TableStat::Hits);
        }
        let rc = if negative { Verdict::Missing } else { Verdict::Done };
        if negative {
            self.tally(table, TableStat::NegHits);
        }
        self.note(rc, "");
        if stale {
            self.last.stale = true;
            self.tally(table, TableStat::Stale);
        }
        rc
    }

    /// Ends a lookup without an entry.
    pub(crate) fn conclude_without(&mut self, table: usize, rc: Verdict, err: &'static str) -> Verdict {
        self.own.keep(None);
        if rc == Verdict::Unavailable {
            self.tally(table, TableStat::Unavailable);
        }
        self.note(rc, err);
        rc
    }

    fn note(&mut self, rc: Verdict, err: &'static str) {
        self.last = Last::new(rc, on_back!(self, back => back.asked()), err);
    }
}
