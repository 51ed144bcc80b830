//! Abstract packets on real servers: what each command does there, and what becomes of a packet that does not get through.

#[path = "support/mod.rs"]
mod support;

use shardcache::clock::Deadline;
use shardcache::cluster::copies::packet::ROOM;
use shardcache::cluster::copies::{
    Answer, Body, Command, Fate, Hit, Legs, Mark, Mode, Poll, Request, Rules, Scene, Side, Slot, Step, View,
};
use shardcache::cluster::courier::{Courier, Lines, Load, Pair, Place, Stored, Want};
use shardcache::key::{Kind, Space};
use shardcache::wire::{Address, Endpoint, Link};
use std::time::Duration;
use support::{Fake, Memcached};

const SPACE: Space<'static> = Space { kind: Kind::Entry, table: "t", generation: 0 };
const BUDGET: Duration = Duration::from_secs(2);

/// Links to some servers, each of which must be opened once per exchange and told of once.
#[derive(Default)]
struct Desk {
    links: Vec<Link>,
    opened: Vec<usize>,
    over: Vec<usize>,
}

impl Desk {
    fn new(ports: &[u16]) -> Self {
        let link = |port: &u16| {
            Link::new(Endpoint { address: Address::Tcp(([127, 0, 0, 1], *port).into()), ..Endpoint::default() })
        };
        Self { links: ports.iter().map(link).collect(), ..Self::default() }
    }
}

impl Lines for Desk {
    fn links(&mut self) -> &mut [Link] {
        &mut self.links
    }

    fn open(&mut self, server: usize) {
        self.links[server].begin();
        self.opened.push(server);
    }

    fn over(&mut self, server: usize) {
        self.over.push(server);
    }
}

fn pair() -> Pair {
    Pair::new([0, 1], ["mc1", "mc2"])
}

/// One request about one key, sent by itself.
fn ask(desk: &mut Desk, courier: &mut Courier, request: &Request, load: &Load<'_>, budget: Duration) -> Legs {
    let pair = pair();
    let place = Place { pair: &pair, space: SPACE, key: b"k", stripe: None };
    courier.begin();
    let parcels = courier.pack(desk, &place, request, load, Want::Digest);
    courier.send(desk, Deadline::after(budget));
    courier.unpack(&desk.links, &parcels, request, Want::Digest)
}

/// One packet to the home; its answers.
fn run(desk: &mut Desk, commands: &[Command], load: &Load<'_>) -> [Answer; ROOM] {
    let mut request = Request::default();
    for command in commands {
        request.home.push(*command);
    }
    let legs = ask(desk, &mut Courier::default(), &request, load, BUDGET);
    assert_eq!((legs.home.fate, legs.partner.fate), (Fate::Answered, Fate::Unsent));
    legs.home.answers
}

fn value(text: &str) -> Load<'_> {
    Load { value: Some(Stored { parts: [b"", text.as_bytes(), b""], flags: 0 }), ..Load::default() }
}

fn set(slot: Slot, mode: Mode, stamp: u16, body: Body, ttl: u32) -> Command {
    Command::Set { slot, mode, stamp, body, ttl }
}

fn hit(answer: Answer) -> Hit {
    match answer {
        Answer::Hit(hit) => hit,
        other => panic!("{other:?}"),
    }
}

const ITEM: Slot = Slot::Item;

#[test]
fn items_carry_their_stamp_above_the_flags_of_other_clients() {
    let server = Memcached::tcp();
    let desk = &mut Desk::new(&[server.port()]);
    let get = Command::Get { slot: ITEM };
    let load = value("old value");
    let answers = run(desk, &[set(ITEM, Mode::Set, 0x3fff, Body::Value, 60), get], &load);
    assert!(matches!(answers[0], Answer::Stored(_)));
    let found = hit(answers[1]);
    assert_eq!((found.stamp, found.ttl, found.number), (0x3fff, Some(60), None));
    let shown = server.raw(b"get t:k\r\n", "END").unwrap();
    assert_eq!(String::from_utf8_lossy(&shown), format!("VALUE t:k {} 9\r\nold value\r\nEND\r\n", 0x3fff_u32 << 18));

    let again = run(desk, &[set(ITEM, Mode::Set, 7, Body::Value, 0), get], &load);
    let other = run(desk, &[set(ITEM, Mode::Set, 7, Body::Value, 0), get], &value("new value"));
    assert_eq!((hit(again[1]).stamp, hit(again[1]).ttl), (7, None));
    assert_eq!(hit(again[1]).digest, found.digest, "whatever the stamp");
    assert_ne!(hit(other[1]).digest, found.digest);
}

#[test]
fn a_copy_keeps_its_own_flags_and_gets_a_new_stamp() {
    let server = Memcached::tcp();
    let desk = &mut Desk::new(&[server.port()]);
    let copy = Stored { parts: [b"12", b"", b""], flags: 9 << 18 | shardcache::value::TEXT };
    let load = Load { copies: [None, Some(copy)], ..Load::default() };
    run(desk, &[set(ITEM, Mode::Set, 1, Body::Copy(Side::Partner), 0)], &load);
    let shown = server.raw(b"get t:k\r\n", "END").unwrap();
    assert_eq!(String::from_utf8_lossy(&shown), format!("VALUE t:k {} 2\r\n12\r\nEND\r\n", (1 << 18) + (1 << 16)));
}

#[test]
fn stores_and_deletes_keep_to_their_conditions() {
    let server = Memcached::tcp();
    let desk = &mut Desk::new(&[server.port()]);
    let load = value("x");
    let store = |mode| set(ITEM, mode, 1, Body::Value, 0);
    let delete = |cas| Command::Delete { slot: ITEM, cas };
    let answers = run(desk, &[store(Mode::Cas(1)), delete(None), store(Mode::Add), store(Mode::Add)], &load);
    assert_eq!((answers[0], answers[1], answers[3]), (Answer::NotFound, Answer::NotFound, Answer::NotStored));
    let Answer::Stored(cas) = answers[2] else { panic!("{answers:?}") };
    let get = Command::Get { slot: ITEM };
    assert_eq!(hit(run(desk, &[get], &load)[0]).cas, cas);
    let answers =
        run(desk, &[store(Mode::Cas(cas + 9)), store(Mode::Cas(cas)), delete(Some(cas)), delete(None), get], &load);
    assert_eq!((answers[0], answers[2]), (Answer::Differs, Answer::Differs));
    assert!(matches!(answers[1], Answer::Stored(new) if new != cas));
    assert_eq!((answers[3], answers[4]), (Answer::Deleted, Answer::Miss));
}

#[test]
fn counters_count_and_are_numbers() {
    let server = Memcached::tcp();
    let desk = &mut Desk::new(&[server.port()]);
    let (slot, load) = (Slot::Counter(17), value("no number"));
    let count = |down, init| Command::Count { slot, delta: 5, down, init, ttl: 60 };
    let get = Command::Get { slot };
    let answers = run(desk, &[count(false, None), count(false, Some(100)), count(true, Some(1)), get], &load);
    assert_eq!(answers[0], Answer::NotFound);
    assert_eq!(answers[1], Answer::Number { value: 100, cas: 0 });
    assert_eq!(answers[2], Answer::Number { value: 95, cas: 0 });
    assert_eq!((hit(answers[3]).number, hit(answers[3]).ttl, hit(answers[3]).stamp), (Some(95), Some(60), 0));
    assert_eq!(server.get("t%17:k").as_deref(), Some(&b"95 "[..]));
    let answers = run(desk, &[set(slot, Mode::Set, 1, Body::Value, 0), count(false, None)], &load);
    assert_eq!(answers[1], Answer::Refused);
}

#[test]
fn no_counter_is_made_or_found_behind_a_bar() {
    let server = Memcached::tcp();
    let desk = &mut Desk::new(&[server.port()]);
    let slot = Slot::Counter(17);
    let count = |init| Command::Count { slot, delta: 5, down: false, init, ttl: 60 };
    let commands = [
        Command::bar(slot, Mode::Add, &Rules::ALL),
        count(Some(1)),
        count(None),
        Command::Prolong { slot, ttl: 500 },
        Command::Get { slot },
    ];
    let answers = run(desk, &commands, &Load::default());
    assert!(matches!(answers[0], Answer::Stored(_)), "{answers:?}");
    assert_eq!(answers[1..4], [Answer::Refused; 3]);
    assert_eq!((answers[4].counter(), hit(answers[4]).ttl), (None, Some(Rules::ALL.tomb_ttl)));
}

#[test]
fn records_have_keys_of_their_own_and_numbers() {
    let server = Memcached::tcp();
    let desk = &mut Desk::new(&[server.port()]);
    let slots = [
        Slot::Mark(Side::Home),
        Slot::Mark(Side::Partner),
        Slot::Full(Side::Home),
        Slot::Ill(Side::Partner),
        Slot::Lease,
        Slot::Seat,
    ];
    let stores: Vec<Command> =
        slots.iter().enumerate().map(|(nth, slot)| set(*slot, Mode::Add, 0, Body::Number(nth as u64), 0)).collect();
    assert!(run(desk, &stores, &Load::default())[..6].iter().all(|answer| matches!(answer, Answer::Stored(_))));
    let gets = slots.map(|slot| Command::Get { slot });
    let found = run(desk, &gets, &Load::default());
    let numbers: Vec<_> = found[..6].iter().map(|answer| hit(*answer).number.unwrap()).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 4, 5]);
    run(desk, &[set(Slot::Tomb, Mode::Set, 3, Body::Empty, 120)], &Load::default());
    for (nth, key) in ["mark:home", "mark:partner", "full:home", "ill:partner", "repair:"].iter().enumerate() {
        assert_eq!(server.get(&format!("!{key}:mc1/mc2")), Some(nth.to_string().into_bytes()), "{key}");
    }
    assert_eq!(server.get("!seat::mc1"), Some(b"5".to_vec()), "whoever the partner is");
    assert_eq!(server.get("!tomb:t:k"), Some(Vec::new()));
}

#[test]
fn a_touch_prolongs_and_answers_like_a_get() {
    let server = Memcached::tcp();
    let desk = &mut Desk::new(&[server.port()]);
    let touch = Command::Touch { slot: ITEM, ttl: 500 };
    let answers =
        run(desk, &[touch, set(ITEM, Mode::Set, 2, Body::Value, 60), touch, Command::Get { slot: ITEM }], &value("x"));
    assert_eq!(answers[0], Answer::Miss);
    assert_eq!((hit(answers[2]).ttl, hit(answers[2]).stamp), (Some(60), 2), "the lifetime that it had");
    assert_eq!(hit(answers[3]).ttl, Some(500));
}

#[test]
fn what_got_a_new_lifetime_goes_by_its_cas_unless_it_was_counted_on() {
    let server = Memcached::tcp();
    let desk = &mut Desk::new(&[server.port()]);
    let slot = Slot::Counter(7);
    let count = Command::Count { slot, delta: 5, down: false, init: Some(1), ttl: 60 };
    for counted_since in [true, false] {
        let answers = run(desk, &[count, Command::Prolong { slot, ttl: 500 }], &Load::default());
        let Answer::Number { cas, .. } = answers[1] else { panic!("{answers:?}") };
        let delete = Command::Delete { slot, cas: Some(cas) };
        let (commands, want) = match counted_since {
            true => ([count, delete], Answer::Differs),
            false => ([Command::Get { slot }, delete], Answer::Deleted),
        };
        assert_eq!(run(desk, &commands, &Load::default())[1], want);
    }
}

#[test]
fn many_pairs_and_keys_share_one_exchange() {
    let servers = Memcached::many(3);
    let ports: Vec<u16> = servers.iter().map(Memcached::port).collect();
    let desk = &mut Desk::new(&ports);
    let pairs = [[0, 1], [1, 2], [2, 0]]
        .map(|servers| Pair::new(servers, [["a", "b", "c"][servers[0]], ["a", "b", "c"][servers[1]]]));
    let mut courier = Courier::default();
    let keys: Vec<String> = (0..300).map(|nth| format!("key {nth}")).collect();
    let mut request = Request::default();
    for side in Side::BOTH {
        request.on(side).push(set(ITEM, Mode::Add, 1 + side as u16, Body::Value, 0));
        request.on(side).get(ITEM);
    }
    courier.begin();
    let mut sent = Vec::new();
    for (nth, key) in keys.iter().enumerate() {
        let place = Place { pair: &pairs[nth % 3], space: SPACE, key: key.as_bytes(), stripe: None };
        sent.push(courier.pack(desk, &place, &request, &value(key), Want::Digest));
    }
    courier.send(desk, Deadline::after(BUDGET));
    assert_eq!((&desk.opened, &desk.over), (&vec![0, 1, 2], &vec![0, 1, 2]));
    let mut digests = std::collections::HashSet::new();
    for parcels in &sent {
        let legs = courier.unpack(&desk.links, parcels, &request, Want::Digest);
        let [home, partner] = Side::BOTH.map(|side| hit(legs.of(side).answers[1]));
        assert_eq!((home.stamp, partner.stamp), (1, 2));
        assert_eq!(home.digest, partner.digest);
        assert!(digests.insert(home.digest), "each key has its own answer");
    }
    assert!(servers.iter().all(|server| server.stat("curr_items") == 200));
}

#[test]
fn what_cannot_be_reached_was_not_sent_and_what_is_not_answered_is_lost() {
    let mute = Fake::mute();
    let desk = &mut Desk::new(&[support::ports::free(), mute.port()]);
    let mut request = Request::default();
    request.home.get(ITEM);
    request.partner.get(ITEM);
    let legs = ask(desk, &mut Courier::default(), &request, &Load::default(), Duration::from_millis(50));
    assert_eq!((legs.home.fate, legs.partner.fate), (Fate::Unsent, Fate::Lost));
}

#[test]
fn a_change_is_announced_behind_it_and_in_doubt_where_that_failed() {
    let server = Memcached::tcp();
    let (mut desk, mut courier, pair) = (Desk::new(&[server.port()]), Courier::default(), pair());
    let mut told = |commands: &[Command]| {
        let mut request = Request::default();
        for command in commands {
            request.home.push(*command);
        }
        let place = Place { pair: &pair, space: SPACE, key: b"k", stripe: Some(0xa7) };
        courier.begin();
        let parcels = courier.pack(&mut desk, &place, &request, &value("x"), Want::Digest);
        courier.send(&mut desk, Deadline::after(BUDGET));
        courier.unpack(&desk.links, &parcels, &request, Want::Digest).home
    };
    let store = set(ITEM, Mode::Set, 1, Body::Value, 0);
    let get = Command::Get { slot: ITEM };
    let mark =
        Command::Set { slot: Slot::Mark(Side::Partner), mode: Mode::Set, stamp: 0, body: Body::Number(7), ttl: 0 };
    assert_eq!(told(&[get, mark]).fate, Fate::Answered);
    assert_eq!((server.get("!z:a7"), server.get("!z:")), (None, None), "no entry was changed");
    let answers = told(&[store, get]).answers;
    assert!(matches!(answers[..2], [Answer::Stored(_), Answer::Hit(_)]), "{answers:?}");
    let number = |key: &str| String::from_utf8(server.get(key).unwrap()).unwrap().parse::<u64>().unwrap();
    let first = ["!z:a7", "!z:"].map(number);
    told(&[Command::Delete { slot: ITEM, cas: None }]);
    assert_eq!(["!z:a7", "!z:"].map(number), first.map(|number| number + 1));
    server.set("!z:a7", "no number");
    assert_eq!(told(&[store]).fate, Fate::Lost);
}

#[test]
fn a_connection_that_died_idle_is_replaced_where_that_does_no_harm() {
    let mut server = Memcached::tcp();
    for (command, fate) in [
        (Command::Get { slot: ITEM }, Fate::Answered),
        (set(ITEM, Mode::Set, 1, Body::Value, 0), Fate::Answered),
        (set(ITEM, Mode::Add, 1, Body::Value, 0), Fate::Lost),
        (Command::Count { slot: Slot::Counter(1), delta: 1, down: false, init: Some(1), ttl: 0 }, Fate::Lost),
    ] {
        let (mut desk, mut courier) = (Desk::new(&[server.port()]), Courier::default());
        let mut request = Request::default();
        request.home.push(command);
        let legs = ask(&mut desk, &mut courier, &request, &value("x"), BUDGET);
        assert_eq!(legs.home.fate, Fate::Answered);
        server.restart();
        let legs = ask(&mut desk, &mut courier, &request, &value("x"), BUDGET);
        assert_eq!(legs.home.fate, fate, "{command:?}");
        assert_eq!(desk.over, [0, 0], "told once per exchange");
    }
}

#[test]
fn a_repeated_packet_that_was_not_sent_again_is_lost_not_unsent() {
    let mut server = Memcached::tcp();
    let (mut desk, mut courier) = (Desk::new(&[server.port()]), Courier::default());
    let mut request = Request::default();
    request.home.get(ITEM);
    ask(&mut desk, &mut courier, &request, &Load::default(), BUDGET);
    server.kill();
    let legs = ask(&mut desk, &mut courier, &request, &Load::default(), BUDGET);
    assert_eq!(legs.home.fate, Fate::Lost);
}

#[test]
fn a_copy_that_was_not_handed_in_is_never_made_up() {
    let server = Memcached::tcp();
    let mut desk = Desk::new(&[server.port()]);
    let mut request = Request::default();
    request.home.push(set(ITEM, Mode::Set, 1, Body::Copy(Side::Home), 0));
    let legs = ask(&mut desk, &mut Courier::default(), &request, &Load::default(), BUDGET);
    assert_eq!(legs.home.fate, Fate::Unsent);
    assert_eq!(server.keys(), Vec::<String>::new());
}

#[test]
fn a_poll_makes_the_marks_of_a_new_pair() {
    let servers = Memcached::many(2);
    let desk = &mut Desk::new(&[servers[0].port(), servers[1].port()]);
    let (mut courier, mut view) = (Courier::default(), View::default());
    let scene = Scene { clock: 17_000_000_000, ..Scene::calm(&Rules::ALL) };
    for round in 0..3 {
        let mut poll = Poll::new(view, 42, [true; 2]);
        let mut step = poll.start();
        let polled = loop {
            match step {
                Step::Send(request) => {
                    let legs = ask(desk, &mut courier, &request, &Load::default(), BUDGET);
                    step = poll.next(&scene, &legs);
                }
                Step::Done(polled) => break polled,
            }
        };
        assert_eq!(polled.repairs, round > 0, "the lease is taken in the first round");
        view.merge(&poll.view);
    }
    assert_eq!(view, View { home: Mark::first(scene.clock), partner: Mark::first(scene.clock) });
    assert_eq!(servers[1].get("!mark:home:mc1/mc2"), Some(view.home.0.to_string().into_bytes()));
}
