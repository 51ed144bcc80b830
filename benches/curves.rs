//! A picture of curves: a panel for each trace, hit ratio in percent over the number of entries.

use plotters::prelude::*;
use std::error::Error;
use std::path::Path;

const COLUMNS: usize = 3;
const PANEL: (u32, u32) = (340, 240);
const LINE: u32 = 2;

/// What one cache reached: (entries, percent).
pub struct Curve {
    pub name: &'static str,
    pub points: Vec<(f64, f64)>,
}

pub struct Panel {
    pub title: &'static str,
    pub curves: [Curve; 3],
}

const COLOURS: [RGBColor; 3] = [RGBColor(31, 119, 180), RGBColor(150, 150, 150), RGBColor(230, 140, 50)];

/// Writes all panels as one SVG file.
pub fn draw(panels: &[Panel], file: &Path) -> Result<(), Box<dyn Error>> {
    let rows = panels.len().div_ceil(COLUMNS);
    let size = (PANEL.0 * COLUMNS as u32, PANEL.1 * rows as u32);
    let area = SVGBackend::new(file, size).into_drawing_area();
    area.fill(&WHITE)?;
    for (panel, part) in panels.iter().zip(area.split_evenly((rows, COLUMNS))) {
        one(panel, &part)?;
    }
    area.present()?;
    Ok(())
}

fn one(panel: &Panel, area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>) -> Result<(), Box<dyn Error>> {
    let entries = panel.curves.iter().flat_map(|curve| &curve.points).map(|(entries, _)| *entries);
    let (least, most) = entries.fold((f64::MAX, 1.0), |(least, most), one| (one.min(least), one.max(most)));
    let mut chart = ChartBuilder::on(area)
        .caption(panel.title, ("sans-serif", 15))
        .margin(8)
        .x_label_area_size(24)
        .y_label_area_size(36)
        .build_cartesian_2d((least..most).log_scale(), 0.0..100.0)?;
    chart.configure_mesh().x_labels(4).y_labels(6).light_line_style(WHITE).draw()?;
    for (curve, colour) in panel.curves.iter().zip(COLOURS) {
        chart
            .draw_series(LineSeries::new(curve.points.iter().copied(), colour.stroke_width(LINE)))?
            .label(curve.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(LINE)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.8))
        .draw()?;
    Ok(())
}
