//! A finished picture: what the functions of this module return.

use std::path::Path;
use std::sync::Arc;

use super::svg::{Anchor, Font, Rect, Svg};
use super::text::wrap;
use crate::{Error, Result};

/// What a picture shows, below its title.
pub(super) trait Scene: Send + Sync {
    /// Width and height at which it looks best, the title included.
    fn size(&self) -> (u32, u32);

    fn draw(&self, svg: &mut Svg, area: Rect);
}

/// A picture, which can be given another title and size, and saved as SVG or PNG.
///
/// ```
/// use hadal::{Tensor, plot};
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("weights.svg");
/// let picture = plot::histogram(&Tensor::from([0.1, 0.2, 0.2, 0.4]))?;
/// picture.title("Weights of the first layer").size(600, 400).save(&path)?;
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone)]
pub struct Picture {
    title: String,
    /// Width and height; by default those of the scene.
    size: Option<(u32, u32)>,
    scene: Arc<dyn Scene>,
}

/// The smallest and the largest width and height.
const SIZES: std::ops::RangeInclusive<u32> = 160..=4000;

/// Room around a picture.
const MARGIN: f64 = 16.0;

const TITLE: Font = Font::new(21.0).bold().anchor(Anchor::Middle);

impl Picture {
    pub(super) fn new(title: impl Into<String>, scene: impl Scene + 'static) -> Picture {
        Picture { title: title.into(), size: None, scene: Arc::new(scene) }
    }

    /// Sets the title above the picture; an empty one leaves no room for it. Default: what the picture shows.
    ///
    /// ```
    /// use hadal::plot;
    /// let svg = plot::activations().title("All activation functions").svg();
    /// assert!(svg.contains("All activation functions"));
    /// ```
    pub fn title(mut self, title: impl Into<String>) -> Picture {
        self.title = title.into();
        self
    }

    /// Sets width and height in CSS pixels, each from 160 to 4000; numbers beyond that count as the nearest. Text keeps its size.
    /// A PNG has two pixels for each. Default: what suits the picture, mostly 800 by 500.
    ///
    /// ```
    /// use hadal::plot;
    /// assert!(plot::activations().size(1200, 900).svg().contains("width=\"1200\" height=\"900\""));
    /// ```
    pub fn size(mut self, width: u32, height: u32) -> Picture {
        self.size = Some((width.clamp(*SIZES.start(), *SIZES.end()), height.clamp(*SIZES.start(), *SIZES.end())));
        self
    }

    pub(super) fn size_in_pixels(&self) -> (u32, u32) {
        self.size.unwrap_or_else(|| self.scene.size())
    }

    /// The picture as the text of an SVG file, which can also stand within HTML.
    ///
    /// ```
    /// use hadal::plot;
    /// assert!(plot::activations().svg().starts_with("<svg"));
    /// ```
    pub fn svg(&self) -> String {
        let (width, height) = self.size_in_pixels();
        let (width, height) = (f64::from(width), f64::from(height));
        let mut svg = Svg::new(width, height, &self.title);
        self.draw(&mut svg, Rect::new(0.0, 0.0, width, height).inset(MARGIN, MARGIN, MARGIN, MARGIN));
        svg.finish()
    }

    /// Draws title and scene.
    pub(super) fn draw(&self, svg: &mut Svg, area: Rect) {
        let lines = wrap(&self.title, TITLE.size, TITLE.bold, area.width, 2);
        for (index, line) in lines.iter().enumerate() {
            svg.text((area.center().0, area.y + TITLE.size * (0.85 + 1.2 * index as f64)), line, TITLE);
        }
        let above = if lines.is_empty() { 0.0 } else { TITLE.size * 1.2 * lines.len() as f64 + 8.0 };
        self.scene.draw(svg, area.inset(0.0, above, 0.0, 0.0));
    }

    /// Writes the picture to `path`, as the ending of its name says: `.svg`, or `.png` with the feature `plot-png`. Folders that
    /// are missing are created.
    ///
    /// ```
    /// use hadal::plot;
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("activations.svg");
    /// plot::activations().save(&path)?;
    /// assert!(plot::activations().save("activations.jpg").is_err());
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the ending is another one, or the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
        let bytes = match ending.as_deref() {
            Some("svg") => self.svg().into_bytes(),
            #[cfg(feature = "plot-png")]
            Some("png") => super::png::render(&self.svg()).map_err(|reason| Error::file(path, reason))?,
            #[cfg(not(feature = "plot-png"))]
            Some("png") => {
                return Err(Error::file(path, "PNG needs the feature `plot-png` of hadal; SVG (.svg) does not"));
            }
            Some(other) => {
                return Err(Error::file(path, format!("pictures are saved as .svg or .png, not as .{other}")));
            }
            None => return Err(Error::file(path, "the name of a picture must end with .svg or .png")),
        };
        crate::format::write_atomically(path, |out| out.write_all(&bytes))
    }

    /// As [`grid`](Picture::grid); without pictures it is empty.
    pub(super) fn panels(pictures: Vec<Picture>, columns: usize) -> Picture {
        let columns = columns.min(pictures.len()).max(1);
        Picture::new("", Panels { pictures, columns })
    }

    /// Several pictures in one, in rows of `columns`, each with its own title.
    ///
    /// ```
    /// use hadal::{plot, prelude::*};
    /// let both = plot::Picture::grid([plot::activation(Relu)?, plot::activation(Tanh)?], 2)?;
    /// assert!(both.title("Two activation functions").svg().contains("tanh"));
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there are no pictures or no columns.
    pub fn grid(pictures: impl IntoIterator<Item = Picture>, columns: usize) -> Result<Picture> {
        let pictures: Vec<Picture> = pictures.into_iter().collect();
        if pictures.is_empty() || columns == 0 {
            return Err(Error::Config("a grid of pictures needs at least one picture and one column".into()));
        }
        Ok(Picture::panels(pictures, columns))
    }
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let size = self.size_in_pixels();
        f.debug_struct("Picture").field("title", &self.title).field("size", &size).finish_non_exhaustive()
    }
}

struct Panels {
    pictures: Vec<Picture>,
    columns: usize,
}

impl Panels {
    fn rows(&self) -> usize {
        self.pictures.len().div_ceil(self.columns)
    }
}

impl Scene for Panels {
    fn size(&self) -> (u32, u32) {
        let most = |of: fn((u32, u32)) -> u32| self.pictures.iter().map(|p| of(p.size_in_pixels())).max().unwrap_or(0);
        let (columns, rows) = (self.columns as u32, self.rows() as u32);
        let side = |one: u32, count: u32| one.saturating_mul(count).clamp(*SIZES.start(), *SIZES.end());
        (side(most(|size| size.0), columns), side(most(|size| size.1), rows))
    }

    fn draw(&self, svg: &mut Svg, area: Rect) {
        for (index, picture) in self.pictures.iter().enumerate() {
            let (row, column) = (index / self.columns, index % self.columns);
            picture.draw(svg, area.cell((row, self.rows()), (column, self.columns), 2.0 * MARGIN));
        }
    }
}
