//! config
#[derive(Debug, Default, Clone)]
pub struct Config {
    pub servers: Vec<ServerSpec>,
    pub tables: Vec<crate::table::Table>,
    pub cmd_timeout_ms: u32,
    pub probe_interval_ms: u32,
    pub soft_failures: u32,
    pub local_mb: u32,
}
#[derive(Debug, Clone)]
pub struct ServerSpec {
    pub name: String,
    pub weight: u32,
    pub zone: String,
}
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);
impl Config {
    pub fn table(&self, name: &str) -> Option<usize> {
        self.tables.iter().position(|table| table.name == name)
    }
}
