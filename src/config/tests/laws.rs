//! What holds for the text of any server and any table.

use proptest::prelude::*;

use super::*;
use crate::table::TagRule;

fn attribute(name: &'static str, value: &'static str) -> impl Strategy<Value = Option<String>> {
    proptest::option::of(value.prop_map(move |value| format!("{name}={value}")))
}

/// The text of a sound server in any order of its attributes.
fn sound() -> impl Strategy<Value = String> {
    let addr = prop_oneof![
        "[a-z][a-z0-9-]{0,9}(\\.[a-z]{1,5}){0,2}(:[1-9][0-9]{0,3})?",
        any::<[u8; 4]>().prop_map(|ip| std::net::Ipv4Addr::from(ip).to_string()),
        (any::<[u8; 16]>(), 1_u16..).prop_map(|(ip, port)| format!("[{}]:{port}", std::net::Ipv6Addr::from(ip))),
    ];
    let plain = (
        "[A-Za-z0-9_]{1,31}".prop_map(|name| Some(format!("name={name}"))),
        addr.prop_map(|addr| Some(format!("addr={addr}"))),
        attribute("weight", "[1-9][0-9]{0,2}"),
        attribute("zone", "[a-zA-Z0-9_.-]{1,32}"),
        // Longer than any name here, so never its own.
        attribute("pair", "other_[a-z]{26}"),
        attribute("ring", "[a-z:/.]{1,20}"),
        proptest::option::of("[a-z]{1,8};pass=[!-:<-~]{1,12}".prop_map(|auth| format!("user={auth}"))),
        proptest::option::of(
            "1(;tls_ca=/[a-z/]{1,9})?(;tls_name=[a-z]{1,9})?(;tls_verify=[01])?(;tls_key=/k;tls_cert=/c)?",
        )
        .prop_map(|tls| tls.map(|tls| format!("tls={tls}"))),
    );
    let all =
        plain.prop_map(|(a, b, c, d, e, f, g, h)| [a, b, c, d, e, f, g, h].into_iter().flatten().collect::<Vec<_>>());
    (all.prop_shuffle(), "[ \t]{0,2}", any::<bool>())
        .prop_map(|(parts, blank, end)| parts.join(&format!("{blank};{blank}")) + if end { ";" } else { "" })
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in ".{0,80}", table in ".{0,20}(=>)?[a-z=;0-9 ]{0,30}") {
        let mut config = Config::default();
        prop_assert!(config.add_server(&text).is_ok() == (config.servers.len() == 1));
        prop_assert!(config.add_table(&table).is_ok() == (config.tables.len() == 1));
        prop_assert_eq!(config.check(), Ok(()));
    }

    #[test]
    fn nearly_sound_text_does_not_either(text in "((name|addr|weight|tls|pass|user|tls_ca|pair|x)[= ]{1,2}[a-z0-9:./\\[\\],-]{0,9};?){1,6}") {
        let mut config = Config::default();
        if let Err(error) = config.add_server(&text) {
            prop_assert!(error.to_string().starts_with("server \""));
        }
    }

    #[test]
    fn a_sound_server_comes_back_from_its_own_text(text in sound()) {
        let first = server(&text).unwrap();
        let shown = first.to_string();
        let pass = first.auth.as_ref().map_or("***", |auth| &auth.pass);
        let again = server(&shown.replacen("pass=***", &format!("pass={pass}"), 1)).unwrap();
        prop_assert_eq!(&again, &first);
        prop_assert_eq!(again.to_string(), shown);
    }

    #[test]
    fn a_sound_table_comes_back_from_its_own_text(name in "[A-Za-z0-9_]{1,32}", autoexpire in 0_u32..=315_360_000, copies in 1_u8..=2, near in proptest::option::of(1_u32..=86_400), negexpire in 0_u32..=157_680_000, stale in 0_u32..=157_680_000, holdoff in 0_u32..=60, tag in proptest::option::of("[a-z:@]{0,9}")) {
        let (autoexpire, stale) = if autoexpire > 157_680_000 { (autoexpire, 0) } else { (autoexpire, stale.min(autoexpire)) };
        let tag = tag.map(|text| TagRule::parse(&format!("{text}$key")).unwrap());
        let first = Table { name, autoexpire, copies, near: near.is_some(), near_ttl: near.unwrap_or(60), negexpire, stale, holdoff, tag };
        prop_assert_eq!(table(&first.to_string()), Ok(first));
    }
}
