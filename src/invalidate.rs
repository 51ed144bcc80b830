//! How one host's change makes void what the others keep in their own memory.

pub mod stripes;
