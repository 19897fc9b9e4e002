"""Time and memory of reading a large tree.

python benchmarks/newick_cost.py --tips 1000000 --letters 100
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np


def write_tree(path: Path, n_tips: int, n_letters: int) -> None:
    """Write a balanced binary tree whose tips are named by random nucleotides, with lengths and support values."""
    stream = np.random.default_rng(0)
    letters = np.frombuffer(b"ACGT", dtype=np.uint8)[stream.integers(0, 4, (n_tips, n_letters))].tobytes().decode()
    nodes = [f"{letters[i * n_letters : (i + 1) * n_letters]}:{x:.9f}" for i, x in enumerate(stream.random(n_tips))]
    while len(nodes) > 1:
        pairs = [nodes[i : i + 2] for i in range(0, len(nodes), 2)]
        nodes = [
            f"({','.join(pair)}){x:.3f}:{x / 20:.9f}" for pair, x in zip(pairs, stream.random(len(pairs)), strict=True)
        ]
    path.write_text(nodes[0].rpartition(":")[0] + ";\n")


def peak_kilobytes() -> int:
    """Return the peak memory of this program in kB; unlike that of getrusage, without its parent's (Linux)."""
    return int(re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[0])


def measure(path: Path) -> None:
    """Measure reading the tree in this process, which has done nothing else."""
    from aam.io.newick import read_newick

    before = peak_kilobytes()
    start = time.perf_counter()
    tree = read_newick(path)
    seconds = time.perf_counter() - start
    peak = peak_kilobytes()
    print(
        f"{path.stat().st_size / 1e6:.0f} MB, {len(tree.level):,} nodes: {seconds:.1f} s, "
        f"peak {peak / 1024:.0f} MB ({before / 1024:.0f} MB before)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tips", type=int, default=1_000_000)
    parser.add_argument("--letters", type=int, default=100)
    parser.add_argument("--tree", type=Path, help="measure this tree instead of making one")
    options = parser.parse_args()
    if options.tree:
        measure(options.tree)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tree.nwk"
        write_tree(path, options.tips, options.letters)
        subprocess.run([sys.executable, __file__, "--tree", str(path)], check=True)


if __name__ == "__main__":
    main()
