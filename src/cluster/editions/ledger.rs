//! The watcher's part: it reads the records with its polls, about once a second, lets servers in, and writes what is to be
//! written.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::agreement::Agreement;
use super::book::{Book, Duty};
use super::{Record, keys};
use crate::clock::{self, Deadline};
use crate::cluster::record::key_ref;
use crate::cluster::{Event, Layout, Shared};
use crate::health::{Poll, Reason};
use crate::key::WireKey;
use crate::wire::{self, Link, Reply};

/// Between two looks at the records of servers in service, milliseconds; others are looked at with each poll.
const LOOK_MS: u64 = 1_000;
/// A contradiction that is not repeated ends after so many seconds.
const CONTRADICTION: &str = "T4";

/// What all processes know of the other hosts' lists; all zero is "no difference was seen".
#[derive(Debug, Default)]
#[repr(C)]
pub struct ListsCell {
    differ: AtomicU64,
}

impl Shared {
    /// False from when a host with another list of servers is noticed until none was for a while.
    #[must_use]
    pub fn lists_agree(&self) -> bool {
        self.lists_cell().differ.load(Relaxed) == 0
    }
}

/// What the watcher knows of the records.
pub struct Ledger {
    shared: &'static Shared,
    layout: Arc<Layout>,
    book: Book,
    agreement: Agreement,
    list: WireKey,
    other: WireKey,
    /// By slots.
    pages: Vec<Page>,
    news: Option<Event>,
}

/// What is known of one server's record.
#[derive(Clone, Copy, Debug, Default)]
struct Page {
    /// It is in service: its record does not matter to that any more.
    member: bool,
    /// When it is asked next, while it is in service.
    next_ms: u64,
    /// Where in its packet the question stands.
    asked: Option<usize>,
    /// What it answered in this round, and the record's cas.
    found: Option<(Record, u64)>,
    /// Another host's list was told beside the record, in this round.
    contradicted: bool,
    /// The record had this cas since then.
    cas: u64,
    since_ms: u64,
}

impl Ledger {
    #[must_use]
    pub fn new(shared: &'static Shared) -> Self {
        let [list, other] = keys();
        Self {
            shared,
            layout: Arc::default(),
            book: Book::default(),
            agreement: Agreement::default(),
            list,
            other,
            pages: Vec::new(),
            news: None,
        }
    }

    /// The list is another one; the slots `renewed` got another server, or another way to it.
    pub fn follow(&mut self, layout: &Arc<Layout>, renewed: &[usize]) {
        match self.layout.version() {
            0 => self.book = Book::new(layout.digest()),
            version => self.book.turn(layout.digest(), layout.version() - version),
        }
        self.pages.resize(layout.slots(), Page::default());
        for (slot, page) in self.pages.iter_mut().enumerate() {
            // A server that left and came back meanwhile has its slot again, though nothing tells it apart from one that stayed.
            let fresh = self.shared.server_cell(slot).health.reason() == Reason::Unasked;
            if fresh || renewed.contains(&slot) {
                *page = Page { member: !fresh, ..Page::default() };
            }
        }
        self.agreement.reopen(clock::monotonic_ms());
        self.pages.iter_mut().for_each(|page| page.next_ms = 0);
        self.layout = Arc::clone(layout);
    }

    /// Asks these servers in packets of their own, so that those that came onto the list are in use before anything else takes
    /// them for servers that are down.
    pub fn look(&mut self, links: &mut [Link], servers: &[usize], deadline: Deadline) {
        self.begin();
        for &server in servers {
            links[server].begin();
            self.ask(server, &mut links[server]);
        }
        wire::exchange(links, servers, deadline);
        self.read(links);
        for &server in servers {
            let health = &self.shared.server_cell(server).health;
            if health.reason() == Reason::Unasked && self.admit(server).is_ok() {
                self.shared.probed(server, health.incarnation(), Poll::Known, 0);
            }
        }
        self.pages.iter_mut().for_each(|page| page.next_ms = 0);
    }

    /// A round of polls begins.
    pub fn begin(&mut self) {
        self.pages.iter_mut().for_each(|page| (page.asked, page.found, page.contradicted) = (None, None, false));
    }

    /// Adds the question to a server's packet, where it is time for that.
    pub fn ask(&mut self, server: usize, link: &mut Link) {
        let now_ms = clock::monotonic_ms();
        let page = &mut self.pages[server];
        if now_ms >= page.next_ms || !page.member {
            page.next_ms = now_ms + LOOK_MS;
            page.asked = Some(link.commands());
            link.mg(key_ref(&self.list), "v c");
            link.mg(key_ref(&self.other), "v");
        }
    }

    /// Takes the answers of the round, before the links are used for anything else.
    pub fn read(&mut self, links: &[Link]) {
        let now_ms = clock::monotonic_ms();
        let digest = self.layout.digest();
        let mut records = Vec::new();
        for (page, link) in self.pages.iter_mut().zip(links) {
            let Some(at) = page.asked.filter(|_| link.status().is_ok()) else { continue };
            page.found = Record::read(&link.reply(at));
            let Some((record, cas)) = page.found else { continue };
            records.push(record);
            if page.cas != cas {
                (page.cas, page.since_ms) = (cas, now_ms);
            }
            page.contradicted =
                matches!(link.reply(at + 1), Reply::Value { data, .. } if data != format!("{digest:016x}").as_bytes());
        }
        self.book.learn(&records, clock::wall_us() / 1_000);
        self.compare(now_ms);
    }

    /// Do other hosts contradict?
    fn compare(&mut self, now_ms: u64) {
        let looked = |page: &Page| page.member && page.found.is_some();
        if !self.pages.iter().any(looked) {
            return;
        }
        let of_another = |(record, _)| self.book.contradicted_by(record);
        let contradicts = |page: &Page| looked(page) && (page.contradicted || page.found.is_some_and(of_another));
        let server = self.pages.iter().position(contradicts);
        if let Some(differ) = self.agreement.looked(now_ms, server.is_some()) {
            self.news = Some(match server.filter(|_| differ) {
                Some(server) => Event::ListsDiffer { server, detail: self.detail(server) },
                None => Event::ListsAgree,
            });
        }
        self.shared.lists_cell().differ.store(u64::from(self.agreement.differ()), Relaxed);
    }

    /// Both lists, as the log names them.
    fn detail(&self, server: usize) -> String {
        let own = self.layout.digest();
        match self.pages[server].found {
            Some((Record::Left, _)) => format!("taken off its list by another host, on this host's list {own:016x}"),
            Some((Record::Of(edition), _)) if edition.digest != own => {
                format!("used under list {:016x}, this host has {own:016x}", edition.digest)
            }
            _ => format!("another host has not this host's list {own:016x}"),
        }
    }

    /// What became of the other hosts' lists since it was last asked.
    pub fn news(&mut self) -> Option<Event> {
        self.news.take()
    }

    /// Is the server in service, or may it come in now? Where not, what its health makes of that.
    pub fn admit(&mut self, server: usize) -> Result<(), Poll> {
        let page = &mut self.pages[server];
        if page.member {
            return Ok(());
        }
        match page.found {
            Some((record, _)) if self.book.welcomes(record) => {
                page.member = true;
                Ok(())
            }
            Some(_) => Err(Poll::Failed(Reason::OtherList)),
            None => Err(Poll::Pending),
        }
    }

    /// Writes the records of the round's servers where that is due.
    pub fn write(&mut self, links: &mut [Link], deadline: Deadline) {
        let now_ms = clock::monotonic_ms();
        let mut used = Vec::new();
        for (server, (page, link)) in self.pages.iter().zip(links.iter_mut()).enumerate() {
            let Some((record, cas)) = page.found.filter(|_| page.member && link.is_open()) else { continue };
            let duty = self.book.duty(record, now_ms.saturating_sub(page.since_ms));
            let Some(own) = self.book.own().filter(|_| duty != Duty::Nothing) else { continue };
            link.begin();
            if duty == Duty::Write {
                let guard = if record == Record::Missing { "T0 ME".to_owned() } else { format!("T0 C{cas}") };
                link.ms(key_ref(&self.list), &[own.text().as_bytes()], &guard);
            } else {
                link.ms(key_ref(&self.other), &[format!("{:016x}", own.digest).as_bytes()], CONTRADICTION);
            }
            used.push(server);
        }
        if !used.is_empty() {
            wire::exchange(links, &used, deadline);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn a_server_that_left_and_came_back_between_two_rounds_is_asked_again() {
        let mut config = Config::default();
        (1..=2).for_each(|n| config.add_server(&format!("name=s{n};addr=127.0.0.1:{n}")).unwrap());
        let shared = Shared::create(config).unwrap();
        let first = shared.layout();
        let mut ledger = Ledger::new(shared);
        ledger.follow(&first, &[0, 1]);
        assert_eq!([ledger.admit(0), ledger.admit(1)], [Ok(()); 2]);

        let specs = first.servers().map(|(_, spec)| Some(spec.clone())).collect();
        let third = Arc::new(first.follow(3, specs).unwrap());
        let renewed: Vec<usize> = third.renewed(&first).collect();
        shared.server_cell(0).renew(clock::monotonic_ms());
        ledger.follow(&third, &renewed);
        assert_eq!([ledger.admit(0), ledger.admit(1)], [Err(Poll::Pending), Ok(())]);
    }
}
