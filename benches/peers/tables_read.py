"""Milliseconds to read diamonds.csv and prepare all its inputs: pandas with scikit-learn, median of 20 runs."""
import statistics
import time
import pandas as pd
import tables_data

file = tables_data.path("diamonds")
read, both = [], []
for _ in range(21):
    start = time.perf_counter()
    x = pd.read_csv(file).drop(columns="price")
    between = time.perf_counter()
    tables_data.prepare(x).fit_transform(x)
    read.append(1000 * (between - start))
    both.append(1000 * (time.perf_counter() - start))
# The first run warms the file up.
print(f"read {statistics.median(read[1:]):.1f} ms, read and prepare {statistics.median(both[1:]):.1f} ms")
