//! RPC commands that change this host's list of servers: all of a change is done, or nothing.

use super::{Fault, Outcome, args};
use crate::cache::Cache;
use crate::cluster::{Changes, ListError, Shared};
use crate::host::log;
use crate::host::rpc::Call;

/// Without arguments.
pub fn reload(call: &mut Call<'_>, shared: &'static Shared) -> Outcome {
    let changes = told("shc.reload", shared, shared.reload())?;
    let reply = call.object()?;
    reply.count(c"servers", shared.layout().len() as u64)?;
    reply.text(c"added", changes.added.join(","))?;
    reply.text(c"removed", changes.removed.join(","))?;
    reply.text(c"changed", changes.changed.join(","))?;
    Ok(reply.text(c"kept", changes.kept.join(","))?)
}

pub fn add_server(call: &mut Call<'_>, _: &mut Cache, shared: &'static Shared) -> Outcome {
    let text = text(call, "server")?;
    args::end(call)?;
    told("shc.add_server", shared, shared.add_server(&text))?;
    Ok(call.text(b"added")?)
}

pub fn remove_server(call: &mut Call<'_>, _: &mut Cache, shared: &'static Shared) -> Outcome {
    let name = text(call, "name")?;
    args::end(call)?;
    told("shc.remove_server", shared, shared.remove_server(&name))?;
    Ok(call.text(b"removed")?)
}

fn text(call: &mut Call<'_>, name: &str) -> Result<String, Fault> {
    let text = args::required(call, name)?;
    String::from_utf8(text).map_err(|_| Fault::bad(format!("argument '{name}' is not UTF-8")))
}

/// Writes into the log what became of the list; a transport may cut the text of a fault.
fn told(command: &str, shared: &Shared, outcome: Result<Changes, ListError>) -> Result<Changes, Fault> {
    match &outcome {
        Ok(changes) => {
            shared.await_entrance();
            log::notice(format_args!("{command}: {}; {} servers", shown(changes), shared.layout().len()));
        }
        Err(error) => log::error(format_args!("{command}: {error}; the list of servers stays as it was")),
    }
    outcome.map_err(fault)
}

fn shown(changes: &Changes) -> String {
    let parts = [("added", &changes.added), ("removed", &changes.removed), ("changed", &changes.changed)];
    let told =
        parts.iter().filter(|(_, names)| !names.is_empty()).map(|(what, names)| format!("{what} {}", names.join(", ")));
    let told: Vec<String> = told.collect();
    if told.is_empty() { "nothing changed".to_owned() } else { told.join("; ") }
}

fn fault(error: ListError) -> Fault {
    match &error {
        ListError::Unknown(_) => Fault::absent(error.to_string()),
        ListError::Busy | ListError::TooSoon(_) => Fault(500, error.to_string()),
        _ => Fault::bad(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_in_one_line() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>();
        let changes =
            Changes { added: names(&["a", "b"]), changed: names(&["c"]), kept: names(&["d"]), ..Changes::default() };
        assert_eq!(shown(&changes), "added a, b; changed c");
        assert_eq!(shown(&Changes { kept: names(&["d"]), ..Changes::default() }), "nothing changed");
    }

    #[test]
    fn a_fault_tells_whose_it_is() {
        let code = |error| fault(error).0;
        assert_eq!(
            [code(ListError::Unknown("x".into())), code(ListError::Empty), code(ListError::Busy)],
            [404, 400, 500]
        );
    }
}
