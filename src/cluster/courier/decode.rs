//! The servers' replies as answers to abstract commands.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::Want;
use crate::cluster::copies::{Answer, Command, Fate, Hit, Leg, Packet, Slot};
use crate::cluster::record::decimal;
use crate::value::STAMP_AT;
use crate::wire::{Link, Meta, Reply};

/// The answers of a link whose exchange went well, from reply `at` on. A get that the server did not clearly answer leaves
/// the whole leg in doubt.
pub(super) fn leg(link: &Link, at: usize, packet: &Packet, want: Want, leg: &mut Leg) {
    leg.fate = Fate::Answered;
    for (nth, (command, answer)) in packet.commands().iter().zip(&mut leg.answers).enumerate() {
        match read(command, &link.reply(at + nth), want) {
            Some(read) => *answer = read,
            None => leg.fate = Fate::Lost,
        }
    }
}

fn read(command: &Command, reply: &Reply<'_>, want: Want) -> Option<Answer> {
    Some(match (command, reply) {
        (_, Reply::Nothing) => return None,
        (Command::Get { slot } | Command::Touch { slot, .. }, Reply::Value { data, meta }) => {
            Answer::Hit(hit(*slot, data, meta, want))
        }
        (Command::Get { slot } | Command::Touch { slot, .. }, Reply::Done(meta)) => {
            Answer::Hit(hit(*slot, b"", meta, Want::Bare))
        }
        (Command::Get { .. } | Command::Touch { .. }, Reply::Miss) => Answer::Miss,
        (Command::Get { .. } | Command::Touch { .. }, _) => return None,
        (Command::Set { .. }, Reply::Done(meta)) => Answer::Stored(meta.cas),
        (Command::Delete { .. }, Reply::Done(_)) => Answer::Deleted,
        (Command::Count { .. } | Command::Prolong { .. }, Reply::Value { data, meta }) => {
            decimal(data).map_or(Answer::Refused, |value| Answer::Number { value, cas: meta.cas })
        }
        (_, Reply::NotStored) => Answer::NotStored,
        (_, Reply::Exists) => Answer::Differs,
        (_, Reply::NotFound) => Answer::NotFound,
        _ => Answer::Refused,
    })
}

fn hit(slot: Slot, data: &[u8], meta: &Meta, want: Want) -> Hit {
    Hit {
        stamp: (meta.flags >> STAMP_AT) as u16,
        cas: meta.cas,
        ttl: u32::try_from(meta.ttl).ok(),
        digest: if want == Want::Digest { digest(data, meta.flags) } else { 0 },
        number: if slot == Slot::Item { None } else { decimal(data) },
    }
}

fn digest(data: &[u8], flags: u32) -> u64 {
    let mut hasher = DefaultHasher::new();
    (data, flags & ((1 << STAMP_AT) - 1)).hash(&mut hasher);
    hasher.finish()
}
