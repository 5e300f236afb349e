"""Reads MNIST's original files from $HADAL_DATA_DIR/mnist, the same that Hadal reads."""
import gzip
import os
import numpy as np


def load():
    folder = os.path.join(os.environ["HADAL_DATA_DIR"], "mnist")

    def read(name, offset):
        with gzip.open(os.path.join(folder, name)) as file:
            return np.frombuffer(file.read(), np.uint8, offset=offset)

    images = [read(f"{part}-images-idx3-ubyte.gz", 16).reshape(-1, 784) for part in ("train", "t10k")]
    labels = [read(f"{part}-labels-idx1-ubyte.gz", 8).astype(np.int64) for part in ("train", "t10k")]
    x_train, x_test = [(x.astype(np.float32) / 255.0) for x in images]
    return (x_train, labels[0]), (x_test, labels[1])
