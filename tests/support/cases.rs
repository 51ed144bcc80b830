//! A table of small steps, walked in order inside one Kamailio: a sentence, a call, the code it must return, and what a
//! format string must print afterwards. All steps are tried; the ones that fail are told together.

use super::host::Host;
use super::script::Script;

/// `(sentence, call, code, format, printed)`. The code of a call that holds a function is `$rc`; else `$shcst(rc)`.
/// `~60` as the printed text allows two seconds that may have passed, and one that a server's clock may be ahead.
/// An empty call leaves the code out; an empty format prints nothing.
pub type Case<'a> = (&'a str, &'a str, i64, &'a str, &'a str);

impl Script {
    /// Adds one route for each step.
    pub fn cases(self, cases: &[Case]) -> Script {
        cases.iter().enumerate().fold(self, |script, (i, (_, call, _, format, _))| {
            let code = match *call {
                "" => "$var(rc) = 0;".to_string(),
                c if !c.starts_with("shc_") && !c.contains("; shc_") && !c.contains("\nshc_") => {
                    format!("{c};\n    $var(rc) = $shcst(rc);")
                }
                c => format!("{c};\n    $var(rc) = $rc;"),
            };
            script.route(
                &format!("c{i}"),
                &format!("    {code}\n    append_to_reply(\"X-Err: $shcst(err)\\r\\nX-Out: {format}\\r\\n\");"),
            )
        })
    }

    /// Starts a host and walks the table in it.
    pub fn walk(self, cases: &[Case]) -> Host {
        let host = self.cases(cases).start();
        host.walk(cases);
        host
    }
}

impl Host {
    /// Walks a table that was given to `Script::cases`.
    pub fn walk(&self, cases: &[Case]) {
        let mut wrong = Vec::new();
        for (i, (sentence, call, rc, format, printed)) in cases.iter().enumerate() {
            let outcome = self.run(&format!("c{i}"));
            if outcome.rc != *rc || !fits(&outcome.out, printed) {
                wrong.push(format!(
                    "{sentence}\n    {call}\n    code {} <{}>, expected {rc}; {format} printed '{}', expected '{printed}'",
                    outcome.rc, outcome.err, outcome.out
                ));
            }
        }
        assert!(wrong.is_empty(), "{} of {} steps failed:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    }
}

fn fits(out: &str, printed: &str) -> bool {
    match printed.strip_prefix('~').and_then(|n| n.parse::<i64>().ok()) {
        Some(most) => out.parse::<i64>().is_ok_and(|n| (most - 2..=most + 1).contains(&n)),
        None => out == printed,
    }
}
