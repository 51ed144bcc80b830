//! What stands between a variable's parentheses: `table=>key`, parsed once, where the first `=>` splits it. The key may
//! hold variables and any bytes.

use crate::host::entry::{Refused, entry};
use crate::host::ffi::{kstr, pv_param, pv_spec};
use crate::host::pv::{self, Format};
use crate::host::{log, text};
use crate::module::{lifecycle, names, sources};
use std::ffi::c_int;
use std::sync::OnceLock;

/// A table and a key.
#[derive(Debug)]
pub(super) struct Name {
    pub table: Box<[u8]>,
    /// Which one that is, once it was asked: the tables are the same as long as the host runs.
    pub known: OnceLock<Known>,
    pub key: Format,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub table: usize,
    /// What the cache does not have is asked of a source.
    pub sourced: bool,
}

impl Name {
    /// The index of its table; `None` where there is no such table.
    pub fn number(&self) -> Option<usize> {
        let look = || {
            let table = lifecycle::shared()?.table(&self.table)?;
            Some(*self.known.get_or_init(|| Known { table, sourced: sources::of(table).is_some() }))
        };
        self.known.get().copied().or_else(look).map(|known| known.table)
    }
}

/// Takes what stands between the parentheses, once, while the script is read.
pub(super) unsafe extern "C" fn parse(spec: *mut pv_spec, inner: *mut kstr) -> c_int {
    entry("$shc name", || {
        // SAFETY: the host's variable being parsed, and its text.
        let (spec, inner) = unsafe { (spec.as_mut().ok_or(Refused)?, text::bytes(inner.as_ref().ok_or(Refused)?)) };
        pv::give_name(spec, read(inner)?);
        Ok(())
    })
}

fn read(inner: &[u8]) -> Result<Name, Refused> {
    let whole = || String::from_utf8_lossy(inner);
    let Some(at) = inner.windows(2).position(|pair| pair == b"=>") else {
        log::error(format_args!("\"{}\": expected table=>key", whole()));
        return Err(Refused);
    };
    let (table, key) = (inner[..at].trim_ascii(), &inner[at + 2..]);
    if key.is_empty() {
        log::error(format_args!("\"{}\": the key is empty", whole()));
        return Err(Refused);
    }
    names::used(lifecycle::shared(), table, inner)?;
    let key = Format::parse(key).ok_or_else(|| {
        log::error(format_args!("\"{}\": the key cannot be read", whole()));
        Refused
    })?;
    Ok(Name { table: table.into(), known: OnceLock::new(), key })
}

/// What `parse` made of the variable.
pub(super) unsafe fn name<'a>(param: *const pv_param) -> Option<&'a Name> {
    // SAFETY: the caller's promise: `parse` put a `Name` there.
    unsafe { pv::name_of(param) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_arrow_splits_table_and_key() {
        for (inner, want) in [
            ("ipauth=>alice", Some(("ipauth", "alice"))),
            (" ipauth =>alice", Some(("ipauth", "alice"))),
            ("ipauth=>a=>b", Some(("ipauth", "a=>b"))),
            ("ipauth=> alice ", Some(("ipauth", " alice "))),
            ("ipauth=>", None),
            ("ipauth", None),
            ("=>alice", None),
            ("ip auth=>alice", None),
            ("ip-auth=>alice", None),
            ("", None),
        ] {
            let got = read(inner.as_bytes());
            let got = got.as_ref().ok().map(|name| match &name.key {
                Format::Constant(key) => (&*name.table, &**key),
                Format::Variables(..) => unreachable!("no variable was given"),
            });
            assert_eq!(got, want.map(|(table, key)| (table.as_bytes(), key.as_bytes())), "{inner}");
        }
    }
}
