//! SVG to PNG, by resvg. Text is drawn with DejaVu Sans, which is part of the program.

use std::sync::{Arc, LazyLock};

use resvg::tiny_skia::Pixmap;
use resvg::usvg::fontdb::Database;
use resvg::usvg::{Options, Transform, Tree};

/// Pixels for each CSS pixel, so that text is sharp on a slide.
const SCALE: f32 = 2.0;

static FONTS: LazyLock<Arc<Database>> = LazyLock::new(|| {
    let mut fonts = Database::new();
    fonts.load_font_data(dejavu::sans::regular().to_vec());
    fonts.load_font_data(dejavu::sans::bold().to_vec());
    fonts.set_sans_serif_family("DejaVu Sans");
    Arc::new(fonts)
});

/// Those of the system come second, for scripts that DejaVu Sans lacks.
static ALL_FONTS: LazyLock<Arc<Database>> = LazyLock::new(|| {
    let mut fonts = (**FONTS).clone();
    fonts.load_system_fonts();
    Arc::new(fonts)
});

/// The PNG file of an SVG picture.
pub(super) fn render(svg: &str) -> Result<Vec<u8>, String> {
    // East Asia and emoji.
    let rare = svg.chars().any(|char| char > '\u{2e7f}' && char != '\u{fffd}');
    let fontdb = if rare { ALL_FONTS.clone() } else { FONTS.clone() };
    // The same picture on every machine: the fonts that the SVG prefers are not looked for.
    let svg = svg.replacen(super::svg::PREFERRED, "", 1);
    let options = Options { fontdb, font_family: "DejaVu Sans".into(), ..Options::default() };
    let tree = Tree::from_str(&svg, &options).map_err(|error| format!("the picture cannot be drawn: {error}"))?;
    let size = tree.size();
    let (width, height) = ((size.width() * SCALE).ceil() as u32, (size.height() * SCALE).ceil() as u32);
    let mut pixels =
        Pixmap::new(width, height).ok_or_else(|| format!("{width} by {height} pixels do not fit into memory"))?;
    resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
    pixels.encode_png().map_err(|error| format!("the picture cannot be written as PNG: {error}"))
}
