//! One packet to one server: whether it may go out, until when it is waited for, and what its end says of the server.

use super::Farm;
use crate::cache::Fault;
use crate::clock::{self, Deadline};
use crate::cluster::{ServerStat, reason};
use crate::health::Seen;
use crate::key::WireKey;
use crate::wire::{self, Kind, Link, WireError};

/// How much of a call's time one of several legs may take.
const LEG_PERCENT: u64 = 40;

/// May a command run twice without harm?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    Harmless,
    Never,
}

impl Farm {
    /// Until when one of several legs of a call may take that ends at `last`; none goes out when that is over.
    pub fn leg_deadline(&mut self, last: Deadline) -> Result<Deadline, Fault> {
        self.leg_deadline_at(clock::monotonic_ns(), last)
    }

    /// The same for a leg that goes out at `now_ns`.
    pub fn leg_deadline_at(&mut self, now_ns: u64, last: Deadline) -> Result<Deadline, Fault> {
        if last.passed(now_ns) {
            return Err(Fault::Wire(Kind::Timeout.text()));
        }
        let share_ns = u64::from(self.shared.config().cmd_timeout_ms) * 1_000_000 * LEG_PERCENT / 100;
        self.refuse()?;
        let share = Deadline::at_ns(now_ns + share_ns);
        self.hurried = last < share;
        Ok(last.min(share))
    }

    /// No call goes out while most servers are down: then the fault is likely on this host's side.
    pub fn refuse(&self) -> Result<(), Fault> {
        if self.shared.mostly_down() { Err(Fault::MostDown) } else { Ok(()) }
    }

    /// The life of the server that its link was last made ready for.
    pub fn life(&self, server: usize) -> u32 {
        self.incarnations[server]
    }

    /// One packet to one server. A connection that died while it lay idle is replaced once, where that is harmless.
    pub fn send(
        &mut self,
        server: usize,
        deadline: Deadline,
        repeat: Repeat,
        fill: impl Fn(&mut Link, &WireKey, &WireKey),
    ) -> Result<(), Fault> {
        let mut tries = 0;
        loop {
            self.admit(server)?;
            let begun = self.prepare(server);
            fill(&mut self.links[server], &self.key, &self.record);
            wire::exchange(&mut self.links, &[server], deadline);
            let status = self.links[server].status();
            self.report(server, begun, status.err());
            match status {
                Ok(()) => return Ok(()),
                Err(error) if error.reused && repeat == Repeat::Harmless && tries == 0 => tries += 1,
                Err(error) => return Err(Fault::of_wire(error, repeat == Repeat::Harmless)),
            }
        }
    }

    /// May this server be asked?
    pub fn admit(&self, server: usize) -> Result<(), Fault> {
        self.refuse()?;
        if self.shared.server_up(server) { Ok(()) } else { Err(Fault::Down) }
    }

    /// Makes a link ready for a packet: a connection to an earlier life of the server is dropped. Returns that life's
    /// number, by which the server's health tells late news from new ones.
    pub fn prepare(&mut self, server: usize) -> u32 {
        let cell = self.shared.server_cell(server);
        let incarnation = cell.health.incarnation();
        let link = &mut self.links[server];
        if self.incarnations[server] != incarnation {
            self.incarnations[server] = incarnation;
            link.close();
            if let Some(address) = self.shared.address(server) {
                link.redirect(address);
            }
        }
        if !link.is_open() {
            cell.counts.add(ServerStat::Connects as usize, 1);
        }
        cell.counts.add(ServerStat::Requests as usize, 1);
        link.begin();
        incarnation
    }

    /// Tells the host what became of a packet that was begun in the server's life `begun`. An old connection that was
    /// found dead says nothing about the server of today.
    pub fn report(&mut self, server: usize, begun: u32, error: Option<WireError>) {
        let seen = match error {
            None => Seen::Ok,
            Some(error) if error.reused || error.kind == Kind::Rejected => return,
            // Nor is it to blame where the call had no time left for it.
            Some(error) if error.kind == Kind::Timeout && self.hurried => return,
            // What this process lacks (descriptors, ports) is not the server's fault.
            Some(error) if error.kind == Kind::Local => {
                self.count_server(server, ServerStat::Errors);
                return;
            }
            Some(error) if error.hard() => Seen::Hard(reason(error.kind)),
            Some(error) => Seen::Soft(reason(error.kind)),
        };
        let now_ms = if error.is_none() { self.now_ns / 1_000_000 } else { clock::monotonic_ms() };
        self.shared.observe(server, now_ms, begun, seen);
    }
}
