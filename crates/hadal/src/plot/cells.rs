//! A matrix as coloured cells, with the names of its rows and columns.

use super::chart::{LABEL, TICK};
use super::color::Color;
use super::color_bar::color_bar;
use super::picture::Scene;
use super::svg::{Anchor, Font, Pixels, Rect, Stroke, Svg};

/// Cells with their colours and, where there is room, their texts. There are as many names as rows and columns.
pub(super) struct Cells {
    pub rows: Vec<String>,
    pub columns: Vec<String>,
    /// Row by row.
    pub cells: Vec<Vec<(Color, String)>>,
    /// What the columns are, and what the rows are; empty where that is not said.
    pub labels: [String; 2],
    pub bar: Bar,
}

/// The colours from 0 to 1, what stands beside some of them, and below all.
pub(super) struct Bar {
    pub color: fn(f64) -> Color,
    pub marks: Vec<(f64, String)>,
    pub caption: &'static str,
}

/// The width of a label beside rows or below columns, at most.
const WIDEST: f64 = 130.0;
/// Room for the colour bar on the right.
const BAR: f64 = 84.0;
/// A cell that is narrower has no border.
const BORDERED: f64 = 6.0;
/// More cells than this are one image.
const MOST: usize = 4000;

/// The width of the widest name.
fn widest(names: &[String]) -> f64 {
    names.iter().map(|name| TICK.width(name)).fold(0.0, f64::max).min(WIDEST)
}

impl Scene for Cells {
    fn size(&self) -> (u32, u32) {
        let (rows, columns) = (self.rows.len() as f64, self.columns.len() as f64);
        let most = rows.max(columns);
        let side = (620.0 / most).clamp((900.0 / most).min(34.0), 90.0);
        let (beside, below) = (widest(&self.rows), widest(&self.columns).min(60.0));
        ((side * columns + beside + 170.0).max(560.0) as u32, (side * rows + below + 130.0).max(420.0) as u32)
    }

    fn draw(&self, svg: &mut Svg, area: Rect) {
        let beside = widest(&self.rows) + 8.0;
        let lower = widest(&self.columns) + 8.0;
        let [x_label, y_label] = &self.labels;
        let room_of = |label: &str, gap: f64| if label.is_empty() { 0.0 } else { LABEL.size + gap };
        let room = area.inset(beside + room_of(y_label, 12.0), 0.0, BAR, 0.0);
        let (rows, columns) = (self.rows.len() as f64, self.columns.len() as f64);
        // Labels of columns are turned where they would overlap.
        let turned = lower > room.width.min(room.height) / columns;
        let below = if turned { lower } else { TICK.size + 8.0 } + room_of(x_label, 10.0);
        let side = (room.width / columns).min((room.height - below) / rows).max(0.5);
        let left = room.x + (room.width - side * columns) / 2.0;
        let grid = Rect::new(left, room.y, side * columns, side * rows);
        self.fill(svg, grid, side);
        let (font, every) = label(side);
        for (index, name) in self.rows.iter().enumerate().step_by(every) {
            let at = (grid.x - 7.0, grid.y + (index as f64 + 0.5) * side);
            svg.text_beside(at, &TICK.fit(name, WIDEST), font.anchor(Anchor::End));
        }
        for (index, name) in self.columns.iter().enumerate().step_by(every) {
            let (x, name) = (grid.x + (index as f64 + 0.5) * side, TICK.fit(name, WIDEST));
            if turned {
                svg.text_beside((x, grid.bottom() + 7.0), &name, font.anchor(Anchor::End).angle(-90.0));
            } else {
                svg.text((x, grid.bottom() + TICK.size + 5.0), &name, font.anchor(Anchor::Middle));
            }
        }
        let middle = LABEL.anchor(Anchor::Middle);
        if !x_label.is_empty() {
            svg.text((grid.center().0, grid.bottom() + below - 4.0), x_label, middle);
        }
        if !y_label.is_empty() {
            svg.text_beside((grid.x - beside - LABEL.size * 0.8, grid.center().1), y_label, middle.angle(-90.0));
        }
        let bar = Rect::new(grid.right() + 20.0, grid.y, 16.0, grid.height.min(220.0));
        color_bar(svg, bar, self.bar.color, &self.bar.marks);
        svg.text((bar.x, bar.bottom() + 18.0), self.bar.caption, Font::new(13.0));
    }
}

/// The font of names, smaller where cells are narrow, and which names there is room for: every first, second, third.
fn label(side: f64) -> (Font, usize) {
    const SMALLEST: f64 = 9.0;
    let size = TICK.size.min(0.9 * side);
    if size >= SMALLEST {
        (Font { size, ..TICK }, 1)
    } else {
        (Font { size: SMALLEST, ..TICK }, (11.0 / side).ceil() as usize)
    }
}

impl Cells {
    fn fill(&self, svg: &mut Svg, grid: Rect, side: f64) {
        let (rows, columns) = (self.rows.len(), self.columns.len());
        if rows * columns > MOST {
            svg.image(grid, &Pixels::new(columns, rows, |row, column| self.cells[row][column].0), false);
            return;
        }
        let longest =
            self.cells.iter().flatten().map(|(_, text)| text.chars().count()).max().unwrap_or(0).max(1) as f64;
        let size = (side * 0.9 / (0.64 * longest)).min(0.42 * side).min(17.0);
        for (row, cells) in self.cells.iter().enumerate() {
            for (column, (color, text)) in cells.iter().enumerate() {
                let cell = Rect::new(grid.x + column as f64 * side, grid.y + row as f64 * side, side, side);
                svg.rect(cell, *color);
                if !text.is_empty() && size >= 6.0 {
                    let font = Font::new(size).anchor(Anchor::Middle).color(color.readable_on());
                    svg.text_beside(cell.center(), text, font);
                }
            }
        }
        if side < BORDERED {
            return;
        }
        let line = Stroke::new(Color::GRID, 0.8);
        for row in 0..=rows {
            let y = grid.y + row as f64 * side;
            svg.line((grid.x, y), (grid.right(), y), line);
        }
        for column in 0..=columns {
            let x = grid.x + column as f64 * side;
            svg.line((x, grid.y), (x, grid.bottom()), line);
        }
    }
}
