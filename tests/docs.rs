//! The admin guide knows every name that the module exports, and gives an example for each that an operator writes.

use shardcache::module::exported::{Kind, names};

fn guide() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/ADMIN.md")).expect("docs/ADMIN.md")
}

/// The heading that names it, and everything up to the next one.
fn section<'a>(guide: &'a str, name: &str) -> Option<&'a str> {
    let named = |text: &&str| {
        let code = text.lines().next().and_then(|heading| heading.split('`').nth(1)).unwrap_or_default();
        let rest = code.strip_prefix("event_route[").unwrap_or(code).strip_prefix(name);
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || "_.-".contains(c)))
    };
    guide.split("\n### ").skip(1).find(named)
}

#[test]
fn every_name_is_there() {
    let guide = guide();
    let word = |name: &str| {
        let inside = |c: char| c.is_ascii_alphanumeric() || c == '_';
        guide
            .match_indices(name)
            .any(|(at, _)| !guide[..at].ends_with(inside) && !guide[at + name.len()..].starts_with(inside))
    };
    let written = |(kind, name): (Kind, String)| match kind {
        Kind::TableStatistic => format!("table_<name>_{name}"),
        Kind::ServerStatistic => format!("server_<name>_{name}"),
        _ => name,
    };
    let missing: Vec<_> = names().into_iter().map(written).filter(|name| !word(name)).collect();
    assert!(missing.is_empty(), "not in docs/ADMIN.md: {missing:?}");
}

#[test]
fn what_an_operator_writes_has_a_section_with_an_example() {
    let guide = guide();
    let all = names();
    assert!(all.len() > 60, "only {} names", all.len());
    let headed = all.into_iter().filter_map(|(kind, name)| match kind {
        Kind::Parameter | Kind::Function | Kind::Rpc | Kind::EventRoute => Some(name),
        Kind::Variable => Some(format!("${name}")),
        _ => None,
    });
    let poor: Vec<String> = headed.filter(|name| !section(&guide, name).is_some_and(|s| s.contains("```"))).collect();
    assert!(poor.is_empty(), "no section with an example in docs/ADMIN.md: {poor:?}");
}
