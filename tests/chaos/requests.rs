//! One operation as one SIP request, and the calls that its answer tells of.

use super::farm;
use super::history::{Act, Call, NEVER};
use super::ledger::{Key, Table};
use super::now;
use crate::support::sip::{Client, Reply, Request};
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

/// A worker that is still busy with a call by then has broken its promise long ago.
const LIMIT: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Operation {
    Get,
    Set,
    Delete,
    Add,
    Replace,
    Cas,
    Count,
    Many,
    /// A set, and a tag of its own for what it stored.
    Tag,
    /// Invalidates a tag that keys of several tables share: that of the keys, and the other one.
    Void,
    Untag,
}

/// What came of one request: calls on keys, or silence.
pub struct Answer {
    pub calls: Vec<(Key, Call)>,
    pub answered: bool,
}

/// Asks one host. `value` is what is written or added; `by_variable` uses `$shc` where it can.
pub fn ask(
    client: &Client,
    host: (usize, u16),
    operation: Operation,
    keys: &[Key],
    value: u64,
    by_variable: bool,
) -> Answer {
    let by_variable = by_variable && keys[0].table == Table::Values;
    let route = match operation {
        Operation::Get => ["get", "read"][usize::from(by_variable)],
        Operation::Set => ["set", "assign"][usize::from(by_variable)],
        Operation::Delete => ["rm", "clear"][usize::from(by_variable)],
        Operation::Add => "add",
        Operation::Replace => "replace",
        Operation::Cas => "cas",
        Operation::Count => "inc",
        Operation::Many => "mget",
        Operation::Tag => "tag",
        Operation::Void => "void",
        Operation::Untag => "untag",
    };
    let mut names: Vec<String> = keys.iter().map(Key::to_string).collect();
    names.dedup();
    let names = names.join(",");
    let text = value.to_string();
    let headers = [("X-T", keys[0].table.name()), ("X-K", &names), ("X-V", &text)];
    let begun = now();
    let reply = client.send(host.1, &Request { user: route, headers: &headers, limit: LIMIT, ..Request::default() });
    let blank =
        Call { act: Act::Get, host: host.0, value: None, number: None, begun, ended: NEVER, rc: None, error: "" };
    match reply {
        Some(reply) => Answer { calls: read(&reply, operation, keys, value, blank), answered: true },
        None => Answer { calls: lost(operation, keys, value, blank), answered: false },
    }
}

fn act(operation: Operation) -> Act {
    match operation {
        Operation::Get | Operation::Many => Act::Get,
        Operation::Set | Operation::Tag => Act::Set,
        Operation::Delete => Act::Delete,
        Operation::Void => Act::Void,
        Operation::Untag => Act::Untag,
        Operation::Add => Act::Add,
        Operation::Replace => Act::Replace,
        Operation::Cas => Act::Cas { seen: 0 },
        Operation::Count => Act::Count,
    }
}

/// Nobody knows what it did.
fn lost(operation: Operation, keys: &[Key], value: u64, blank: Call) -> Vec<(Key, Call)> {
    let writes = !matches!(operation, Operation::Get | Operation::Many);
    let removes = matches!(operation, Operation::Delete | Operation::Void | Operation::Untag);
    let call = Call { act: act(operation), value: (!removes).then_some(value), ..blank };
    keys.iter().filter(|_| writes).map(|key| (*key, call)).collect()
}

fn read(reply: &Reply, operation: Operation, keys: &[Key], value: u64, blank: Call) -> Vec<(Key, Call)> {
    let key = keys[0];
    let rc: i32 = reply.header("X-RC").parse().expect("X-RC");
    let out = reply.header("X-Out");
    let get = |at: &str, rc: i32, out: &str| {
        let found = (rc == 1).then(|| number(out));
        Call { value: found, number: found, rc: Some(rc), ..timed(reply.header(at), blank) }
    };
    let blank = Call { error: known(reply.header("X-Err")), ..blank };
    let write = |act: Act, value: Option<u64>| Call { act, value, rc: Some(rc), ..timed(reply.header("X-At"), blank) };
    match operation {
        Operation::Get => vec![(key, get("X-At", rc, out))],
        Operation::Set | Operation::Add | Operation::Replace => vec![(key, write(act(operation), Some(value)))],
        Operation::Delete | Operation::Void | Operation::Untag => {
            keys.iter().map(|key| (*key, write(act(operation), None))).collect()
        }
        Operation::Count => {
            let number = (rc == 1).then(|| number(out));
            vec![(key, Call { number, ..write(Act::Count, Some(value)) })]
        }
        Operation::Cas => {
            let found: i32 = reply.header("X-Found").parse().expect("X-Found");
            let first = get("X-Found-At", found, out);
            let cas = first.value.map(|seen| (key, write(Act::Cas { seen }, Some(value))));
            std::iter::once((key, first)).chain(cas).collect()
        }
        Operation::Tag => {
            let rc = reply.header("X-Set").parse().expect("X-Set");
            let blank = Call { error: known(reply.header("X-Set-Err")), ..blank };
            let set =
                Call { act: Act::Set, value: Some(value), rc: Some(rc), ..timed(reply.header("X-Set-At"), blank) };
            let tag = (rc == 1).then(|| (key, write(Act::Tag, Some(value))));
            std::iter::once((key, set)).chain(tag).collect()
        }
        // What is not found may be missing or out of reach: that is not told.
        Operation::Many => {
            let found = keys.iter().zip(reply.header("X-Many").split(' ')).filter(|(_, text)| *text != "<null>");
            found.map(|(key, text)| (*key, get("X-At", 1, text))).collect()
        }
    }
}

/// 0 is never written: whoever reads it, or what is no number, has read what nobody wrote.
fn number(text: &str) -> u64 {
    text.parse().unwrap_or(0)
}

/// The same text, kept for good: there are few.
fn known(text: &str) -> &'static str {
    static TEXTS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut texts = TEXTS.lock().expect("the texts");
    if let Some(known) = texts.get(text) {
        return known;
    }
    let text: &'static str = Box::leak(text.into());
    texts.insert(text);
    text
}

/// "seconds.micros seconds.micros"
fn timed(text: &str, blank: Call) -> Call {
    let micros = |text: &str| text.replace('.', "").parse::<u64>().unwrap_or_else(|_| panic!("no time: '{text}'"));
    let (begun, ended) = text.split_once(' ').unwrap_or_else(|| panic!("no times: '{text}'"));
    Call { begun: micros(begun), ended: micros(ended), ..blank }
}

/// Asks a host until it answers and the cache can be reached: for reads that must not be missing.
pub fn insist(client: &Client, host: (usize, u16), key: Key) -> Vec<(Key, Call)> {
    let mut all = Vec::new();
    for _ in 0..20 {
        let answer = ask(client, host, Operation::Get, &[key], 0, false);
        all.extend(answer.calls);
        if all.last().is_some_and(|(_, call)| call.done()) {
            return all;
        }
        std::thread::sleep(Duration::from_millis(farm::WORKERS as u64 * 10));
    }
    all
}
