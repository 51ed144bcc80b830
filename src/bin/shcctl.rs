//! `shcctl`: the operator's tool, for machines without a Kamailio.
//!
//! To look at one entry it finds it as the module does (the rooms key, ring and config are the module's own) and talks to the
//! servers through the crate `memcache`, because here a millisecond does not matter. What must hold for the whole farm it does
//! as a guest of it, through the module's own cache (`guest`). Exit codes: 0 done, 1 not found, 2 a server is unavailable,
//! 3 bad arguments.

#![cfg_attr(not(test), deny(clippy::expect_used, clippy::panic, clippy::unwrap_used))]

#[path = "shcctl/args.rs"]
mod args;
#[path = "shcctl/dial.rs"]
mod dial;
#[path = "shcctl/farm.rs"]
mod farm;
#[path = "shcctl/guest.rs"]
mod guest;
#[path = "shcctl/show.rs"]
mod show;
#[path = "shcctl/tunnel.rs"]
mod tunnel;
#[path = "shcctl/verbs.rs"]
mod verbs;
#[path = "shcctl/warm.rs"]
mod warm;

use args::Args;
use clap::Parser as _;
use std::process::ExitCode;

/// Why a command did not do what it was asked for; the text names what and where.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("{0}")]
    Missing(String),
    #[error("{0}")]
    Unavailable(String),
    #[error("{0}")]
    Argument(String),
}

impl Trouble {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Missing(_) => 1,
            Self::Unavailable(_) => 2,
            Self::Argument(_) => 3,
        }
    }
}

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            let code = if error.use_stderr() { 3 } else { 0 };
            drop(error.print());
            return ExitCode::from(code);
        }
    };
    match verbs::run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            eprintln!("shcctl: {trouble}");
            ExitCode::from(trouble.exit_code())
        }
    }
}
