"""Microseconds of each prediction of the lecture's network, or of a small convolutional one.
Usage: torch|onnxruntime BATCH REPEATS [cnn]"""
import os
import sys
import tempfile
import time
import torch
import torch.nn as nn
import mnist_data

kind, batch, repeats = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
_, (x_test, _) = mnist_data.load()
x = x_test[:batch]
lecture = nn.Sequential(
    nn.Linear(784, 512), nn.ReLU(), nn.Dropout(0.2), nn.Linear(512, 512), nn.ReLU(), nn.Dropout(0.2),
    nn.Linear(512, 10), nn.Softmax(1),
)
convolutional = nn.Sequential(
    nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
    nn.Linear(9216, 128), nn.ReLU(), nn.Linear(128, 10), nn.Softmax(1),
)
model = (convolutional if sys.argv[4:] == ["cnn"] else lecture).eval()
if model is convolutional:
    x = x.reshape(-1, 1, 28, 28)
if kind == "torch":
    x = torch.tensor(x)
    predict = torch.inference_mode()(lambda: model(x))
else:
    import onnxruntime
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "net.onnx")
        torch.onnx.export(model, (torch.tensor(x),), path, dynamo=False, input_names=["x"], output_names=["y"])
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    predict = lambda: session.run(["y"], {"x": x})
for turn in range(repeats + repeats // 10):
    start = time.perf_counter()
    predict()
    elapsed = time.perf_counter() - start
    if turn >= repeats // 10:
        print(f"{elapsed * 1e6:.2f}")
