//! How often the near store has what it is asked for, against LRU and against the crate `quick_cache`, all with room for
//! the same number of entries. Run with `cargo bench --bench hits`.

mod curves;
#[path = "../tests/support/hits.rs"]
mod hits;

use curves::{Curve, Panel};
use hits::{Asked, KEYS, Near, Shape, lru, trace};
use quick_cache::unsync::Cache;

const REQUESTS: usize = 1_000_000;
const SEED: u64 = 1;

/// Memory of the store.
const SIZES: [usize; 4] = [256 << 10, 1 << 20, 4 << 20, 16 << 20];

const SHAPES: [(&str, Shape); 9] = [
    ("Zipf 0.7", Shape::Zipf(0.7)),
    ("Zipf 0.9", Shape::Zipf(0.9)),
    ("Zipf 1.0", Shape::Zipf(1.0)),
    ("Zipf 1.2", Shape::Zipf(1.2)),
    ("Zipf 1.0 and scans", Shape::Scanned(1.0, 1)),
    ("Zipf 1.0, scans ask twice", Shape::Scanned(1.0, 2)),
    ("a loop of 10,000 keys", Shape::Loop(10_000)),
    ("a loop of 40,000 keys", Shape::Loop(40_000)),
    ("Zipf 1.0, popularity shifts", Shape::Shifting(1.0)),
];

impl Asked for Cache<u64, ()> {
    fn ask(&mut self, key: u64) -> bool {
        let hit = self.get(&key).is_some();
        if !hit {
            self.insert(key, ());
        }
        hit
    }
}

fn main() {
    println!("\n## Hit ratio, in percent\n\n{KEYS} keys, {REQUESTS} requests, counted after the first quarter\n");
    println!("| trace                       | entries |  near |   LRU | quick_cache |");
    println!("|:----------------------------|--------:|------:|------:|------------:|");
    let panels: Vec<Panel> = SHAPES.into_iter().map(|(name, shape)| panel(name, shape)).collect();
    curves::publish(&panels, "hits.svg");
}

/// One trace with all sizes.
fn panel(name: &'static str, shape: Shape) -> Panel {
    let trace = trace(shape, REQUESTS, SEED);
    let mut curves = Vec::from(["near", "LRU", "quick_cache"].map(|name| Curve { name, points: Vec::new() }));
    for bytes in SIZES {
        let mut near = Near::new(bytes);
        let room = near.room();
        let ratios = [near.hits(&trace), lru(room).hits(&trace), Cache::new(room).hits(&trace)];
        let [ours, least, peer] = ratios.map(|ratio| ratio * 100.0);
        println!("| {name:27} | {room:7} | {ours:5.2} | {least:5.2} | {peer:11.2} |");
        for (curve, ratio) in curves.iter_mut().zip(ratios) {
            curve.points.push((room as f64, ratio * 100.0));
        }
    }
    Panel { title: name, curves, top: 100.0 }
}
