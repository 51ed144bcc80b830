//! Any bytes as a server's answer: no panic, nothing beyond the bytes, the same answer whole and in two pieces.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shardcache::wire::Reply;
use shardcache::wire::parse::{Expect, Progress, agrees, parse};

const EXPECTED: [Expect; 9] = [
    Expect::Get,
    Expect::Store,
    Expect::Delete,
    Expect::Count,
    Expect::Noop,
    Expect::Values { keys: 3 },
    Expect::Line,
    Expect::Lines,
    Expect::Stream,
];

/// What the caller is handed lies within the reply, and no list is longer than what was asked for.
fn read(expect: Expect, bytes: &[u8]) {
    let Ok(Some(frame)) = parse(expect, bytes, &mut Progress::default()) else { return };
    let whole = &bytes[..frame.len];
    let inside = |part: &[u8]| {
        assert!(part.is_empty() || whole.as_ptr_range().contains(&part.as_ptr()) && part.len() <= whole.len())
    };
    match Reply::of(&frame, bytes) {
        Reply::Value { data, .. } => {
            inside(data);
            assert!(whole.starts_with(b"VA ") && whole.ends_with(b"\r\n"));
        }
        Reply::Values(values) => {
            let mut count = 0;
            for item in values {
                inside(item.data);
                assert!(!item.key.is_empty() && !item.key.contains(&b' '));
                count += 1;
            }
            assert!(count <= 3 && whole.ends_with(b"END\r\n"));
            assert!((count == 0) == whole.starts_with(b"END"), "a value was swallowed");
        }
        Reply::Lines(lines) => lines.for_each(|line| {
            inside(line);
            assert!(!line.contains(&b'\n'));
        }),
        Reply::Line(line) | Reply::ServerError(line) | Reply::ClientError(line) => {
            inside(line);
            assert!(!line.contains(&b'\n'));
        }
        Reply::Nothing => panic!("a complete reply is something"),
        _ => {}
    }
    // More bytes behind a complete reply do not change it.
    let again = parse(expect, whole, &mut Progress::default());
    assert!(again == Ok(Some(frame)));
}

fuzz_target!(|data: &[u8]| {
    assert!(agrees(data));
    let Some((pick, bytes)) = data.split_first() else { return };
    read(EXPECTED[usize::from(*pick) % EXPECTED.len()], bytes.get(1..).unwrap_or_default());
});
