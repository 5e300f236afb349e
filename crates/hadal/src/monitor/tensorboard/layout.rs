//! What the page "Custom Scalars" draws in one chart.

use prost::Message;

use super::messages::{Category, Chart, Layout, MultilineChartContent};
use super::{Log, summary};
use crate::Result;

/// Has the page "Custom Scalars" draw training and validation in one chart.
pub(super) fn log_layout(log: &mut Log, names: &[String]) -> Result<()> {
    let validated = names.iter().filter(|name| names.contains(&format!("val_{name}")));
    let chart = |name: &String| Chart {
        title: name.clone(),
        multiline: Some(MultilineChartContent {
            tag: ["train", "validation"].map(|part| format!("^{}/{part}$", escaped(name))).to_vec(),
        }),
    };
    let charts: Vec<Chart> = validated.map(chart).collect();
    if charts.is_empty() {
        return Ok(());
    }
    let category = vec![Category { title: "training and validation".into(), chart: charts }];
    log.values(vec![summary::layout(Layout { category }.encode_to_vec())])
}

/// The text as a regular expression that matches it.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if c.is_ascii_punctuation() && c != '_' {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
