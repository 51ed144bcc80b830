//! Arguments of RPC commands: each is asked for by name, and the fault of a bad one says that name.

use super::Fault;
use crate::cluster::Shared;
use crate::host::rpc::Call;
use crate::table::TTL_MAX;

/// An argument that must be there.
pub fn required(call: &mut Call<'_>, name: &str) -> Result<Vec<u8>, Fault> {
    call.argument().ok_or_else(|| Fault::bad(format!("argument '{name}' is missing, or is neither text nor number")))
}

/// A key: any bytes, at least one.
pub fn key(call: &mut Call<'_>) -> Result<Vec<u8>, Fault> {
    let key = required(call, "key")?;
    if key.is_empty() { Err(Fault::bad("argument 'key' is empty")) } else { Ok(key) }
}

/// A configured table.
pub fn table(call: &mut Call<'_>, shared: &Shared) -> Result<usize, Fault> {
    let name = required(call, "table")?;
    table_named(shared, &name)
}

/// The same of a name that was read already.
pub fn table_named(shared: &Shared, name: &[u8]) -> Result<usize, Fault> {
    shared.table(name).ok_or_else(|| Fault::absent(format!("no table '{}' is configured", shown(name))))
}

/// The slot of a configured server.
pub fn server(call: &mut Call<'_>, shared: &Shared) -> Result<usize, Fault> {
    let name = required(call, "name")?;
    shared.layout().find(&name).ok_or_else(|| Fault::absent(format!("no server '{}' is configured", shown(&name))))
}

/// An optional time to live in seconds.
pub fn ttl(call: &mut Call<'_>) -> Result<Option<u32>, Fault> {
    call.argument().map(|text| seconds(&text)).transpose()
}

fn seconds(text: &[u8]) -> Result<u32, Fault> {
    let seconds = integer(text, "ttl")?;
    let ttl = u32::try_from(seconds).ok().filter(|ttl| *ttl <= TTL_MAX);
    ttl.ok_or_else(|| Fault::bad(format!("argument 'ttl' is {seconds}, not within 0..{TTL_MAX} seconds")))
}

/// There is nothing behind the arguments that a command knows.
pub fn end(call: &mut Call<'_>) -> Result<(), Fault> {
    match call.argument() {
        Some(more) => Err(Fault::bad(format!("argument '{}' is one too many", shown(&more)))),
        None => Ok(()),
    }
}

/// What a transport makes of the negative numbers that it knows exactly when it has unsigned ones only.
const WRAPPED: u64 = u64::MAX - (1 << 53);

/// Text as an integer, also of a negative one that came as 2^64 more.
pub fn integer(text: &[u8], name: &str) -> Result<i64, Fault> {
    let text = std::str::from_utf8(text).unwrap_or("?");
    let wrapped = || text.parse::<u64>().ok().filter(|number| *number > WRAPPED).map(u64::cast_signed);
    let number = text.parse::<i64>().ok().or_else(wrapped);
    number.ok_or_else(|| Fault::bad(format!("argument '{name}' is '{}', not an integer", shown(text.as_bytes()))))
}

/// An argument as a fault shows it: short and printable.
pub fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(text).chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integer_is_read_from_every_transports_spelling() {
        for (text, want) in [
            ("5", Some(5)),
            ("-5", Some(-5)),
            ("18446744073709551611", Some(-5)),
            ("9223372036854775807", Some(i64::MAX)),
            ("9223372036854775808", None),
            ("1.5", None),
            ("", None),
            ("5 ", None),
            ("18446744073709551616", None),
        ] {
            assert_eq!(integer(text.as_bytes(), "number").ok(), want, "{text}");
        }
        let fault = integer(b"five", "number");
        assert_eq!(fault, Err(Fault::bad("argument 'number' is 'five', not an integer")));
    }

    #[test]
    fn seconds_end_at_ten_years() {
        assert_eq!(seconds(b"0"), Ok(0));
        assert_eq!(seconds(b"315360000"), Ok(315_360_000));
        assert!(seconds(b"315360001").is_err());
        assert!(seconds(b"-1").is_err());
    }
}
