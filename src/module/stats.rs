//! The statistics of group `shardcache`: the first tables and servers of the start by name, read straight from shared memory, so
//! that any process can answer. `shc.stats` shows all of them.

use crate::clock::Deadline;
use crate::cluster::{ServerStat, Shared, TableStat};
use crate::host::entry::Refused;
use crate::host::{log, stats};
use crate::lookup::sql::SourceStat;
use crate::module::clerk::outbox::{self, OutboxStat};
use crate::module::clerk::reload::{self, ReloadStat};
use crate::module::sources;
use crate::near::Stats;
use std::ffi::CString;
use std::sync::Arc;
use std::time::Duration;

/// How many tables, how many sources and how many servers have statistics of their own.
const SHOWN: usize = 32;

/// What one name stands for. Servers are known by their names: those that left the list count nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    Table(usize, TableStat),
    Asked(usize, SourceStat),
    /// 1 while the database of that source is asked, else 0.
    Answers(usize),
    Outbox(OutboxStat),
    /// 1 while this host drains the outbox, else 0.
    Drains,
    Reload(ReloadStat),
    Server(Arc<str>, ServerStat),
    /// 1 while workers may use it, else 0.
    Up(Arc<str>),
    /// Microseconds of the last probe.
    Latency(Arc<str>),
    /// How many servers are configured.
    Servers,
    /// How many of them workers may use.
    ServersUp,
    /// 1 while most of them are down and every call answers -2, else 0.
    PoolDown,
    /// 1 while another host has another list of servers, else 0.
    ListsDiffer,
    /// What this host keeps near: entries, the bytes of memory they take, and those that had to make room.
    NearEntries,
    NearBytes,
    NearEvictions,
}

/// Makes the statistics known to the host. To be called once, from mod_init.
pub fn register(shared: &'static Shared) -> Result<(), Refused> {
    let (names, sources): (Vec<String>, Vec<Source>) = list(shared).into_iter().unzip();
    let names = names.into_iter().filter_map(|name| CString::new(name).ok()).collect();
    let read = move |slot: usize| sources.get(slot).map_or(0, |source| read(shared, source));
    if stats::register(c"shardcache", names, Box::new(read)) {
        return Ok(());
    }
    log::error("the statistics could not be registered");
    Err(Refused)
}

fn list(shared: &Shared) -> Vec<(String, Source)> {
    let layout = shared.layout();
    let of_all = [
        ("servers", Source::Servers),
        ("servers_up", Source::ServersUp),
        ("pool_down", Source::PoolDown),
        ("lists_differ", Source::ListsDiffer),
        ("near_entries", Source::NearEntries),
        ("near_bytes", Source::NearBytes),
        ("near_evictions", Source::NearEvictions),
    ];
    let mut all: Vec<_> = of_all.into_iter().map(|(name, source)| (name.to_owned(), source)).collect();
    for (index, table) in shared.config().tables.iter().enumerate().take(SHOWN) {
        let row = |(stat, name)| (format!("table_{}_{name}", table.name), Source::Table(index, stat));
        all.extend(TableStat::ALL.map(row));
    }
    for (index, spec) in shared.config().sources.iter().enumerate().take(SHOWN) {
        let row = |(stat, name)| (format!("source_{}_{name}", spec.name), Source::Asked(index, stat));
        all.extend(SourceStat::ALL.map(row));
        all.push((format!("source_{}_up", spec.name), Source::Answers(index)));
    }
    if !shared.config().sources.is_empty() {
        all.extend(ReloadStat::ALL.map(|(stat, name)| (name.to_owned(), Source::Reload(stat))));
    }
    if shared.config().outbox.is_some() {
        all.extend(OutboxStat::ALL.map(|(stat, name)| (name.to_owned(), Source::Outbox(stat))));
        all.push(("outbox_drains".to_owned(), Source::Drains));
    }
    for (_, server) in layout.servers().take(SHOWN) {
        let own: Arc<str> = server.name.as_str().into();
        let row = |(stat, name)| (format!("server_{own}_{name}"), Source::Server(own.clone(), stat));
        all.extend(ServerStat::ALL.map(row));
        all.push((format!("server_{own}_up"), Source::Up(own.clone())));
        all.push((format!("server_{own}_latency_us"), Source::Latency(own)));
    }
    all
}

fn read(shared: &Shared, source: &Source) -> u64 {
    let of = |name: &str, read: &dyn Fn(usize) -> u64| shared.layout().find(name.as_bytes()).map_or(0, read);
    match source {
        Source::Table(table, stat) => shared.table_count(*table, *stat),
        Source::Asked(source, stat) => sources::all().map_or(0, |all| all.count(*source, *stat)),
        Source::Answers(source) => sources::all().map_or(0, |all| u64::from(all.pause_ms(*source) == 0)),
        Source::Outbox(stat) => outbox::count(*stat),
        Source::Drains => u64::from(outbox::drains()),
        Source::Reload(stat) => reload::count(*stat),
        Source::Server(name, stat) => of(name, &|server| shared.server_count(server, *stat)),
        Source::Up(name) => of(name, &|server| u64::from(shared.server_up(server))),
        Source::Latency(name) => of(name, &|server| shared.server_view(server).latency_us),
        Source::Servers => shared.layout().len() as u64,
        Source::PoolDown => u64::from(shared.mostly_down()),
        Source::ListsDiffer => u64::from(!shared.lists_agree()),
        Source::NearEntries => near(shared).items,
        Source::NearBytes => near(shared).used,
        Source::NearEvictions => near(shared).evictions,
        Source::ServersUp => shared.layout().servers().filter(|(server, _)| shared.server_up(*server)).count() as u64,
    }
}

/// What the near cache holds; nothing where there is none, or where it is busy.
fn near(shared: &Shared) -> Stats {
    let deadline = Deadline::after(Duration::from_millis(shared.config().cmd_timeout_ms.into()));
    shared.near().and_then(|store| store.stats(deadline).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn shared(tables: usize, servers: usize) -> &'static Shared {
        let mut config = Config::default();
        for number in 0..tables {
            config.add_table(&format!("t{number}=>")).expect("a table");
            let source = format!("t{number}=>url=mysql://db/kam;table=t;key=k;column=c");
            config.add_source(&source).expect("a source");
        }
        config.set_outbox("url=mysql://db/kam").expect("an outbox");
        for number in 0..servers {
            config.add_server(&format!("name=s{number};addr=10.0.0.1:{}", 1000 + number)).expect("a server");
        }
        Shared::create(config).expect("shared memory")
    }

    #[test]
    fn names_are_unique_and_fit_prometheus() {
        let names: Vec<String> = list(shared(2, 2)).into_iter().map(|(name, _)| name).collect();
        for wanted in [
            "servers_up",
            "table_t0_hits",
            "table_t1_errors",
            "source_t0_queries",
            "server_s0_timeouts",
            "server_s1_up",
        ] {
            assert!(names.iter().any(|name| name == wanted), "{wanted} in {names:?}");
        }
        let unique: std::collections::HashSet<&String> = names.iter().collect();
        assert_eq!(unique.len(), names.len());
        assert!(names.iter().all(|name| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')));
    }

    #[test]
    fn the_most_that_can_be_shown_has_a_slot_each() {
        assert!(list(shared(40, 40)).len() <= stats::SLOTS);
    }

    #[test]
    fn what_was_never_counted_is_zero() {
        let shared = shared(1, 3);
        assert_eq!(read(shared, &Source::Table(0, TableStat::Hits)), 0);
        assert_eq!(read(shared, &Source::Servers), 3);
    }

    #[test]
    fn a_server_that_left_the_list_counts_nothing() {
        let shared = shared(1, 3);
        let up = |name: &str| read(shared, &Source::Up(name.into()));
        assert_eq!(["s0", "s1", "s2"].map(up), [1, 1, 1]);
        shared.remove_server("s0").expect("two are left");
        assert_eq!(["s0", "s1", "s2"].map(up), [0, 1, 1]);
        assert_eq!(read(shared, &Source::Servers), 2);
    }
}
