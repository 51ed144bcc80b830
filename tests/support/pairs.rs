//! A watcher's polls of all pairs, until the marks are made and active.

use shardcache::clock::{self, Deadline};
use shardcache::cluster::Shared;
use shardcache::cluster::copies::{Poll, Rules, Scene, Step, View};
use shardcache::cluster::courier::{Courier, Lines, Load, Place, Want};
use shardcache::key::{Kind, Space};
use shardcache::wire::{Address, Endpoint, Link};
use std::time::Duration;

pub struct Polls {
    shared: &'static Shared,
    desk: Desk,
    courier: Courier,
    views: Vec<View>,
}

struct Desk(Vec<Link>);

impl Lines for Desk {
    fn links(&mut self) -> &mut [Link] {
        &mut self.0
    }
    fn open(&mut self, server: usize) {
        self.0[server].begin();
    }
    fn over(&mut self, _: usize) {}
}

impl Polls {
    pub fn new(shared: &'static Shared) -> Self {
        let layout = shared.layout();
        let link = |at: usize| {
            let shardcache::config::Addr::Tcp { host, port } = &layout.server(at).unwrap().addr else { panic!() };
            let address = format!("{host}:{port}").parse().unwrap();
            Link::new(Endpoint { address: Address::Tcp(address), ..Endpoint::default() })
        };
        let links: Vec<Link> = (0..layout.slots()).map(link).collect();
        Self { shared, views: vec![View::default(); links.len()], desk: Desk(links), courier: Courier::default() }
    }

    pub fn tick(&mut self) {
        let layout = self.shared.layout();
        for home in 0..layout.slots() {
            let Some(pair) = layout.pair(home) else { continue };
            let clock = clock::wall_us() / 100_000;
            let scene = Scene { rules: &Rules::ALL, up: [true; 2], fresh: true, clock, now_ms: clock::monotonic_ms() };
            let mut poll = Poll::new(self.views[home], 42, [true; 2]);
            let mut step = poll.start();
            while let Step::Send(request) = step {
                let place = Place { pair, space: Space { kind: Kind::Entry, table: "t", generation: 0 }, key: b"k" };
                self.courier.begin();
                let parcels = self.courier.pack(&mut self.desk, &place, &request, &Load::default(), Want::Bare);
                self.courier.send(&mut self.desk, Deadline::after(Duration::from_millis(300)));
                let legs = self.courier.unpack(&self.desk.0, &parcels, &request, Want::Bare);
                step = poll.next(&scene, &legs);
            }
            self.views[home].merge(&poll.view);
        }
    }
}
