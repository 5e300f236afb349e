"""The lecture's PyTorch program: test accuracy after 20 epochs. Usage: torch_mnist.py SEED..."""
import sys
import time
import torch
import torch.nn as nn
import torch.nn.functional as F
import mnist_data


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(784, 512)
        self.fc1_drop = nn.Dropout(0.2)
        self.fc2 = nn.Linear(512, 512)
        self.fc2_drop = nn.Dropout(0.2)
        self.fc3 = nn.Linear(512, 10)

    def forward(self, x):
        x = self.fc1_drop(F.relu(self.fc1(x)))
        x = self.fc2_drop(F.relu(self.fc2(x)))
        return F.log_softmax(self.fc3(x), dim=1)


(x_train, y_train), (x_test, y_test) = mnist_data.load()
x_train, x_test = [(torch.tensor(x) - 0.1307) / 0.3081 for x in (x_train, x_test)]
y_train, y_test = torch.tensor(y_train), torch.tensor(y_test)
for seed in map(int, sys.argv[1:] or ["1"]):
    torch.manual_seed(seed)
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.5)
    start = time.perf_counter()
    for epoch in range(20):
        model.train()
        for index in torch.randperm(len(x_train)).split(128):
            optimizer.zero_grad()
            F.nll_loss(model(x_train[index]), y_train[index]).backward()
            optimizer.step()
    seconds = time.perf_counter() - start
    model.eval()
    with torch.no_grad():
        output = model(x_test)
        loss = F.nll_loss(output, y_test).item()
        accuracy = (output.argmax(1) == y_test).float().mean().item()
    print(f"torch {torch.__version__} seed {seed}: loss {loss:.4f} accuracy {100 * accuracy:.2f}%, {seconds:.1f} s",
          flush=True)
