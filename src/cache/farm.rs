//! One worker's legs to the memcached servers: which server, under which key, within the deadline.
//!
//! A leg is one packet to one server and its answers. Before it goes out the server's shared health is asked; afterwards
//! it is told. While the watcher's polls are too old to vouch for the table's generation, the packet also reads the
//! generation's record, and a leg that went out under an old generation is repeated under the new one.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::batch::Batch;
use super::token::Token;
use super::{Answer, Ask, COUNTER_MAX, Fault, Location, Mode, Step, Way};
use crate::clock::{self, Deadline};
use crate::cluster::lifetime::wire_ttl;
use crate::cluster::record::{key_ref, number};
use crate::cluster::{Layout, ServerStat, Shared, TableStat, reason};
use crate::health::Seen;
use crate::key::{WireKey, split_full};
use crate::value::{Digits, Value};
use crate::wire::{self, KeyRef, Kind, Link, Reply, WireError};

/// How often a leg follows a generation that moved under it.
pub(crate) const CHASES: usize = 3;
/// What is said when it moved too often.
pub(crate) const BUMPED: Fault = Fault::Wire("table bumped");

/// How much of a call's time one of several legs may take.
const LEG_PERCENT: u64 = 40;

/// The worker's links and what their last answers were.
pub(crate) struct Farm {
    pub shared: &'static Shared,
    pub layout: Arc<Layout>,
    pub links: Vec<Link>,
    incarnations: Vec<u32>,
    pub key: WireKey,
    pub record: WireKey,
    flags: String,
    pub batch: Batch,
    held: Held,
    asked: Option<usize>,
    /// When the call under way began: reading the clock is not free.
    now_ns: u64,
}

/// Where the value of the last call lies.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Held {
    Nothing,
    Number(u64),
    /// The reply `at` of a link; `skip` bytes of it are the full key of a hashed one.
    Reply {
        server: usize,
        at: usize,
        skip: usize,
    },
}

/// To which server, and until when.
type To = (usize, Deadline);

/// May a command run twice without harm?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repeat {
    Harmless,
    Never,
}

/// A leg that was answered: by whom, and from which reply on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Leg {
    pub server: usize,
    pub at: usize,
}

impl Farm {
    pub fn new(shared: &'static Shared) -> Self {
        let mut farm = Self {
            shared,
            layout: Arc::default(),
            links: Vec::new(),
            incarnations: Vec::new(),
            key: WireKey::new(),
            record: WireKey::new(),
            flags: String::new(),
            batch: Batch::default(),
            held: Held::Nothing,
            asked: None,
            now_ns: 0,
        };
        farm.follow();
        farm
    }

    /// Takes over the host's list of servers as it is now.
    #[cold]
    fn follow(&mut self) {
        let next = self.shared.layout();
        self.incarnations.resize(next.slots(), 0);
        for slot in self.shared.relink(&mut self.links, &self.layout, &next) {
            self.incarnations[slot] = self.shared.server_cell(slot).health.incarnation();
        }
        self.layout = next;
    }

    pub fn asked(&self) -> Option<usize> {
        self.asked
    }

    /// This server is the one that the call is about.
    pub fn answered(&mut self, server: usize) {
        self.asked = Some(server);
    }

    /// Keeps what the call brought.
    pub fn hold(&mut self, held: Held) {
        self.held = held;
    }

    /// The reply that the call brought.
    pub fn held(&self) -> Option<Reply<'_>> {
        match self.held {
            Held::Reply { server, at, .. } => Some(self.links[server].reply(at)),
            _ => None,
        }
    }

    pub fn value(&self) -> Option<Value<'_>> {
        match self.held {
            Held::Nothing => None,
            Held::Number(number) => i64::try_from(number).ok().map(Value::Int),
            Held::Reply { server, at, skip } => match self.links[server].reply(at) {
                Reply::Value { data, meta } => Some(Value::from_wire(data.get(skip..)?, meta.flags)),
                _ => None,
            },
        }
    }

    /// The token of the last value read and its remaining seconds (`None` = never expires).
    pub fn stamp(&self) -> (u64, Option<i64>) {
        match self.held() {
            Some(Reply::Value { meta, .. } | Reply::Done(meta)) => (meta.cas, (meta.ttl >= 0).then_some(meta.ttl)),
            _ => (0, None),
        }
    }

    pub fn get(&mut self, table: usize, key: &[u8], ask: Ask) -> Answer {
        let flags = if ask == Ask::All { "v f t c" } else { "v f" };
        let leg = self.leg(table, key, Repeat::Harmless, |link, key, _| link.mg(key, flags))?;
        match self.links[leg.server].reply(leg.at) {
            Reply::Value { data, .. } => match behind_full_key(&self.key, data) {
                Some(skip) => {
                    self.held = Held::Reply { server: leg.server, at: leg.at, skip };
                    self.count_server(leg.server, ServerStat::Hits);
                    Ok(true)
                }
                None => Ok(self.missed(leg.server)),
            },
            Reply::Miss => Ok(self.missed(leg.server)),
            other => Err(refusal(&other)),
        }
    }

    pub fn ttl(&mut self, table: usize, key: &[u8]) -> Answer {
        let leg = self.leg(table, key, Repeat::Harmless, |link, key, _| link.mg(key, "t"))?;
        self.held = Held::Reply { server: leg.server, at: leg.at, skip: 0 };
        plain(&self.links[leg.server].reply(leg.at))
    }

    pub fn touch(&mut self, table: usize, key: &[u8], ttl: u32) -> Answer {
        self.flags.clear();
        let _ = write!(self.flags, "T{}", wire_ttl(ttl));
        let leg = self.leg(table, key, Repeat::Harmless, |link, key, flags| link.mg(key, flags))?;
        plain(&self.links[leg.server].reply(leg.at))
    }

    pub fn put(&mut self, mode: Mode, table: usize, key: &[u8], value: Value<'_>, ttl: u32) -> Answer {
        let mut digits = Digits::default();
        let (data, client_flags) = value.to_wire(&mut digits);
        let deadline = self.begin();
        let server = self.home(table, key);
        if data.len() > self.shared.value_max(server, key.len()) {
            return Err(Fault::TooLarge);
        }
        self.flags.clear();
        let _ = write!(self.flags, "T{}", wire_ttl(ttl));
        if client_flags != 0 {
            let _ = write!(self.flags, " F{client_flags}");
        }
        let repeat = if mode == Mode::Set { Repeat::Harmless } else { Repeat::Never };
        let _ = match mode {
            Mode::Set => Ok(()),
            Mode::Add => self.flags.write_str(" ME"),
            Mode::Replace => self.flags.write_str(" MR"),
            Mode::Cas(Token::One(token)) => write!(self.flags, " C{token}"),
            Mode::Cas(_) => return Err(Fault::Unsettled),
        };
        let bare = matches!(value, Value::Int(_));
        let leg = self.leg_to((server, deadline), table, key, repeat, |link, key, flags| match key.full() {
            Some(full) if !bare => {
                let length = u32::try_from(full.len()).unwrap_or(u32::MAX).to_be_bytes();
                link.ms(key_ref(key), &[&length, full, data], flags);
            }
            _ => link.ms(key_ref(key), &[data], flags),
        })?;
        plain(&self.links[leg.server].reply(leg.at))
    }

    pub fn remove(&mut self, table: usize, key: &[u8]) -> Answer {
        let leg = self.leg(table, key, Repeat::Harmless, |link, key, _| link.md(key, ""))?;
        plain(&self.links[leg.server].reply(leg.at))
    }

    pub fn count(&mut self, table: usize, key: &[u8], step: Step, ttl: u32) -> Answer {
        let deadline = self.begin();
        let server = self.home(table, key);
        self.step((server, deadline), table, key, step, ttl)?;
        if matches!(self.held, Held::Number(0..=COUNTER_MAX)) {
            return Ok(true);
        }
        // Taken back within the same call's time.
        self.held = Held::Nothing;
        let back = if step.way == Way::Up { "MD" } else { "MI" };
        let flags = format!("{back} D{}", step.by);
        self.send(server, deadline, Repeat::Never, |link, key, _, _| link.ma(key_ref(key), &flags))?;
        Err(Fault::Overflow)
    }

    /// Moves a counter; a missing one is created.
    fn step(&mut self, to: To, table: usize, key: &[u8], step: Step, ttl: u32) -> Answer {
        self.flags.clear();
        let way = if step.way == Way::Up { "MI" } else { "MD" };
        let _ = write!(self.flags, "{way} D{} v N{} J{}", step.by, wire_ttl(ttl), step.created);
        let leg = self.leg_to(to, table, key, Repeat::Never, |link, key, flags| link.ma(key_ref(key), flags))?;
        match self.links[leg.server].reply(leg.at) {
            Reply::Value { data, .. } => {
                let text = std::str::from_utf8(data.trim_ascii_end()).ok();
                let number = text.and_then(|text| text.parse().ok()).ok_or(Fault::NotANumber)?;
                self.held = Held::Number(number);
                Ok(true)
            }
            Reply::ClientError(text) if text.ends_with(b"non-numeric value") => Err(Fault::NotANumber),
            other => plain(&other),
        }
    }

    pub fn locate(&mut self, table: usize, key: &[u8]) -> Result<Location, Fault> {
        self.begin();
        self.set_key(table, key)?;
        let wire_key = String::from_utf8_lossy(self.key.bytes()).into_owned();
        Ok(Location { server: Some(self.home(table, key)), wire_key })
    }

    /// The slot of the first server on the ring for a key; generations do not move keys.
    pub fn home(&self, table: usize, key: &[u8]) -> usize {
        self.layout.ring().home(&[self.shared.config().tables[table].name.as_bytes(), b":", key])
    }

    /// Begins a call, before the call looks for any server: what the last one brought is forgotten, and a new list of
    /// servers is taken over. Returns when this call has to end.
    pub fn begin(&mut self) -> Deadline {
        self.held = Held::Nothing;
        if self.layout.version() != self.shared.list_version() {
            self.follow();
        }
        self.now_ns = clock::monotonic_ns();
        Deadline::at_ns(self.now_ns + u64::from(self.shared.config().cmd_timeout_ms) * 1_000_000)
    }

    /// Until when one of several legs of a call may take that ends at `last`; none goes out when that is over.
    pub fn leg_deadline(&self, last: Deadline) -> Result<Deadline, Fault> {
        let now_ns = clock::monotonic_ns();
        if last.passed(now_ns) {
            return Err(Fault::Wire(Kind::Timeout.text()));
        }
        let share_ns = u64::from(self.shared.config().cmd_timeout_ms) * 1_000_000 * LEG_PERCENT / 100;
        self.refuse().map(|()| last.min(Deadline::at_ns(now_ns + share_ns)))
    }

    /// No call goes out while most servers are down: then the fault is likely on this host's side.
    pub fn refuse(&self) -> Result<(), Fault> {
        if self.shared.mostly_down() { Err(Fault::MostDown) } else { Ok(()) }
    }

    /// When the call began, milliseconds.
    pub fn now_ms(&self) -> u64 {
        self.now_ns / 1_000_000
    }

    /// The life of the server that its link was last made ready for.
    pub fn life(&self, server: usize) -> u32 {
        self.incarnations[server]
    }

    /// Spells the key and returns the generation it was spelled under.
    pub fn set_key(&mut self, table: usize, key: &[u8]) -> Result<u64, Fault> {
        let generation = self.shared.table_cell(table).generation.load(Relaxed);
        self.key.set(&self.shared.config().tables[table].name, generation, key)?;
        Ok(generation)
    }

    fn leg(
        &mut self,
        table: usize,
        key: &[u8],
        repeat: Repeat,
        fill: impl Fn(&mut Link, KeyRef<'_>, &str),
    ) -> Result<Leg, Fault> {
        let deadline = self.begin();
        let server = self.home(table, key);
        self.leg_to((server, deadline), table, key, repeat, |link, key, flags| fill(link, key_ref(key), flags))
    }

    /// Sends what `fill` says to the key's home, `server`, and waits for the answer, following the table's generation.
    fn leg_to(
        &mut self,
        (server, deadline): To,
        table: usize,
        key: &[u8],
        repeat: Repeat,
        fill: impl Fn(&mut Link, &WireKey, &str),
    ) -> Result<Leg, Fault> {
        self.asked = Some(server);
        let vouched = self.vouched(server);
        for _ in 0..CHASES {
            let used = self.set_key(table, key)?;
            if !vouched {
                self.record.record("gen", &self.shared.config().tables[table].name, b"")?;
            }
            self.send(server, deadline, repeat, |link, farm_key, record, flags| {
                if !vouched {
                    link.mg(key_ref(record), "v");
                }
                fill(link, farm_key, flags);
            })?;
            if vouched || self.learn(table, &self.links[server].reply(0))? <= used {
                return Ok(Leg { server, at: usize::from(!vouched) });
            }
        }
        Err(BUMPED)
    }

    /// True while the watcher's last poll of this server is young enough to trust what the host remembers.
    pub fn vouched(&self, server: usize) -> bool {
        let polled = self.shared.server_cell(server).polled_ms.load(Relaxed);
        (self.now_ns / 1_000_000).saturating_sub(polled) <= self.shared.delta_ms()
    }

    /// Takes over the generation that a server's record holds and returns it; 0 where there is none.
    pub fn learn(&self, table: usize, record: &Reply<'_>) -> Result<u64, Fault> {
        let found = match record {
            Reply::Value { .. } => number(record).unwrap_or(0),
            Reply::Miss => 0,
            other => return Err(refusal(other)),
        };
        self.shared.table_cell(table).generation.fetch_max(found, Relaxed);
        Ok(found)
    }

    /// One packet to one server. A connection that died while it lay idle is replaced once, where that is harmless.
    fn send(
        &mut self,
        server: usize,
        deadline: Deadline,
        repeat: Repeat,
        fill: impl Fn(&mut Link, &WireKey, &WireKey, &str),
    ) -> Result<(), Fault> {
        let mut tries = 0;
        loop {
            self.admit(server)?;
            let begun = self.prepare(server);
            fill(&mut self.links[server], &self.key, &self.record, &self.flags);
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

    /// A single command to any server, outside a table: housekeeping records.
    pub fn send_record(
        &mut self,
        server: usize,
        deadline: Deadline,
        repeat: Repeat,
        record: (&str, &str, &[u8]),
        fill: impl Fn(&mut Link, KeyRef<'_>),
    ) -> Result<(), Fault> {
        self.asked = Some(server);
        self.record.record(record.0, record.1, record.2)?;
        self.send(server, deadline, repeat, |link, _, record, _| fill(link, key_ref(record)))
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

    pub fn count_server(&self, server: usize, stat: ServerStat) {
        self.shared.server_cell(server).counts.add(stat as usize, 1);
    }

    /// Counts a read of a key at `home` that `server` answered, where that is another one.
    pub fn count_failover(&self, table: usize, home: usize, server: usize) {
        if server != home {
            self.shared.table_cell(table).counts.add(TableStat::Failovers as usize, 1);
        }
    }

    fn missed(&self, server: usize) -> bool {
        self.count_server(server, ServerStat::Misses);
        false
    }
}

/// How many bytes of a hashed key's value are its full key; `None` when another key's value lies there. A number is
/// kept bare, so that the server can count with it.
pub(crate) fn behind_full_key(key: &WireKey, data: &[u8]) -> Option<usize> {
    let Some(full) = key.full() else { return Some(0) };
    if matches!(Value::from_wire(data, 0), Value::Int(_)) {
        return Some(0);
    }
    let (found, value) = split_full(data)?;
    (found == full).then_some(data.len() - value.len())
}

/// The answers that mean yes and no for every command.
pub(crate) fn plain(reply: &Reply<'_>) -> Answer {
    match reply {
        Reply::Done(_) | Reply::Value { .. } => Ok(true),
        Reply::Miss | Reply::NotStored | Reply::NotFound | Reply::Exists => Ok(false),
        other => Err(refusal(other)),
    }
}

fn refusal(reply: &Reply<'_>) -> Fault {
    match reply {
        Reply::ServerError(text) if text.starts_with(b"object too large") => Fault::TooLarge,
        _ => Fault::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn farm(addr: &str) -> Farm {
        let mut config = crate::config::Config { cmd_timeout_ms: 5_000, ..Default::default() };
        config.add_server(&format!("name=mc;addr={addr}")).unwrap();
        config.add_table("t=>").unwrap();
        Farm::new(Shared::create(config).unwrap())
    }

    #[test]
    fn what_this_machine_lacks_is_not_the_servers_fault() {
        let mut farm = farm("127.0.0.1:1");
        for _ in 0..100 {
            farm.report(0, 0, Some(WireError { kind: Kind::Local, sent: false, reused: false }));
        }
        assert!(farm.shared.server_up(0));
        assert_eq!(farm.shared.server_count(0, ServerStat::Errors), 100);
    }

    #[test]
    fn a_call_under_an_old_generation_is_repeated_although_another_worker_learned_the_new_one_meanwhile() {
        use std::io::{Read, Write};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut farm = farm(&listener.local_addr().unwrap().to_string());
        let shared = farm.shared;
        let server = std::thread::spawn(move || {
            let (mut stream, mut room) = (listener.accept().unwrap().0, [0; 1000]);
            let mut asked = Vec::new();
            for answer in ["VA 1\r\n7\r\nVA 3 f0 t-1 c1\r\nold\r\n", "VA 1\r\n7\r\nEN\r\n"] {
                let count = stream.read(&mut room).unwrap();
                asked.push(String::from_utf8_lossy(&room[..count]).into_owned());
                shared.table_cell(0).generation.store(7, Relaxed);
                stream.write_all(answer.as_bytes()).unwrap();
            }
            asked
        });
        assert_eq!(farm.get(0, b"k", Ask::Value), Ok(false), "what the old generation held is gone");
        let asked = server.join().unwrap();
        assert!(asked[0].contains("mg t:k ") && asked[1].contains("mg t@7:k "), "{asked:?}");
    }
}
