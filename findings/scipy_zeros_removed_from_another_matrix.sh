#!/bin/sh
# SciPy 1.17.1: removing the zeros of one sparse matrix changes the values of another that was made with the same index arrays.
#
# Guess: csr_array((new_values, a.indices, a.indptr)) is a matrix of its own, and eliminate_zeros() on it leaves `a` as it was; or
# at least fails.
# Seen: the index arrays are shared, eliminate_zeros() moves their entries in place, and `a` now has other values in other columns:
# of the row (0, 3, 4) the 4 is lost, of (5, 1, 2) the 1 stands where the 2 was. There is no warning, and a.nnz and a.shape look
# sound. It takes what is common in this field: the counts of a table, divided or masked, with the zeros dropped. copy=True helps.
# Exit 0 while this is so, 1 once it differs.
set -eu
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check "scipy==1.17.1" "numpy==2.4.6"
cat > "$work/share.py" <<'PY'
import warnings

import numpy as np
from scipy.sparse import csr_array

warnings.simplefilter("error")
counts = np.array([[5.0, 1, 2], [0, 3, 4]])
for copy in (True, False):
    a = csr_array(counts)
    kept = csr_array((np.array([5.0, 0, 2, 3, 4]), a.indices, a.indptr), shape=a.shape, copy=copy)
    kept.eliminate_zeros()
    print("copy" if copy else "no copy", a.toarray().tolist(), "nnz", a.nnz)
    if copy and not np.array_equal(a.toarray(), counts):
        raise SystemExit(1)
raise SystemExit(0 if a.toarray().tolist() == [[5.0, 0, 1], [0, 2, 3]] else 1)
PY
"$work/venv/bin/python" "$work/share.py"
