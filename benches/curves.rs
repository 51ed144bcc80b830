//! A picture of curves: panels side by side, each with what was measured over sizes (on a logarithmic scale).

use plotters::prelude::*;
use std::error::Error;
use std::path::Path;

const COLUMNS: usize = 3;
const PANEL: (u32, u32) = (340, 240);
const LINE: u32 = 2;

/// What was measured of one thing: (size, value).
pub struct Curve {
    pub name: &'static str,
    pub points: Vec<(f64, f64)>,
}

pub struct Panel {
    pub title: &'static str,
    pub curves: Vec<Curve>,
    /// Where the vertical axis ends.
    pub top: f64,
}

const COLOURS: [RGBColor; 3] = [RGBColor(31, 119, 180), RGBColor(150, 150, 150), RGBColor(230, 140, 50)];

/// Writes all panels as one SVG file of that name into `bench-out`.
pub fn publish(panels: &[Panel], name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench-out");
    std::fs::create_dir_all(&folder).expect("bench-out can be made");
    let file = folder.join(name);
    draw(panels, &file).expect("the picture can be written");
    println!("\nwritten: {}", file.display());
}

fn draw(panels: &[Panel], file: &Path) -> Result<(), Box<dyn Error>> {
    let columns = panels.len().min(COLUMNS);
    let rows = panels.len().div_ceil(columns);
    let size = (PANEL.0 * columns as u32, PANEL.1 * rows as u32);
    let area = SVGBackend::new(file, size).into_drawing_area();
    area.fill(&WHITE)?;
    for (panel, part) in panels.iter().zip(area.split_evenly((rows, columns))) {
        one(panel, &part)?;
    }
    area.present()?;
    Ok(())
}

fn one(panel: &Panel, area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>) -> Result<(), Box<dyn Error>> {
    let sizes = panel.curves.iter().flat_map(|curve| &curve.points).map(|(size, _)| *size);
    let (least, most) = sizes.fold((f64::MAX, 1.0), |(least, most), one| (one.min(least), one.max(most)));
    let mut chart = ChartBuilder::on(area)
        .caption(panel.title, ("sans-serif", 15))
        .margin(8)
        .x_label_area_size(24)
        .y_label_area_size(36)
        .build_cartesian_2d((least..most).log_scale(), 0.0..panel.top)?;
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
