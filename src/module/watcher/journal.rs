//! What the operator reads about the servers: one line per change, and one per minute for a server or pool that flaps.
//!
//! Pure: time comes as an argument, lines go out as text.

use crate::cluster::{DRAINED, Event, Layout};
use crate::host::log::Level;

/// Within so many milliseconds ...
const WINDOW_MS: u64 = 60_000;
/// ... a server, and the pool, gets so many lines.
const LINES: u32 = 6;

/// What was said about each server and all of them.
#[derive(Debug)]
pub struct Journal {
    version: u64,
    /// By slots; where there is none, without a name.
    servers: Vec<Subject>,
    pool: Subject,
}

/// Who may be down or up.
#[derive(Debug)]
struct Subject {
    name: String,
    down_since: Option<u64>,
    window: u64,
    changes: u32,
}

/// One line of the log.
type Line = (Level, String);

impl Default for Journal {
    fn default() -> Self {
        Self { version: 0, servers: Vec::new(), pool: Subject::new("the pool of servers".to_owned()) }
    }
}

impl Journal {
    /// Follows the list of servers: of those that stay it goes on telling.
    pub fn follow(&mut self, layout: &Layout) {
        if self.version == layout.version() {
            return;
        }
        self.version = layout.version();
        self.servers.resize_with(layout.slots(), || Subject::new(String::new()));
        for (slot, server) in self.servers.iter_mut().enumerate() {
            let spec = layout.server(slot);
            let name = spec.map_or(String::new(), |spec| format!("server {} ({})", spec.name, spec.addr));
            if server.name != name {
                *server = Subject::new(name);
            }
        }
    }

    /// What to say of `event` at `now_ms`; `outlook` is what it means for the server's keys, if anything.
    pub fn line(&mut self, event: &Event, outlook: &str, now_ms: u64) -> Option<Line> {
        let outlook = if outlook.is_empty() { String::new() } else { format!("; {outlook}") };
        match event {
            Event::ServerDown { server, reason, detail } => {
                self.servers.get_mut(*server)?.down(reason, &shown(detail), &outlook, now_ms)
            }
            Event::ServerUp { server } => self.servers.get_mut(*server)?.up(&outlook, now_ms),
            Event::PoolDown { down, of } => {
                let text =
                    format!("{down} of {of} servers are down: every call answers -2 at once until enough are back");
                self.pool.line(Level::Error, text, now_ms)
            }
            Event::PoolUp => {
                self.pool.line(Level::Notice, "enough servers are back: calls are served again".to_owned(), now_ms)
            }
            Event::AllDown => self.pool.line(Level::Error, "no server is in use".to_owned(), now_ms),
        }
    }

    /// What to say of those whose changes were too many for a line each, once their minute is over. `up` tells who is
    /// in use now: a server by its index, or the pool.
    pub fn summary(&mut self, now_ms: u64, up: impl Fn(Option<usize>) -> bool) -> Vec<String> {
        let servers = self.servers.iter_mut().enumerate().map(|(index, server)| (Some(index), server));
        let all = servers.chain([(None, &mut self.pool)]);
        all.filter_map(|(index, subject)| subject.hushed(now_ms, || up(index))).collect()
    }
}

impl Subject {
    fn new(name: String) -> Self {
        Self { name, down_since: None, window: 0, changes: 0 }
    }

    fn down(&mut self, reason: &str, detail: &str, outlook: &str, now_ms: u64) -> Option<Line> {
        self.down_since.get_or_insert(now_ms);
        if reason == DRAINED {
            let text = format!("{} is drained by the operator{outlook}", self.name);
            return self.line(Level::Notice, text, now_ms);
        }
        let text = format!("{} is down: {reason}{detail}{outlook}", self.name);
        self.line(Level::Error, text, now_ms)
    }

    fn up(&mut self, outlook: &str, now_ms: u64) -> Option<Line> {
        let outage = self.down_since.take().map(|since| now_ms.saturating_sub(since));
        let after = outage.map_or(String::new(), |ms| format!(" after {}.{} s", ms / 1000, ms % 1000 / 100));
        let text = format!("{} is back{after}{outlook}", self.name);
        self.line(Level::Notice, text, now_ms)
    }

    fn line(&mut self, level: Level, text: String, now_ms: u64) -> Option<Line> {
        if self.changes == 0 {
            self.window = now_ms;
        }
        self.changes += 1;
        match self.changes.cmp(&LINES) {
            std::cmp::Ordering::Less => Some((level, text)),
            std::cmp::Ordering::Equal => {
                Some((level, format!("{text}; more changes within this minute are counted only")))
            }
            std::cmp::Ordering::Greater => None,
        }
    }

    fn hushed(&mut self, now_ms: u64, up: impl Fn() -> bool) -> Option<String> {
        if self.changes == 0 || now_ms.saturating_sub(self.window) < WINDOW_MS {
            return None;
        }
        let more = std::mem::take(&mut self.changes).checked_sub(LINES).filter(|more| *more > 0)?;
        let state = if up() { "up" } else { "not in use" };
        Some(format!("{} went down and up {more} more times within a minute, and is {state} now", self.name))
    }
}

/// A detail in parentheses, on one line.
fn shown(detail: &str) -> String {
    if detail.is_empty() {
        return String::new();
    }
    let line: String = detail.chars().take(200).map(|c| if c.is_control() { '?' } else { c }).collect();
    format!(" ({line})")
}

#[cfg(test)]
mod tests {
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
    fn a_drained_server_is_not_told_as_one_that_failed() {
        let drained = "server mc1 (10.0.0.11:11211) is drained by the operator; mc2 serves";
        let event = Event::ServerDown { server: 0, reason: DRAINED, detail: String::new() };
        assert_eq!(journal().line(&event, "mc2 serves", 0), Some((Level::Notice, drained.to_owned())));
    }

    #[test]
    fn a_flapping_server_gets_six_lines_and_a_summary_per_minute() {
        let mut journal = journal();
        let said =
            (0..20).filter(|n| journal.line(if n % 2 == 0 { &DOWN } else { &UP }, "", 100 * n).is_some()).count();
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
    fn an_event_of_an_unknown_server_is_no_line() {
        assert_eq!(journal().line(&Event::ServerUp { server: 9 }, "", 0), None);
    }
}
