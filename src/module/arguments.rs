//! What a call was given, checked: tables, keys, times and numbers, from the script or an embedded language.
//!
//! A bad argument is logged with the function, the argument and what was expected, and ends the call with -3.
//! Numbers are read from text, so 64 bits travel through hosts that know 32.

use super::sparing;
use super::worker::Worker;
use crate::host::params::Argument;
use crate::host::route::{self, Subroute};
use crate::table::{TTL_MAX, is_name};
use crate::value::frame::tagged::NAME_MAX;
use crate::value::{self, Value};
use std::ops::RangeInclusive;

/// One argument, evaluated.
#[derive(Clone, Copy, Debug, Default)]
pub struct Arg<'a> {
    pub text: &'a [u8],
    /// It is a number by type, or a constant that reads as one.
    pub number: bool,
    /// It is `$null`.
    pub null: bool,
}

impl<'a> Arg<'a> {
    /// A string, even if it looks like a number.
    #[must_use]
    pub fn string(text: &'a [u8]) -> Self {
        Self { text, number: false, null: false }
    }
}

impl<'a> From<&'a Argument<'_>> for Arg<'a> {
    fn from(argument: &'a Argument<'_>) -> Self {
        Self { text: argument.text(), number: argument.number, null: argument.null }
    }
}

/// A refused argument, short, for `$shcst(err)`; the log has the details.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bad(pub &'static str);

/// All arguments of one call of `function`.
#[derive(Clone, Copy, Debug)]
pub struct Args<'a> {
    pub function: &'static str,
    /// The table, where its name was looked up before.
    pub table: Option<usize>,
    pub items: &'a [Arg<'a>],
    /// Identifies the SIP message: what was read for one is not compared for another.
    pub scope: u64,
}

impl<'a> Args<'a> {
    fn at(&self, i: usize) -> Arg<'a> {
        self.items.get(i).copied().unwrap_or_default()
    }

    fn bad(&self, what: &str, arg: Arg<'_>, expected: &str, err: &'static str) -> Bad {
        let given = String::from_utf8_lossy(&arg.text[..arg.text.len().min(64)]);
        // What a caller sends must not begin a line of the log.
        let given = if arg.null { "$null".into() } else { format!("\"{}\"", given.escape_debug()) };
        sparing::error(format_args!("{}: {what} is {given}, expected {expected}", self.function));
        Bad(err)
    }

    /// The table, always the first argument.
    pub fn table(&self, worker: &Worker) -> Result<usize, Bad> {
        let unknown = || self.bad("the table", self.at(0), "the name of a configured table", "unknown table");
        self.known_table(worker).ok_or_else(unknown)
    }

    /// The table, if there is one of that name.
    #[must_use]
    pub fn known_table(&self, worker: &Worker) -> Option<usize> {
        self.table.or_else(|| worker.cache.shared().table(self.at(0).text))
    }

    /// The key, always the second argument. Any bytes, but at least one.
    pub fn key(&self) -> Result<&'a [u8], Bad> {
        self.key_at(1)
    }

    /// The key that stands at `i`.
    pub fn key_at(&self, i: usize) -> Result<&'a [u8], Bad> {
        let arg = self.at(i);
        if arg.text.is_empty() {
            return Err(self.bad("the key", arg, "at least one byte", "empty key"));
        }
        Ok(arg.text)
    }

    /// A value to store.
    pub fn value(&self, i: usize) -> Result<Value<'a>, Bad> {
        let arg = self.at(i);
        if arg.null {
            return Err(self.bad("the value", arg, "a string or a number", "no value"));
        }
        let number = if arg.number { value::integer(arg.text) } else { None };
        Ok(number.map_or(Value::Bytes(arg.text), Value::Int))
    }

    /// A life time in seconds, 0 = for ever; `None` when it was left out.
    pub fn ttl(&self, i: usize) -> Result<Option<u32>, Bad> {
        let range = 0..=u64::from(TTL_MAX);
        let seconds =
            self.number(i, "the ttl", range, "seconds from 0 (for ever) to 315360000 (ten years)", "bad ttl")?;
        Ok(seconds.map(|seconds| u32::try_from(seconds).unwrap_or(TTL_MAX)))
    }

    /// A count: unsigned, 63 bits; `None` when it was left out.
    pub fn count(&self, i: usize, what: &str) -> Result<Option<u64>, Bad> {
        self.number(i, what, 0..=i64::MAX as u64, "a number from 0 to 9223372036854775807", "not a number")
    }

    /// A fencing number; `None` when it was left out.
    pub fn fence(&self, i: usize) -> Result<Option<u64>, Bad> {
        self.number(i, "the fencing number", 0..=u64::MAX, "the number that shc_lock gave", "not a number")
    }

    /// The name of a tag: any bytes, but at least one.
    pub fn tag(&self, i: usize) -> Result<&'a [u8], Bad> {
        match self.at(i).text {
            b"" => Err(self.refuse(i, "the tag", "at least one byte", "empty tag")),
            tag => Ok(tag),
        }
    }

    /// The same of a tag that an entry is given: it goes with the entry, so it is short.
    pub fn short_tag(&self, i: usize) -> Result<&'a [u8], Bad> {
        let fits = |tag: &&[u8]| tag.len() <= NAME_MAX;
        let tag = Some(self.tag(i)?).filter(fits);
        tag.ok_or_else(|| self.refuse(i, "the tag", "250 bytes at most", "tag too long"))
    }

    /// Plain text; `None` when it was left out.
    pub fn text(&self, i: usize) -> Option<&'a [u8]> {
        self.items.get(i).map(|arg| arg.text)
    }

    /// The name of an xavp for the result; `None` when it was left out or is empty.
    pub fn xavp(&self, i: usize) -> Result<Option<&'a [u8]>, Bad> {
        let name = self.at(i).text;
        if name.is_empty() || is_name(name) {
            return Ok(Some(name).filter(|name| !name.is_empty()));
        }
        let expected = "the name of an xavp, 1 to 32 letters, digits and '_', or nothing";
        Err(self.refuse(i, "the result", expected, "bad xavp name"))
    }

    /// The name of an xavp for a result that has no other place.
    pub fn needed_xavp(&self, i: usize) -> Result<&'a [u8], Bad> {
        let expected = "the name of an xavp, 1 to 32 letters, digits and '_'";
        self.xavp(i)?.ok_or_else(|| self.refuse(i, "the result", expected, "bad xavp name"))
    }

    /// A route of the script.
    pub fn route(&self, i: usize) -> Result<Subroute, Bad> {
        let unknown = || self.refuse(i, "the route", "the name of a route[...] of the script", "unknown route");
        route::subroute(self.at(i).text).ok_or_else(unknown)
    }

    /// What stands between keys: a comma when it was left out.
    pub fn separator(&self, i: usize) -> Result<&'a [u8], Bad> {
        match self.text(i).unwrap_or(b",") {
            b"" => Err(self.refuse(i, "the separator", "at least one byte", "empty separator")),
            separator => Ok(separator),
        }
    }

    /// Refuses the text at `i`.
    pub fn refuse(&self, i: usize, what: &str, expected: &str, err: &'static str) -> Bad {
        self.bad(what, self.at(i), expected, err)
    }

    /// As [`Args::ttl`], but at least a second: a lock must end.
    pub fn lock_ttl(&self, i: usize) -> Result<u32, Bad> {
        let ttl = self.ttl(i)?.filter(|ttl| *ttl > 0);
        ttl.ok_or_else(|| self.refuse(i, "the ttl", "at least one second: a lock must end", "bad ttl"))
    }

    fn number(
        &self,
        i: usize,
        what: &str,
        range: RangeInclusive<u64>,
        expected: &str,
        err: &'static str,
    ) -> Result<Option<u64>, Bad> {
        let Some(arg) = self.items.get(i) else { return Ok(None) };
        digits(arg.text)
            .filter(|number| range.contains(number))
            .map(Some)
            .ok_or_else(|| self.bad(what, *arg, expected, err))
    }
}

/// An unsigned number in decimal digits, blanks around it allowed.
fn digits(text: &[u8]) -> Option<u64> {
    let text = text.trim_ascii();
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args<'a>(items: &'a [Arg<'a>]) -> Args<'a> {
        Args { function: "test", table: None, items, scope: 0 }
    }

    #[test]
    fn a_ttl_is_seconds_up_to_ten_years() {
        for (text, want) in [
            ("0", Some(0)),
            ("60", Some(60)),
            (" 60 ", Some(60)),
            ("007", Some(7)),
            ("315360000", Some(TTL_MAX)),
            ("315360001", None),
            ("-1", None),
            ("", None),
            ("1m", None),
            ("+1", None),
            ("99999999999999999999999", None),
        ] {
            let got = args(&[Arg::string(text.as_bytes())]).ttl(0);
            assert_eq!(got.ok().flatten(), want, "{text:?}");
        }
        assert_eq!(args(&[]).ttl(0), Ok(None), "left out");
    }

    #[test]
    fn a_count_has_63_bits_and_a_fence_64() {
        for (text, count, fence) in [
            ("9223372036854775807", true, true),
            ("9223372036854775808", false, true),
            ("18446744073709551615", false, true),
            ("18446744073709551616", false, false),
            ("one", false, false),
        ] {
            let items = [Arg::string(text.as_bytes())];
            assert_eq!(args(&items).count(0, "n").is_ok(), count, "{text}");
            assert_eq!(args(&items).fence(0).is_ok(), fence, "{text}");
        }
    }

    #[test]
    fn a_value_is_an_integer_only_if_the_script_says_so() {
        let number = |text: &'static [u8]| Arg { text, number: true, null: false };
        for (arg, want) in [
            (number(b"5"), Some(Value::Int(5))),
            (number(b"-5"), Some(Value::Int(-5))),
            (Arg::string(b"5"), Some(Value::Bytes(b"5"))),
            (Arg::string(b""), Some(Value::Bytes(b""))),
            (Arg { null: true, ..Arg::default() }, None),
        ] {
            assert_eq!(args(&[arg]).value(0).ok(), want);
        }
    }

    #[test]
    fn an_empty_key_is_refused_by_name() {
        for (key, want) in [(&b""[..], Err("empty key")), (b" ", Ok(&b" "[..])), (b"a\0b", Ok(b"a\0b"))] {
            let items = [Arg::string(b"t"), Arg::string(key)];
            assert_eq!(args(&items).key().map_err(|bad| bad.0), want);
        }
    }
}
