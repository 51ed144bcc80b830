//! The admin guide knows every name that the module exports, and gives an example for each that an operator writes.

#[path = "support/mod.rs"]
mod support;

use shardcache::module::exported::{Kind, names};
use support::Kamailio;

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
    let missing: Vec<_> = names().into_iter().filter(|(_, name)| !word(name)).collect();
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

/// The code blocks of one chapter.
fn examples(guide: &str, chapter: &str) -> Vec<String> {
    let whole = guide.split("\n## ").find(|part| part.starts_with(chapter)).expect(chapter);
    whole.split("\n```").skip(1).step_by(2).map(|block| block[block.find('\n').unwrap_or(0)..].to_string()).collect()
}

#[test]
fn kamailio_accepts_every_example() {
    let guide = guide();
    let mut script =
        String::from("loadmodule \"pv.so\"\nloadmodule \"sl.so\"\nloadmodule \"xlog.so\"\nloadmodule \"%%MODULE%%\"\n");
    let parameters = examples(&guide, "3. Parameters");
    assert!(parameters.len() >= 7, "{}", parameters.len());
    script.extend(parameters);
    for table in ["seen", "location", "quota", "session", "calls", "channels", "route", "jobs"] {
        script += &format!("modparam(\"shardcache\", \"table\", \"{table}=>autoexpire=60\")\n");
    }
    script += "request_route { exit; }\n";
    let calls = [examples(&guide, "4. Functions"), examples(&guide, "5. Variables")].concat();
    assert!(calls.len() >= 19, "{}", calls.len());
    for (i, call) in calls.iter().enumerate() {
        script += &format!("route[EXAMPLE{i}] {{ {} }}\n", call.replace("{ ... }", "{ exit; }"));
    }
    script += "route[QUOTA_AGAIN] { exit; }\nroute[CLEANUP] { exit; }\nroute[PROFILE] { return 1; }\n";
    script.extend(examples(&guide, "7. Event routes"));
    let (good, log) = Kamailio::cfg(script.clone()).check();
    assert!(good, "{log}\n{script}");
}

/// Kamailio calls the script by these names; with another one every request fails.
#[test]
fn the_lua_example_defines_what_kamailio_calls() {
    let guide = guide();
    let lua = guide.split("\n```lua\n").nth(1).and_then(|rest| rest.split("\n```").next()).expect("an example in Lua");
    assert!(lua.contains("function ksr_request_route()"), "{lua}");
}
