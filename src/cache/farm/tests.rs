use super::*;
use crate::cache::Ask;
use crate::cache::single::Single;
use crate::wire::{Kind, WireError};

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
fn a_leg_that_the_call_had_no_time_for_is_not_the_servers_fault() {
    let mut farm = farm("127.0.0.1:1");
    let late = Some(WireError { kind: Kind::Timeout, sent: true, reused: false });
    // A call may take 5 s, one of its legs 2.
    for (left_ms, failures) in [(1_900, 0), (2_100, 1)] {
        farm.leg_deadline_at(0, Deadline::at_ns(left_ms * 1_000_000)).unwrap();
        farm.report(0, 0, late);
        assert_eq!(farm.shared.server_count(0, ServerStat::Errors), failures, "{left_ms} ms left");
    }
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
    let deadline = farm.begin();
    let got = Single::new(&mut farm, 0, b"k", deadline).and_then(|call| call.get(Ask::Value));
    assert_eq!(got, Ok(false), "what the old generation held is gone");
    let asked = server.join().unwrap();
    assert!(asked[0].contains("mg t:k ") && asked[1].contains("mg t@7:k "), "{asked:?}");
}
