//! What each command does.

use crate::Trouble;
use crate::args::{Args, Verb, table};
use crate::dial::Text;
use crate::farm::{self, Farm, command};
use crate::guest;
use crate::show::{self, Shown, Status};
use crate::warm;
use memcache::exp::{MetaOp, MetaResponse, ReturnCode};
use shardcache::clock;
use shardcache::config::ServerSpec;
use shardcache::key::{behind_full_key, full_length};
use shardcache::value::frame::Wire;
use shardcache::value::{Digits, Value, integer};
use std::borrow::Cow;
use std::ffi::OsStr;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::time::{Duration, Instant};

/// Largest value, in bytes.
pub const VALUE_MAX: usize = 1_000_000;

/// memcached takes a longer time to live for a date.
const RELATIVE_TTL_MAX: u32 = 60 * 60 * 24 * 30;

/// Runs the command; its answer goes to standard output.
pub fn run(args: &Args) -> Result<(), Trouble> {
    match &args.verb {
        Verb::Get { table: name, key, raw } => {
            let get = if args.plain { get } else { guest::get };
            get(args, table(name)?, filled(name, key)?, *raw)
        }
        Verb::Set { table: name, key, value, ttl, string } => {
            let (table, key, bytes) = (table(name)?, filled(name, key)?, input(value)?);
            if bytes.len() > VALUE_MAX {
                let text = format!("{}: expected at most {VALUE_MAX} bytes, got {}", named(table, key), bytes.len());
                return Err(Trouble::Argument(text));
            }
            let set = if args.plain { set } else { guest::set };
            set(args, table, key, typed(&bytes, *string), *ttl)
        }
        Verb::Delete { table: name, key } => {
            let delete = if args.plain { delete } else { guest::delete };
            delete(args, table(name)?, filled(name, key)?)
        }
        Verb::Invalidate { .. } | Verb::Tag { .. } | Verb::Bump { .. } | Verb::Warm { .. } if args.plain => {
            Err(Trouble::Argument("--plain: expected with get, set or delete".into()))
        }
        Verb::Invalidate { table: name, keys } => {
            let keys: Result<Vec<_>, _> = keys.iter().map(|key| filled(name, key)).collect();
            guest::invalidate(args, table(name)?, &keys?)
        }
        Verb::Tag { tags } => {
            if tags.iter().any(|tag| tag.is_empty()) {
                return Err(Trouble::Argument("a tag is empty".into()));
            }
            let tags: Vec<&[u8]> = tags.iter().map(|tag| tag.as_bytes()).collect();
            guest::tag(args, &tags)
        }
        Verb::Bump { table: name } => guest::bump(args, table(name)?),
        Verb::Warm { table: name, rate, ttl, string } => {
            warm::run(args, table(name)?, &warm::Wish { rate: *rate, ttl: *ttl, string: *string })
        }
        Verb::Hash { table: name, key } => hash(args, table(name)?, key.as_bytes()),
        Verb::Servers => servers(args),
    }
}

fn get(args: &Args, table: &str, key: &[u8], raw: bool) -> Result<(), Trouble> {
    let mut farm = Farm::open(args)?;
    let place = farm.place(table, key)?;
    let home = place.order[0];
    let ask = command(MetaOp::Get, &place.key).flag("v").flag("f").flag("t");
    let answer = farm.ask(home, &ask)?;
    let missing = || Trouble::Missing(format!("{}: not found on server {}", named(table, key), called(&farm, home)));
    let data = match answer.rc() {
        ReturnCode::Va => {
            let data = answer.value().unwrap_or_default();
            &data[behind_full_key(&place.key, data).ok_or_else(missing)?..]
        }
        ReturnCode::En => return Err(missing()),
        other => return Err(odd(&farm, home, "a value", other)),
    };
    let flags = flag(&answer, b'f').and_then(|text| text.parse().ok()).unwrap_or(0);
    let value = Wire { data, flags }.shown().ok_or_else(missing)?;
    let ttl = flag(&answer, b't').and_then(|text| text.parse().ok());
    show::value(&Shown { table, key, value, ttl, server: &farm.server(home).name }, args.json, raw);
    Ok(())
}

fn set(args: &Args, table: &str, key: &[u8], value: Value<'_>, ttl: Option<u32>) -> Result<(), Trouble> {
    let mut farm = Farm::open(args)?;
    let place = farm.place(table, key)?;
    let home = place.order[0];
    let mut digits = Digits::default();
    let (data, flags) = value.to_wire(&mut digits);
    let stored = match place.key.full() {
        // A server has to be able to count with a number.
        Some(full) if !matches!(value, Value::Int(_)) => [&full_length(full), full, data].concat(),
        _ => data.to_vec(),
    };
    let mut ask = command(MetaOp::Set, &place.key).value(stored).flag(format!("T{}", expiry(ttl.unwrap_or(0))));
    if flags != 0 {
        ask = ask.flag(format!("F{flags}"));
    }
    match farm.ask(home, &ask)?.rc() {
        ReturnCode::Hd => farm.announce(home, table, key)?,
        other => return Err(odd(&farm, home, "HD for the value", other)),
    }
    show::done("stored", table, key, &farm.server(home).name, args.json);
    Ok(())
}

fn delete(args: &Args, table: &str, key: &[u8]) -> Result<(), Trouble> {
    let mut farm = Farm::open(args)?;
    let place = farm.place(table, key)?;
    let home = place.order[0];
    let answer = farm.ask(home, &command(MetaOp::Delete, &place.key))?.rc();
    if matches!(answer, ReturnCode::Hd | ReturnCode::Nf) {
        farm.announce(home, table, key)?;
    }
    match answer {
        ReturnCode::Hd => show::done("deleted", table, key, &farm.server(home).name, args.json),
        ReturnCode::Nf => {
            let text = format!("{}: not found on server {}", named(table, key), called(&farm, home));
            return Err(Trouble::Missing(text));
        }
        other => return Err(odd(&farm, home, "HD for the removal", other)),
    }
    Ok(())
}

fn hash(args: &Args, table: &str, key: &[u8]) -> Result<(), Trouble> {
    let mut farm = Farm::open(args)?;
    let place = farm.place(table, key)?;
    if let Some(reason) = farm.silence(place.order[0]) {
        eprintln!("shcctl: note: {reason}");
    }
    let order: Vec<&ServerSpec> = place.order.iter().map(|at| farm.server(*at)).collect();
    show::place(&place, &order, args.json);
    Ok(())
}

fn servers(args: &Args) -> Result<(), Trouble> {
    let config = args.config()?;
    let budget = args.budget();
    let states = farm::each(&config.servers, |server| status(server, budget));
    show::servers(&config.servers, &states, args.json);
    let down: Vec<String> = config
        .servers
        .iter()
        .zip(&states)
        .filter(|(_, state)| state.is_err())
        .map(|(server, state)| {
            let reason = state.as_ref().err().cloned().unwrap_or_default();
            format!("server {}: {reason}", farm::called(server))
        })
        .collect();
    if down.is_empty() { Ok(()) } else { Err(Trouble::Unavailable(down.join("\nshcctl: "))) }
}

fn status(server: &ServerSpec, budget: Duration) -> Result<Status, String> {
    let mut text = Text::dial(server, budget)?;
    text.version()?;
    let start = Instant::now();
    let version = text.version()?;
    let latency = start.elapsed();
    let [items, used, limit, uptime] = text.stats(["curr_items", "bytes", "limit_maxbytes", "uptime"])?;
    Ok(Status { version, latency, items, used, limit, uptime })
}

fn filled<'a>(table: &str, key: &'a OsStr) -> Result<&'a [u8], Trouble> {
    if key.is_empty() { Err(Trouble::Argument(format!("{table}: a key is empty"))) } else { Ok(key.as_bytes()) }
}

pub fn typed(bytes: &[u8], string: bool) -> Value<'_> {
    match integer(bytes) {
        Some(number) if !string => Value::Int(number),
        _ => Value::Bytes(bytes),
    }
}

fn input(value: &OsStr) -> Result<Cow<'_, [u8]>, Trouble> {
    if value != "-" {
        return Ok(Cow::Borrowed(value.as_bytes()));
    }
    let mut bytes = Vec::new();
    match std::io::stdin().take(VALUE_MAX as u64 + 1).read_to_end(&mut bytes) {
        Ok(_) => Ok(Cow::Owned(bytes)),
        Err(error) => Err(Trouble::Argument(format!("expected the value on standard input: {error}"))),
    }
}

fn expiry(ttl: u32) -> u64 {
    if ttl > RELATIVE_TTL_MAX { clock::wall_s() + u64::from(ttl) } else { ttl.into() }
}

fn flag(answer: &MetaResponse, name: u8) -> Option<&str> {
    let token = answer.flags().find(|token| token.first() == Some(&name))?;
    std::str::from_utf8(&token[1..]).ok()
}

fn named(table: &str, key: &[u8]) -> String {
    format!("{table}=>{}", String::from_utf8_lossy(key))
}

fn called(farm: &Farm, at: usize) -> String {
    farm::called(farm.server(at))
}

fn odd(farm: &Farm, at: usize, expected: &str, got: ReturnCode) -> Trouble {
    Trouble::Unavailable(format!("server {}: expected {expected}, got {got:?}", called(farm, at)))
}
