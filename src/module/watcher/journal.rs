//! What the operator reads about the servers: one line per change, and one per minute for whatever flaps.
//!
//! Pure: time comes as an argument, lines go out as text.

mod lines;

use crate::cluster::{DRAINED, Event, Layout, Torn};
use crate::config::ServerSpec;
use crate::host::log::Level;
use lines::{Line, Lines};

const SINGLE: &str = "what is at home there in tables with one copy";
const LISTS: &str = "the hosts' lists of servers";

/// What was said about each server and all of them.
#[derive(Debug)]
pub struct Journal {
    version: u64,
    /// By slots; where there is none, without a name.
    servers: Vec<Subject>,
    pool: Subject,
    /// About all copies.
    copies: Lines,
    /// About the lists of all hosts.
    lists: Lines,
}

/// Who may be down or up.
#[derive(Debug)]
struct Subject {
    /// As `shc.list` has it.
    name: String,
    title: String,
    down_since: Option<u64>,
    lines: Lines,
    /// About the copies of what is at home there.
    copies: Lines,
    /// About where its single entries are kept.
    seat: Lines,
}

impl Default for Journal {
    fn default() -> Self {
        let pool = Subject::new(String::new(), "the pool of servers".to_owned());
        Self { version: 0, servers: Vec::new(), pool, copies: Lines::default(), lists: Lines::default() }
    }
}

impl Journal {
    /// Follows the list of servers: of those that stay it goes on telling.
    pub fn follow(&mut self, layout: &Layout) {
        if self.version == layout.version() {
            return;
        }
        self.version = layout.version();
        self.servers.resize_with(layout.slots(), Subject::default);
        for (slot, server) in self.servers.iter_mut().enumerate() {
            let next = layout.server(slot).map_or(Subject::default(), Subject::server);
            if server.title != next.title {
                *server = next;
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
                self.pool.lines.say(Level::Error, text, now_ms)
            }
            Event::PoolUp => {
                let text = "enough servers are back: calls are served again";
                self.pool.lines.say(Level::Notice, text.to_owned(), now_ms)
            }
            Event::AllDown => self.pool.lines.say(Level::Error, "no server is in use".to_owned(), now_ms),
            Event::PairTorn { home, partner, why } => {
                let text =
                    format!("{} are not whole: {}", self.pair(*home, *partner)?, self.torn(*home, *partner, *why));
                self.servers[*home].copies.say(Level::Warning, text, now_ms)
            }
            Event::PairWhole { home, partner, after_ms, repaired } => {
                let (pair, after) = (self.pair(*home, *partner)?, seconds(*after_ms));
                let text = format!("{pair} are whole after {after}, {repaired} keys repaired by this host");
                self.servers[*home].copies.say(Level::Notice, text, now_ms)
            }
            Event::SeatLeft { home, stand_in } => {
                let (title, stand_in) = (&self.servers.get(*home)?.title, &self.servers.get(*stand_in)?.name);
                let text =
                    format!("{title} is not used by another host; {SINGLE} is kept on {stand_in} until all use it");
                self.servers[*home].seat.say(Level::Warning, text, now_ms)
            }
            Event::SeatBack { home } => {
                let Subject { title, seat, .. } = self.servers.get_mut(*home)?;
                seat.say(Level::Notice, format!("{title} is used by all hosts again; {SINGLE} is kept there"), now_ms)
            }
            Event::Whole => {
                let text = "all copies are whole: the next server may fail";
                self.copies.say(Level::Notice, text.to_owned(), now_ms)
            }
            Event::NoList { server } => {
                let Subject { title, lines, .. } = self.servers.get_mut(*server)?;
                let text = format!(
                    "{title} makes no lists of its keys (memcached -o no_lru_crawler): what it lacks cannot be found, and \
                     copies on it are never called whole"
                );
                lines.say(Level::Warning, text, now_ms)
            }
            Event::ListsDiffer { server, detail } => {
                let title = &self.servers.get(*server)?.title;
                let text = format!("{LISTS} differ: {title} is {detail}; give all hosts the same list");
                self.lists.say(Level::Error, text, now_ms)
            }
            Event::ListsAgree => self.lists.say(Level::Notice, format!("{LISTS} are the same again"), now_ms),
        }
    }

    fn pair(&self, home: usize, partner: usize) -> Option<String> {
        Some(format!("copies of {}/{}", self.servers.get(home)?.name, self.servers.get(partner)?.name))
    }

    /// Why a pair is not whole, and what not to do meanwhile.
    fn torn(&self, home: usize, partner: usize, why: Torn) -> String {
        let name = |server: usize| &self.servers[server].name;
        let other = |server| name(if server == home { partner } else { home });
        let spare = |server| format!("do not restart {} until they are", other(server));
        match why {
            Torn::Away(server) => format!("{} is not in use; {}", name(server), spare(server)),
            Torn::Late(server) => format!("{} did not answer a host in time; {}", name(server), spare(server)),
            Torn::Lacks(server) => format!("{} may lack entries; {}", name(server), spare(server)),
            Torn::Unknown => "neither is known to hold all yet; restart neither until they are".to_owned(),
            Torn::Moved => {
                "the lists of servers changed; restart neither, and leave the lists, until they are".to_owned()
            }
        }
    }

    /// What to say of those whose changes were too many for a line each, once their minute is over. `up` tells who is
    /// in use now: a server by its index, or the pool.
    pub fn summary(&mut self, now_ms: u64, up: impl Fn(Option<usize>) -> bool) -> Vec<String> {
        let servers = self.servers.iter_mut().enumerate().map(|(index, server)| (Some(index), server));
        let all = servers.chain([(None, &mut self.pool)]);
        let mut said: Vec<String> = Vec::new();
        for (index, subject) in all {
            said.extend(subject.hushed(now_ms, || up(index)));
            let title = |more| {
                format!("copies of what is at home on {} were or ceased to be whole {more} more times", subject.name)
            };
            said.extend(subject.copies.hushed(now_ms).map(title).map(within));
            let moved = |more| format!("other hosts left and took up {} {more} more times", subject.title);
            said.extend(subject.seat.hushed(now_ms).map(moved).map(within));
        }
        let all_copies = self.copies.hushed(now_ms).map(|more| format!("all copies became whole {more} more times"));
        said.extend(all_copies.map(within));
        let lists = self.lists.hushed(now_ms).map(|more| format!("{LISTS} differed or agreed {more} more times"));
        said.extend(lists.map(within));
        said
    }
}

impl Default for Subject {
    fn default() -> Self {
        Self::new(String::new(), String::new())
    }
}

impl Subject {
    fn new(name: String, title: String) -> Self {
        Self {
            name,
            title,
            down_since: None,
            lines: Lines::default(),
            copies: Lines::default(),
            seat: Lines::default(),
        }
    }

    fn server(spec: &ServerSpec) -> Self {
        Self::new(spec.name.clone(), format!("server {} ({})", spec.name, spec.addr))
    }

    fn down(&mut self, reason: &str, detail: &str, outlook: &str, now_ms: u64) -> Option<Line> {
        self.down_since.get_or_insert(now_ms);
        if reason == DRAINED {
            let text = format!("{} is drained by the operator{outlook}", self.title);
            return self.lines.say(Level::Notice, text, now_ms);
        }
        let text = format!("{} is down: {reason}{detail}{outlook}", self.title);
        self.lines.say(Level::Error, text, now_ms)
    }

    fn up(&mut self, outlook: &str, now_ms: u64) -> Option<Line> {
        let outage = self.down_since.take().map(|since| now_ms.saturating_sub(since));
        let after = outage.map_or(String::new(), |ms| format!(" after {}", seconds(ms)));
        let text = format!("{} is back{after}{outlook}", self.title);
        self.lines.say(Level::Notice, text, now_ms)
    }

    fn hushed(&mut self, now_ms: u64, up: impl Fn() -> bool) -> Option<String> {
        let more = self.lines.hushed(now_ms)?;
        let state = if up() { "up" } else { "not in use" };
        Some(format!("{} went down and up {more} more times within a minute, and is {state} now", self.title))
    }
}

fn within(text: String) -> String {
    text + " within a minute"
}

fn seconds(ms: u64) -> String {
    format!("{}.{} s", ms / 1000, ms % 1000 / 100)
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
mod tests;
