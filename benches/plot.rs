//! The picture of a run: horizontal bars, one block for each section, the ratio written behind each bar.

use crate::report::{Row, Section};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::error::Error;
use std::path::Path;

const WIDTH: i32 = 1000;
const LEFT: i32 = 390;
const RIGHT: i32 = 90;
const ROW: i32 = 24;
const HEAD: i32 = 64;
const FOOT: i32 = 20;
const LEGEND: i32 = 36;

/// Bars beyond this ratio are cut, so that the others can be told apart; the number behind them is not.
const LONGEST: f64 = 6.0;

/// Writes all sections as one SVG file.
pub fn draw(sections: &[Section], file: &Path) -> Result<(), Box<dyn Error>> {
    let height = LEGEND + sections.iter().map(height_of).sum::<i32>();
    let area = SVGBackend::new(file, (WIDTH as u32, height as u32)).into_drawing_area();
    area.fill(&WHITE)?;
    let mut at = 12;
    for (step, (kind, text)) in
        [("ours", "shardcache"), ("floor", "the floor"), ("peer", "others")].into_iter().enumerate()
    {
        let x = LEFT + 150 * i32::try_from(step)?;
        area.draw(&Rectangle::new([(x, at), (x + 14, at + 14)], colour(kind).filled()))?;
        area.draw(&Text::new(text, (x + 20, at + 7), font(14, HPos::Left)))?;
    }
    at += LEGEND - 12;
    for section in sections {
        block(&area, section, at)?;
        at += height_of(section);
    }
    area.present()?;
    Ok(())
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn block(area: &Area<'_>, section: &Section, top: i32) -> Result<(), Box<dyn Error>> {
    area.draw(&Text::new(section.title.as_str(), (16, top + 16), font(18, HPos::Left)))?;
    let base = format!("1.00 = {}; shorter is better", section.base);
    area.draw(&Text::new(base, (16, top + 40), font(13, HPos::Left)))?;
    let longest = section.rows.iter().map(|row| row.ratio).fold(1.0, f64::max).min(LONGEST);
    let scale = f64::from(WIDTH - LEFT - RIGHT) / longest;
    let (one, bottom) = (LEFT + scale as i32, top + height_of(section) - FOOT);
    area.draw(&PathElement::new([(one, top + HEAD - 4), (one, bottom)], BLACK.mix(0.35)))?;
    for (row, y) in section.rows.iter().zip((top + HEAD..).step_by(ROW as usize)) {
        bar(area, row, y, scale)?;
    }
    Ok(())
}

fn bar(area: &Area<'_>, row: &Row, y: i32, scale: f64) -> Result<(), Box<dyn Error>> {
    let end = LEFT + ((row.ratio.clamp(0.0, LONGEST) * scale) as i32).max(1);
    let middle = y + ROW / 2;
    area.draw(&Text::new(row.label.as_str(), (LEFT - 8, middle), font(14, HPos::Right)))?;
    area.draw(&Rectangle::new([(LEFT, y + 3), (end, y + ROW - 3)], colour(&row.kind).filled()))?;
    if row.ratio > LONGEST {
        let cut = [(end - 34, y + ROW), (end - 26, y), (end - 20, y), (end - 28, y + ROW)];
        area.draw(&Polygon::new(cut, WHITE))?;
    }
    area.draw(&Text::new(format!("{:.2}", row.ratio), (end + 6, middle), font(13, HPos::Left)))?;
    Ok(())
}

fn height_of(section: &Section) -> i32 {
    HEAD + ROW * i32::try_from(section.rows.len()).unwrap_or(0) + FOOT
}

fn colour(kind: &str) -> RGBColor {
    match kind {
        "ours" => RGBColor(31, 119, 180),
        "floor" => RGBColor(150, 150, 150),
        _ => RGBColor(230, 140, 50),
    }
}

fn font(size: i32, side: HPos) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&BLACK).pos(Pos::new(side, VPos::Center))
}
