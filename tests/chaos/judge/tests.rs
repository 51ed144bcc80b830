//! Made-up histories, one line each: what must pass, and what must be found.
//!
//! `A set 1 0-5` is host A storing the value 1 from 0 to 5 ms; `!` behind it: -3, `?`: no answer, `x`: -1, `v`: -2, `n`: -2
//! without having asked.
//! `B get 1`, `B get -` (a miss), `A del`, `A void` (the tag of the key), `A tag 1` and `A untag` (another tag), `A add 2`, `A cas 1>2`, `A inc 3 =7` (adds 3, is told 7), `B num 7`.

use super::super::history::{Act, Call, NEVER};
use super::*;

const MS: u64 = 1_000;
const TWO: Rules = Rules { keeps: true, delta: 150 * MS };
const ONE: Rules = Rules { keeps: false, ..TWO };

fn call(line: &str) -> Call {
    let mut words: Vec<&str> = line.split_whitespace().collect();
    let mark = words.last().copied().filter(|word| ["!", "?", "x", "v", "n"].contains(word));
    words.truncate(words.len() - usize::from(mark.is_some()));
    let (begun, ended) = words.pop().and_then(|times| times.split_once('-')).expect("begin-end");
    let time = |text: &str| text.parse::<u64>().expect("a time") * MS;
    let host = usize::from(words[0].as_bytes()[0] - b'A');
    let text = words.get(2).copied().unwrap_or("-");
    let (seen, value) = text.split_once('>').unwrap_or(("0", text));
    let value = value.parse().ok();
    let number = words.get(3).map(|word| word.trim_start_matches('=').parse().expect("a number"));
    let act = match words[1] {
        "get" | "num" => Act::Get,
        "set" => Act::Set,
        "add" => Act::Add,
        "del" => Act::Delete,
        "void" => Act::Void,
        "tag" => Act::Tag,
        "untag" => Act::Untag,
        "cas" => Act::Cas { seen: seen.parse().expect("a value") },
        "inc" => Act::Count,
        other => panic!("{other}?"),
    };
    let number = if words[1] == "num" { value } else { number };
    let missed = act == Act::Get && value.is_none();
    let rc = match mark {
        Some("?") => None,
        Some("!") => Some(-3),
        Some("v" | "n") => Some(-2),
        Some(_) => Some(-1),
        None => Some(if missed { -1 } else { 1 }),
    };
    let ended = if mark == Some("?") { NEVER } else { time(ended) };
    let error = if mark == Some("n") { "server down" } else { "timeout" };
    Call { act, host, value, number, begun: time(begun), ended, rc, error }
}

fn found(judge: fn(&[Call], &Rules) -> Verdict, rules: &Rules, history: &str) -> Vec<&'static str> {
    let calls: Vec<Call> = history.split(", ").map(call).collect();
    judge(&calls, rules).violations.iter().map(|violation| violation.what).collect()
}

#[test]
fn histories_of_values_that_keep_the_promises() {
    for history in [
        "B get - 0-1",
        "A set 1 0-5, B get 1 200-201",
        "A set 1 0-5, B get 1 3-4, A set 2 3-9, B get 2 8-9",
        // Two at the same time may stand in either order.
        "A set 1 0-5, B set 2 1-6, A get 1 300-301, B get 2 310-311",
        // Another host may be behind by less than the bound.
        "A set 1 0-5, A set 2 200-205, B get 1 350-351",
        "A set 1 0-5, A del 200-205, B get 1 350-351",
        "A set 1 0-5, A del 10-12, A get - 13-14, B get - 400-401",
        // What was left open may take effect at any time, or never.
        "A set 1 0-5, A set 2 10-60 !, B get 1 400-401, B get 2 500-501",
        "A set 1 0-5, A set 2 10-60 ?, B get 2 900-901",
        "A set 1 0-5, A del 10-60 !, B get - 400-401, B get 1 500-501",
        "A set 1 0-5, A set 2 10-60 v, B get 1 400-401",
        "A get 1 300-301 v, A set 1 0-5",
        "A add 1 0-5, B add 2 200-201 x, B get 1 300-301",
        "A add 1 0-5, A del 10-11, B add 2 200-201, B get 2 300-301",
        "A set 1 0-5, A del 10-60 !, B add 2 200-201, B get 2 300-301",
        "A set 1 0-5, A cas 1>2 10-11, B cas 1>3 10-12 x, B get 2 300-301",
        "A set 1 0-5, A void 10-12, A get - 13-14, B get - 400-401, B add 2 402-403",
        "A set 1 0-5, A tag 1 6-7, B untag 200-205, A get 1 350-351, A get - 360-361, B get - 206-207",
        // Not under the tag: not yet, or not for certain, or not for long.
        "A set 1 0-5, A untag 6-7, A tag 1 8-9, A get 1 300-301",
        "A set 1 0-5, A tag 1 6-60 !, A untag 100-101, A get 1 300-301",
        "A set 1 0-5, B set 2 4-8, A tag 1 6-7, A untag 100-101, B get 1 300-301, B get 2 300-301",
        "A set 1 0-5, A tag 1 6-7, A untag 10-60 !, A get 1 300-301, A get - 400-401",
        "A set 1 0-5, A tag 1 6-7, A set 2 8-9, A untag 10-11, B get 2 300-301",
        "A set 1 0-5, A tag 1 6-7, B untag 8-9, B get 1 156-157, B get - 157-158",
    ] {
        let none: [&str; 0] = [];
        assert_eq!(found(value, &TWO, history), none, "{history}");
        assert_eq!(found(value, &ONE, history), none, "{history}");
    }
}

#[test]
fn histories_of_values_that_break_them() {
    for (history, what) in [
        ("A set 1 0-5, B get - 300-301", "P1: an acknowledged write is lost"),
        ("A set 1 0-5, A get - 6-7", "P1: an acknowledged write is lost"),
        ("A del 0-1, A set 1 2-5, B get - 300-301", "P1: an acknowledged write is lost"),
        ("A set 1 0-5, A set 2 200-205, B get 1 356-357", "P1/P2: an older value was read"),
        ("A set 1 0-5, A set 2 200-205, A get 1 206-207", "P1/P2: an older value was read"),
        ("A set 1 0-5, A del 200-205, B get 1 356-357", "P2: a deleted value came back"),
        ("A set 1 0-5, A del 200-205 x, A get 1 206-207", "P2: a deleted value came back"),
        ("A set 1 0-5, A void 200-205, B get 1 356-357", "P2: a deleted value came back"),
        ("A set 1 0-5, A tag 1 6-7, B untag 9-10, B get 1 300-301", "P2: a value under an invalidated tag came back"),
        (
            "A set 1 0-5, A tag 1 6-7, B untag 155-156, B get 1 157-158",
            "P2: a value under an invalidated tag came back",
        ),
        ("A set 1 0-5, A tag 1 6-7, A untag 9-10, A get 1 11-12", "P2: a value under an invalidated tag came back"),
        ("A set 1 0-5, A untag 6-7, A set 2 8-9, A get - 300-301", "P1: an acknowledged write is lost"),
        ("A set 1 0-5, B get 7 300-301", "a value that nobody wrote"),
        ("B get 1 0-1, A set 1 5-6", "a value was read before it was written"),
        ("A set 1 0-5, B add 2 200-201 x, B get 2 300-301", "P5: a refused write was stored"),
        ("A set 1 0-5, B set 2 200-201 n, B get 2 300-301", "P5: a refused write was stored"),
        ("A set 1 0-5, B del 200-201 n, B get - 300-301", "P1: an acknowledged write is lost"),
        ("A set 1 0-5, B add 2 6-7, B get 2 300-301", "P5: an add went over a value"),
        ("A add 1 0-5, B add 2 3-7, B get 2 300-301", "P5: an add went over a value"),
        ("A set 1 0-5, A cas 1>2 10-11, B cas 1>3 10-12, B get 3 300-301", "two cas replaced the same value"),
    ] {
        assert_eq!(found(value, &TWO, history), [what], "{history}");
    }
}

#[test]
fn a_table_with_one_copy_may_forget_but_not_remember_wrongly() {
    let none: [&str; 0] = [];
    assert_eq!(found(value, &ONE, "A set 1 0-5, A get - 6-7, B add 2 8-9"), none);
    assert_eq!(found(value, &ONE, "A set 1 0-5, A set 2 9-10, A get 1 11-12"), ["P1/P2: an older value was read"]);
    assert_eq!(found(counter, &ONE, "A inc 5 =5 0-1, B num - 300-301"), none);
    assert_eq!(found(counter, &ONE, "A inc 5 =5 0-1, B num 10 300-301"), ["P3: an increment counts twice"]);
}

#[test]
fn a_write_that_was_left_open_may_come_late_but_not_over_a_later_one() {
    let history = "A set 1 0-50 !, A set 2 60-65, B get 1 300-301";
    assert_eq!(found(value, &TWO, history), ["P1/P2: an unanswered write came over a later one"]);
    let calls: Vec<Call> = history.split(", ").map(call).collect();
    let one = value(&calls, &ONE);
    assert_eq!((one.late, one.violations.len()), (1, 0));
}

#[test]
fn histories_of_counters() {
    let (lost, twice) = ("P3: an acknowledged increment is lost", "P3: an increment counts twice");
    let good: &[&str] = &[];
    for (history, what) in [
        ("A inc 1 =1 0-1, B inc 2 =3 2-3, A num 3 300-301", good),
        ("A inc 1 =1 0-5, B inc 2 =2 2-6, A num 3 300-301", good),
        ("A inc 1 =1 0-1, B num - 100-101, B num 1 152-153", good),
        ("A inc 1 0-50 !, B num 1 300-301, B num - 400-401", good),
        ("A inc 1 0-50 ?, B num 1 300-301", good),
        ("A inc 1 =1 0-1, A num - 2-3", &[lost]),
        ("A inc 1 =1 0-1, B num - 300-301", &[lost]),
        ("A inc 1 =1 0-1, A inc 1 =1 2-3, A num 2 300-301", &[lost]),
        ("A inc 1 =1 0-1, B num 2 300-301", &[twice]),
        ("A inc 1 0-50 !, B num 2 300-301", &[twice]),
        ("A inc 1 0-5 v, B num 1 300-301", &[twice]),
        ("A num 1 0-1, A inc 1 =1 5-6", &[twice]),
    ] {
        assert_eq!(found(counter, &TWO, history), what, "{history}");
    }
}
