use super::*;
use crate::config::Config;

const MC1: &str = "name=mc1;addr=10.0.0.11";
const MC2: &str = "name=mc2;addr=unix:/run/mc2";

fn layout(version: u64, slots: &[&str]) -> Layout {
    Layout::new(version, slots.iter().map(|text| Config::server(text).ok()).collect()).unwrap()
}

fn journal() -> Journal {
    let mut journal = Journal::default();
    journal.follow(&layout(1, &[MC1, MC2]));
    journal
}

static DOWN: Event = Event::ServerDown { server: 0, reason: "connection refused", detail: String::new() };
static UP: Event = Event::ServerUp { server: 0 };

#[test]
fn a_line_names_server_address_reason_and_consequence() {
    let mut journal = journal();
    let down = "server mc1 (10.0.0.11:11211) is down: connection refused; mc2 serves";
    let up = "server mc1 (10.0.0.11:11211) is back after 12.3 s";
    assert_eq!(journal.line(&DOWN, "mc2 serves", 1_000), Some((Level::Error, down.to_owned())));
    let event = Event::ServerDown { server: 1, reason: "TLS failure", detail: "bad\nname".to_owned() };
    let line = journal.line(&event, "all is lost", 0);
    assert!(line.is_some_and(|(_, line)| line.ends_with(" is down: TLS failure (bad?name); all is lost")));
    assert_eq!(journal.line(&UP, "", 13_345), Some((Level::Notice, up.to_owned())));
}

#[test]
fn the_pool_has_lines_of_its_own() {
    let mut journal = journal();
    let down = journal.line(&Event::PoolDown { down: 2, of: 3 }, "", 1).unwrap();
    let want = "2 of 3 servers are down: every call answers -2 at once until enough are back";
    assert_eq!(down, (Level::Error, want.to_owned()));
    assert!(journal.line(&Event::AllDown, "", 1).is_some_and(|(level, _)| level == Level::Error));
    assert!(journal.line(&Event::PoolUp, "", 2).is_some_and(|(level, _)| level == Level::Notice));
    assert!(journal.line(&DOWN, "", 3).is_some());
    for now in 4..10 {
        journal.line(&Event::PoolUp, "", now);
    }
    let lines = journal.summary(60_001, |of| of.is_none());
    assert_eq!(lines, ["the pool of servers went down and up 3 more times within a minute, and is up now"]);
}

#[test]
fn different_lists_are_told_with_the_server_that_shows_it() {
    let mut journal = journal();
    let event = Event::ListsDiffer { server: 1, detail: "used under list a, this host has b".to_owned() };
    let differ = "the hosts' lists of servers differ: server mc2 (unix:/run/mc2) is used under list a, this host has b; \
                  give all hosts the same list";
    assert_eq!(journal.line(&event, "", 1), Some((Level::Error, differ.to_owned())));
    let agree = "the hosts' lists of servers are the same again".to_owned();
    assert_eq!(journal.line(&Event::ListsAgree, "", 2), Some((Level::Notice, agree)));
    for now in 3..10 {
        journal.line(&event, "", now);
    }
    let lines = journal.summary(60_001, |_| true);
    assert_eq!(lines, ["the hosts' lists of servers differed or agreed 3 more times within a minute"]);
}

#[test]
fn a_drained_server_is_not_told_as_one_that_failed() {
    let drained = "server mc1 (10.0.0.11:11211) is drained by the operator; mc2 serves";
    let event = Event::ServerDown { server: 0, reason: DRAINED, detail: String::new() };
    assert_eq!(journal().line(&event, "mc2 serves", 0), Some((Level::Notice, drained.to_owned())));
}

#[test]
fn a_flapping_server_gets_six_lines_and_a_summary_per_minute() {
    let mut journal = journal();
    let said = (0..20).filter(|n| journal.line(if n % 2 == 0 { &DOWN } else { &UP }, "", 100 * n).is_some()).count();
    assert_eq!(said, 6);
    assert_eq!(journal.summary(59_999, |_| true), Vec::<String>::new());
    let lines = journal.summary(60_000, |_| false);
    assert_eq!(
        lines,
        ["server mc1 (10.0.0.11:11211) went down and up 14 more times within a minute, and is not in use now"]
    );
    assert_eq!(journal.summary(60_001, |_| true), Vec::<String>::new());
    assert!(journal.line(&DOWN, "", 60_002).is_some(), "a new minute begins");
}

#[test]
fn a_flapping_server_does_not_hush_another() {
    let mut journal = journal();
    for now in 0..20 {
        journal.line(&DOWN, "", now);
    }
    let other = Event::ServerDown { server: 1, reason: "timeout", detail: String::new() };
    assert!(journal.line(&other, "", 20).is_some());
}

#[test]
fn a_changed_list_leaves_what_is_known_of_the_others() {
    let mut journal = journal();
    journal.line(&DOWN, "", 1_000);
    journal.follow(&layout(2, &[MC1, "", "name=mc3;addr=h3"]));
    assert!(
        journal
            .line(&UP, "", 3_000)
            .is_some_and(|(_, line)| line.contains("mc1 (10.0.0.11:11211) is back after 2.0 s"))
    );
    journal.line(&DOWN, "", 4_000);
    journal.follow(&layout(3, &["name=mc4;addr=h4"]));
    assert!(journal.line(&UP, "", 5_000).is_some_and(|(_, line)| line.ends_with("mc4 (h4:11211) is back")));
}

#[test]
fn copies_that_became_whole_are_told_by_pair_and_all_together() {
    let mut journal = journal();
    let whole = Event::PairWhole { home: 0, partner: 1, after_ms: 3_249, repaired: 1204 };
    let line = "copies of mc1/mc2 are whole after 3.2 s, 1204 keys repaired by this host";
    assert_eq!(journal.line(&whole, "", 0), Some((Level::Notice, line.to_owned())));
    let line = "all copies are whole: the next server may fail";
    assert_eq!(journal.line(&Event::Whole, "", 0), Some((Level::Notice, line.to_owned())));
    for now in 0..20 {
        journal.line(&whole, "", now);
        journal.line(&Event::Whole, "", now);
    }
    assert!(journal.line(&DOWN, "", 21).is_some(), "they hush nothing else");
    let more = [
        "copies of what is at home on mc1 were or ceased to be whole 15 more times within a minute",
        "all copies became whole 15 more times within a minute",
    ];
    assert_eq!(journal.summary(60_000, |_| true), more);
}

#[test]
fn copies_that_are_no_longer_whole_are_told_with_why_and_what_to_leave_alone() {
    for (why, want) in [
        (Torn::Away(1), "mc2 is not in use; do not restart mc1 until they are"),
        (Torn::Late(0), "mc1 did not answer a host in time; do not restart mc2 until they are"),
        (Torn::Lacks(0), "mc1 may lack entries; do not restart mc2 until they are"),
        (Torn::Unknown, "neither is known to hold all yet; restart neither until they are"),
        (Torn::Moved, "the lists of servers changed; restart neither, and leave the lists, until they are"),
    ] {
        let line = journal().line(&Event::PairTorn { home: 0, partner: 1, why }, "", 0);
        assert_eq!(line, Some((Level::Warning, format!("copies of mc1/mc2 are not whole: {want}"))));
    }
}

#[test]
fn a_home_that_others_left_is_told_with_who_keeps_its_entries() {
    let mut journal = journal();
    let want = "server mc1 (10.0.0.11:11211) is not used by another host; what is at home there in tables with one copy is \
                kept on mc2 until all use it";
    assert_eq!(journal.line(&Event::SeatLeft { home: 0, stand_in: 1 }, "", 0), Some((Level::Warning, want.to_owned())));
    let want = "server mc1 (10.0.0.11:11211) is used by all hosts again; what is at home there in tables with one copy is \
                kept there";
    assert_eq!(journal.line(&Event::SeatBack { home: 0 }, "", 1), Some((Level::Notice, want.to_owned())));
    let lines = (0..20).filter_map(|now| journal.line(&Event::SeatBack { home: 0 }, "", now)).count();
    let more =
        format!("other hosts left and took up server mc1 (10.0.0.11:11211) {} more times within a minute", 20 - lines);
    assert_eq!(journal.summary(60_000, |_| true), [more]);
}

#[test]
fn a_server_without_lists_is_told_with_what_that_means() {
    let line = journal().line(&Event::NoList { server: 1 }, "", 0);
    let want = "server mc2 (unix:/run/mc2) makes no lists of its keys (memcached -o no_lru_crawler): what it lacks cannot \
                be found, and copies on it are never called whole";
    assert_eq!(line, Some((Level::Warning, want.to_owned())));
}

#[test]
fn an_event_of_an_unknown_server_is_no_line() {
    let whole = Event::PairWhole { home: 0, partner: 9, after_ms: 0, repaired: 0 };
    let torn = Event::PairTorn { home: 0, partner: 9, why: Torn::Unknown };
    let left = Event::SeatLeft { home: 0, stand_in: 9 };
    for event in [Event::ServerUp { server: 9 }, Event::NoList { server: 9 }, whole, torn, left] {
        assert_eq!(journal().line(&event, "", 0), None);
    }
}
