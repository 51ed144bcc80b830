//! The story: load on the farm, a fault, the fault made good, whole again, every key looked at on every host, the next one.

use super::calls::{Calls, Tally};
use super::farm::{Farm, HOSTS};
use super::faults::{Deck, Fault, Kind};
use super::history::Call;
use super::judge::{self, Rules, Verdict};
use super::ledger::{Key, Ledger, Table};
use super::outage::{self, Counts, Outage, too_long};
use super::report::{Report, line};
use super::requests::insist;
use super::stalls::Stalls;
use super::{DELTA, Plan, STOP, clients, now};
use crate::support::sip::Client;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// No fault may leave its traces longer; a home that often comes and goes is given back after a minute.
const WHOLE_WITHIN: Duration = Duration::from_secs(80);
/// Between looks at the hosts.
const LOOK: Duration = Duration::from_millis(15);
/// By then each host has polled all servers since.
const POLLED: Duration = Duration::from_micros(2 * DELTA);
/// Before the next fault, so that there is something to lose.
const CALM: Duration = Duration::from_millis(300);
/// So many failed calls on tables with two copies are told of each outage.
const SHOWN: usize = 20;
/// A key lives this many rounds.
const ROUNDS: usize = 4;

pub struct Campaign {
    plan: Plan,
    farm: Farm,
    ledger: Arc<Ledger>,
    client: Client,
    stalls: Stalls,
    report: Report,
    /// As they stood when the last round was over.
    counts: Counts,
    tally: Tally,
    /// When the list of servers was another one for a while, microseconds.
    changes: Vec<(u64, u64)>,
    /// Keys that were retired in the round before: nobody asks for them any more.
    retired: Vec<Key>,
}

/// Runs the plan to its end.
pub fn run(plan: Plan) -> Report {
    let farm = Farm::start(plan.copies);
    let ledger = Arc::new(Ledger::new());
    let (ports, start) = (farm.ports(), Instant::now());
    let (client, stalls, report) = (Client::new(), Stalls::watch(), Report::new(&plan));
    let (counts, tally, changes, retired) = Default::default();
    let mut campaign =
        Campaign { plan: plan.clone(), farm, ledger, client, stalls, report, counts, tally, changes, retired };
    campaign.wait_whole();
    campaign.counts = outage::counts(&campaign.farm);
    let clients = clients::start(&campaign.ledger, &ports, plan.seed);
    let calls = Calls::start(&ports, plan.rate);
    for (number, fault) in Deck::new(plan.seed, &plan.kinds).take(plan.rounds).enumerate() {
        if start.elapsed() >= plan.length || campaign.report.stuck || STOP.load(SeqCst) {
            break;
        }
        campaign.round(number, fault, &calls);
    }
    campaign.ledger.stop.store(true, SeqCst);
    clients.into_iter().for_each(|client| client.join().expect("a client"));
    campaign.report.requests = campaign.ledger.asked.load(SeqCst);
    let unanswered = campaign.ledger.unanswered.load(SeqCst);
    campaign.report.sip_in_all(calls.end(), unanswered);
    campaign.end(start)
}

impl Campaign {
    fn round(&mut self, number: usize, fault: Fault, calls: &Calls) {
        sleep(CALM);
        fault.begin(&mut self.farm, &self.ledger);
        let mut outage = Outage::new(fault);
        self.look_on(&mut outage);
        fault.end(&mut self.farm, &self.ledger);
        outage.ended = now();
        self.wait_whole();
        outage.whole = now();
        outage.paid = self.paid();
        self.survey();
        outage.closed = now();
        if fault.kind == Kind::Unlist {
            self.changes.push((outage.begun, outage.closed));
        }
        let tally = calls.tally();
        self.report.sip(&tally.since(&self.tally), self.plan.keeps && fault.kind != Kind::Unlist);
        self.tally = tally;
        self.close(outage);
        self.retire(number);
    }

    /// What was counted since the last round was over.
    fn paid(&mut self) -> Counts {
        let before = std::mem::replace(&mut self.counts, outage::counts(&self.farm));
        let since = |host: usize, server: usize| self.counts[host][server].since(before[host][server]);
        std::array::from_fn(|host| std::array::from_fn(|server| since(host, server)))
    }

    /// While the fault lasts: who notices when.
    fn look_on(&self, outage: &mut Outage) {
        let start = Instant::now();
        while start.elapsed() < outage.fault.lasts {
            for host in 0..HOSTS {
                let gone =
                    self.ledger.alive[host].load(SeqCst) && self.farm.uses(host, outage.fault.server) == Some(false);
                if gone && outage.noticed[host].is_none() {
                    outage.noticed[host] = Some(now());
                }
            }
            sleep(LOOK.min(outage.fault.lasts.saturating_sub(start.elapsed())));
        }
    }

    /// Until every host calls the farm whole, by what it polled after the fault.
    fn wait_whole(&mut self) {
        let start = Instant::now();
        sleep(POLLED);
        loop {
            let broken = (0..HOSTS).find_map(|host| self.farm.broken(host).map(|why| (host, why)));
            match broken {
                None => return,
                Some((host, why)) if start.elapsed() > WHOLE_WITHIN => {
                    self.report.stuck(host, &why);
                    return;
                }
                Some(_) => sleep(LOOK),
            }
        }
    }

    /// Every key in use, read on every host.
    fn survey(&self) {
        for (host, port) in self.farm.ports().into_iter().enumerate() {
            for key in self.ledger.keys() {
                self.ledger.write(insist(&self.client, (host, port), key));
            }
        }
    }

    /// Judges what belongs to the round as a whole: times.
    fn close(&mut self, mut outage: Outage) {
        let calls = std::mem::take(&mut self.ledger.book().round);
        let stalls = &self.stalls;
        outage.count(&calls, stalls);
        let long = calls.iter().map(|(_, call)| *call);
        let long: Vec<Call> = long.filter(|call| too_long(call, stalls.of(call))).collect();
        if self.plan.told {
            println!("{}", line(&outage));
            outage.refused.iter().take(SHOWN).for_each(|call| println!("  {}", outage.told(call)));
        }
        self.report.round(outage, &calls, &long);
    }

    /// A part of the keys give way to new ones; those of the round before are judged.
    fn retire(&mut self, number: usize) {
        for key in std::mem::take(&mut self.retired) {
            self.judge(key);
        }
        let old = self.ledger.keys().into_iter().filter(|key| key.slot % ROUNDS == number % ROUNDS);
        self.retired = old.inspect(|key| self.ledger.retire(*key)).collect();
    }

    fn judge(&mut self, key: Key) {
        let mut calls = self.ledger.book().keys.remove(&key).unwrap_or_default();
        calls.sort_by_key(|call| call.begun);
        // Where the list changes, keys move, and are missing at their new place.
        let moved = |(begun, ended): &(u64, u64)| {
            calls.first().is_some_and(|call| call.begun < *ended)
                && calls.last().is_some_and(|call| call.begun > *begun)
        };
        let two = Rules { keeps: self.plan.keeps && !self.changes.iter().any(moved), delta: DELTA };
        let Verdict { violations, late } = match key.table {
            Table::Values | Table::Tagged | Table::Near => judge::value(&calls, &two),
            Table::Sums => judge::counter(&calls, &two),
            Table::Single => judge::value(&calls, &Rules { keeps: false, ..two }),
        };
        self.report.late += late;
        self.report.key(key, &violations, &calls);
    }

    fn end(mut self, start: Instant) -> Report {
        self.survey();
        let keys: Vec<Key> = self.ledger.book().keys.keys().copied().collect();
        keys.into_iter().for_each(|key| self.judge(key));
        self.report.stall = self.stalls.longest(0);
        self.report.lasted = start.elapsed();
        self.report
    }
}
