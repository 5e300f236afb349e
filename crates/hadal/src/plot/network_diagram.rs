//! The layers of a network, as a drawing and as text.

use super::Picture;
use super::axis::grouped;
use super::color::{Color, of_index};
use super::picture::Scene;
use super::svg::{Anchor, Font, Rect, Stroke, Svg};
use super::text::wrap;
use crate::nn::{Chain, Dense, Layer, Sequential, Structure};
use crate::{Error, Result, Shape};

/// A network from its input on the left to its output on the right: a circle for each unit of dense layers, of wide ones for some,
/// a box for other layers, with output shapes and numbers of parameters below. Of more than 12 layers each is a box.
///
/// ```
/// use hadal::{plot, prelude::*};
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("network.svg");
/// let model = Sequential::new([784])
///     .add(Dense::new(512).activation(Relu))
///     .add(Dropout::new(0.2))
///     .add(Dense::new(10).activation(Softmax))
///     .build()?;
/// plot::network_diagram(&model)?.save(&path)?;
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// # Errors
/// If the network is not built.
pub fn network_diagram(model: &Sequential) -> Result<Picture> {
    let columns = columns(model)?;
    let parameters: usize = columns.iter().map(|column| column.parameters).sum();
    let title = format!("Network of {} parameters", grouped(&parameters.to_string()));
    Ok(if columns.len() <= MOST_COLUMNS {
        Picture::new(title, Columns(columns))
    } else {
        Picture::new(title, Boxes(columns))
    })
}

/// The network of [`network_diagram`] as text: a line for each layer, with its output shape and number of parameters; the layers
/// within a [`Residual`](crate::nn::Residual) or [`Parallel`](crate::nn::Parallel) stand indented below it.
///
/// ```
/// use hadal::{plot, prelude::*};
/// let model = Sequential::new([4]).add(Dense::new(8).activation(Relu)).add(Dense::new(3)).build()?;
/// assert_eq!(
///     plot::network_text(&model)?,
///     "input         [4]\n\
///      ↓\n\
///      Dense (relu)  [8]  40 parameters\n\
///      ↓\n\
///      Dense         [3]  27 parameters\n"
/// );
/// # Ok::<(), hadal::Error>(())
/// ```
///
/// # Errors
/// If the network is not built.
pub fn network_text(model: &Sequential) -> Result<String> {
    let mut columns = columns(model)?;
    for (column, layer) in columns.iter_mut().skip(1).zip(model.layers()) {
        column.inner = inner(&**layer, 1);
    }
    let widest = |of: fn(&Column) -> &str| columns.iter().map(|column| of(column).chars().count()).max().unwrap_or(0);
    let (labels, shapes) = (widest(|column| &column.label), widest(|column| &column.shape_text));
    let line = |column: &Column| {
        let mut line = format!("{:<labels$}  {:<shapes$}", column.label, column.shape_text);
        if column.parameters > 0 {
            line += &format!("  {}", column.parameter_text());
        }
        let inner: String = column.inner.iter().map(|line| format!("{line}\n")).collect();
        format!("{}\n{inner}", line.trim_end())
    };
    Ok(columns.iter().map(line).collect::<Vec<_>>().join("↓\n"))
}

/// The layers within a layer, one line each.
fn inner(layer: &dyn Layer, depth: usize) -> Vec<String> {
    let indent = "  ".repeat(depth);
    let list = |chain: &Chain| -> Vec<String> {
        let lines = chain
            .layers()
            .iter()
            .flat_map(|layer| std::iter::once(format!("{indent}{}", layer.label())).chain(inner(&**layer, depth + 1)));
        lines.collect()
    };
    match layer.structure() {
        Structure::Single => Vec::new(),
        Structure::Sequence(chain) | Structure::Residual(chain, None) => list(chain),
        Structure::Residual(chain, Some(shortcut)) => {
            let mut lines = list(chain);
            lines.push(format!("{indent}shortcut"));
            lines.extend(list(shortcut).into_iter().map(|line| format!("  {line}")));
            lines
        }
        Structure::Parallel(branches, _) => {
            let branch = |(index, chain): (usize, &Chain)| {
                let head = std::iter::once(format!("{indent}branch {}", index + 1));
                head.chain(list(chain).into_iter().map(|line| format!("  {line}"))).collect::<Vec<_>>()
            };
            branches.iter().enumerate().flat_map(branch).collect()
        }
    }
}

const MOST_COLUMNS: usize = 13;

/// The input, or a layer.
struct Column {
    label: String,
    shape: Shape,
    shape_text: String,
    parameters: usize,
    /// Whether each unit sees all those before it.
    dense: bool,
    inner: Vec<String>,
}

impl Column {
    fn new(label: String, shape: Shape, parameters: usize, dense: bool) -> Column {
        Column { label, shape, shape_text: shape.to_string(), parameters, dense, inner: Vec::new() }
    }

    fn parameter_text(&self) -> String {
        let plural = if self.parameters == 1 { "" } else { "s" };
        format!("{} parameter{plural}", grouped(&self.parameters.to_string()))
    }
}

fn columns(model: &Sequential) -> Result<Vec<Column>> {
    let (summary, architecture) = (model.summary(), model.architecture());
    if summary.rows().is_empty() {
        return Err(Error::Config("network_diagram: the network is not built; call build() or compile() first".into()));
    }
    let mut columns = vec![Column::new("input".into(), Shape::try_new(&architecture.input_shape)?, 0, false)];
    for ((label, shape, parameters), config) in summary.rows().iter().zip(&architecture.layers) {
        let dense = config.get::<Dense>().is_some();
        columns.push(Column::new(label.clone(), *shape, *parameters, dense));
    }
    Ok(columns)
}

const NAME: Font = Font::new(14.0).anchor(Anchor::Middle).bold();
const DETAIL: Font = Font::new(13.0).anchor(Anchor::Middle).color(Color::FAINT);

/// A network of few layers.
struct Columns(Vec<Column>);

/// Most circles of a layer.
const MOST_UNITS: usize = 9;

impl Scene for Columns {
    fn size(&self) -> (u32, u32) {
        ((self.0.len() as u32 * 150 + 40).max(480), 520)
    }

    fn draw(&self, svg: &mut Svg, area: Rect) {
        let room = area.inset(0.0, 4.0, 0.0, 92.0);
        let wide = room.width / self.0.len() as f64;
        let tall = room.height / MOST_UNITS as f64;
        let radius = (0.36 * tall).min(0.16 * wide).clamp(3.0, 15.0);
        let places: Vec<Place> = (0..self.0.len())
            .map(|index| Place::of(&self.0[index], index == 0, room.x + (index as f64 + 0.5) * wide, room, radius))
            .collect();
        for (index, pair) in places.windows(2).enumerate() {
            connect(svg, &pair[0], &pair[1], self.0[index + 1].dense);
        }
        for (index, (column, place)) in self.0.iter().zip(&places).enumerate() {
            place.draw(svg, column, index, self.0.len());
            labels(svg, column, (place.x, room.bottom() + 20.0), wide - 8.0);
        }
    }
}

/// Label, shape and parameters below a layer.
fn labels(svg: &mut Svg, column: &Column, (x, y): (f64, f64), room: f64) {
    let lines = wrap(&column.label, NAME.size, NAME.bold, room, 2);
    for (index, line) in lines.iter().enumerate() {
        svg.text((x, y + index as f64 * 17.0), line, NAME);
    }
    let below = y + 17.0 * lines.len() as f64;
    svg.text((x, below + 1.0), &DETAIL.fit(&column.shape_text, room), DETAIL);
    if column.parameters > 0 {
        let text = column.parameter_text();
        let (count, word) = text.split_once(' ').unwrap_or((&text, ""));
        svg.text((x, below + 18.0), &DETAIL.fit(count, room), DETAIL);
        svg.text((x, below + 34.0), &DETAIL.fit(word, room), DETAIL);
    }
}

/// Where a layer is drawn.
struct Place {
    x: f64,
    /// The heights of its circles, or where lines enter and leave its box.
    ys: Vec<f64>,
    /// Whether circles between the upper and the lower ones are left out.
    cut: bool,
    /// None: circles.
    shape: Option<Rect>,
    radius: f64,
}

impl Place {
    fn of(column: &Column, first: bool, x: f64, room: Rect, radius: f64) -> Place {
        let units = column.shape.elements();
        let vector = column.shape.rank() <= 1;
        let cut = units > MOST_UNITS;
        let tall = room.height / MOST_UNITS as f64;
        let middle = room.center().1;
        if vector && (first || column.dense) {
            let drawn = if cut { MOST_UNITS - 1 } else { units };
            // A gap in the middle for the dots.
            let gap = |index: usize| if cut && index >= drawn / 2 { tall } else { 0.0 };
            let top = middle - (drawn as f64 - 1.0) * tall / 2.0 - if cut { tall / 2.0 } else { 0.0 };
            let ys = (0..drawn).map(|index| top + index as f64 * tall + gap(index)).collect();
            return Place { x, ys, cut, shape: None, radius };
        }
        let side = if vector { (2.2 * radius, room.height * 0.72) } else { (6.0 * radius, 6.0 * radius) };
        let shape = Rect::new(x - side.0 / 2.0, middle - side.1 / 2.0, side.0, side.1);
        let ys = (0..5).map(|index| middle + (f64::from(index) - 2.0) * side.1 * 0.2).collect();
        Place { x, ys, cut: false, shape: Some(shape), radius }
    }

    /// Half its width.
    fn half(&self) -> f64 {
        self.shape.map_or(self.radius, |shape| shape.width / 2.0)
    }

    fn draw(&self, svg: &mut Svg, column: &Column, index: usize, count: usize) {
        let color = match index {
            0 => of_index(2),
            _ if index + 1 == count => of_index(1),
            _ => of_index(0),
        };
        let rim = Stroke::new(color, 1.8);
        let fill = color.mix(Color::WHITE, 0.75);
        if let Some(shape) = self.shape {
            svg.panel(shape, fill, rim, 5.0);
            if column.shape.rank() > 1 {
                for step in 1..4 {
                    let share = f64::from(step) / 4.0;
                    let (x, y) = (shape.x + share * shape.width, shape.y + share * shape.height);
                    let thin = Stroke::new(color.mix(Color::WHITE, 0.4), 0.8);
                    svg.line((x, shape.y), (x, shape.bottom()), thin);
                    svg.line((shape.x, y), (shape.right(), y), thin);
                }
            }
            return;
        }
        self.ys.iter().for_each(|y| svg.circle((self.x, *y), self.radius, fill, rim));
        if self.cut {
            let between = (self.ys[self.ys.len() / 2 - 1] + self.ys[self.ys.len() / 2]) / 2.0;
            for step in -1..=1 {
                svg.circle(
                    (self.x, between + f64::from(step) * 9.0),
                    2.0,
                    Color::FAINT,
                    Stroke::new(Color::FAINT, 0.5),
                );
            }
        }
    }
}

/// Lines from layer to layer: from every unit to every unit of a dense layer, otherwise straight on.
fn connect(svg: &mut Svg, from: &Place, to: &Place, dense: bool) {
    let (left, right) = (from.x + from.half(), to.x - to.half());
    let mut lines = Vec::new();
    for y in &from.ys {
        if dense {
            lines.extend(to.ys.iter().map(|end| [(left, *y), (right, *end)]));
        } else {
            // To the same height, or the nearest place of the box.
            let end = to.shape.map_or(*y, |shape| y.clamp(shape.y + 4.0, shape.bottom() - 4.0));
            lines.push([(left, *y), (right, end)]);
        }
    }
    svg.segments(&lines, Stroke::new(Color(165, 170, 178), if dense { 0.7 } else { 1.0 }));
}

/// A network of many layers: boxes from top to bottom, then in the next column.
struct Boxes(Vec<Column>);

impl Boxes {
    const PER_COLUMN: usize = 12;
    const MOST: usize = 120;

    fn grid(&self) -> (usize, usize) {
        let count = self.0.len().min(Boxes::MOST + 1);
        let columns = count.div_ceil(Boxes::PER_COLUMN);
        (count.div_ceil(columns), columns)
    }
}

impl Scene for Boxes {
    fn size(&self) -> (u32, u32) {
        let (rows, columns) = self.grid();
        (columns as u32 * 240 + 32, rows as u32 * 66 + 80)
    }

    fn draw(&self, svg: &mut Svg, area: Rect) {
        let (rows, columns) = self.grid();
        let drawn = self.0.len().min(Boxes::MOST);
        let place =
            |index: usize| area.cell((index % rows, rows), (index / rows, columns), 18.0).inset(6.0, 0.0, 6.0, 0.0);
        let arrow = Stroke::new(Color::FAINT, 1.4);
        for index in 0..self.0.len().min(Boxes::MOST + 1) {
            let cell = place(index);
            if index % rows > 0 {
                let (x, top) = (cell.center().0, cell.y);
                svg.line((x, top - 18.0), (x, top - 4.0), arrow);
                svg.polygon(&[(x - 4.0, top - 7.0), (x + 4.0, top - 7.0), (x, top - 1.0)], Color::FAINT, 1.0);
            }
            if index == drawn {
                svg.text_beside(cell.center(), &format!("and {} more layers", self.0.len() - drawn), DETAIL);
                break;
            }
            let column = &self.0[index];
            let color = if index == 0 {
                of_index(2)
            } else if index + 1 == self.0.len() {
                of_index(1)
            } else {
                of_index(0)
            };
            svg.panel(cell, color.mix(Color::WHITE, 0.85), Stroke::new(color, 1.4), 5.0);
            let detail = match column.parameters {
                0 => column.shape_text.clone(),
                _ => format!("{}, {}", column.shape_text, column.parameter_text()),
            };
            let (x, y) = cell.center();
            svg.text_beside((x, y - 9.0), &NAME.fit(&column.label, cell.width - 8.0), NAME);
            svg.text_beside((x, y + 10.0), &DETAIL.fit(&detail, cell.width - 8.0), DETAIL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;

    #[test]
    fn every_layer_is_named_with_shape_and_parameters() {
        let model = Sequential::new([28, 28]).add(Flatten).add(Dense::new(512).activation(Relu)).add(Dropout::new(0.2));
        let svg = network_diagram(&model.add(Dense::new(10)).build().unwrap()).unwrap().svg();
        for text in [">input<", ">[28, 28]<", ">Flatten<", "Dense", "(relu)", ">401,920<", ">Dropout", ">5130<"] {
            assert!(svg.contains(text), "{text}");
        }
    }

    #[test]
    fn layers_within_layers_are_indented() {
        let block = Residual::new().add(Dense::new(4).activation(Relu)).add(Dense::new(4));
        let text = network_text(&Sequential::new([4]).add(block).build().unwrap()).unwrap();
        assert_eq!(text, "input          [4]\n↓\nResidual of 2  [4]  40 parameters\n  Dense (relu)\n  Dense\n");
        let block = Residual::new().add(Dense::new(2)).shortcut(Dense::new(2).without_bias());
        let text = network_text(&Sequential::new([4]).add(block).build().unwrap()).unwrap();
        assert_eq!(text, "input          [4]\n↓\nResidual of 1  [2]  18 parameters\n  Dense\n  shortcut\n    Dense\n");
    }

    #[test]
    fn a_network_that_is_not_built_is_refused_and_a_deep_one_drawn_as_boxes() {
        let error = network_diagram(&Sequential::new([4]).add(Dense::new(1))).unwrap_err().to_string();
        assert!(error.contains("not built"), "{error}");
        let deep = (0..300).fold(Sequential::new([4]), |model, _| model.add(Dense::new(4))).build().unwrap();
        let svg = network_diagram(&deep).unwrap().svg();
        assert!(svg.contains("and 181 more layers") && svg.contains("20 parameters"));
    }
}
