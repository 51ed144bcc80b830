//! The account that the demo prints: headings, sentences, aligned tables, a progress line, and claims with their checks.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

pub struct Account {
    checks: usize,
    failed: Vec<String>,
    heading: usize,
    live: bool,
    shown: Instant,
}

impl Account {
    pub fn new() -> Account {
        let live = std::io::stdout().is_terminal();
        Account { checks: 0, failed: Vec::new(), heading: 0, live, shown: Instant::now() }
    }

    pub fn title(&self, text: &str) {
        println!("{text}\n{}\n", "=".repeat(text.len()));
    }

    pub fn heading(&mut self, text: &str) {
        self.heading += 1;
        let text = format!("{}. {text}", self.heading);
        println!("\n{text}\n{}", "-".repeat(text.len()));
    }

    pub fn text(&self, text: &str) {
        println!("  {text}");
    }

    /// What happens now: one line that is overwritten on a terminal, or a line every few seconds elsewhere.
    pub fn progress(&mut self, text: &str) {
        if self.live {
            print!("\r\x1b[K  ... {text}");
            std::io::stdout().flush().unwrap_or_default();
        } else if self.shown.elapsed() >= Duration::from_secs(2) {
            self.shown = Instant::now();
            println!("  ... {text}");
        }
    }

    /// Removes the progress line.
    pub fn settle(&mut self) {
        if self.live {
            print!("\r\x1b[K");
        }
        self.shown = Instant::now();
    }

    /// The first row holds titles. Numbers are put to the right; the first column, and one without a title, to the left.
    pub fn table(&self, rows: &[Vec<String>]) {
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |c: usize| rows.iter().filter_map(|r| r.get(c)).map(|s| s.chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let left: Vec<bool> = (0..columns).map(|c| c == 0 || rows[0].get(c).is_none_or(String::is_empty)).collect();
        println!();
        for row in rows {
            let cell = |(c, text): (usize, &String)| match (left[c], widths[c]) {
                (true, w) => format!("   {text:<w$}"),
                (false, w) => format!("   {text:>w$}"),
            };
            let line: String = row.iter().enumerate().map(cell).collect();
            println!(" {}", line.trim_end());
        }
        println!();
    }

    /// A claim of the account, with its proof: it is printed, counted, and decides the exit code.
    pub fn check(&mut self, holds: bool, claim: impl Into<String>) {
        let claim = claim.into();
        self.checks += 1;
        println!("  {} {claim}", if holds { "ok    " } else { "FAILED" });
        if !holds {
            self.failed.push(claim);
        }
    }

    /// The last lines; true when every claim holds.
    pub fn summary(&self, taken: Duration) -> bool {
        println!();
        for claim in &self.failed {
            println!("FAILED: {claim}");
        }
        let held = self.checks - self.failed.len();
        println!("{held} of {} claims hold ({} seconds)", self.checks, taken.as_secs());
        self.failed.is_empty()
    }
}

/// 12345 as 12,345.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `part` of `whole` in percent, rounded down, so that 100 % means all.
pub fn percent(part: u64, whole: u64) -> u64 {
    (part * 100).checked_div(whole).unwrap_or(0)
}
