//! The parameters that are numbers: what each sets, its bounds and their unit.

use std::ops::RangeInclusive;

use super::{Config, ConfigError};

macro_rules! numbers {
    ($($(#[$doc:meta])* $set:ident $parameter:literal $field:ident $range:expr, $unit:literal;)*) => {
        impl Config {
            $($(#[$doc])*
            ///
            /// # Errors
            /// A number out of range.
            pub fn $set(&mut self, number: i64) -> Result<(), ConfigError> {
                self.$field = ranged($parameter, number, $range, $unit)?.into();
                Ok(())
            })*
        }
    };
}

numbers! {
    /// Sets the pause after which a database that failed is asked again: 100 to 60000 ms.
    set_source_retry "source_retry" source_retry_ms 100..=60_000, "milliseconds";
    /// Sets the total a script call may take: 5 to 10000 ms.
    set_cmd_timeout "cmd_timeout" cmd_timeout_ms 5..=10_000, "milliseconds";
    /// Sets the pause between two probes of a server: 20 to 60000 ms.
    set_probe_interval "probe_interval" probe_interval_ms 20..=60_000, "milliseconds";
    /// Sets how many timeouts in a row trip the breaker: 1 to 100.
    set_soft_failures "soft_failures" soft_failures 1..=100, "timeouts in a row";
    /// Sets how many servers the list may grow to: 1 to 4096.
    set_max_servers "max_servers" max_servers 1..=4096, "servers";
    /// Sets the size of the host's own store: 1 to 65536 MB.
    set_local_size "local_size" local_mb 1..=65_536, "megabytes";
    /// Sets the size of the memory for near copies: 1 to 65536 MB.
    set_near_size "near_size" near_mb 1..=65_536, "megabytes";
    /// Sets how many keys a second the watcher looks at while it repairs: 10 to 1000000.
    set_repair_rate "repair_rate" repair_rate 10..=1_000_000, "keys per second";
    /// Sets how long a source may take: 1 to 30 s.
    set_load_timeout "load_timeout" load_timeout_s 1..=30, "seconds";
    /// Sets how long a call may wait for what another one loads: 0 to 60000 ms.
    set_load_wait "load_wait" load_wait_ms 0..=60_000, "milliseconds";
}

fn ranged(parameter: &'static str, number: i64, range: RangeInclusive<u32>, unit: &str) -> Result<u32, ConfigError> {
    u32::try_from(number).ok().filter(|number| range.contains(number)).ok_or_else(|| {
        let problem = format!("expected {} to {} ({unit})", range.start(), range.end());
        ConfigError::new(parameter, &number.to_string(), problem)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Set = fn(&mut Config, i64) -> Result<(), ConfigError>;
    type Get = fn(&Config) -> u32;

    #[test]
    fn numbers_stay_within_their_range() {
        let rows: [(&str, Set, Get, u32, u32); 10] = [
            ("source_retry", Config::set_source_retry, |config| config.source_retry_ms, 100, 60_000),
            ("cmd_timeout", Config::set_cmd_timeout, |config| config.cmd_timeout_ms, 5, 10_000),
            ("probe_interval", Config::set_probe_interval, |config| config.probe_interval_ms, 20, 60_000),
            ("soft_failures", Config::set_soft_failures, |config| config.soft_failures, 1, 100),
            ("max_servers", Config::set_max_servers, |config| config.max_servers.unwrap(), 1, 4096),
            ("local_size", Config::set_local_size, |config| config.local_mb, 1, 65_536),
            ("near_size", Config::set_near_size, |config| config.near_mb, 1, 65_536),
            ("repair_rate", Config::set_repair_rate, |config| config.repair_rate, 10, 1_000_000),
            ("load_timeout", Config::set_load_timeout, |config| config.load_timeout_s, 1, 30),
            ("load_wait", Config::set_load_wait, |config| config.load_wait_ms, 0, 60_000),
        ];
        for (name, set, get, low, high) in rows {
            let mut config = Config::default();
            for good in [low, high] {
                assert_eq!((set(&mut config, good.into()), get(&config)), (Ok(()), good), "{name}");
            }
            for bad in [i64::from(low) - 1, i64::from(high) + 1, -1, i64::MIN, i64::MAX, 1 << 32] {
                let error = set(&mut config, bad).unwrap_err();
                assert_eq!((error.parameter(), get(&config)), (name, high));
                let want = format!("{name} \"{bad}\": expected {low} to {high} (");
                assert!(error.to_string().starts_with(&want), "{error}");
            }
        }
    }
}
