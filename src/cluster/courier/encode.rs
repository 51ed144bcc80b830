//! Abstract commands as those of the meta protocol.

use super::{Load, Place, Stored, Want};
use crate::cluster::copies::{Body, Command, Mode, Side, Slot};
use crate::cluster::lifetime::wire_ttl;
use crate::cluster::record::key_ref;
use crate::key::{Part, WireKey};
use crate::value::STAMP_AT;
use crate::wire::{Flags, KeyRef, Link};

/// A key that no request is sent with.
const UNFIT: KeyRef<'static> = KeyRef { bytes: b"", base64: false };

/// May it run twice?
pub(super) fn harmless(command: &Command) -> bool {
    match command {
        Command::Get { .. } | Command::Touch { .. } | Command::Prolong { .. } => true,
        Command::Set { mode, .. } => *mode == Mode::Set,
        Command::Delete { cas, .. } => cas.is_none(),
        Command::Count { .. } => false,
    }
}

/// Appends one command to the link's request; `key` is room for its key.
pub(super) fn command(
    link: &mut Link,
    key: &mut WireKey,
    place: &Place<'_>,
    command: &Command,
    load: &Load<'_>,
    want: Want,
) {
    match *command {
        Command::Get { slot } => link.mg(spell(key, place, load, slot), wanted(slot, want)),
        Command::Touch { slot, ttl } => {
            let flags = Flags::new(wanted(slot, want)).with('T', wire_ttl(ttl));
            link.mg(spell(key, place, load, slot), &flags);
        }
        Command::Prolong { slot, ttl } => {
            link.ma(spell(key, place, load, slot), &Flags::new("v c").with('D', 0).with('T', wire_ttl(ttl)));
        }
        Command::Set { slot, mode, stamp, body, ttl } => {
            let (key, flags) = (spell(key, place, load, slot), Flags::new("").with('T', wire_ttl(ttl)));
            store(link, key, flags, mode, stamp, body, load);
        }
        Command::Delete { slot, cas } => {
            let flags = cas.map_or(Flags::new(""), |cas| Flags::new("").with('C', cas));
            link.md(spell(key, place, load, slot), &flags);
        }
        Command::Count { slot, delta, down, init, ttl } => {
            let mut flags = Flags::new(if down { "MD v" } else { "MI v" }).with('D', delta);
            if let Some(init) = init {
                flags = flags.with('N', wire_ttl(ttl)).with('J', init);
            }
            link.ma(spell(key, place, load, slot), &flags);
        }
    }
}

/// Only a conditional store asks for the item's new cas.
fn store(link: &mut Link, key: KeyRef<'_>, flags: Flags, mode: Mode, stamp: u16, body: Body, load: &Load<'_>) {
    let flags = match mode {
        Mode::Set => flags,
        Mode::Add => flags.and("ME c"),
        Mode::Cas(cas) => flags.and("c").with('C', cas),
    };
    let number;
    let stored = match body {
        Body::Value => load.value,
        Body::Copy(side) => load.copies[side as usize],
        Body::Empty => Some(Stored::default()),
        Body::Number(value) => {
            number = Flags::new("").with('N', value);
            Some(Stored { parts: [&number.as_str().as_bytes()[1..], b"", b""], flags: 0 })
        }
    };
    let Some(Stored { parts, flags: own }) = stored else { return link.ms(UNFIT, &[], "") };
    match u32::from(stamp) << STAMP_AT | own & ((1 << STAMP_AT) - 1) {
        0 => link.ms(key, &parts, &flags),
        client => link.ms(key, &parts, &flags.with('F', u64::from(client))),
    }
}

/// What a get of this record has to bring.
fn wanted(slot: Slot, want: Want) -> &'static str {
    match slot {
        Slot::Item => want.flags(),
        Slot::Tomb => "f c",
        Slot::Counter(_) => "v f t c",
        Slot::Mark(_) | Slot::Full(_) | Slot::Ill(_) | Slot::Lease | Slot::Seat => "v c",
    }
}

/// Spells the record's key; one that cannot be spelled stays empty, and the request is refused.
fn spell<'k>(key: &'k mut WireKey, place: &Place<'_>, load: &Load<'k>, slot: Slot) -> KeyRef<'k> {
    if let (Slot::Item, Some(item)) = (slot, load.item) {
        return item;
    }
    let side = |side: Side| if side == Side::Home { "home" } else { "partner" };
    let pair = place.pair.name.as_bytes();
    let _ = match slot {
        Slot::Item => key.part(place.space, Part::Item, place.key),
        Slot::Tomb => key.part(place.space, Part::Tomb, place.key),
        Slot::Counter(epoch) => key.part(place.space, Part::Counter(epoch), place.key),
        Slot::Mark(of) => key.record("mark", side(of), pair),
        Slot::Full(of) => key.record("full", side(of), pair),
        Slot::Ill(of) => key.record("ill", side(of), pair),
        Slot::Lease => key.record("repair", "", pair),
        Slot::Seat => key.record("seat", "", place.pair.home.as_bytes()),
    };
    key_ref(key)
}
