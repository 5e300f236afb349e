"""Images per second through torchvision's v2 transforms in a DataLoader. Usage: grey28|colour64|colour224 SECONDS [WORKERS]"""
import sys
import time

import torch
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

kind, seconds, workers = sys.argv[1], float(sys.argv[2]), int((sys.argv[3:] or ["2"])[0])
shape, samples = {"grey28": ((1, 28, 28), 8192), "colour64": ((3, 64, 64), 2048), "colour224": ((3, 224, 224), 512)}[kind]
images = (torch.rand((samples, *shape), generator=torch.Generator().manual_seed(0)) * 255).to(torch.uint8)
transform = v2.Compose([
    v2.ToDtype(torch.float32, scale=True),
    v2.RandomAffine(15, translate=(0.1, 0.1), scale=(0.9, 1.1), shear=10, interpolation=v2.InterpolationMode.BILINEAR),
    v2.ElasticTransform(alpha=34.0, sigma=4.0),
    v2.RandomHorizontalFlip(0.5),
    v2.RandomVerticalFlip(0.5),
    v2.RandomCrop(shape[1:], padding=4),
    v2.ColorJitter(brightness=0.2),
    v2.GaussianNoise(0.0, 0.05),
    v2.RandomErasing(0.5),
])


class Images(Dataset):
    def __len__(self):
        return samples

    def __getitem__(self, index):
        return transform(images[index]), index


def batches():
    while True:
        yield from loader


loader = DataLoader(Images(), batch_size=128, shuffle=True, num_workers=workers, persistent_workers=workers > 0)
torch.set_num_threads(1 if workers else torch.get_num_threads())
stream = batches()
for _ in range(2):  # The workers start, and fill their queues.
    next(stream)
count, start = 0, time.perf_counter()
while time.perf_counter() - start < seconds:
    count += len(next(stream)[0])
print(f"{count / (time.perf_counter() - start):.1f}")
