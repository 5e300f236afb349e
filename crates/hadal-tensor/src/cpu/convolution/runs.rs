//! How places of windows are taken together into registers.

use super::frame::Frame;

/// Registers of places: where in the frame those of each begin, and where in a row of the output, or of a stage, their sums go.
/// Windows beyond the end of a line are computed with the others where that takes the fewest registers.
#[derive(Debug)]
pub(super) struct Runs {
    pub registers: usize,
    /// Whether places are those of halves of registers.
    pub halves: bool,
    pub places: Vec<usize>,
    pub outs: Vec<usize>,
    /// From a line to the next, and lines of a plane, as they lie in what `outs` are places of: dense, or as in the frame.
    pub pitch: usize,
    pub rows: usize,
    /// The length of that.
    pub room: usize,
    /// Places of a register.
    pub lanes: usize,
    /// The end of the farthest place that is read, and that of the farthest out that is written.
    pub ends: (usize, usize),
}

impl Runs {
    /// Whether `outs` are places of an output of these sizes.
    pub fn are_dense(&self, counts: [usize; 3]) -> bool {
        self.room == counts.iter().product()
    }

    /// For places that follow each other from 0 on, as do their sums in `room`.
    fn flat(count: usize, lanes: usize, room: usize) -> Runs {
        let registers = count.div_ceil(lanes);
        let places: Vec<usize> = (0..registers).map(|register| register * lanes).collect();
        let ends = (registers * lanes, registers * lanes);
        Runs { registers, halves: false, outs: places.clone(), places, pitch: count, rows: 1, room, lanes, ends }
    }

    /// For windows at `counts` places of a frame. `exact`: each place once.
    pub fn new(frame: &Frame, counts: [usize; 3], lanes: usize, exact: bool) -> Runs {
        let [planes, rows, columns] = counts;
        let lines = planes * rows;
        let flat = frame.span(counts).div_ceil(lanes);
        // Lines cut into registers, or into halves, the last of which may overlap the one before.
        let cut = |width: usize| {
            let fits = if exact {
                columns.is_multiple_of(width) && (lines * columns).is_multiple_of(lanes)
            } else {
                columns >= width
            };
            fits.then(|| (lines * columns.div_ceil(width)).div_ceil(lanes / width))
        };
        let (whole, halves) = (cut(lanes), cut(lanes / 2).filter(|_| lines * columns >= lanes));
        // Halves take two loads in the place of one.
        let halves = halves.filter(|&halves| halves < flat.min(whole.unwrap_or(usize::MAX)));
        let whole = whole.filter(|&whole| whole <= flat);
        let (width, registers) = match (halves, whole) {
            (Some(registers), _) => (lanes / 2, registers),
            (None, Some(registers)) => (lanes, registers),
            (None, None) => {
                let (pitch, rows) = (frame.pitch, frame.rows);
                return Runs { pitch, rows, ..Runs::flat(frame.span(counts), lanes, flat * lanes) };
            }
        };
        let (mut places, mut outs) = (Vec::new(), Vec::new());
        for line in 0..lines {
            let start = (line / rows * frame.rows + line % rows) * frame.pitch;
            for column in (0..columns).step_by(width) {
                let column = column.min(columns - width);
                places.push(start + column);
                outs.push(line * columns + column);
            }
        }
        // An odd half has the one before beside it.
        if places.len() < registers * (lanes / width) {
            let (place, out) = (places[places.len() - 1], outs[outs.len() - 1]);
            places.push(place);
            outs.push(out);
        }
        let end = |list: &[usize]| list.iter().max().map_or(0, |place| place + width);
        let ends = (end(&places), end(&outs));
        Runs {
            registers,
            halves: width < lanes,
            places,
            outs,
            pitch: columns,
            rows,
            room: lines * columns,
            lanes,
            ends,
        }
    }
}
