# Makes the files of this folder: python make.py FOLDER, with numpy 1.26.4.
import sys, zipfile
import numpy as np
out = sys.argv[1]
value = lambda *shape: np.fromfunction(lambda i, j: (i - 2 * j) / 8, shape)
def weights(kind, sizes=(3, 4, 2)):
    named = {}
    for i, (n, m) in enumerate(zip(sizes, sizes[1:])):
        named |= {f"layers.{2 * i}.weight": value(m, n).astype(kind), f"layers.{2 * i}.bias": value(1, m)[0].astype(kind)}
    return named
for name, kind in [("single", "<f4"), ("double", "<f8"), ("half", "<f2"), ("integers", "<i4")]:
    np.savez(f"{out}/{name}.npz", **weights(kind))
np.savez_compressed(f"{out}/packed.npz", **weights("<f4"))
np.savez(f"{out}/fortran.npz", **{k: np.asfortranarray(v) for k, v in weights("<f4").items()})
first, second = weights("<f4"), weights("<f4", (5, 2))
np.savez(f"{out}/widths.npz", a=first["layers.0.weight"], b=first["layers.0.bias"], c=second["layers.0.weight"], d=second["layers.0.bias"])
np.savez(f"{out}/odd.npz", a=first["layers.0.weight"])
# An entry that says that it unpacks to 3 GiB.
with zipfile.ZipFile(f"{out}/bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive:
    archive.writestr("a.npy", b"\0" * 1000)
data = bytearray(open(f"{out}/bomb.npz", "rb").read())
at = data.rindex(b"PK\x01\x02") + 24
data[at : at + 4] = (3 << 30).to_bytes(4, "little")
open(f"{out}/bomb.npz", "wb").write(data)
