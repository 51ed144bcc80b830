use super::*;
use crate::wire::reply::{Item, Reply};
use proptest::prelude::*;

const KEYS: Expect = Expect::Values { keys: 2 };

/// One reply fed in pieces that end at `cuts` and then whole.
fn fed(expect: Expect, bytes: &[u8], cuts: &[usize]) -> Result<Option<Frame>, Malformed> {
    let mut progress = Progress::default();
    for cut in cuts.iter().chain([&bytes.len()]) {
        match parse(expect, &bytes[..*cut.min(&bytes.len())], &mut progress) {
            Ok(None) => {}
            done => return done,
        }
    }
    Ok(None)
}

fn reply(expect: Expect, bytes: &[u8]) -> Reply<'_> {
    let frame = fed(expect, bytes, &[]).unwrap().unwrap();
    Reply::of(&frame, bytes)
}

fn samples() -> Vec<(Expect, &'static [u8])> {
    vec![
        (Expect::Get, b"VA 5 f65536 c12 t-1 W\r\na\r\nbc\r\n"),
        (Expect::Get, b"VA 0\r\n\r\n"),
        (Expect::Get, b"EN\r\n"),
        (Expect::Get, b"HD t30 h1 l4\r\n"),
        (Expect::Store, b"NS\r\n"),
        (Expect::Store, b"HD c7\r\n"),
        (Expect::Store, b"EX\r\n"),
        (Expect::Store, b"NF\r\n"),
        (Expect::Store, b"SERVER_ERROR object too large for cache\r\n"),
        (Expect::Delete, b"HD\r\n"),
        (Expect::Count, b"VA 2 t60\r\n42\r\n"),
        (Expect::Count, b"CLIENT_ERROR cannot increment or decrement non-numeric value\r\n"),
        (Expect::Noop, b"MN\r\n"),
        (KEYS, b"VALUE t:a 0 3\r\nabc\r\nVALUE t:b 65536 5\r\nEND\r\n\r\nEND\r\n"),
        (KEYS, b"END\r\n"),
        (KEYS, b"ERROR\r\n"),
        (Expect::Line, b"VERSION 1.6.18\r\n"),
        (Expect::Line, b"ERROR Too many open connections\r\n"),
        (Expect::Lines, b"STAT a 1\r\nSTAT b 2\r\nEND\r\n"),
        (Expect::Lines, b"BUSY currently processing crawler request\r\n"),
        (Expect::Stream, b"key=t%3Ak exp=-1 la=1 cas=2 fetch=no cls=1 size=66\n"),
        (Expect::Stream, b"END\r\n"),
    ]
}

#[test]
fn a_reply_is_the_same_wherever_it_is_split() {
    for (expect, bytes) in samples() {
        let whole = fed(expect, bytes, &[]);
        let text = String::from_utf8_lossy(bytes);
        assert!(matches!(whole, Ok(Some(frame)) if frame.len == bytes.len()), "{text:?} {whole:?}");
        for cut in 0..bytes.len() {
            assert_eq!(parse(expect, &bytes[..cut], &mut Progress::default()), Ok(None), "{text:?} at {cut}");
            assert_eq!(fed(expect, bytes, &[cut]), whole, "{text:?} at {cut}");
        }
        let each: Vec<usize> = (0..bytes.len()).collect();
        assert_eq!(fed(expect, bytes, &each), whole, "{text:?} byte by byte");
        let followed = [bytes, b"MN\r\n"].concat();
        assert_eq!(fed(expect, &followed, &[]), whole, "{text:?} with more behind");
    }
}

#[test]
fn the_fields_of_a_reply_are_what_the_server_said() {
    let Reply::Value { data, meta } = reply(Expect::Get, b"VA 3 f65536 c12 t-1 s3 h1 l9 O77 W X Z kabc\r\nabc\r\n")
    else {
        panic!()
    };
    assert_eq!(data, b"abc");
    assert_eq!((meta.flags, meta.cas, meta.ttl, meta.size), (65536, 12, -1, 3));
    assert_eq!((meta.hit, meta.idle, meta.opaque), (true, 9, 77));
    assert!(meta.won && meta.stale && meta.taken);
    let Reply::Done(meta) = reply(Expect::Get, b"HD t30\r\n") else { panic!() };
    assert_eq!((meta.ttl, meta.hit, meta.won), (30, false, false));
    assert_eq!(reply(Expect::Get, b"EN\r\n"), Reply::Miss);
    assert_eq!(reply(Expect::Store, b"NS\r\n"), Reply::NotStored);
    assert_eq!(reply(Expect::Store, b"EX\r\n"), Reply::Exists);
    assert_eq!(reply(Expect::Delete, b"NF\r\n"), Reply::NotFound);
    assert_eq!(reply(Expect::Line, b"OK\r\n"), Reply::Line(b"OK"));
    assert_eq!(reply(Expect::Store, b"SERVER_ERROR out of memory\r\n"), Reply::ServerError(b"out of memory"));
    assert_eq!(reply(Expect::Store, b"CLIENT_ERROR bad\r\n"), Reply::ClientError(b"bad"));
    assert_eq!(reply(Expect::Store, b"ERROR\r\n"), Reply::ClientError(b"ERROR"));
    assert_eq!(reply(Expect::Lines, b"BUSY a\r\n"), Reply::ServerError(b"BUSY a"));
}

#[test]
fn values_and_lines_are_walked_in_place() {
    let Reply::Values(values) = reply(KEYS, b"VALUE a 0 5\r\nx\r\ny\n\r\nVALUE b 7 0\r\n\r\nEND\r\n") else { panic!() };
    let want = [Item { key: b"a", flags: 0, data: b"x\r\ny\n" }, Item { key: b"b", flags: 7, data: b"" }];
    assert_eq!(values.collect::<Vec<_>>(), want);
    let Reply::Lines(lines) = reply(Expect::Lines, b"STAT a 1\r\nSTAT b 2\r\nEND\r\n") else { panic!() };
    assert_eq!(lines.collect::<Vec<_>>(), [&b"STAT a 1"[..], b"STAT b 2"]);
}

#[test]
fn what_memcached_would_not_say_is_malformed() {
    let long = vec![b'x'; MAX_LINE + 1];
    let cases: Vec<(Expect, &[u8])> = vec![
        (Expect::Get, b"HTTP/1.1 400 Bad Request\r\n"),
        (Expect::Get, b"-ERR unknown command 'mg'\r\n"),
        (Expect::Get, b"\r\n"),
        (Expect::Get, b"EN\n"),
        (Expect::Get, b"ENX\r\n"),
        (Expect::Get, b"MN\r\n"),
        (Expect::Get, b"NS\r\n"),
        (Expect::Get, b"VA\r\n"),
        (Expect::Get, b"VA x\r\n"),
        (Expect::Get, b"VA -1\r\n"),
        (Expect::Get, b"VA 67108865\r\n"),
        (Expect::Get, b"VA 99999999999999999999999\r\n"),
        (Expect::Get, b"VA 1 fx\r\n"),
        (Expect::Get, b"VA 1\r\nabc\r\n"),
        (Expect::Get, &long),
        (Expect::Store, b"VA 1\r\na\r\n"),
        (Expect::Store, b"EN\r\n"),
        (Expect::Delete, b"NS\r\n"),
        (Expect::Noop, b"HD\r\n"),
        (Expect::Noop, b"ERRORS\r\n"),
        (Expect::Values { keys: 1 }, b"VALUE a 0 1\r\nx\r\nVALUE a 0 1\r\nx\r\nEND\r\n"),
        (KEYS, b"VALUE a 0\r\n"),
        (KEYS, b"VALUE  0 1\r\n"),
        (KEYS, b"VALUE a 0 1 9\r\nx\r\n"),
        (KEYS, b"VALUE a 0 67108865\r\n"),
        (KEYS, b"VALUE a 0 1\r\nx\r\nSERVER_ERROR out of memory\r\n"),
        (Expect::Lines, b"STAT a\n"),
        (Expect::Line, &long),
    ];
    for (expect, bytes) in cases {
        assert_eq!(fed(expect, bytes, &[]), Err(Malformed), "{:?}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn a_value_announces_how_much_is_still_to_come() {
    let mut progress = Progress::default();
    let start = b"VA 1000\r\nabc";
    assert_eq!(parse(Expect::Get, start, &mut progress), Ok(None));
    assert_eq!(progress.missing(start.len()), 1000 - 3 + 2);
}

fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let words: Vec<&'static [u8]> = vec![
        b"VA ",
        b"HD",
        b"EN\r\n",
        b"MN\r\n",
        b"END\r\n",
        b"VALUE a 0 2\r\n",
        b"ab\r\n",
        b"2",
        b"\r\n",
        b"\n",
        b" ",
        b"f1",
        b"ERROR",
        b"CLIENT_ERROR ",
        b"STAT x\r\n",
        b"W",
        b"\r",
        b"\0",
        b"99999999999",
    ];
    prop::collection::vec(prop::sample::select(words), 0..12).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn any_bytes_in_any_pieces_give_the_same_answer(
        pick: u8,
        bytes in prop_oneof![pieces(), prop::collection::vec(any::<u8>(), 0..80)],
    ) {
        for cut in 0..=bytes.len() {
            let data = [&[pick, u8::try_from(cut).unwrap()][..], &bytes].concat();
            prop_assert!(agrees(&data), "cut at {cut}");
        }
    }

    #[test]
    fn any_value_comes_back_whole(data: Vec<u8>, cas: u64, flags: u32, cuts in prop::collection::vec(0usize..200, 0..9)) {
        let mut cuts = cuts;
        cuts.sort_unstable();
        let bytes = [format!("VA {} c{cas} f{flags}\r\n", data.len()).as_bytes(), &data, b"\r\n"].concat();
        let frame = fed(Expect::Get, &bytes, &cuts).unwrap().unwrap();
        let Reply::Value { data: found, meta } = Reply::of(&frame, &bytes) else { panic!() };
        prop_assert_eq!(found, &data[..]);
        prop_assert_eq!((meta.cas, meta.flags, frame.len), (cas, flags, bytes.len()));
    }
}
