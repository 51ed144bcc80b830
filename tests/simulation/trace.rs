//! Packets as lines of text.

use shardcache::cluster::copies::{Answer, Command, Side};

use super::server::Place;
use super::value::show;

pub fn packet(
    host: usize,
    server: usize,
    side: Side,
    place: Place,
    value: u64,
    done: &[(&Command, &Answer)],
) -> String {
    let mut text = format!("  K{host} at mc{server} ({side:?} of {}.{}):", place.pair, place.key);
    for (command, answer) in done {
        let command = match command {
            Command::Get { slot } => format!("get {slot:?}"),
            Command::Touch { slot, ttl } => format!("touch {slot:?} {ttl}"),
            Command::Prolong { slot, ttl } => format!("prolong {slot:?} {ttl}"),
            Command::Set { slot, mode, stamp, body, ttl } => {
                format!("set {slot:?} {mode:?} {body:?}={} stamp={stamp} ttl={ttl}", show(value))
            }
            Command::Delete { slot, cas } => format!("delete {slot:?} {cas:?}"),
            Command::Count { slot, delta, down, init, .. } => format!("count {slot:?} {delta} {down} init={init:?}"),
        };
        let answer = match answer {
            Answer::Hit(hit) => format!("{} stamp={} cas={}", show(hit.digest), hit.stamp, hit.cas),
            other => format!("{other:?}"),
        };
        text.push_str(&format!(" [{command} -> {answer}]"));
    }
    text
}
