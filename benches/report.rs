//! What a run leaves behind: the table on the terminal, and bench.json, bench.md and bench.svg in `bench-out`.
//!
//! Each benchmark writes its own section; the three files always show the sections of the newest run of each.

#![allow(dead_code, reason = "each benchmark uses its part")]

use crate::measure::{Kind, Series};
use crate::plot;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// All that benchmarks publish, in the order of the report.
const SECTIONS: [&str; 11] = [
    "wire",
    "copies",
    "outage",
    "host",
    "near",
    "near8",
    "stampede_loads",
    "stampede",
    "calls_sql",
    "calls_work",
    "calls",
];

/// One measured row, told against the base of its section.
pub struct Row {
    pub id: String,
    pub label: String,
    pub kind: String,
    pub ratio: f64,
    /// What was measured here, in the unit of the section.
    pub here: f64,
}

/// A ratio that the project wants to keep at or under `limit`.
pub struct Goal {
    pub text: String,
    pub value: f64,
    pub limit: f64,
}

/// The result of one benchmark.
pub struct Section {
    pub id: String,
    pub title: String,
    pub base: String,
    pub unit: String,
    pub rows: Vec<Row>,
    pub goals: Vec<Goal>,
}

impl Section {
    /// All `series` as ratios to the one named `base`, and in microseconds.
    pub fn new(id: &str, title: &str, base: &str, series: &[Series]) -> Self {
        Self::of(id, title, base, series, "us", |ns| ns / 1000.0)
    }

    /// The same in another unit; `in_unit` makes it of what was measured.
    pub fn of(id: &str, title: &str, base: &str, series: &[Series], unit: &str, in_unit: fn(f64) -> f64) -> Self {
        let base = find(series, base);
        let rows = series.iter().map(|one| Row {
            id: one.id.into(),
            label: one.label.into(),
            kind: kind_name(one.kind).into(),
            ratio: one.over(base),
            here: in_unit(one.median()),
        });
        let [id, title, base, unit] = [id, title, base.label, unit].map(String::from);
        Self { id, title, base, unit, rows: rows.collect(), goals: Vec::new() }
    }

    /// Adds a goal; a number that could not be measured counts as missed.
    pub fn goal(&mut self, text: &str, value: f64, limit: f64) {
        self.goals.push(Goal { text: text.into(), value, limit });
    }

    /// Prints this section and renews the files with it.
    pub fn publish(self) {
        println!("\n{}", self.table());
        let folder = folder();
        std::fs::create_dir_all(&folder).expect("bench-out can be made");
        let file = folder.join("bench.json");
        let mut all = load(&file);
        all[&self.id] = self.to_json();
        std::fs::write(&file, format!("{all:#}\n")).expect("bench.json can be written");
        let sections: Vec<Section> = SECTIONS.iter().filter_map(|id| Section::from_json(id, &all[id])).collect();
        let text = sections.iter().map(Section::table).collect::<Vec<_>>().join("\n");
        std::fs::write(folder.join("bench.md"), text).expect("bench.md can be written");
        plot::draw(&sections, &folder.join("bench.svg")).expect("bench.svg can be written");
        println!("written: {}", folder.join("bench.{json,md,svg}").display());
    }

    fn table(&self) -> String {
        let width = self.rows.iter().map(|row| row.label.chars().count()).max().unwrap_or(0).max(9);
        let mut text = format!("## {}\n\n1.00 = {}\n\n", self.title, self.base);
        let here = format!("{} here", self.unit);
        let wide = here.len().max(7);
        let _ = writeln!(text, "| {:width$} | ratio | {here:>wide$} |", "operation");
        let _ = writeln!(text, "|-{:-<width$}-|------:|-{:->wide$}:|", "", "");
        for row in &self.rows {
            let _ = writeln!(text, "| {:width$} | {:5.2} | {:wide$.2} |", row.label, row.ratio, row.here);
        }
        if !self.goals.is_empty() {
            text.push('\n');
        }
        for goal in &self.goals {
            let verdict = if goal.value <= goal.limit { "reached" } else { "MISSED" };
            let _ = writeln!(text, "- {}: {:.2}, wanted at most {:.2}: {verdict}", goal.text, goal.value, goal.limit);
        }
        text
    }

    fn to_json(&self) -> Value {
        let rows = self.rows.iter().map(
            |row| json!({"id": row.id, "label": row.label, "kind": row.kind, "ratio": row.ratio, "here": row.here}),
        );
        let goals = self.goals.iter().map(|goal| json!({"text": goal.text, "value": goal.value, "limit": goal.limit}));
        json!({"title": self.title, "base": self.base, "unit": self.unit,
               "rows": rows.collect::<Vec<_>>(), "goals": goals.collect::<Vec<_>>()})
    }

    fn from_json(id: &str, from: &Value) -> Option<Self> {
        let text = |from: &Value, name: &str| Some(from.get(name)?.as_str()?.to_owned());
        let number = |from: &Value, name: &str| from.get(name).and_then(Value::as_f64).unwrap_or(f64::NAN);
        let row = |row: &Value| {
            let (id, label, kind) = (text(row, "id")?, text(row, "label")?, text(row, "kind")?);
            Some(Row { id, label, kind, ratio: number(row, "ratio"), here: number(row, "here") })
        };
        let goal = |goal: &Value| {
            Some(Goal { text: text(goal, "text")?, value: number(goal, "value"), limit: number(goal, "limit") })
        };
        Some(Self {
            id: id.into(),
            title: text(from, "title")?,
            base: text(from, "base")?,
            unit: text(from, "unit")?,
            rows: from.get("rows")?.as_array()?.iter().filter_map(row).collect(),
            goals: from.get("goals")?.as_array()?.iter().filter_map(goal).collect(),
        })
    }
}

/// The series named `id`.
pub fn find<'a>(series: &'a [Series], id: &str) -> &'a Series {
    series.iter().find(|one| one.id == id).unwrap_or_else(|| panic!("no series is named {id}"))
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Floor => "floor",
        Kind::Ours => "ours",
        Kind::Peer => "peer",
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("bench-out")
}

fn load(file: &Path) -> Value {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    serde_json::from_str(&text).ok().filter(Value::is_object).unwrap_or_else(|| json!({}))
}
