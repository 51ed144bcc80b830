//! What a server's loss or return means for the tables that are configured, in the operator's words.

use crate::cluster::{DRAINED, Event, Layout, Shared};

/// What happens now with the keys of the event's server; empty where there is nothing to say.
pub fn of(shared: &Shared, layout: &Layout, event: &Event) -> String {
    let (server, until) = match *event {
        Event::ServerDown { server, reason: DRAINED, .. } => (server, Some("until it is undrained")),
        Event::ServerDown { server, .. } => (server, Some("until a probe succeeds")),
        Event::ServerUp { server } => (server, None),
        _ => return String::new(),
    };
    if shared.mostly_down() {
        return "no call is served while most servers are down".to_owned();
    }
    let (tables, partner) = (Tables::of(shared), Partner::of(shared, layout, server));
    match until {
        Some(until) => tables.tell(partner.serves(until), partner.stands_in(until)),
        None => tables.tell(partner.mends(), partner.yields()),
    }
}

/// Which kinds of tables there are.
struct Tables {
    single: bool,
    double: bool,
}

impl Tables {
    fn of(shared: &Shared) -> Self {
        let any = |copies| shared.config().tables.iter().any(|table| table.copies == copies);
        Self { single: any(1), double: any(2) }
    }

    /// What is true of the kinds that exist; each with its name where both do.
    fn tell(self, double: String, single: String) -> String {
        match (self.double, self.single) {
            (true, true) => format!("copies=2: {double}; copies=1: {single}"),
            (true, false) => double,
            (false, true) => single,
            (false, false) => String::new(),
        }
    }
}

/// Who keeps the second copies of a server's keys, and stands in for it where there are none.
struct Partner {
    name: String,
    up: bool,
}

impl Partner {
    fn of(shared: &Shared, layout: &Layout, server: usize) -> Self {
        let partner = layout.pairs().partner(server);
        Self {
            name: partner.map_or_else(String::new, |partner| layout.name(partner).to_owned()),
            up: partner.is_some_and(|partner| shared.server_up(partner)),
        }
    }

    /// What becomes of keys with two copies while the server is away.
    fn serves(&self, until: &str) -> String {
        let name = &self.name;
        if self.up {
            return format!("{name} alone serves its keys");
        }
        format!("its partner {name} is not in use either, so its keys answer -2 {until}")
    }

    /// What becomes of keys with one copy while the server is away.
    fn stands_in(&self, until: &str) -> String {
        if self.up {
            return format!("{} soon stands in for it, empty at first", self.name);
        }
        format!("its keys answer -2 {until}")
    }

    /// The same when it is back.
    fn yields(&self) -> String {
        let anew = if self.name.is_empty() { "" } else { ", empty at first" };
        format!("it soon serves its keys again{anew}")
    }

    /// What becomes of keys with two copies when it is back.
    fn mends(&self) -> String {
        format!("its copies are compared with those on {} and mended", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const DOWN: Event = Event::ServerDown { server: 0, reason: "timeout", detail: String::new() };
    const OUT: Event = Event::ServerDown { server: 0, reason: DRAINED, detail: String::new() };
    const UP: Event = Event::ServerUp { server: 0 };

    fn told(shared: &Shared, event: &Event) -> String {
        of(shared, &shared.layout(), event)
    }

    fn shared(servers: usize, tables: &[&str]) -> &'static Shared {
        let mut config = Config::default();
        for server in 0..servers {
            let pair = if server == 0 && servers > 1 { ";pair=s1" } else { "" };
            config.add_server(&format!("name=s{server};addr=10.0.0.1:{}{pair}", 1000 + server)).unwrap();
        }
        tables.iter().for_each(|table| config.add_table(table).unwrap());
        Shared::create(config).unwrap()
    }

    #[test]
    fn only_the_kinds_of_tables_that_exist_are_named() {
        const ONE: &str = "one=>copies=1";
        const TWO: &str = "two=>copies=2";
        for (servers, tables, event, want) in [
            (1, &[ONE][..], DOWN, "its keys answer -2 until a probe succeeds"),
            (1, &[ONE], UP, "it soon serves its keys again"),
            (3, &[ONE], OUT, "s1 soon stands in for it, empty at first"),
            (3, &[ONE], UP, "it soon serves its keys again, empty at first"),
            (3, &[TWO], DOWN, "s1 alone serves its keys"),
            (3, &[TWO], OUT, "s1 alone serves its keys"),
            (3, &[TWO], UP, "its copies are compared with those on s1 and mended"),
            (
                3,
                &[ONE, TWO],
                DOWN,
                "copies=2: s1 alone serves its keys; copies=1: s1 soon stands in for it, empty at first",
            ),
            (
                3,
                &[ONE, TWO],
                UP,
                "copies=2: its copies are compared with those on s1 and mended; copies=1: it soon serves its keys again, empty at first",
            ),
            (3, &[], DOWN, ""),
            (3, &[ONE], Event::PoolUp, ""),
        ] {
            assert_eq!(told(shared(servers, tables), &event), want, "{tables:?} {event:?}");
        }
    }

    #[test]
    fn a_partner_that_is_not_in_use_serves_nothing() {
        let shared = shared(3, &["two=>copies=2"]);
        shared.set_drained(1, true);
        assert_eq!(
            told(shared, &DOWN),
            "its partner s1 is not in use either, so its keys answer -2 until a probe succeeds"
        );
    }

    #[test]
    fn nothing_is_promised_while_most_servers_are_down() {
        use crate::health::{Reason, Seen};
        let shared = shared(3, &["one=>", "two=>copies=2"]);
        for server in 0..2 {
            let begun = shared.server_cell(server).health.incarnation();
            shared.observe(server, 1, begun, Seen::Hard(Reason::Refused));
        }
        assert_eq!(told(shared, &DOWN), "no call is served while most servers are down");
        assert_eq!(told(shared, &UP), "no call is served while most servers are down");
    }
}
