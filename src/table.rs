//! table
#[derive(Debug, Clone)]
pub struct Table {
    pub name: String,
    pub autoexpire: u32,
}
