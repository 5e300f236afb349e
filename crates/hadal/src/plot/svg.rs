//! SVG text, element by element. Lengths are in CSS pixels, y counts downwards.

use std::fmt::Write;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::color::Color;
use super::text::escape;

/// A rectangle: its left upper corner, width and height.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rect {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

impl Rect {
    pub fn new(x: f64, y: f64, width: f64, height: f64) -> Rect {
        Rect { x, y, width: width.max(1.0), height: height.max(1.0) }
    }

    pub fn right(self) -> f64 {
        self.x + self.width
    }

    pub fn bottom(self) -> f64 {
        self.y + self.height
    }

    pub fn center(self) -> (f64, f64) {
        (self.x + self.width / 2.0, self.y + self.height / 2.0)
    }

    /// Without margins at its left, top, right and bottom.
    pub fn inset(self, left: f64, top: f64, right: f64, bottom: f64) -> Rect {
        Rect::new(self.x + left, self.y + top, self.width - left - right, self.height - top - bottom)
    }

    /// The cell in `row` and `column` of a grid, with gaps between cells.
    pub fn cell(self, (row, rows): (usize, usize), (column, columns): (usize, usize), gap: f64) -> Rect {
        let width = (self.width - gap * (columns - 1) as f64) / columns as f64;
        let height = (self.height - gap * (rows - 1) as f64) / rows as f64;
        Rect::new(self.x + column as f64 * (width + gap), self.y + row as f64 * (height + gap), width, height)
    }
}

/// How a line is drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stroke {
    pub color: Color,
    pub width: f64,
    /// Lengths of dashes and gaps, as in SVG; none: a solid line.
    pub dash: Option<&'static str>,
}

impl Stroke {
    pub fn new(color: Color, width: f64) -> Stroke {
        Stroke { color, width, dash: None }
    }
}

/// Where text stands relative to its point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// How text is drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Font {
    pub size: f64,
    pub bold: bool,
    pub color: Color,
    pub anchor: Anchor,
    /// Degrees, clockwise.
    pub angle: f64,
}

impl Font {
    pub const fn new(size: f64) -> Font {
        Font { size, bold: false, color: Color::TEXT, anchor: Anchor::Start, angle: 0.0 }
    }

    pub const fn bold(mut self) -> Font {
        self.bold = true;
        self
    }

    pub const fn anchor(mut self, anchor: Anchor) -> Font {
        self.anchor = anchor;
        self
    }

    pub const fn color(mut self, color: Color) -> Font {
        self.color = color;
        self
    }

    pub const fn angle(mut self, angle: f64) -> Font {
        self.angle = angle;
        self
    }

    pub fn width(self, text: &str) -> f64 {
        super::text::width(text, self.size, self.bold)
    }

    pub fn fit(self, text: &str, room: f64) -> String {
        super::text::fit(text, self.size, self.bold, room)
    }
}

/// An image of `width * height` pixels, row by row.
#[derive(Clone, Debug)]
pub(super) struct Pixels {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

impl Pixels {
    /// From the colour of each pixel, by row and column.
    pub fn new(width: usize, height: usize, color: impl Fn(usize, usize) -> Color) -> Pixels {
        let places = (0..height).flat_map(|row| (0..width).map(move |column| (row, column)));
        let rgb = places.flat_map(|(row, column)| {
            let Color(red, green, blue) = color(row, column);
            [red, green, blue]
        });
        Pixels { width, height, rgb: rgb.collect() }
    }

    /// As a PNG file. Writing to memory does not fail.
    fn png(&self) -> Vec<u8> {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, self.width as u32, self.height as u32);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(&self.rgb));
        debug_assert!(written.is_ok(), "{written:?}");
        file
    }
}

/// A number without needless digits: hundredths of a pixel.
fn short(number: f64) -> f64 {
    let rounded = (number * 100.0).round() / 100.0;
    // Not -0.
    if rounded.is_finite() { rounded + 0.0 } else { 0.0 }
}

/// A picture that is being drawn.
pub(super) struct Svg {
    text: String,
}

/// The fonts that viewers shall choose from, before that of PNG.
pub(super) const PREFERRED: &str = "Helvetica, Arial, 'Liberation Sans', ";

impl Svg {
    /// An empty white picture, named for those who do not see it.
    pub fn new(width: f64, height: f64, name: &str) -> Svg {
        let mut text = String::new();
        let name = escape(name);
        let _ = writeln!(
            text,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} \
             {height}\" font-family=\"{PREFERRED}'DejaVu Sans', sans-serif\" role=\"img\">\n<title>{name}</title>\n<rect width=\"{width}\" \
             height=\"{height}\" fill=\"#ffffff\"/>"
        );
        Svg { text }
    }

    pub fn finish(mut self) -> String {
        self.text.push_str("</svg>\n");
        self.text
    }

    fn add(&mut self, element: std::fmt::Arguments) {
        let _ = self.text.write_fmt(element);
        self.text.push('\n');
    }

    pub fn rect(&mut self, Rect { x, y, width, height }: Rect, fill: Color) {
        let [x, y, width, height] = [x, y, width, height].map(short);
        self.add(format_args!("<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{fill}\"/>"));
    }

    /// A filled rectangle with a border and round corners.
    pub fn panel(&mut self, Rect { x, y, width, height }: Rect, fill: Color, stroke: Stroke, radius: f64) {
        let [x, y, width, height] = [x, y, width, height].map(short);
        self.add(format_args!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"{radius}\" fill=\"{fill}\" \
             {}/>",
            attributes(stroke)
        ));
    }

    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), stroke: Stroke) {
        let [x1, y1, x2, y2] = [from.0, from.1, to.0, to.1].map(short);
        self.add(format_args!("<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\" {}/>", attributes(stroke)));
    }

    pub fn polyline(&mut self, points: &[(f64, f64)], stroke: Stroke) {
        let points = list(points);
        self.add(format_args!(
            "<polyline points=\"{points}\" fill=\"none\" stroke-linejoin=\"round\" {}/>",
            attributes(stroke)
        ));
    }

    /// Lines from point to point, all in one element.
    pub fn segments(&mut self, segments: &[[(f64, f64); 2]], stroke: Stroke) {
        let mut path = String::new();
        for [from, to] in segments {
            let [x1, y1, x2, y2] = [from.0, from.1, to.0, to.1].map(short);
            let _ = write!(path, "M{x1} {y1}L{x2} {y2}");
        }
        self.add(format_args!("<path d=\"{path}\" fill=\"none\" stroke-linecap=\"round\" {}/>", attributes(stroke)));
    }

    pub fn polygon(&mut self, points: &[(f64, f64)], fill: Color, opacity: f64) {
        let points = list(points);
        self.add(format_args!("<polygon points=\"{points}\" fill=\"{fill}\" fill-opacity=\"{opacity}\"/>"));
    }

    pub fn circle(&mut self, center: (f64, f64), radius: f64, fill: Color, stroke: Stroke) {
        let [x, y, radius] = [center.0, center.1, radius].map(short);
        self.add(format_args!("<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\" fill=\"{fill}\" {}/>", attributes(stroke)));
    }

    /// Text with its baseline at `at`.
    pub fn text(&mut self, at: (f64, f64), text: &str, font: Font) {
        let (text, [x, y]) = (escape(text), [at.0, at.1].map(short));
        let anchor = match font.anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let weight = if font.bold { " font-weight=\"bold\"" } else { "" };
        let turn =
            if font.angle == 0.0 { String::new() } else { format!(" transform=\"rotate({} {x} {y})\"", font.angle) };
        let (size, color) = (short(font.size), font.color);
        self.add(format_args!(
            "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\" fill=\"{color}\" text-anchor=\"{anchor}\"{weight}{turn}>{text}</text>"
        ));
    }

    /// Text whose middle is as high as `at`.
    pub fn text_beside(&mut self, at: (f64, f64), text: &str, font: Font) {
        let down = 0.36 * font.size;
        let angle = font.angle.to_radians();
        self.text((at.0 - down * angle.sin(), at.1 + down * angle.cos()), text, font);
    }

    /// An image, whose pixels are shown as squares unless they are to be smoothed.
    pub fn image(&mut self, Rect { x, y, width, height }: Rect, pixels: &Pixels, smooth: bool) {
        let [x, y, width, height] = [x, y, width, height].map(short);
        let rendering = if smooth { "auto" } else { "pixelated" };
        let data = BASE64_STANDARD.encode(pixels.png());
        self.add(format_args!(
            "<image x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" preserveAspectRatio=\"none\" \
             style=\"image-rendering:{rendering}\" href=\"data:image/png;base64,{data}\"/>"
        ));
    }

    /// Draws within a rectangle; what is outside is not seen.
    pub fn clipped(&mut self, Rect { x, y, width, height }: Rect, draw: impl FnOnce(&mut Svg)) {
        let [x, y, width, height] = [x, y, width, height].map(short);
        // Where several pictures stand in one page, equal names are equal rectangles.
        let id = format!("clip_{x}_{y}_{width}_{height}");
        self.add(format_args!(
            "<clipPath id=\"{id}\"><rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/></clipPath>\n\
             <g clip-path=\"url(#{id})\">"
        ));
        draw(self);
        self.add(format_args!("</g>"));
    }
}

fn attributes(Stroke { color, width, dash }: Stroke) -> String {
    let width = short(width);
    match dash {
        Some(dash) => format!("stroke=\"{color}\" stroke-width=\"{width}\" stroke-dasharray=\"{dash}\""),
        None => format!("stroke=\"{color}\" stroke-width=\"{width}\""),
    }
}

fn list(points: &[(f64, f64)]) -> String {
    let mut text = String::with_capacity(points.len() * 14);
    for (x, y) in points {
        let _ = write!(text, "{}{},{}", if text.is_empty() { "" } else { " " }, short(*x), short(*y));
    }
    text
}
