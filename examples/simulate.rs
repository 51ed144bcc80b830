//! Tells the story of one seed of the simulated farm, line by line: `make sim SEED=42`, for tables with one copy
//! `make sim SEED=42 COPIES=1`, for near tables either with `NEAR=1`.

#[path = "../tests/simulation/mod.rs"]
#[allow(dead_code)]
mod simulation;

fn main() {
    let Some(seed) = std::env::args().nth(1).and_then(|text| text.parse().ok()) else {
        eprintln!("simulate: expected the number of a seed, as in `make sim SEED=42`");
        std::process::exit(2);
    };
    let [single, near] = [2, 3].map(|at| std::env::args().nth(at).as_deref() == Some("1"));
    let options = match (single, near) {
        (false, false) => &simulation::ALL,
        (true, false) => &simulation::SINGLE,
        (false, true) => &simulation::near::NEAR,
        (true, true) => &simulation::near::NEAR_SINGLE,
    };
    println!("{}", simulation::runs::replay(seed, options));
}
