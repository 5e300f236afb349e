//! What a column holds, and the rules that find it out.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::cells::{Cells, is_missing};
use super::number;
use crate::Error;

/// What a column holds.
///
/// `Display` gives the names below; `FromStr` reads them and the usual others (`num`, `cat`, `bool`, `id`, ...).
///
/// The kind is inferred from all cells that are not missing, by the first of these rules that fits:
/// 1. **yes/no**: two values, yes and no, true and false, y and n, t and f or on and off in any case, or 1 and 0;
/// 2. **identifier**: whole numbers without repetition in a column without a name, or called `id`, `index`, `..._id`, `...Id` or
///    `Unnamed: ...`; or at least
///    20 of them that count up by one;
/// 3. **number**: all cells are finite numbers;
/// 4. **date**: all cells are dates or times in one of the formats of [`DateFormat`](super::DateFormat);
/// 5. **identifier**: at least 20 cells, no two the same, and no white space in them;
/// 6. **text**: more than half of the cells are distinct, and they are longer than 40 bytes on average, or there are at
///    least 20 and most of them have white space in them;
/// 7. **category**: all else, also a column without any value.
///
/// ```
/// use hadal::data::Kind;
/// assert_eq!("bool".parse::<Kind>()?, Kind::YesNo);
/// assert_eq!(Kind::YesNo.to_string(), "yes/no");
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `number`: finite numbers.
    Number,
    /// `category`: values of which each may be there many times.
    Category,
    /// `yes/no`: two values that say whether something is so.
    YesNo,
    /// `date`: dates, with or without a time of day, or times alone.
    Date,
    /// `text`: free text.
    Text,
    /// `identifier`: names or numbers of single rows.
    Identifier,
}

const NAMES: [(Kind, &str, &[&str]); 6] = [
    (Kind::Number, "number", &["num", "numeric", "numerical", "float", "int", "integer", "real", "continuous"]),
    (Kind::Category, "category", &["cat", "categorical", "class", "enum", "nominal", "factor"]),
    (Kind::YesNo, "yes/no", &["yesno", "yes-no", "yes_no", "bool", "boolean", "binary", "logical"]),
    (Kind::Date, "date", &["datetime", "date-time", "time", "timestamp"]),
    (Kind::Text, "text", &["free-text", "freetext", "string", "str"]),
    (Kind::Identifier, "identifier", &["id", "index", "key"]),
];

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(kind, ..)| kind == self).map_or("", |(_, name, _)| name);
        f.pad(name)
    }
}

impl FromStr for Kind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Kind, Error> {
        let word = text.trim().to_lowercase();
        let found = NAMES.iter().find(|(_, name, others)| *name == word || others.contains(&word.as_str()));
        if let Some((kind, ..)) = found {
            return Ok(*kind);
        }
        let meant =
            crate::nearest(&word, NAMES.iter().flat_map(|(_, name, others)| others.iter().copied().chain([*name])));
        let meant = meant.map_or(String::new(), |name| format!(" (did you mean `{name}`?)"));
        let names = NAMES.map(|(_, name, _)| name).join(", ");
        Err(Error::Config(format!("`{text}` is not a kind of column{meant}; the kinds are {names}")))
    }
}

/// Pairs of no and yes.
const YES_NO: [(&str, &str); 6] = [("no", "yes"), ("false", "true"), ("n", "y"), ("f", "t"), ("off", "on"), ("0", "1")];

/// Cells from which on the lack of repetition says something.
const MANY: usize = 20;

/// Whether a value says yes or no, in any case; `1.0` is 1.
pub(in super::super) fn yes_or_no(value: &str) -> Option<bool> {
    let word = YES_NO.iter().find_map(|(no, yes)| match value {
        _ if value.eq_ignore_ascii_case(yes) => Some(true),
        _ if value.eq_ignore_ascii_case(no) => Some(false),
        _ => None,
    });
    let number = || match number::parse(value, false).or_else(|| number::parse(value, true))? {
        0.0 => Some(false),
        1.0 => Some(true),
        _ => None,
    };
    word.or_else(number)
}

impl Kind {
    /// The kind of a column with this name, if it has one, and these cells.
    pub(super) fn infer(name: Option<&str>, cells: &Cells) -> Kind {
        if cells.iter().all(is_missing) {
            return Kind::Category;
        }
        if let Ok(numbers) = cells.numbers() {
            return infer_number(name, numbers);
        }
        if cells.dates().is_ok() {
            return Kind::Date;
        }
        if is_yes_no(cells) {
            return Kind::YesNo;
        }
        infer_words(cells)
    }
}

fn infer_number(name: Option<&str>, numbers: &[f64]) -> Kind {
    let present = || numbers.iter().copied().filter(|number| !number.is_nan());
    if present().all(|number| number == 0.0 || number == 1.0) {
        let both = present().any(|number| number == 0.0) && present().any(|number| number == 1.0);
        return if both { Kind::YesNo } else { Kind::Number };
    }
    let counts_up =
        numbers.len() >= MANY && numbers.windows(2).all(|pair| pair[1] - pair[0] == 1.0) && numbers[0].fract() == 0.0;
    if counts_up || names_rows(name) && are_distinct_integers(present().collect()) {
        return Kind::Identifier;
    }
    Kind::Number
}

/// Whether a column's name says that it holds the names of rows: `id`, `index`, `passenger_id`, `PassengerId`, `Unnamed: 0`. One
/// without a name is what pandas writes as its index.
pub(super) fn names_rows(name: Option<&str>) -> bool {
    let Some(name) = name else { return true };
    let lower = name.trim().to_lowercase();
    let last = lower.rsplit(['_', ' ', '-', '.']).next().unwrap_or("");
    let camel = name.strip_suffix("Id").or(name.strip_suffix("ID"));
    matches!(last, "id" | "index")
        || lower.starts_with("unnamed:")
        || camel.is_some_and(|start| start.ends_with(|c: char| c.is_lowercase()))
}

fn are_distinct_integers(mut numbers: Vec<f64>) -> bool {
    numbers.sort_unstable_by(f64::total_cmp);
    numbers.len() > 1
        && numbers.iter().all(|number| number.fract() == 0.0)
        && numbers.windows(2).all(|pair| pair[0] != pair[1])
}

/// Whether all cells say yes or no, in whatever words, and both are said. Single letters must be of one pair: a column of N, T and F
/// has codes of its own.
fn is_yes_no(cells: &Cells) -> bool {
    let (mut noes, mut yeses, mut letters) = (false, false, None);
    cells.iter().filter(|cell| !is_missing(cell)).all(|cell| {
        let Some(is_yes) = yes_or_no(cell) else { return false };
        (noes, yeses) = (noes || !is_yes, yeses || is_yes);
        let of_letter = |(no, yes): &(&str, &str)| cell.eq_ignore_ascii_case(no) || cell.eq_ignore_ascii_case(yes);
        let is_letter = cell.len() == 1 && cell.chars().all(char::is_alphabetic);
        let pair = YES_NO.iter().position(of_letter).filter(|_| is_letter);
        pair.is_none_or(|pair| *letters.get_or_insert(pair) == pair)
    }) && noes
        && yeses
}

fn infer_words(cells: &Cells) -> Kind {
    let present = || cells.iter().filter(|cell| !is_missing(cell));
    let count = present().count();
    let distinct = cells.dictionary().len();
    let spaced = present().filter(|cell| cell.contains(char::is_whitespace)).count();
    if distinct == count && count >= MANY && spaced == 0 {
        return Kind::Identifier;
    }
    let long = present().map(str::len).sum::<usize>() > 40 * count;
    if distinct * 2 > count && (long || count >= MANY && spaced * 2 > count) {
        return Kind::Text;
    }
    Kind::Category
}
