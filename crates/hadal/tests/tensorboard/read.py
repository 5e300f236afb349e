"""Prints what TensorBoard's own readers find in a folder, as JSON."""

import json
import sys

from google.protobuf import json_format
from tensorboard.backend.event_processing import event_accumulator, event_file_loader
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import metadata as hparams
from tensorboard.util import tensor_util

folder = sys.argv[1]
everything = {kind: 0 for kind in ("scalars", "histograms", "images", "tensors", "compressedHistograms", "audio")}
board = event_accumulator.EventAccumulator(folder, size_guidance=everything)
board.Reload()
tags = board.Tags()


def tensors(plugin):
    found = {tag: board.Tensors(tag) for tag in tags["tensors"] if plugin == of_plugin(tag)}
    return {tag: [(event.step, tensor_util.make_ndarray(event.tensor_proto)) for event in own] for tag, own in found.items()}


def of_plugin(tag):
    return board.SummaryMetadata(tag).plugin_data.plugin_name


def session(tag, parse):
    if tag in tags["tensors"]:
        return json_format.MessageToDict(parse(board.SummaryMetadata(tag).plugin_data.content))


# What the pages are given, after what was written in an older form has been brought into the newer.
pages = {}
paths = sorted(str(path) for path in __import__("pathlib").Path(folder).glob("events.out.tfevents.*"))
for path in paths:
    for event in event_file_loader.EventFileLoader(path).Load():
        for value in event.summary.value:
            if value.metadata.plugin_data.plugin_name:
                pages[value.tag] = value.metadata.plugin_data.plugin_name

layout = layout_pb2.Layout()
for values in tensors("custom_scalars").values():
    layout.ParseFromString(values[0][1].item())
graph = board.Graph() if tags["graph"] else None
print(
    json.dumps(
        {
            "scalars": {tag: [(e.step, repr(e.value)) for e in board.Scalars(tag)] for tag in tags["scalars"]},
            "histograms": {
                tag: [
                    (e.step, [h.min, h.max, h.num, h.sum, h.sum_squares], h.bucket_limit, h.bucket)
                    for e in board.Histograms(tag)
                    for h in [e.histogram_value]
                ]
                for tag in tags["histograms"]
            },
            "images": {
                tag: [(e.step, e.height, e.width, e.encoded_image_string.hex()) for e in board.Images(tag)]
                for tag in tags["images"]
            },
            "texts": {tag: [(step, text.item().decode()) for step, text in own] for tag, own in tensors("text").items()},
            "curves": {tag: [(step, rows.tolist()) for step, rows in own] for tag, own in tensors("pr_curves").items()},
            "matrices": {
                tag: [(step, counts.tolist(), json.loads(board.SummaryMetadata(tag).plugin_data.content)) for step, counts in own]
                for tag, own in tensors("hadal_confusion_matrix").items()
            },
            "start": session(hparams.SESSION_START_INFO_TAG, hparams.parse_session_start_info_plugin_data),
            "end": session(hparams.SESSION_END_INFO_TAG, hparams.parse_session_end_info_plugin_data),
            "layout": json_format.MessageToDict(layout),
            "graph": graph and {node.name: [node.op, list(node.input)] for node in graph.node},
            "pages": pages,
        }
    )
)
