//! One table: `ipauth=>autoexpire=1800;copies=1`.

use super::attrs::{Attrs, TABLE};
use crate::table::{HOLDOFF_MAX, NEAR_TTL_MAX, NEGEXPIRE, TTL_MAX, Table, TagRule, is_name};

/// Seconds a near copy serves at most, unless the operator says otherwise.
const NEAR_TTL: u32 = 60;

pub(super) fn parse(text: &str) -> Result<Table, String> {
    let (name, rest) = text.split_once("=>").unwrap_or((text, ""));
    let name = name.trim();
    if !is_name(name.as_bytes()) {
        return Err(
            "expected name=>attribute=value;..., the name of 1 to 32 letters, digits and underscores".to_owned()
        );
    }
    let attrs = Attrs::read(rest, &TABLE)?;
    let autoexpire = attrs.number("autoexpire", 0..=TTL_MAX)?.unwrap_or(0);
    let near = attrs.switch("near")?.unwrap_or(false);
    let near_ttl = near_ttl(&attrs, near)?;
    let negexpire = attrs.number("negexpire", 0..=TTL_MAX)?.unwrap_or(NEGEXPIRE);
    let stale = stale(&attrs, autoexpire.max(negexpire), autoexpire)?;
    let holdoff = attrs.number("holdoff", 0..=HOLDOFF_MAX)?.unwrap_or(0);
    let tag = attrs.get("tag").map(TagRule::parse).transpose()?;
    let name = name.to_owned();
    Ok(Table { name, autoexpire, copies: copies(&attrs)?, near, near_ttl, negexpire, stale, holdoff, tag })
}

fn copies(attrs: &Attrs<'_>) -> Result<u8, String> {
    match attrs.get("copies") {
        None | Some("1") => Ok(1),
        Some("2") => Ok(2),
        Some(other) => Err(format!("copies={other}: expected 1 or 2")),
    }
}

fn stale(attrs: &Attrs<'_>, longest: u32, autoexpire: u32) -> Result<u32, String> {
    match attrs.number("stale", 0..=TTL_MAX)?.unwrap_or(0) {
        0 => Ok(0),
        _ if autoexpire == 0 => {
            Err("\"stale\" needs an autoexpire: what lives for ever does not become stale".to_owned())
        }
        stale if stale > TTL_MAX - longest => {
            Err(format!("stale={stale}: expected {TTL_MAX} at most together with autoexpire or negexpire"))
        }
        stale => Ok(stale),
    }
}

fn near_ttl(attrs: &Attrs<'_>, near: bool) -> Result<u32, String> {
    match attrs.number("near_ttl", 1..=NEAR_TTL_MAX)? {
        Some(_) if !near => Err("\"near_ttl\" needs near=1".to_owned()),
        given => Ok(given.unwrap_or(NEAR_TTL)),
    }
}
