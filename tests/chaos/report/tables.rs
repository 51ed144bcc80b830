//! The report as text: Markdown that reads well on a terminal too, and JSON.

use super::Report;
use crate::chaos::faults::Kind;
use crate::chaos::outage::{Failed, Outage};
use crate::chaos::{CMD_TIMEOUT_MS, PROBE_INTERVAL_MS};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const KINDS: [&str; 11] = [
    "fault",
    "times",
    "noticed",
    "two copies fail until",
    "failed + later",
    "one copy fails until",
    "failed + later",
    "whole again",
    "deadlines",
    "in a row",
    "longest",
];

impl Report {
    pub fn markdown(&self) -> String {
        let mut text = format!(
            "# Chaos, seed {}\n\n{} faults in {} seconds; copies={}, cmd_timeout {CMD_TIMEOUT_MS} ms, probe_interval \
             {PROBE_INTERVAL_MS} ms.\n\n",
            self.seed,
            self.outages.len(),
            self.lasted.as_secs(),
            self.copies
        );
        text += &table(&["what", "count"], &self.totals());
        text += "\nMedian / worst of each kind of fault, milliseconds:\n\n";
        text += &table(&KINDS, &self.kinds());
        text
    }

    fn totals(&self) -> Vec<Vec<String>> {
        let operations =
            self.calls.iter().map(|(name, count)| format!("{count} {name}")).collect::<Vec<_>>().join(", ");
        let answers =
            self.sip.answers.iter().map(|(answer, count)| format!("{count} with {answer}")).collect::<Vec<_>>();
        let one_fault = self.broken.iter().filter(|broken| !self.apart(broken)).count();
        let other = one_fault - ["P1", "P2", "P3", "P4"].map(|what| self.count(what)).iter().sum::<usize>();
        let medians = format!("{}, {}", median(&self.gets[0]), median(&self.gets[1]));
        let rows = [
            ("plain SIP calls", format!("{}: {}", self.sip.begun, answers.join(", "))),
            ("requests with one operation", self.requests.to_string()),
            ("operations", operations),
            ("keys that lost a write", self.count("P1:").to_string()),
            ("keys with an older value", (self.count("P1/P2") + self.count("P2")).to_string()),
            ("counters that lost", self.count("P3: an acknowledged").to_string()),
            ("counters that counted twice", self.count("P3: an increment").to_string()),
            ("calls that took too long, outages that cost too many deadlines", self.count("P4").to_string()),
            ("other wrong answers, silence, not whole", other.to_string()),
            ("rounds with a second fault by the machine", self.second_faults().to_string()),
            ("broken in these", (self.broken.len() - one_fault).to_string()),
            ("ambiguous (-3)", self.ambiguous.to_string()),
            ("unavailable (-2)", self.unavailable.to_string()),
            ("unanswered writes seen after later ones", self.late.to_string()),
            ("median get, us: in health, while a server is out of use", medians),
            ("longest call, ms", ms(self.longest)),
            ("calls above cmd_timeout + 1 ms", self.above.to_string()),
            ("longest stall of the machine, ms", ms(self.stall)),
        ];
        rows.map(|(what, count)| vec![what.to_string(), count]).to_vec()
    }

    fn by_kind(&self) -> BTreeMap<Kind, Vec<&Outage>> {
        self.outages.iter().fold(BTreeMap::new(), |mut kinds, outage| {
            kinds.entry(outage.fault.kind).or_insert_with(Vec::new).push(outage);
            kinds
        })
    }

    fn kinds(&self) -> Vec<Vec<String>> {
        let row = |(kind, outages): (Kind, Vec<&Outage>)| {
            let each = |number: fn(&Outage) -> u64| outages.iter().map(|outage| number(outage)).collect::<Vec<_>>();
            let noticed = outages.iter().flat_map(|o| o.noticed.iter().flatten().map(|at| at - o.begun)).collect();
            let worst = |number: fn(&Outage) -> u64| each(number).into_iter().max().unwrap_or(0);
            vec![
                format!("{kind:?}"),
                outages.len().to_string(),
                spread(noticed),
                spread(each(|o| o.failed[0].until)),
                failed(&outages, 0),
                spread(each(|o| o.failed[1].until)),
                failed(&outages, 1),
                spread(each(|o| o.whole - o.ended)),
                worst(|o| o.deadlines().into_iter().max().unwrap_or(0)).to_string(),
                worst(|o| o.waits.iter().map(|waits| waits.series).max().unwrap_or(0) as u64).to_string(),
                ms(worst(|o| o.longest)),
            ]
        };
        self.by_kind().into_iter().map(row).collect()
    }

    pub fn json(&self) -> Value {
        let failures = |failed: &Failed| json!({"failed": failed.during, "failed_later": failed.later, "fail_until_us": failed.until});
        let outage = |outage: &Outage| {
            json!({
                "fault": outage.fault.to_string(),
                "kind": format!("{:?}", outage.fault.kind),
                "noticed_us": outage.noticed.map(|at| at.map(|at| at - outage.begun)),
                "whole_again_us": outage.whole - outage.ended,
                "calls": outage.calls,
                "two_copies": failures(&outage.failed[0]),
                "one_copy": failures(&outage.failed[1]),
                "deadlines": outage.paid.map(|servers| servers.map(|paid| paid.timeouts)),
                "trips": outage.paid.map(|servers| servers.map(|paid| paid.trips)),
                "deadlines_in_a_row": outage.waits.map(|waits| waits.series),
                "second_fault": outage.second(),
                "longest_us": outage.longest,
                "longest_stall_us": outage.stall,
            })
        };
        let texts = |apart: bool| {
            let texts = self.broken.iter().filter(|broken| self.apart(broken) == apart).map(|broken| &broken.text);
            texts.collect::<Vec<_>>()
        };
        json!({
            "seed": self.seed,
            "copies": self.copies,
            "seconds": self.lasted.as_secs(),
            "totals": self.totals(),
            "broken": texts(false),
            "broken_in_rounds_with_a_second_fault": texts(true),
            "outages": self.outages.iter().map(outage).collect::<Vec<_>>(),
        })
    }
}

/// One outage in a line, as it is over.
pub fn line(outage: &Outage) -> String {
    let failed = outage.failed.map(|f| format!("{} until {} ms and {} later", f.during, ms(f.until), f.later));
    let noticed = outage.noticed.map(|at| at.map_or("-".into(), |at| ms(at.saturating_sub(outage.begun))));
    let second = outage.second().map_or(String::new(), |told| format!("; a second fault by the machine: {told}"));
    format!(
        "{}: noticed after {} ms; {} calls, failed with two copies {}, with one {}; deadlines {} ({} in a row), \
         longest {} ms, stalls up to {} ms, whole {} ms after its end{second}",
        outage.fault,
        noticed.join("/"),
        outage.calls,
        failed[0],
        failed[1],
        outage.deadlines().map(|paid| paid.to_string()).join("/"),
        outage.waits.map(|waits| waits.series.to_string()).join("/"),
        ms(outage.longest),
        ms(outage.stall),
        ms(outage.whole - outage.ended)
    )
}

fn ms(micros: u64) -> String {
    format!("{:.1}", micros as f64 / 1e3)
}

fn median(times: &[u64]) -> String {
    let mut times = times.to_vec();
    times.sort_unstable();
    times.get(times.len() / 2).map_or("-".into(), u64::to_string)
}

/// Calls that failed in all outages of a kind: "during + later".
fn failed(outages: &[&Outage], copies: usize) -> String {
    let sum = |number: fn(&Failed) -> usize| outages.iter().map(|o| number(&o.failed[copies])).sum::<usize>();
    format!("{} + {}", sum(|f| f.during), sum(|f| f.later))
}

/// "median / worst", or "-" when there is none.
fn spread(mut times: Vec<u64>) -> String {
    times.sort_unstable();
    times.last().map_or("-".into(), |worst| format!("{} / {}", ms(times[times.len() / 2]), ms(*worst)))
}

/// A Markdown table with even columns.
fn table(titles: &[&str], rows: &[Vec<String>]) -> String {
    let titles: Vec<String> = titles.iter().map(|title| title.to_string()).collect();
    let width = |column: usize| rows.iter().chain([&titles]).map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..titles.len()).map(width).collect();
    let line = |row: &[String]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
    };
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    line(&titles) + &line(&rule) + &rows.iter().map(|row| line(row)).collect::<String>()
}
