//! Where in a configuration file a setting stands.

use std::borrow::Cow;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The number of the line in which this byte stands, from 1.
pub fn line_of(text: &str, byte: usize) -> usize {
    1 + text.bytes().take(byte).filter(|byte| *byte == b'\n').count()
}

/// The keys that lead to the value at a place, such as `training` and `epochs`; none if no value stands there.
pub fn keys_at(text: &str, place: &Range<usize>) -> Vec<String> {
    DeTable::parse(text).ok().and_then(|table| within(table.get_ref(), place)).unwrap_or_default()
}

/// The innermost value around a place. A section's own span is its header alone, so all sections are looked into.
fn within(table: &DeTable, place: &Range<usize>) -> Option<Vec<String>> {
    table.iter().find_map(|(key, value)| {
        let holds = |span: Range<usize>| span.start <= place.start && place.end <= span.end;
        let inner = match value.get_ref() {
            DeValue::Table(table) => within(table, place),
            DeValue::Array(items) => items.iter().find_map(|item| within(item.get_ref().as_table()?, place)),
            _ => None,
        };
        let inner = inner.or_else(|| holds(value.span()).then(Vec::new))?;
        Some([key.get_ref().to_string()].into_iter().chain(inner).collect())
    })
}

/// The line of `[section] key`, if it is set.
pub fn line_of_setting(text: &str, section: &str, key: &str) -> Option<usize> {
    let table = DeTable::parse(text).ok()?;
    let (_, section) = entry(table.get_ref(), section)?;
    let (key, _) = entry(section.get_ref().as_table()?, key)?;
    Some(line_of(text, key.span().start))
}

/// The line of the layer of this number, from 1, in the list of layers.
pub fn line_of_layer(text: &str, number: usize) -> Option<usize> {
    let table = DeTable::parse(text).ok()?;
    let (_, model) = entry(table.get_ref(), "model")?;
    let (_, layers) = entry(model.get_ref().as_table()?, "layers")?;
    let layer = layers.get_ref().as_array()?.get(number.checked_sub(1)?)?;
    Some(line_of(text, layer.span().start))
}

type Entry<'a, 'b> = (&'a Spanned<Cow<'b, str>>, &'a Spanned<DeValue<'b>>);

fn entry<'a, 'b>(table: &'a DeTable<'b>, key: &str) -> Option<Entry<'a, 'b>> {
    table.iter().find(|(own, _)| own.get_ref() == key)
}
