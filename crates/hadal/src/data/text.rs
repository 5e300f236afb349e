//! Text, character by character.

use std::collections::HashMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Dataset;
use crate::format::open_regular;
use crate::format::text::{self, Wanted};
use crate::{Error, Result, Tensor};

/// The characters of a text, in the order of their code points, and their numbers from 0 on.
///
/// ```
/// use hadal::data::Vocabulary;
/// let vocabulary = Vocabulary::of("abracadabra");
/// assert_eq!(vocabulary.characters(), ['a', 'b', 'c', 'd', 'r']);
/// assert_eq!(vocabulary.encode("bad")?, [1, 0, 3]);
/// assert_eq!(vocabulary.decode(&[1, 0, 3]), "bad");
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Vocabulary {
    characters: Vec<char>,
}

impl Vocabulary {
    /// The characters that a text is made of.
    pub fn of(text: &str) -> Vocabulary {
        let mut characters: Vec<char> = text.chars().collect();
        characters.sort_unstable();
        characters.dedup();
        Vocabulary { characters }
    }

    /// All characters in order.
    pub fn characters(&self) -> &[char] {
        &self.characters
    }

    /// How many characters there are.
    pub fn len(&self) -> usize {
        self.characters.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.characters.is_empty()
    }

    /// The numbers of a text's characters.
    ///
    /// # Errors
    /// If there are characters that the vocabulary does not have; the message names them, and where the first one stands.
    pub fn encode(&self, text: &str) -> Result<Vec<i64>> {
        let numbers: HashMap<char, i64> = self.characters.iter().copied().zip(0..).collect();
        let (mut tokens, mut unknown, mut first) = (Vec::with_capacity(text.len()), Vec::new(), None);
        let (mut line, mut column) = (1, 1);
        for character in text.chars() {
            match numbers.get(&character) {
                Some(&number) => tokens.push(number),
                None => {
                    first.get_or_insert((line, column));
                    if !unknown.contains(&character) {
                        unknown.push(character);
                    }
                }
            }
            (line, column) = if character == '\n' { (line + 1, 1) } else { (line, column + 1) };
        }
        let Some((line, column)) = first else { return Ok(tokens) };
        let shown: Vec<String> = unknown.iter().take(10).map(|character| format!("{character:?}")).collect();
        let more = if unknown.len() > 10 { format!(" and {} more", unknown.len() - 10) } else { String::new() };
        // Of a Chinese text there are thousands.
        let known: String = self.characters.iter().take(200).collect();
        let rest = if self.len() > 200 { " and others" } else { "" };
        Err(Error::Data(format!(
            "line {line}, column {column}: the training text has no {}{more}; its {} characters are {known:?}{rest}",
            shown.join(", "),
            self.len()
        )))
    }

    /// The characters with these numbers.
    ///
    /// # Panics
    /// If a number is not below [`len`](Vocabulary::len).
    #[track_caller]
    pub fn decode(&self, tokens: &[i64]) -> String {
        let mut text = String::new();
        for &token in tokens {
            match usize::try_from(token).ok().and_then(|token| self.characters.get(token)) {
                Some(&character) => text.push(character),
                None => panic!("decode: there is no character {token}; there are {}, from 0 on", self.len()),
            }
        }
        text
    }
}

/// A text and its vocabulary.
///
/// ```
/// use hadal::data::Text;
/// let text = Text::new("greetings", "hello, world! hello, moon!")?;
/// let (train, test) = text.divided(0.25, 4)?;
/// let (x, y) = train.batch(&[0]);
/// assert_eq!(text.vocabulary().decode(&x.to_vec::<i64>()), "hell");
/// assert_eq!(text.vocabulary().decode(&y.to_vec::<i64>()), "ello"); // the character that follows each
/// # assert_eq!((train.len(), test.len()), (4, 1));
/// # Ok::<(), hadal::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Text {
    name: String,
    vocabulary: Vocabulary,
    tokens: Vec<i64>,
}

impl Text {
    /// A text with the vocabulary of its characters.
    ///
    /// # Errors
    /// If it is empty.
    pub fn new(name: &str, text: &str) -> Result<Text> {
        if text.is_empty() {
            return Err(Error::Data(format!("{name}: the text is empty")));
        }
        let vocabulary = Vocabulary::of(text);
        let tokens = vocabulary.encode(text)?;
        Ok(Text { name: name.to_owned(), vocabulary, tokens })
    }

    /// Reads a file of UTF-8, which may be compressed by gzip.
    ///
    /// # Errors
    /// If it cannot be read, is empty, or is not UTF-8; of a PDF, a Word document and other kinds that are known by their first bytes, the
    /// message says what it is.
    pub fn read(path: impl AsRef<Path>) -> Result<Text> {
        let path = path.as_ref();
        let (file, _) = open_regular(path, "read the text")?;
        let (bytes, _) = text::read(file).map_err(|fault| match fault {
            text::Fault::Io(error) => Error::io(path, "read the text")(error),
            text::Fault::Content(reason) => Error::file(path, reason),
        })?;
        let text = text::check(&bytes, Wanted::Text).map_err(|reason| Error::file(path, reason))?;
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        Text::new(&name, text)
    }

    /// The same text in the numbers of another vocabulary, such as that of the text that a network was trained on.
    ///
    /// ```
    /// use hadal::data::Text;
    /// let (own, new) = (Text::new("own", "abcd")?, Text::new("new", "dada")?);
    /// assert_eq!(new.with_vocabulary(own.vocabulary())?.tokens(), [3, 0, 3, 0]);
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Vocabulary::encode`].
    pub fn with_vocabulary(self, vocabulary: &Vocabulary) -> Result<Text> {
        let tokens = vocabulary.encode(&self.vocabulary.decode(&self.tokens));
        let tokens = tokens.map_err(|error| Error::Data(format!("{}: {error}", self.name)))?;
        Ok(Text { vocabulary: vocabulary.clone(), tokens, ..self })
    }

    /// The vocabulary.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// The number of characters.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// A text is never empty.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Its characters as numbers.
    pub fn tokens(&self) -> &[i64] {
        &self.tokens
    }

    /// The whole text as samples of `context` characters, as [`divided`](Text::divided) makes them of its parts.
    ///
    /// ```
    /// use hadal::data::Text;
    /// let data = Text::new("count", "0123456789")?.dataset(3)?;
    /// assert_eq!((data.len(), data.targets().to_vec::<i64>()[..3].to_vec()), (3, vec![1, 2, 3]));
    /// # Ok::<(), hadal::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the context is 0, or the text too short for one sample.
    pub fn dataset(&self, context: usize) -> Result<Dataset> {
        self.samples(&self.tokens, context, "text")
    }

    /// The first part of the text for training, its last `fraction` for tests, each as samples of `context` characters, one after
    /// another: inputs `[N, context]`, targets `[N, context]`, which are the characters that follow each.
    ///
    /// # Errors
    /// If the fraction is not between 0 and 1, the context is 0, or a part is too short for one sample.
    pub fn divided(&self, fraction: f64, context: usize) -> Result<(Dataset, Dataset)> {
        if !(fraction > 0.0 && fraction < 1.0) {
            return Err(Error::Config(format!(
                "{}: the fraction for tests, {fraction}, must be between 0 and 1",
                self.name
            )));
        }
        let train = (self.len() as f64 * (1.0 - fraction)).round() as usize;
        let (train, test) = self.tokens.split_at(train.min(self.len()));
        Ok((self.samples(train, context, "training part")?, self.samples(test, context, "test part")?))
    }

    fn samples(&self, tokens: &[i64], context: usize, part: &str) -> Result<Dataset> {
        if context == 0 {
            return Err(Error::Config(format!("{}: the context must be at least 1 character, not 0", self.name)));
        }
        let count = tokens.len().saturating_sub(1) / context;
        if count == 0 {
            return Err(Error::Data(format!(
                "{}: the {part} has {} characters, but a sample needs {}: {context} of context, and the next; use a longer \
                 text or a shorter context",
                self.name,
                tokens.len(),
                context.saturating_add(1)
            )));
        }
        let part = |start: usize| Tensor::from_slice(&tokens[start..start + count * context], [count, context]);
        Dataset::new(&self.name, part(0), part(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_text_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text.txt");
        let read = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            Text::read(&path)
        };
        assert!(read(b"").unwrap_err().to_string().ends_with("is empty; a text is needed to learn from"));
        assert!(read(b"one\ntw\xff").unwrap_err().to_string().contains("line 2 (byte 6): 0xff is not UTF-8"));
        assert_eq!(read("\u{feff}ab".as_bytes()).unwrap().vocabulary().characters(), ['a', 'b']);
        let missing = Text::read(folder.path().join("none.txt")).unwrap_err().to_string();
        assert!(missing.contains("cannot read the text"), "{missing}");
        let text = Text::new("short", "abcdef").unwrap();
        for (fraction, context, words) in [
            (0.5, 3, "has 3 characters, but a sample needs 4"),
            (0.5, 0, "at least 1 character"),
            (1.0, 1, "between 0 and 1"),
        ] {
            let error = text.divided(fraction, context).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        let error = text.vocabulary().encode("ab\ncxé x").unwrap_err().to_string();
        assert!(error.starts_with("line 1, column 3: the training text has no '\\n', 'x', 'é', ' '; its 6"), "{error}");
    }

    #[test]
    fn every_character_but_the_last_few_is_in_one_sample() {
        let text = Text::new("count", &"0123456789".repeat(10)).unwrap();
        let (train, test) = text.divided(0.1, 7).unwrap();
        assert_eq!((train.len(), test.len()), (12, 1));
        let (x, y) = (train.inputs().to_vec::<i64>(), train.targets().to_vec::<i64>());
        assert!(x.iter().zip(&y).all(|(x, y)| (x + 1) % 10 == *y));
        assert_eq!(x[..7], [0, 1, 2, 3, 4, 5, 6]);
    }
}
