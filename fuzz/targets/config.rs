//! Lines of parameters: what is taken comes back from its own text, what is refused is named in full, no password shows.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shardcache::config::Config;

const SECRET: &str = "S3cr3tMark";

fn taken(config: &Config) {
    let paired = config.servers.iter().any(|server| server.pair.is_some());
    let copied = config.tables.iter().any(|table| table.copies > 1);
    assert!(config.check().is_ok() || paired || copied);
    for server in &config.servers {
        let text = server.to_string();
        let pass = server.auth.as_ref().map_or("***", |auth| &auth.pass);
        let mut again = Config::default();
        again.add_server(&text.replacen("pass=***", &format!("pass={pass}"), 1)).expect("its own text");
        assert!(again.servers[0] == *server && again.servers[0].to_string() == text);
        assert!((1..=1000).contains(&server.weight) && !server.ring_name().is_empty());
    }
    for (at, table) in config.tables.iter().enumerate() {
        let mut again = Config::default();
        again.add_table(&table.to_string()).expect("its own text");
        assert!(again.tables[0] == *table && config.table(&table.name) == Some(at));
    }
}

/// A password anywhere in the text stays out of every text we make.
fn hidden(before: &str, glue: &str, after: &str) {
    let text = format!("{before}{glue}pass={SECRET}{after}");
    let mut config = Config::default();
    let shown = match config.add_server(&text) {
        Ok(()) => format!("{} {:?}", config.servers[0], config.servers[0]),
        Err(error) => format!("{error} {error:?}"),
    };
    assert!(!shown.contains(SECRET));
}

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let mut config = Config::default();
    for line in text.split('\n') {
        let (servers, tables) = (config.servers.len(), config.tables.len());
        match config.add_server(line) {
            Ok(()) => assert!(config.servers.len() == servers + 1),
            Err(error) => assert!(config.servers.len() == servers && error.to_string().starts_with("server \"")),
        }
        match config.add_table(line) {
            Ok(()) => assert!(config.tables.len() == tables + 1),
            Err(error) => assert!(config.tables.len() == tables && error.to_string().starts_with("table \"")),
        }
        let _ = config.set_event_callback(line);
    }
    taken(&config);
    if !text.contains(SECRET) {
        let (before, after) = text.split_once('\n').unwrap_or((&text, ""));
        hidden(before, ";user=u;", &format!(";{after}"));
        hidden(before, "", after);
    }
});
