//! RPC commands about entries.

use super::{Fault, Outcome, args, judged};
use crate::cache::{Cache, Entry, Page, Unread};
use crate::cluster::Shared;
use crate::host::rpc::{Call, Full, Object};
use crate::module::events::Invalidated;
use crate::value::{Digits, Value};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::ffi::CStr;

/// Entries per page of a dump: without a limit, and at most. kamcmd takes replies up to 128 KB.
const PAGE: usize = 50;
const PAGE_MAX: usize = 200;
/// So much of a key or value is told in a dump; `size` is always the whole value's.
const SHOWN: usize = 256;

pub fn get(call: &mut Call<'_>, cache: &mut Cache, shared: &'static Shared) -> Outcome {
    let table = args::table(call, shared)?;
    let key = args::key(call)?;
    args::end(call)?;
    let verdict = cache.fetch(table, &key);
    judged(cache, verdict, || absent(shared, table, &key))?;
    let reply = call.object()?;
    value(&reply, cache.value().unwrap_or(Value::Bytes(b"")), usize::MAX)?;
    Ok(reply.count(c"ttl", cache.left().into())?)
}

pub fn set(call: &mut Call<'_>, cache: &mut Cache, shared: &'static Shared) -> Outcome {
    let table = args::table(call, shared)?;
    let key = args::key(call)?;
    let text = args::required(call, "value")?;
    store(call, cache, table, &key, Value::Bytes(&text))
}

pub fn seti(call: &mut Call<'_>, cache: &mut Cache, shared: &'static Shared) -> Outcome {
    let table = args::table(call, shared)?;
    let key = args::key(call)?;
    let number = args::integer(&args::required(call, "number")?, "number")?;
    store(call, cache, table, &key, Value::Int(number))
}

fn store(call: &mut Call<'_>, cache: &mut Cache, table: usize, key: &[u8], value: Value<'_>) -> Outcome {
    let ttl = args::ttl(call)?;
    args::end(call)?;
    let verdict = cache.set(table, key, value, ttl);
    judged(cache, verdict, || "the server did not store it".to_owned())?;
    Ok(call.text(b"stored")?)
}

pub fn delete(call: &mut Call<'_>, cache: &mut Cache, shared: &'static Shared) -> Outcome {
    let table = args::table(call, shared)?;
    let key = args::key(call)?;
    args::end(call)?;
    let verdict = cache.remove(table, &key);
    judged(cache, verdict, || absent(shared, table, &key))?;
    Ok(call.text(b"deleted")?)
}

pub fn invalidate(call: &mut Call<'_>, cache: &mut Cache, shared: &'static Shared) -> Outcome<Invalidated> {
    let table = args::table(call, shared)?;
    let key = args::key(call)?;
    args::end(call)?;
    let verdict = cache.invalidate(table, &key);
    judged(cache, verdict, || absent(shared, table, &key))?;
    call.text(b"invalidated")?;
    Ok(Invalidated { table, key })
}

pub fn invalidate_tag(call: &mut Call<'_>, cache: &mut Cache, _: &'static Shared) -> Outcome {
    let tag = args::required(call, "tag")?;
    if tag.is_empty() {
        return Err(Fault::bad("argument 'tag' is empty"));
    }
    args::end(call)?;
    let verdict = cache.invalidate_tag(&tag);
    judged(cache, verdict, || "the tag is not there".to_owned())?;
    Ok(call.text(b"invalidated")?)
}

pub fn hash(call: &mut Call<'_>, cache: &mut Cache, shared: &'static Shared) -> Outcome {
    let table = args::table(call, shared)?;
    let key = args::key(call)?;
    args::end(call)?;
    let location = cache.locate(table, &key).map_err(|why| Fault(500, format!("failed: {}", why.as_str())))?;
    let layout = shared.layout();
    let server = location.server.and_then(|index| layout.server(index).zip(Some(index)));
    let reply = call.object()?;
    reply.text(c"server", server.map_or("", |(server, _)| &server.name))?;
    reply.text(c"addr", server.map_or(String::new(), |(server, _)| server.addr.to_string()))?;
    reply.text(c"state", server.map_or("", |(_, index)| shared.server_view(index).state))?;
    Ok(reply.text(c"wire_key", location.wire_key)?)
}

pub fn bump(call: &mut Call<'_>, cache: &mut Cache, shared: &'static Shared) -> Outcome {
    let table = args::table(call, shared)?;
    args::end(call)?;
    let verdict = cache.bump(table);
    judged(cache, verdict, || "no server took the new generation".to_owned())?;
    Ok(call.text(b"bumped")?)
}

pub fn dump(call: &mut Call<'_>, cache: &mut Cache, shared: &'static Shared) -> Outcome {
    let table = args::table(call, shared)?;
    let cursor = call.argument().unwrap_or_default();
    let cursor = String::from_utf8(cursor).map_err(|_| Fault::bad("argument 'cursor' is not one of ours"))?;
    let limit = limit(call.argument())?;
    args::end(call)?;
    let page = cache.dump(table, first_page(&cursor), limit).map_err(unread)?;
    let reply = call.object()?;
    reply.text(c"table", &shared.config().tables[table].name)?;
    reply.text(c"skipped", skipped(&page, shared))?;
    reply.text(c"next", page.next.unwrap_or_default())?;
    let entries = reply.list(c"entries")?;
    page.entries.iter().try_for_each(|each| entry(&entries.object()?, each))?;
    Ok(())
}

fn unread(why: Unread) -> Fault {
    match why {
        Unread::Cursor(_) => Fault::bad(format!("argument 'cursor': {why}")),
        Unread::Failed(why) => Fault(500, why),
    }
}

/// The servers whose entries are not in this page because they are out of use.
fn skipped(page: &Page, shared: &Shared) -> String {
    let layout = shared.layout();
    let names: Vec<&str> = page.skipped.iter().map(|at| layout.name(*at)).collect();
    names.join(",")
}

/// kamcmd cannot send an empty text: `0` is the first page too.
fn first_page(cursor: &str) -> &str {
    if cursor == "0" { "" } else { cursor }
}

fn limit(argument: Option<Vec<u8>>) -> Result<usize, Fault> {
    let Some(text) = argument else { return Ok(PAGE) };
    let limit = args::integer(&text, "limit")?;
    let fits = usize::try_from(limit).ok().filter(|limit| (1..=PAGE_MAX).contains(limit));
    fits.ok_or_else(|| Fault::bad(format!("argument 'limit' is {limit}, not within 1..{PAGE_MAX}")))
}

fn entry(reply: &Object<'_>, entry: &Entry) -> Result<(), Full> {
    text(reply, c"key", c"key_type", &entry.key, SHOWN)?;
    let number = if entry.is_int { crate::value::integer(&entry.value) } else { None };
    value(reply, number.map_or(Value::Bytes(&entry.value), Value::Int), SHOWN)?;
    reply.count(c"ttl", entry.ttl.into())
}

/// `value`, `type` and `size`: an integer, a text, or base64 of what is neither.
pub fn value(reply: &Object<'_>, value: Value<'_>, most: usize) -> Result<(), Full> {
    let mut room = Digits::default();
    let size = match value {
        Value::Int(number) => {
            reply.int(c"value", number)?;
            reply.text(c"type", "int")?;
            crate::value::decimal(number, &mut room).len()
        }
        Value::Bytes(bytes) => {
            text(reply, c"value", c"type", bytes, most)?;
            bytes.len()
        }
    };
    reply.count(c"size", size as u64)
}

fn text(reply: &Object<'_>, name: &CStr, type_name: &CStr, bytes: &[u8], most: usize) -> Result<(), Full> {
    let (text, kind) = printable(bytes, most);
    reply.text(name, text)?;
    reply.text(type_name, kind)
}

/// Bytes as every transport can carry them, and how to read them; no more than the first `most` of them.
fn printable(bytes: &[u8], most: usize) -> (String, &'static str) {
    match std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0')) {
        Some(text) => (text[..boundary(text, most)].to_owned(), "str"),
        None => (STANDARD.encode(&bytes[..bytes.len().min(most)]), "base64"),
    }
}

/// The largest place up to `most` where the text may be cut.
fn boundary(text: &str, most: usize) -> usize {
    (0..=most.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

fn absent(shared: &Shared, table: usize, key: &[u8]) -> String {
    format!("no entry '{}' in table '{}'", args::shown(key), shared.config().tables[table].name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_is_told_as_base64() {
        assert_eq!(printable(b"secret", 1024), ("secret".into(), "str"));
        assert_eq!(printable("zoë".as_bytes(), 3), ("zo".into(), "str"));
        assert_eq!(printable(b"a\0b", 1024), ("YQBi".into(), "base64"));
        assert_eq!(printable(b"\xff\xfe\xfd\xfc", 3), ("//79".into(), "base64"));
    }

    #[test]
    fn a_limit_is_bounded_and_named() {
        assert_eq!(limit(None), Ok(PAGE));
        assert_eq!(limit(Some(b"200".into())), Ok(200));
        for bad in ["0", "201", "-1", "many"] {
            assert!(limit(Some(bad.into())).is_err_and(|fault| fault.0 == 400 && fault.1.contains("'limit'")), "{bad}");
        }
    }
}
