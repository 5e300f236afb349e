"""The networks of examples/shakespeare.rs on the same text, in PyTorch: the loss on its last tenth, and the time of 500 characters.
Usage: torch_shakespeare.py gpt|lstm example|command SEED...   With the settings of the example, or of `hadal train TEXT`."""
import math
import os
import sys
import time
import torch
import torch.nn.functional as F
from torch import nn

CONTEXT, BATCH, STEPS, WARMUP = 64, 12, 2000, 100


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = nn.LayerNorm(width, bias=False), nn.LayerNorm(width, bias=False)
        self.c_attn, self.c_proj = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width, bias=False)
        self.fc, self.proj = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)

    def forward(self, x):
        n, t, e = x.shape
        q, k, v = (part.view(n, t, self.heads, e // self.heads).transpose(1, 2) for part in self.c_attn(self.ln_1(x)).split(e, 2))
        x = x + self.c_proj(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(n, t, e))
        return x + self.proj(F.gelu(self.fc(self.ln_2(x))))


class Gpt(nn.Module):
    def __init__(self, vocabulary, layers=4, heads=4, width=128):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocabulary, width), nn.Embedding(CONTEXT, width)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(layers)))
        self.ln_f = nn.LayerNorm(width, bias=False)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                adds = name.endswith("proj.weight")
                nn.init.normal_(weight, std=0.02 / math.sqrt(2 * layers) if adds else 0.02)

    def forward(self, x):
        y = self.ln_f(self.blocks(self.wte(x) + self.wpe(torch.arange(x.shape[1]))))
        return F.linear(y, self.wte.weight)


class Lstm(nn.Module):
    def __init__(self, vocabulary):
        super().__init__()
        self.embedding, self.lstm = nn.Embedding(vocabulary, 64), nn.LSTM(64, 256, 2, batch_first=True)
        self.output = nn.Linear(256, vocabulary)
        # As Hadal begins, which is as Keras does.
        nn.init.uniform_(self.embedding.weight, -0.05, 0.05)
        nn.init.xavier_uniform_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, x):
        return self.output(self.lstm(self.embedding(x))[0])


def samples(tokens):
    """The characters one context after another, and those that follow each."""
    count = (len(tokens) - 1) // CONTEXT
    return [tokens[start:start + count * CONTEXT].view(count, CONTEXT) for start in (0, 1)]


torch.set_num_threads(1)
kind, settings, seeds = sys.argv[1], sys.argv[2], sys.argv[3:] or ["1"]
with open(os.path.join(os.environ["HADAL_DATA_DIR"], "text", "tinyshakespeare.txt"), encoding="utf-8") as file:
    text = file.read()
vocabulary = sorted(set(text))
number = {character: number for number, character in enumerate(vocabulary)}
tokens = torch.tensor([number[character] for character in text])
split = round(len(tokens) * 0.9)
(x, y), (x_test, y_test) = samples(tokens[:split]), samples(tokens[split:])
steps_per_epoch = -(-len(x) // BATCH)
# The example's cosine ends with its last whole epoch.
learning_rate, end = (0.002, -(-STEPS * BATCH // len(x)) * steps_per_epoch) if settings == "example" else (0.004, STEPS)


def factor(step):
    if step < WARMUP:
        return step / WARMUP
    return (1 + math.cos(math.pi * (step - WARMUP) / (end - WARMUP))) / 2


def loss_of(model, x, y):
    return F.cross_entropy(model(x).flatten(0, 1), y.flatten())


@torch.no_grad()
def generated(model, count):
    """Continues the text's first character as nanoGPT does: by the whole context for each; an LSTM goes on from its state."""
    seen, state = tokens[None, :1], None
    for _ in range(count):
        if kind == "gpt":
            logits = model(seen[:, -CONTEXT:])[:, -1]
        else:
            y, state = model.lstm(model.embedding(seen[:, -1:]), state)
            logits = model.output(y)[:, -1]
        seen = torch.cat([seen, torch.multinomial(F.softmax(logits / 0.8, -1), 1)], 1)


for seed in map(int, seeds):
    torch.manual_seed(seed)
    model = Gpt(len(vocabulary)) if kind == "gpt" else Lstm(len(vocabulary))
    norms = [weight for name, weight in model.named_parameters() if ".ln_" in f".{name}"]
    rest = [weight for name, weight in model.named_parameters() if ".ln_" not in f".{name}"]
    groups = [{"params": rest, "weight_decay": 0.1}, {"params": norms, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, learning_rate, betas=(0.9, 0.99), eps=1e-7)
    step = 0
    while step < STEPS:
        for index in torch.randperm(len(x)).split(BATCH):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate * factor(step)
            optimizer.zero_grad()
            loss_of(model, x[index], y[index]).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            step += 1
            if step == STEPS:
                break
    with torch.no_grad():
        losses = [loss_of(model, *part) * len(part[0]) for part in zip(x_test.split(64), y_test.split(64))]
    parameters = sum(weight.numel() for weight in model.parameters())
    print(f"torch {torch.__version__} {kind} {settings} seed {seed}, {parameters} parameters: "
          f"loss {sum(losses).item() / len(x_test):.4f}", flush=True)
    for threads in (1, 2):
        torch.set_num_threads(threads)
        start = time.perf_counter()
        generated(model, 500)
        print(f"500 characters in {time.perf_counter() - start:.2f} s, {threads} threads", flush=True)
    torch.set_num_threads(1)
