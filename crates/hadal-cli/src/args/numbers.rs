//! Numbers on the command line, and what is said about those that cannot be.

/// Larger numbers are mistakes, and their products would not fit into 64 bits.
pub const MOST: usize = u32::MAX as usize;

/// Networks of larger sizes fit into no memory.
pub const MOST_SIZE: usize = 1 << 16;

/// A size of a network.
pub fn network_size(text: &str) -> Result<usize, String> {
    let size = text.parse().ok().filter(|size| (1..=MOST_SIZE).contains(size));
    size.ok_or_else(|| format!("it must be a whole number, at least 1 and at most {MOST_SIZE}"))
}

pub fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("it must be at least 1".into()),
        Ok(number @ 1..=MOST) => Ok(number),
        _ => Err(format!("it must be a whole number, at least 1 and at most {MOST}")),
    }
}

pub fn whole(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| *number <= MOST);
    number.ok_or_else(|| format!("it must be a whole number from 0 to {MOST}"))
}

pub fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(threads @ 1..=hadal::MAX_THREADS) => Ok(threads),
        _ => Err(format!("it must be a whole number, at least 1 and at most {}", hadal::MAX_THREADS)),
    }
}

/// `90s`, checked and left as it is.
pub fn time(text: &str) -> Result<String, String> {
    match hadal::train::duration(text) {
        Ok(time) if !time.is_zero() => Ok(text.to_owned()),
        Ok(_) => Err("it must be longer than 0".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// At least two, and no more than anybody waits for.
pub fn several(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 2..=1000) => Ok(number),
        _ => Err("it must be a whole number, at least 2 and at most 1000".to_owned()),
    }
}

/// `30s` or `500`: a time, or a number of steps.
pub fn every(text: &str) -> Result<hadal::train::Every, String> {
    match text.parse() {
        Ok(hadal::train::Every::Steps(0)) => Err("it must be at least 1 step".to_owned()),
        Ok(every) => Ok(every),
        Err(_) => Err("it must be a time, such as 30s or 5m, or a number of steps".to_owned()),
    }
}

pub fn seed(text: &str) -> Result<u64, String> {
    // TOML has no larger ones.
    let seed = text.parse().ok().filter(|seed| i64::try_from(*seed).is_ok());
    seed.ok_or_else(|| format!("it must be a whole number from 0 to {}", i64::MAX))
}

pub fn learning_rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        // In f32, in which the network is trained.
        Ok(learning_rate) if learning_rate as f32 > 0.0 && (learning_rate as f32).is_finite() => Ok(learning_rate),
        _ => Err("it must be a positive, finite number, for example 0.001".into()),
    }
}

pub fn momentum(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(momentum) if (0.0..1.0).contains(&momentum) => Ok(momentum),
        _ => Err("it must be at least 0 and below 1, for example 0.9".into()),
    }
}

pub fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..1.0).contains(&share) => Ok(share),
        _ => Err("it must be at least 0 and below 1, for example 0.2".into()),
    }
}

/// A share of all that may be all.
pub fn up_to_one(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if share > 0.0 && share <= 1.0 => Ok(share),
        _ => Err("it must be above 0 and at most 1, for example 0.9".into()),
    }
}

pub fn not_negative(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number >= 0.0 && (number as f32).is_finite() => Ok(number),
        _ => Err("it must be 0 or a positive, finite number".into()),
    }
}

/// `28x28`, height and width.
pub fn size(text: &str) -> Result<[usize; 2], String> {
    let sides = text.split_once(['x', 'X']).and_then(|(a, b)| Some([a.trim().parse().ok()?, b.trim().parse().ok()?]));
    sides
        .filter(|sides| sides.iter().all(|side| (1..=16_384).contains(side)))
        .ok_or_else(|| "it must be a height and a width of 1 to 16384 pixels, for example 28x28".to_owned())
}

/// `70/15/15`: shares of training, test and holdout part.
pub fn split(text: &str) -> Result<[f64; 3], String> {
    let wrong = || "it must be the shares of the training, test and holdout part, for example 70/15/15".to_owned();
    let shares: Vec<f64> =
        text.split('/').map(|share| share.trim().parse::<f64>().map_err(|_| wrong())).collect::<Result<_, _>>()?;
    let (train, test, holdout) = match shares[..] {
        [train, test] => (train, test, 0.0),
        [train, test, holdout] => (train, test, holdout),
        _ => return Err(wrong()),
    };
    let sum = train + test + holdout;
    if [train, test, holdout].iter().any(|share| share.is_nan() || *share < 0.0)
        || !((sum - 100.0).abs() < 1e-6 || (sum - 1.0).abs() < 1e-9)
    {
        return Err(format!("the shares add up to {sum}, not to 100"));
    }
    Ok([train / sum, test / sum, holdout / sum])
}

/// `64,32`: units of the hidden layers; `none` for no hidden layers.
pub fn hidden(text: &str) -> Result<Hidden, String> {
    if text == "none" {
        return Ok(Hidden(Vec::new()));
    }
    let units = |part: &str| part.trim().parse().ok().filter(|units| (1..=1 << 20).contains(units));
    let all: Option<Vec<usize>> = text.split(',').map(units).collect();
    all.map(Hidden).ok_or_else(|| "it must be the units of each hidden layer, for example 128,64, or none".to_owned())
}

/// The units of the hidden layers.
#[derive(Clone, Debug)]
pub struct Hidden(pub Vec<usize>);

/// `COLUMN=KIND`.
pub fn kind(text: &str) -> Result<(String, String), String> {
    let (column, kind) = text.rsplit_once('=').ok_or("it must be COLUMN=KIND, for example pclass=category")?;
    kind.parse::<hadal::data::Kind>().map_err(|error| error.to_string())?;
    Ok((column.to_owned(), kind.to_owned()))
}
