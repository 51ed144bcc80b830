//! One table: `ipauth=>autoexpire=1800;copies=1`.

use super::attrs::{Attrs, TABLE};
use crate::table::{TTL_MAX, Table, is_name};

pub(super) fn parse(text: &str) -> Result<Table, String> {
    let (name, rest) = text.split_once("=>").unwrap_or((text, ""));
    let name = name.trim();
    if !is_name(name.as_bytes()) {
        return Err(
            "expected name=>attribute=value;..., the name of 1 to 32 letters, digits and underscores".to_owned()
        );
    }
    let attrs = Attrs::read(rest, &TABLE)?;
    only(&attrs, "near", "0", "1")?;
    let autoexpire = attrs.number("autoexpire", 0..=TTL_MAX)?.unwrap_or(0);
    Ok(Table { name: name.to_owned(), autoexpire, copies: copies(&attrs)? })
}

fn copies(attrs: &Attrs<'_>) -> Result<u8, String> {
    match attrs.get("copies") {
        None | Some("1") => Ok(1),
        Some("2") => Ok(2),
        Some(other) => Err(format!("copies={other}: expected 1 or 2")),
    }
}

/// An attribute with one value now and another one later.
fn only(attrs: &Attrs<'_>, name: &str, now: &str, later: &str) -> Result<(), String> {
    match attrs.get(name) {
        Some(value) if value == later => {
            Err(format!("{name}={later} is not available in this version, expected {now}"))
        }
        Some(value) if value != now => Err(format!("{name}={value}: expected {now}")),
        _ => Ok(()),
    }
}
