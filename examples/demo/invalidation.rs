//! The provisioning system changes a row and deletes the entry: through kamcmd, through HTTP, or without any Kamailio.

use crate::account::Account;
use crate::calls::Load;
use crate::counts::SERVERS;
use crate::farm::Farm;
use crate::{Outcome, go_on};
use serde_json::json;
use std::path::PathBuf;
use std::process::Command;

/// A member of the group whom both hosts have asked for.
const USER: &str = "user0300";
const A: usize = 0;
const B: usize = 1;

pub fn run(farm: &mut Farm, account: &mut Account) -> Outcome<()> {
    account.heading("A change in the database, and one delete from outside");
    let before = call(farm, B)?;
    account.check(before == 200, format!("{USER} calls on host B: {before}"));
    farm.database.set_member(USER, false)?;
    let stale = call(farm, B)?;
    account.check(stale == 200, format!("the row is deleted in the database, the entry is not: still {stale}"));

    farm.hosts[A].kamcmd(&["shc.delete", "ipauth", USER])?;
    account.text(&format!("       kamcmd shc.delete ipauth {USER}      on host A"));
    next_call(farm, account, 403)?;

    farm.database.set_member(USER, true)?;
    account.text(&format!("       the row is back; POST http://127.0.0.1:{}/RPC, host A:", farm.hosts[A].host.port()));
    account.text(&format!(r#"       {{"jsonrpc":"2.0","id":1,"method":"shc.delete","params":["ipauth","{USER}"]}}"#));
    let host = &farm.hosts[A].host;
    host.rpc("shc.delete", &[json!("ipauth"), json!(USER)]).map_err(|fault| format!("shc.delete: {fault}"))?;
    next_call(farm, account, 200)?;
    by_shcctl(farm, account)
}

/// From a machine without Kamailio.
fn by_shcctl(farm: &mut Farm, account: &mut Account) -> Outcome<()> {
    let Some(program) = shcctl() else {
        account.text("       (shcctl is not built: cargo build --release makes it)");
        return Ok(());
    };
    farm.database.set_member(USER, false)?;
    let mut command = Command::new(program);
    for (server, name) in farm.servers.iter().zip(SERVERS) {
        command.arg("--server").arg(server.spec(name));
    }
    let output = command.args(["delete", "ipauth", USER]).output()?;
    if !output.status.success() {
        return Err(format!("shcctl: {}", String::from_utf8_lossy(&output.stderr).trim()).into());
    }
    account.text(&format!("       the row is gone; shcctl --server name=mc1;addr=... delete ipauth {USER}"));
    next_call(farm, account, 403)
}

/// Both hosts must know at once; host B, which nobody has told anything, first.
fn next_call(farm: &mut Farm, account: &mut Account, expected: u16) -> Outcome<()> {
    let codes = (call(farm, B)?, call(farm, A)?);
    let claim = format!("the next call on host B: {}, on host A: {}", codes.0, codes.1);
    account.check(codes == (expected, expected), claim);
    Ok(())
}

/// One call of the user; gives the answer's code, 0 for none.
fn call(farm: &mut Farm, host: usize) -> Outcome<u16> {
    go_on()?;
    farm.callee_runs()?;
    let answers = Load::start(farm, host, &[USER.to_string()], 10).answers();
    Ok(answers.codes.get(USER).and_then(|codes| codes.first()).copied().unwrap_or(0))
}

/// The tool, as the same build made it.
fn shcctl() -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    own.ancestors().skip(1).take(2).map(|dir| dir.join("shcctl")).find(|path| path.is_file())
}
