//! How answers look: plain lines, or one JSON object.

use crate::farm::{Place, address};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json, json};
use shardcache::config::ServerSpec;
use shardcache::value::Value;
use std::io::{self, Write as _};
use std::time::Duration;

/// An entry that was read.
pub struct Shown<'a> {
    pub table: &'a str,
    pub key: &'a [u8],
    pub value: Value<'a>,
    /// Seconds left; below zero = never expires.
    pub ttl: Option<i64>,
    pub server: &'a str,
}

/// A server that answered.
pub struct Status {
    pub version: String,
    pub latency: Duration,
    pub items: u64,
    /// Bytes.
    pub used: u64,
    /// Bytes.
    pub limit: u64,
    /// Seconds.
    pub uptime: u64,
}

pub fn value(shown: &Shown<'_>, as_json: bool, raw: bool) {
    if as_json {
        let mut object = Map::new();
        object.insert("table".into(), shown.table.into());
        text(&mut object, "key", shown.key);
        match shown.value {
            Value::Int(number) => drop(object.insert("value".into(), number.into())),
            Value::Bytes(bytes) => text(&mut object, "value", bytes),
        }
        object.insert("ttl".into(), shown.ttl.filter(|ttl| *ttl >= 0).into());
        object.insert("server".into(), shown.server.into());
        return line(&Json::Object(object).to_string());
    }
    let bytes = match shown.value {
        Value::Int(number) => number.to_string().into_bytes(),
        Value::Bytes(bytes) => bytes.to_vec(),
    };
    write(&bytes);
    if !raw {
        write(b"\n");
    }
}

pub fn done(what: &str, table: &str, key: &[u8], server: &str, as_json: bool) {
    if as_json {
        let mut object = Map::new();
        object.insert("table".into(), table.into());
        text(&mut object, "key", key);
        object.insert("done".into(), what.into());
        object.insert("server".into(), server.into());
        return line(&Json::Object(object).to_string());
    }
    line(&format!("{what} on {server}"));
}

/// What was done for the whole farm; `key`: to one entry of the table.
pub fn farm_done(what: &str, table: &str, key: Option<&[u8]>, as_json: bool) {
    if as_json {
        let mut object = Map::new();
        object.insert("table".into(), table.into());
        if let Some(key) = key {
            text(&mut object, "key", key);
        }
        object.insert("done".into(), what.into());
        return line(&Json::Object(object).to_string());
    }
    match key {
        Some(key) => line(&format!("{what} {table}=>{}", String::from_utf8_lossy(key))),
        None => line(&format!("{what} {table}")),
    }
}

/// What was done to all entries under a tag.
pub fn tag_done(tag: &[u8], as_json: bool) {
    if as_json {
        let mut object = Map::new();
        text(&mut object, "tag", tag);
        object.insert("done".into(), "invalidated".into());
        return line(&Json::Object(object).to_string());
    }
    line(&format!("invalidated {}", String::from_utf8_lossy(tag)));
}

/// How many lines were given and how many entries stored.
pub fn warmed(table: &str, lines: usize, stored: usize, as_json: bool) {
    if as_json {
        return line(&json!({"table": table, "lines": lines, "stored": stored}).to_string());
    }
    line(&format!("warmed {table}: {stored} of {lines} stored, {} were there already", lines - stored));
}

pub fn place(place: &Place, order: &[&ServerSpec], as_json: bool) {
    let wire = String::from_utf8_lossy(place.key.bytes());
    let names: Vec<&str> = order.iter().map(|server| server.name.as_str()).collect();
    if as_json {
        let object = json!({"server": names[0], "address": address(order[0]), "wire_key": wire,
            "base64": place.key.base64(), "generation": place.generation, "next": &names[1..]});
        return line(&object.to_string());
    }
    line(&format!("server      {} ({})", names[0], address(order[0])));
    line(&format!("wire key    {wire}{}", if place.key.base64() { " (base64)" } else { "" }));
    line(&format!("generation  {}", if place.generation == 0 { "none".into() } else { place.generation.to_string() }));
    line(&format!("next        {}", if names.len() > 1 { names[1..].join(", ") } else { "none".into() }));
}

pub fn servers(servers: &[ServerSpec], states: &[Result<Status, String>], as_json: bool) {
    if as_json {
        let rows: Vec<Json> = servers.iter().zip(states).map(|(server, state)| object(server, state)).collect();
        return line(&Json::Array(rows).to_string());
    }
    let head = ["name", "address", "state", "latency", "version", "items", "memory"].map(String::from);
    let rows: Vec<[String; 7]> =
        std::iter::once(head).chain(servers.iter().zip(states).map(|(server, state)| row(server, state))).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..7).map(width).collect();
    for row in &rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        line(cells.join("  ").trim_end());
    }
}

fn row(server: &ServerSpec, state: &Result<Status, String>) -> [String; 7] {
    let (name, at) = (server.name.clone(), address(server));
    match state {
        Ok(status) => {
            let memory = format!("{} of {} MB", mb(status.used), mb(status.limit));
            let latency = format!("{:.2} ms", status.latency.as_secs_f64() * 1000.0);
            [name, at, "up".into(), latency, status.version.clone(), status.items.to_string(), memory]
        }
        Err(_) => [name, at, "down".into(), "-".into(), "-".into(), "-".into(), "-".into()],
    }
}

fn object(server: &ServerSpec, state: &Result<Status, String>) -> Json {
    let (name, at) = (&server.name, address(server));
    match state {
        Ok(status) => json!({"name": name, "address": at, "state": "up", "version": status.version,
            "latency_us": u64::try_from(status.latency.as_micros()).unwrap_or(u64::MAX), "items": status.items,
            "memory_used": status.used, "memory_limit": status.limit, "uptime": status.uptime}),
        Err(reason) => json!({"name": name, "address": at, "state": "down", "reason": reason}),
    }
}

/// Bytes that are no UTF-8 stand in base64 under `<name>_base64`.
fn text(object: &mut Map<String, Json>, name: &str, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => object.insert(name.into(), text.into()),
        Err(_) => object.insert(format!("{name}_base64"), STANDARD.encode(bytes).into()),
    };
}

fn mb(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1_048_576.0)
}

fn line(text: &str) {
    write(format!("{text}\n").as_bytes());
}

/// A reader that went away ends the output, not the command.
fn write(bytes: &[u8]) {
    drop(io::stdout().write_all(bytes));
}
