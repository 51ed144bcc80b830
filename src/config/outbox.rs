//! Where triggers write down what changed: `url=mysql://user:pass@host/db;table=shc_outbox;poll=500`.

use std::fmt;

use super::attrs::{Attrs, OUTBOX};
use super::error::ConfigError;
use super::source::{self, Url};

const TABLE: &str = "shc_outbox";
/// Names derived from the table's must be names too, bytes.
const TABLE_MAX: usize = 56;
const POLL_MS: u32 = 500;

/// A table of a database that is drained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxSpec {
    pub url: Url,
    /// The name of the table in the database.
    pub table: String,
    /// Between two looks at it, milliseconds.
    pub poll_ms: u32,
}

impl OutboxSpec {
    /// It cannot be used, for a reason that its text alone does not show.
    pub(crate) fn refused(&self, why: &impl fmt::Display) -> ConfigError {
        ConfigError::new("outbox", &self.to_string(), why.to_string())
    }
}

pub(super) fn parse(text: &str) -> Result<OutboxSpec, String> {
    let attrs = Attrs::read(text, &OUTBOX)?;
    let url = source::url(attrs.need("url")?)?;
    let table = attrs.get("table").unwrap_or(TABLE);
    if !source::is_table(table) || table.len() > TABLE_MAX {
        return Err(format!(
            "table={table}: expected the name of a table: 1 to {TABLE_MAX} letters, digits, underscores and dots"
        ));
    }
    let poll_ms = attrs.number("poll", 50..=60_000)?.unwrap_or(POLL_MS);
    Ok(OutboxSpec { url, table: table.to_owned(), poll_ms })
}

/// As it would be configured, but for the secret.
impl fmt::Display for OutboxSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "url=***;table={};poll={}", self.table, self.poll_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const URL: &str = "url=mysql://kam:hunter2@db/kam";

    fn outbox(text: &str) -> Result<OutboxSpec, String> {
        let mut config = Config::default();
        config.set_outbox(text).map_err(|error| error.to_string())?;
        Ok(config.outbox.expect("an outbox"))
    }

    #[test]
    fn all_attributes_arrive_and_the_url_alone_is_enough() {
        let got = outbox(&format!("{URL}; table=kam.changes ;poll=50;")).expect("sound");
        assert_eq!((got.url.whole().as_ref(), got.table.as_str(), got.poll_ms), (&URL[4..], "kam.changes", 50));
        let got = outbox(URL).expect("sound");
        assert_eq!((got.table.as_str(), got.poll_ms), ("shc_outbox", 500));
        assert_eq!(got.to_string(), "url=***;table=shc_outbox;poll=500");
    }

    #[test]
    fn a_faulty_one_is_refused_in_clear_words_and_without_its_secret() {
        for (text, words) in [
            (String::new(), "\"url\" is missing"),
            ("url=db".to_owned(), "expected driver://"),
            (format!("{URL};table=a b"), "expected the name of a table"),
            (format!("{URL};table={}", "a".repeat(57)), "expected the name of a table"),
            (format!("{URL};poll=49"), "poll=49: expected a number from 50 to 60000"),
            (format!("pol=49;{URL}"), "unknown attribute \"pol\", expected one of url, table, poll"),
            (format!("{URL};secret2;poll=50"), "no ';' in a password"),
        ] {
            let got = outbox(&text).expect_err(words);
            let clean = !got.contains("hunter2") && !got.contains("secret2");
            assert!(got.contains(words) && got.starts_with("outbox \"") && clean, "{got}");
        }
    }

    #[test]
    fn there_is_one_and_it_needs_servers() {
        let mut config = Config::default();
        config.set_outbox(URL).expect("sound");
        let why = config.check().expect_err("no server").to_string();
        assert!(why.contains("expected a server") && why.contains("url=***"), "{why}");
        let why = config.set_outbox(URL).expect_err("twice").to_string();
        assert!(why.contains("there is an outbox already"), "{why}");
        config.add_server("name=mc1;addr=10.0.0.1").expect("sound");
        config.check().expect("with a server");
    }
}
