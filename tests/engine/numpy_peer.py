# NumPy's side of tests/engine/numpy_test.cpp. In the folder given:
#   reads NAME.npy, writes NAME.txt (str of the array), NAME.3.txt (with 3 digits) and NAME.again.npy
#   writes made-TYPE.npy, an array of each type that load_npy reads, and made-TYPE.f8.npy, its values in f64
import pathlib
import sys

import numpy as np

folder = pathlib.Path(sys.argv[1])
version = tuple(int(part) for part in np.__version__.split(".")[:2])
for file in sorted(folder.glob("*.npy")):
    array = np.load(file)
    np.save(file.with_suffix(".again.npy"), array)
    # Before 2.3 NumPy wrote f32 from 1e8 on in scientific notation, since then from 1e6 on.
    finite = array[np.isfinite(array)] if array.dtype == np.float32 else np.zeros(1)
    if version >= (2, 3) or np.max(np.abs(finite), initial=0) < 1e6:
        file.with_suffix(".txt").write_text(str(array))
        file.with_suffix(".3.txt").write_text(np.array2string(array, precision=3))

for kind in ["<f4", "<f8", "<f2", "|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8"]:
    values = np.array([[0, 1, 2], [100, 5, 1]]).astype(kind)
    if kind[1] == "i":
        values[0, 0] = -7
    np.save(folder / f"made-{kind[1:]}.npy", values)
    np.save(folder / f"made-{kind[1:]}.f8.npy", values.astype("<f8"))
with open(folder / "version-2.npy", "wb") as file:
    np.lib.format.write_array(file, np.arange(6, dtype="<i4").reshape(2, 3), version=(2, 0))
with open(folder / "version-3.npy", "wb") as file:
    np.lib.format.write_array(file, np.arange(6, dtype="<i4").reshape(2, 3), version=(3, 0))
np.save(folder / "fortran.npy", np.asfortranarray(np.ones((2, 3), "<f4")))
np.save(folder / "fortran-row.npy", np.asfortranarray(np.ones((1, 3), "<f4")))
np.save(folder / "big.npy", np.ones(3, ">f4"))
np.save(folder / "complex.npy", np.ones(3, "<c8"))
np.save(folder / "structured.npy", np.zeros(3, [("a", "<f4"), ("b", "<i4")]))
np.save(folder / "large.npy", np.array([1, 2, 1 << 40]))
