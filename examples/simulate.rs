//! Tells the story of one seed of the simulated farm, line by line: `make sim SEED=42`, for tables with one copy `make sim SEED=42 COPIES=1`.

#[path = "../tests/simulation/mod.rs"]
#[allow(dead_code)]
mod simulation;

fn main() {
    let Some(seed) = std::env::args().nth(1).and_then(|text| text.parse().ok()) else {
        eprintln!("simulate: expected the number of a seed, as in `make sim SEED=42`");
        std::process::exit(2);
    };
    let single = std::env::args().nth(2).as_deref() == Some("1");
    let options = if single { &simulation::SINGLE } else { &simulation::ALL };
    println!("{}", simulation::runs::replay(seed, options));
}
