//! Tells the story of one seed of the simulated farm, line by line: `make sim SEED=42`.

#[path = "../tests/simulation/mod.rs"]
#[allow(dead_code)]
mod simulation;

fn main() {
    let Some(seed) = std::env::args().nth(1).and_then(|text| text.parse().ok()) else {
        eprintln!("simulate: expected the number of a seed, as in `make sim SEED=42`");
        std::process::exit(2);
    };
    println!("{}", simulation::runs::replay(seed, &simulation::ALL));
}
