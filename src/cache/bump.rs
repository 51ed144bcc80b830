//! A whole table made unreachable at once: its keys get a new generation.
//!
//! The generation is a number of seconds since 1970, never smaller than one that any reachable server or this host
//! knows. It is written to every server and then announced by moving each server's root counter, which the watchers
//! of all hosts poll; whoever finds a larger one takes it over, and the watchers write it back where it is missing.

use std::sync::atomic::Ordering::Relaxed;

use super::farm::Farm;
use super::{Answer, Fault};
use crate::clock::{self, Deadline};
use crate::cluster::record::{key_ref, number};
use crate::key::WireKey;
use crate::wire;

impl Farm {
    /// Acknowledged when every server in use has the new generation; `Down` when none has. Nothing is done while most
    /// servers are down.
    pub fn bump(&mut self, table: usize) -> Answer {
        let deadline = self.begin();
        let name = &self.shared.table_at(table).name;
        let (mut record, mut root) = (WireKey::new(), WireKey::new());
        record.record("gen", name, b"")?;
        root.record("root", "", b"")?;

        // Asking leaves time to tell, whatever hangs.
        let leg = self.leg_deadline(deadline)?;
        let asked = self.send_all(leg, |link| link.mg(key_ref(&record), "v"));
        let seen = asked.iter().filter_map(|server| number(&self.links[*server].reply(0))).max().unwrap_or(0);
        let known = &self.shared.table_cell(table).generation;
        let next = clock::wall_s().max(seen.max(known.load(Relaxed)) + 1);
        known.fetch_max(next, Relaxed);

        let (text, step) = (next.to_string(), root_step());
        let told = self.send_all(deadline, |link| {
            link.ms(key_ref(&record), &[text.as_bytes()], "T0");
            link.ma(key_ref(&root), &step);
        });
        if told.is_empty() { Err(Fault::Down) } else { Ok(true) }
    }

    /// The same packet to every server in use; returns those that answered all of it.
    fn send_all(&mut self, deadline: Deadline, fill: impl Fn(&mut wire::Link)) -> Vec<usize> {
        let servers = self.layout.servers().map(|(server, _)| server);
        let mut used: Vec<usize> = servers.filter(|server| self.shared.server_up(*server)).collect();
        for _ in 0..2 {
            let mut begun = Vec::with_capacity(used.len());
            for &server in &used {
                begun.push(self.prepare(server));
                fill(&mut self.links[server]);
            }
            wire::exchange(&mut self.links, &used, deadline);
            for (&server, &begun) in used.iter().zip(&begun) {
                let status = self.links[server].status();
                self.report(server, begun, status.err());
            }
            // A connection that died while it lay idle says nothing about the server: once more for all.
            if !used.iter().any(|server| self.links[*server].status().is_err_and(|error| error.reused)) {
                break;
            }
        }
        used.retain(|server| self.links[*server].status().is_ok());
        used
    }
}

/// Moves a server's root counter; one that was lost starts from the clock, so that it never repeats a number.
pub(crate) fn root_step() -> String {
    format!("N0 J{} D1", clock::wall_us())
}
