//! Tells the story of one seed of the simulated farm, line by line: `make sim SEED=42`, for tables with one copy
//! `make sim SEED=42 COPIES=1`, for near tables either with `NEAR=1`, for tables that lookups fill with `LOADS=1`.

#[path = "../tests/simulation/mod.rs"]
#[allow(dead_code)]
mod simulation;

fn main() {
    let Some(seed) = std::env::args().nth(1).and_then(|text| text.parse().ok()) else {
        eprintln!("simulate: expected the number of a seed, as in `make sim SEED=42`");
        std::process::exit(2);
    };
    let [single, near, loads] = [2, 3, 4].map(|at| std::env::args().nth(at).as_deref() == Some("1"));
    let options = match (single, near, loads) {
        (false, false, false) => &simulation::ALL,
        (true, false, false) => &simulation::SINGLE,
        (false, true, false) => &simulation::near::NEAR,
        (true, true, false) => &simulation::near::NEAR_SINGLE,
        (false, false, true) => &simulation::loads::LOADS,
        _ => {
            eprintln!("simulate: LOADS=1 goes with neither COPIES=1 nor NEAR=1");
            std::process::exit(2);
        }
    };
    println!("{}", simulation::runs::replay(seed, options));
}
