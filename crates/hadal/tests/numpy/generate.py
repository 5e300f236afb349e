"""Writes the arrays that Hadal's tests of `.npy` and `.npz` read. Run in this folder, with NumPy 2: python generate.py"""

import io
import zipfile

import numpy as np

table = np.array([[0, 1, 2], [3, 4, 5]])
numbers = "b1 i1 i2 i4 i8 u1 u2 u4 u8 f2 f4 f8".split()
np.savez_compressed("numbers.npz", **{name: table.astype(name) for name in numbers})
np.savez("stored.npz", x=table.astype("f4"), y=np.array([1, 0]))

np.save("c_order.npy", table.astype("f4"))
np.save("fortran_order.npy", np.asfortranarray(np.arange(24, dtype="f4").reshape(2, 3, 4)))
for version in [(2, 0), (3, 0)]:
    with open(f"version_{version[0]}.npy", "wb") as file:
        np.lib.format.write_array(file, table.astype("i4"), version=version)

# What is refused.
bad = {
    "objects": np.array([None, "text"], dtype=object),
    "big_endian": table.astype(">f4"),
    "complex": table.astype("c8"),
    "texts": np.array(["iris"]),
    "dates": np.array(["2026-01-01"], dtype="M8[D]"),
    "records": np.zeros(2, dtype=[("a", "f4"), ("b", "i4")]),
    "scalar": np.array(3.0),
    "too_large": np.array([1, 2**64 - 1], dtype="u8"),
    "seven_axes": np.zeros((1,) * 7),
}
np.savez_compressed("refused.npz", **bad)

# np.savez cannot write a name twice; zipfile can, with a warning.
array = io.BytesIO()
np.save(array, table)
with zipfile.ZipFile("twice.npz", "w", zipfile.ZIP_DEFLATED) as archive:
    for _ in range(2):
        archive.writestr("x.npy", array.getvalue())
