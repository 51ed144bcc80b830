//! The watcher's part in [sweeps](super::sweep): the record that says a server is free of strays, and their end.

use super::sweep::{Ask, Stray};
use super::{Beat, Desk, Patrol};
use crate::clock::{self, Deadline};
use crate::cluster::ServerStat;
use crate::cluster::courier::Pair;
use crate::cluster::record::{key_ref, number};
use crate::key::WireKey;
use crate::wire::{self, Flags, KeyRef, Link, Reply};

/// So many strays go at a time.
const BATCH: usize = 100;

impl Beat {
    /// Adds this round's question to the home's packet: where its answer will be.
    pub(super) fn ask_about_strays(&self, link: &mut Link) -> Option<usize> {
        let asks = self.sweep.asks()?;
        let (key, at) = (record(&self.pair), link.commands());
        match asks {
            Ask::Forget => link.md(key_ref(&key), ""),
            Ask::Read => link.mg(key_ref(&key), "v"),
        }
        Some(at)
    }

    pub(super) fn hear_about_strays(&mut self, link: &Link, at: usize) {
        match (self.sweep.asks(), link.reply(at)) {
            _ if link.status().is_err() => {}
            (Some(Ask::Forget), Reply::Done(_) | Reply::NotFound) => self.sweep.forgotten(),
            (Some(Ask::Read), reply) => {
                if let Some(list) = number(&reply) {
                    self.sweep.read(list);
                }
            }
            _ => {}
        }
    }
}

impl Patrol {
    /// Takes some strays away; false when there are none, or not now.
    pub(super) fn take_strays(&mut self, desk: &mut Desk) -> bool {
        let now_ms = clock::monotonic_ms();
        let ready = |beat: &&mut Beat| beat.polled.repairs && !beat.sweep.is_empty();
        let Some(beat) = self.beats.iter_mut().find(ready) else { return false };
        let strays = beat.sweep.take(self.rate.free(now_ms).min(BATCH));
        self.rate.used(strays.len());
        let home = beat.pair.servers[0];
        if strays.is_empty() {
            return false;
        }
        let gone = delete(&mut desk.links, home, &strays, Deadline::after(self.budget()));
        self.shared.server_cell(home).counts.add(ServerStat::Strays as usize, gone);
        true
    }

    /// Writes down that the home of a pair is free of strays.
    pub(super) fn note_swept(&self, desk: &mut Desk, pair: &Pair, list: u64) {
        let text = list.to_string();
        let home = pair.servers[0];
        let link = &mut desk.links[home];
        link.begin();
        link.ms(key_ref(&record(pair)), &[text.as_bytes()], "");
        wire::exchange(&mut desk.links, &[home], Deadline::after(self.budget()));
    }
}

/// Deletes strays that are still what they were on the list; how many.
fn delete(links: &mut [Link], server: usize, strays: &[Stray], deadline: Deadline) -> u64 {
    let link = &mut links[server];
    link.begin();
    for stray in strays {
        let key = KeyRef { bytes: &stray.wire, base64: stray.base64 };
        link.md(key, &Flags::new("").with('C', stray.cas));
    }
    wire::exchange(links, &[server], deadline);
    (0..strays.len()).filter(|at| matches!(links[server].reply(*at), Reply::Done(_))).count() as u64
}

fn record(pair: &Pair) -> WireKey {
    WireKey::of_record("swept", "", pair.name.as_bytes())
}
