//! Small images beside each other.

use super::axis::number;
use super::color::diverging;
use super::color_bar::color_bar;
use super::picture::Scene;
use super::svg::{Anchor, Font, Pixels, Rect, Svg};

/// Images of one size, with captions below them.
pub(super) struct Tiles {
    pub images: Vec<Pixels>,
    /// As many as images, or none.
    pub captions: Vec<String>,
    /// Height and width of an image in its own pixels.
    pub shape: [usize; 2],
    /// The number that the ends of the diverging colours stand for, if the images are numbers with a sign.
    pub scale: Option<f64>,
}

const CAPTION: Font = Font::new(13.0).anchor(Anchor::Middle);
const GAP: f64 = 8.0;
/// Room for the colour bar on the right.
const BAR: f64 = 104.0;

impl Tiles {
    fn columns(&self) -> usize {
        let [height, width] = self.shape.map(|side| side as f64);
        let count = self.images.len() as f64;
        // A picture one and a half times as wide as high.
        ((1.5 * count * height / width).sqrt().ceil() as usize).clamp(1, self.images.len())
    }

    /// The width of an image in the picture: so that its longer side is 64 to 160.
    fn width(&self) -> f64 {
        let [height, width] = self.shape.map(|side| side as f64);
        let longer = (900.0 / (self.images.len() as f64).sqrt()).clamp(64.0, 160.0);
        (longer * width / height.max(width)).max(12.0)
    }

    fn below(&self) -> f64 {
        if self.captions.is_empty() { GAP } else { CAPTION.size + 8.0 + GAP }
    }
}

impl Scene for Tiles {
    fn size(&self) -> (u32, u32) {
        let (columns, width) = (self.columns() as f64, self.width());
        let rows = (self.images.len() as f64 / columns).ceil();
        let height = (width * self.shape[0] as f64 / self.shape[1] as f64).max(12.0);
        let bar = if self.scale.is_some() { BAR } else { 0.0 };
        let across = columns * (width + GAP) + bar + 32.0;
        ((across.max(420.0)) as u32, (rows * (height + self.below()) + 74.0).max(200.0) as u32)
    }

    fn draw(&self, svg: &mut Svg, area: Rect) {
        let bar = if self.scale.is_some() { BAR } else { 0.0 };
        let inner = area.inset(0.0, 0.0, bar, 0.0);
        let columns = self.columns();
        let rows = self.images.len().div_ceil(columns);
        let [height, width] = self.shape.map(|side| side as f64);
        // As large as fits, whichever way there is less room.
        let factor =
            ((inner.width / columns as f64 - GAP) / width).min((inner.height / rows as f64 - self.below()) / height);
        let (width, height) = ((width * factor).max(2.0), (height * factor).max(2.0));
        let left = inner.x + (inner.width - columns as f64 * (width + GAP)) / 2.0 + GAP / 2.0;
        for (index, image) in self.images.iter().enumerate() {
            let (row, column) = ((index / columns) as f64, (index % columns) as f64);
            let tile = Rect::new(left + column * (width + GAP), inner.y + row * (height + self.below()), width, height);
            svg.image(tile, image, false);
            if let Some(caption) = self.captions.get(index) {
                let text = CAPTION.fit(caption, width + GAP - 3.0);
                svg.text((tile.center().0, tile.bottom() + CAPTION.size + 3.0), &text, CAPTION);
            }
        }
        if let Some(most) = self.scale {
            let bar = Rect::new(area.right() - BAR + 22.0, area.y, 16.0, area.height.min(240.0));
            let marks = [(0.0, -most), (0.5, 0.0), (1.0, most)].map(|(share, value)| (share, number(value)));
            color_bar(svg, bar, |share| diverging(2.0 * share - 1.0), &marks);
        }
    }
}
