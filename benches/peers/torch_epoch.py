"""Seconds per epoch of the lecture's network, RMSprop, batch 128, data in memory, PyTorch eager.

Usage: EPOCHS [bf16]   With 0 it ends after the first step; with bf16 it computes under autocast.
"""
import sys
import time
import torch
import torch.nn as nn
import mnist_data

(x_train, y_train), _ = mnist_data.load()
x_train, y_train = torch.tensor(x_train), torch.tensor(y_train)
torch.manual_seed(1)
model = nn.Sequential(
    nn.Linear(784, 512), nn.ReLU(), nn.Dropout(0.2), nn.Linear(512, 512), nn.ReLU(), nn.Dropout(0.2), nn.Linear(512, 10)
)
optimizer = torch.optim.RMSprop(model.parameters(), lr=0.001, alpha=0.9, eps=1e-7)
loss_function = nn.CrossEntropyLoss()
epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
bf16 = sys.argv[2:] == ["bf16"]
for epoch in range(max(epochs, 1)):
    start = time.perf_counter()
    for index in torch.randperm(len(x_train)).split(128):
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = loss_function(model(x_train[index]), y_train[index])
        loss.backward()
        optimizer.step()
        if epochs == 0:
            print("first step", flush=True)
            sys.exit()
    print(f"{time.perf_counter() - start:.3f}", flush=True)
