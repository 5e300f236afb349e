//! The graph of a network, as the page "Graphs" draws it.

use std::collections::BTreeMap;

use super::messages::{Attr, AttrValue, GraphDef, ListValue, NodeDef, TensorShapeProto};
use crate::Shape;
use crate::nn::{Forward, Layer, Merge, Module, Sequential, Structure, join};

/// The graph of all layers, each with its settings, its parameters and the shape of its output.
pub(super) fn graph(model: &Sequential) -> GraphDef {
    let mut parameters = Vec::new();
    model.visit("", &mut |name, tensor| parameters.push((name.to_owned(), *tensor.shape())));
    let input = model.input_shape();
    let mut graph = Graph { parameters, nodes: Vec::new() };
    let mut last = Output { name: "input".into(), shape: input };
    graph.node("input", "Placeholder", Vec::new(), input, BTreeMap::new());
    for (index, layer) in model.layers().iter().enumerate() {
        let place = Place { name: String::new(), path: join("layers", &index.to_string()), index };
        last = graph.layer(&place, &**layer, &last);
    }
    graph.node("output", "Identity", vec![last.name], last.shape, BTreeMap::new());
    GraphDef { node: graph.nodes }
}

struct Graph {
    /// Name and shape of each parameter of the model.
    parameters: Vec<(String, Shape)>,
    nodes: Vec<NodeDef>,
}

/// What a node gives, where that is known.
#[derive(Clone)]
struct Output {
    name: String,
    shape: Option<Shape>,
}

/// Where a layer is: the name of the group that it is in, with a slash, the path of its parameters, and its number.
struct Place {
    name: String,
    path: String,
    index: usize,
}

impl Graph {
    fn layer(&mut self, place: &Place, layer: &dyn Layer, input: &Output) -> Output {
        let label = layer.label();
        let operation = label.split(' ').next().unwrap_or("Layer");
        let group = format!("{}{}_{}", place.name, place.index, plain(operation));
        match layer.structure() {
            // The layers may see other samples than their group: steps of a sequence.
            Structure::Sequence(inner) => {
                Output { shape: planned(layer, input.shape), ..self.chain(&group, &place.path, inner.layers(), input) }
            }
            Structure::Residual(inner, shortcut) => {
                let last = self.chain(&group, &place.path, inner.layers(), input);
                let beside = shortcut.map_or_else(
                    || input.clone(),
                    |inner| {
                        let path = join(&place.path, "shortcut");
                        self.chain(&format!("{group}/shortcut"), &path, inner.layers(), input)
                    },
                );
                self.merge(&group, "Add", &[last, beside], planned(layer, input.shape))
            }
            Structure::Parallel(branches, merge) => {
                let mut outputs = Vec::new();
                for (index, branch) in branches.iter().enumerate() {
                    let path = join(&join(&place.path, "branches"), &index.to_string());
                    outputs.push(self.chain(&format!("{group}/branch_{index}"), &path, branch.layers(), input));
                }
                let operation = match merge {
                    Merge::Concatenate | Merge::ConcatenateAlong(_) => "Concat",
                    Merge::Sum => "Add",
                    Merge::Product => "Mul",
                    Merge::Mean => "Mean",
                    Merge::Vote => "Vote",
                };
                self.merge(&group, operation, &outputs, planned(layer, input.shape))
            }
            Structure::Single => {
                let mut inputs = vec![input.name.clone()];
                let prefix = join(&place.path, "");
                let own: Vec<_> =
                    self.parameters.iter().filter(|(name, _)| name.starts_with(&prefix)).cloned().collect();
                for (name, shape) in own {
                    let name = format!("{group}/{}", plain(&name[prefix.len()..]));
                    self.nodes.push(node(&name, "Variable", Vec::new(), Some(shape_of([], shape)), BTreeMap::new()));
                    inputs.push(name);
                }
                let shape = planned(layer, input.shape);
                let name = format!("{group}/{}", plain(operation));
                self.node(&name, &label, inputs, shape, settings(layer));
                Output { name, shape }
            }
        }
    }

    fn chain(&mut self, group: &str, path: &str, layers: &[Box<dyn Layer>], input: &Output) -> Output {
        layers.iter().enumerate().fold(input.clone(), |input, (index, layer)| {
            let place = Place { name: format!("{group}/"), path: join(path, &index.to_string()), index };
            self.layer(&place, &**layer, &input)
        })
    }

    fn merge(&mut self, group: &str, operation: &str, inputs: &[Output], shape: Option<Shape>) -> Output {
        let name = format!("{group}/{operation}");
        let inputs = inputs.iter().map(|input| input.name.clone()).collect();
        self.node(&name, operation, inputs, shape, BTreeMap::new());
        Output { name, shape }
    }

    /// Adds a node whose output has samples of this shape.
    fn node(
        &mut self,
        name: &str,
        operation: &str,
        inputs: Vec<String>,
        sample: Option<Shape>,
        attributes: BTreeMap<String, AttrValue>,
    ) {
        // The size of a batch is not known.
        self.nodes.push(node(name, operation, inputs, sample.map(|shape| shape_of([-1], shape)), attributes));
    }
}

fn node(
    name: &str,
    operation: &str,
    input: Vec<String>,
    shape: Option<TensorShapeProto>,
    mut attr: BTreeMap<String, AttrValue>,
) -> NodeDef {
    if let Some(shape) = shape {
        // TensorBoard writes it beside the edges that leave the node.
        let shapes = Attr::List(ListValue { shape: vec![shape] });
        attr.insert("_output_shapes".into(), AttrValue { value: Some(shapes) });
    }
    NodeDef { name: name.into(), op: operation.into(), input, attr }
}

fn shape_of<const N: usize>(before: [i64; N], shape: Shape) -> TensorShapeProto {
    TensorShapeProto::new(before.into_iter().chain(shape.iter().map(|size| *size as i64)))
}

/// The output shape of a layer.
fn planned(layer: &dyn Layer, input: Option<Shape>) -> Option<Shape> {
    Some(layer.plan(&input?).ok()?.output_shape)
}

/// A layer's settings as attributes.
fn settings(layer: &dyn Layer) -> BTreeMap<String, AttrValue> {
    use serde_json::Value;
    let Ok(Value::Object(fields)) = serde_json::to_value(layer.config()) else { return BTreeMap::new() };
    let attribute = |value: Value| match value {
        Value::Bool(value) => Attr::Bool(value),
        Value::Number(number) => match number.as_i64() {
            Some(value) => Attr::Integer(value),
            None => Attr::Float(number.as_f64().unwrap_or(f64::NAN) as f32),
        },
        Value::String(text) => Attr::Text(text.into_bytes()),
        other => Attr::Text(other.to_string().into_bytes()),
    };
    let shown = fields.into_iter().filter(|(name, value)| name != "layer" && !value.is_null());
    shown.map(|(name, value)| (name, AttrValue { value: Some(attribute(value)) })).collect()
}

/// A part of a node's name, which TensorBoard cuts at slashes.
fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || "_.-".contains(c) { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;

    #[test]
    fn every_input_of_a_node_is_a_node() {
        let block = || Chain::new().add(Dense::new(6).activation(Relu));
        let model = Sequential::new([2, 3])
            .add(Flatten)
            .add(Residual::from_chain(block()))
            .add(Parallel::new(Merge::Concatenate).branch(block()).branch(Chain::new()))
            .add(BatchNorm::new())
            .add(Dense::new(1))
            .build()
            .unwrap();
        let nodes = graph(&model).node;
        let names: Vec<&str> = nodes.iter().map(|node| &node.name[..]).collect();
        for node in &nodes {
            assert!(node.input.iter().all(|input| names.contains(&&input[..])), "{node:?}");
            assert_eq!(names.iter().filter(|name| **name == node.name).count(), 1);
        }
        assert_eq!(
            names,
            [
                "input",
                "0_Flatten/Flatten",
                "1_Residual/0_Dense/weight",
                "1_Residual/0_Dense/bias",
                "1_Residual/0_Dense/Dense",
                "1_Residual/Add",
                "2_Parallel/branch_0/0_Dense/weight",
                "2_Parallel/branch_0/0_Dense/bias",
                "2_Parallel/branch_0/0_Dense/Dense",
                "2_Parallel/Concat",
                "3_BatchNorm/weight",
                "3_BatchNorm/bias",
                "3_BatchNorm/running_mean",
                "3_BatchNorm/running_var",
                "3_BatchNorm/BatchNorm",
                "4_Dense/weight",
                "4_Dense/bias",
                "4_Dense/Dense",
                "output"
            ]
        );
        let shape = |name: &str| {
            let node = nodes.iter().find(|node| node.name == name).unwrap();
            let Some(Attr::List(list)) = &node.attr["_output_shapes"].value else { panic!("{node:?}") };
            list.shape[0].dim.iter().map(|dim| dim.size).collect::<Vec<_>>()
        };
        assert_eq!(shape("input"), [-1, 2, 3]);
        assert_eq!(shape("1_Residual/0_Dense/weight"), [6, 6]);
        assert_eq!(shape("2_Parallel/Concat"), [-1, 12]);
        assert_eq!(shape("output"), [-1, 1]);
    }

    #[test]
    fn the_layers_of_a_shortcut_stand_beside_the_others() {
        let model = Sequential::new([2, 4, 4])
            .add(Residual::new().add(Conv2d::new(3, 3)).shortcut(Conv2d::new(3, 3).without_bias()))
            .add(crate::nn::TimeDistributed::new(Flatten))
            .build()
            .unwrap();
        let nodes = graph(&model).node;
        let of = |name: &str| nodes.iter().find(|node| node.name == name).unwrap_or_else(|| panic!("{nodes:?}"));
        assert_eq!(of("0_Residual/Add").input, ["0_Residual/0_Conv2d/Conv2d", "0_Residual/shortcut/0_Conv2d/Conv2d"]);
        assert_eq!(of("0_Residual/shortcut/0_Conv2d/Conv2d").input, ["input", "0_Residual/shortcut/0_Conv2d/weight"]);
        let Some(Attr::List(list)) = &of("output").attr["_output_shapes"].value else { panic!("{nodes:?}") };
        assert_eq!(list.shape[0].dim.iter().map(|dim| dim.size).collect::<Vec<_>>(), [-1, 3, 4]);
    }
}
