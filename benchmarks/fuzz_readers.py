"""Check that every damaged file is either read or refused with one AamError.

    nice python benchmarks/fuzz_readers.py --minutes 10 --seed 0
    python benchmarks/fuzz_readers.py --case 0:123 --keep case.bin     # one case again, and its file kept

Valid files of every format are changed at random (bits, bytes, spans, lines, cells, HDF5 datasets; of gzip files and artifacts also
the content, with checksums made anew) and read. A finding is another exception, a table or tree that breaks its promises, a read of
more than 10 seconds or of more than 4 GB. Cases of one seed are the same on every machine. The last case is in the folder that is
printed, so that even a crash of the interpreter leaves its file.
"""

import argparse
import gzip
import random
import resource
import sys
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from aam.errors import AamError
from aam.io.distances import read_distances
from aam.io.metadata import read_metadata
from aam.io.newick import read_newick
from aam.io.sequences import sequences_in_fasta
from aam.io.tables import read_table
from aam.io.taxonomy import read_taxonomy
from helpers.files import FEATURES, artifact, valid_files

MOST_SECONDS = 10
MOST_BYTES = 2**32
CELLS = ["", "nan", "inf", "-1", "0.5", "1e400", "1_0", "18446744073709551616", "é", "\0", "\ufeff",
         '"', "'", "[", "((", ";", "#", ">",
         "id", "#q2:types", "#OTU ID", "taxonomy", "[null]", "{}", "\t\t", "F1", "S2", " ", "\u2028", "\r"]  # fmt: skip


def check_table(path: Path) -> None:
    table = read_table(path)
    table.counts.check_format(full_check=True)
    assert table.counts.dtype == np.int64
    assert (table.counts.data > 0).all()
    assert table.counts.shape == (len(set(table.sample_ids)), len(set(table.feature_ids)))


def check_tree(path: Path) -> None:
    tree = read_newick(path)
    assert tree.level[-1] == 0
    assert (tree.level[:-1] > 0).all()
    assert (np.diff(tree.level[::-1]) <= 1).all()
    assert not (tree.length < 0).any()
    assert len(tree.level) == len(tree.length) == len(tree.is_tip)
    assert len(tree.names) == tree.is_tip.sum()


def check_sequences(path: Path) -> None:
    for block in sequences_in_fasta(path, FEATURES):
        assert block.lengths.sum() == len(block.tokens)


def check_metadata(path: Path) -> None:
    metadata = read_metadata(path)
    assert len(set(metadata.sample_ids)) == len(metadata.frame)


def check_distances(path: Path) -> None:
    matrix = read_distances(path)
    assert matrix.values.shape == (len(matrix.ids),) * 2
    assert np.isfinite(matrix.values).all()


READERS: dict[str, Callable[[Path], object]] = {
    "--table": check_table,
    "--tree": check_tree,
    "--sequences": check_sequences,
    "--metadata": check_metadata,
    "--distances": check_distances,
    "--taxonomy": read_taxonomy,
}


def change_bytes(content: bytes, stream: random.Random) -> bytes:
    """Change bits, bytes and spans."""
    data = bytearray(content)
    for _ in range(stream.choice([1, 1, 1, 2, 5, 20])):
        if not data:
            break
        place = stream.randrange(len(data))
        span = stream.choice([1, 1, 2, 4, 8, 64])
        kind = stream.randrange(6)
        if kind == 0:
            data[place] ^= 1 << stream.randrange(8)
        elif kind == 1:
            data[place] = stream.choice([0, 1, 0x7F, 0x80, 0xFF, stream.randrange(256)])
        elif kind == 2:
            del data[place : place + span]
        elif kind == 3:
            data[place:place] = stream.randbytes(span)
        elif kind == 4:
            data[place:place] = data[place : place + span]
        else:
            data[place : place + span] = bytes(min(span, len(data) - place))
    return bytes(data[: stream.randrange(len(data) + 1)]) if stream.random() < 0.1 else bytes(data)


def change_text(content: bytes, stream: random.Random) -> bytes:
    """Change lines and cells."""
    lines = content.decode("utf-8", "replace").split("\n")
    for _ in range(stream.choice([1, 1, 2, 4])):
        number = stream.randrange(len(lines))
        kind = stream.randrange(6)
        if kind == 0:
            del lines[number]
        elif kind == 1:
            lines.insert(number, stream.choice(lines))
        elif kind == 2:
            lines.insert(number, stream.choice(CELLS))
        else:
            separator = stream.choice(["\t", ",", ":", " ", '"'])
            cells = lines[number].split(separator)
            cells[stream.randrange(len(cells))] = stream.choice(CELLS)
            lines[number] = separator.join(cells)
        lines = lines or [""]
    text = "\n".join(lines)
    return text.encode(stream.choice(["utf-8"] * 9 + ["utf-16"]), "replace")


def change_hdf5(content: bytes, stream: random.Random, scratch: Path) -> bytes:
    """Change the values, the type or the shape of one dataset."""
    scratch.write_bytes(content)
    with h5py.File(scratch, "r+") as file:
        names: list[str] = []
        file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        name = stream.choice(names)
        values = np.asarray(file[name])
        del file[name]
        kind = stream.randrange(6)
        if kind == 0:
            file[name] = values.ravel()[: stream.randrange(values.size + 1)]
        elif kind == 1:
            file[name] = np.full(values.shape, stream.choice([-1, 0, 2**31, 2**62, 1.5, np.nan, np.inf]))
        elif kind == 2 and values.dtype.kind in "iuf":
            values = values.astype(stream.choice([np.int8, np.uint64, np.float16, np.float64, np.int64]))
            values.flat[stream.randrange(values.size)] = stream.choice([0, 1, 100])
            file[name] = values
        elif kind == 3:
            file[name] = np.array(
                [stream.choice([b"x", b"\xff", b""])] * stream.choice([0, 1, len(values)]), dtype="S3"
            )
        elif kind == 4:
            file[name] = stream.choice([3, 0.5, b"text", values.reshape(-1, 1)])
        else:
            file.create_group(name)
    return scratch.read_bytes()


def change_content(name: str, content: bytes, stream: random.Random, scratch: Path) -> bytes:
    if name.endswith((".biom", ".h5")) and stream.random() < 0.5:
        return change_hdf5(content, stream, scratch)
    is_text = not name.endswith((".biom", ".h5", ".npy"))
    return change_text(content, stream) if is_text and stream.random() < 0.6 else change_bytes(content, stream)


def change_file(path: Path, stream: random.Random, scratch: Path) -> bytes:
    """Change a file from outside, or what a gzip file or artifact holds."""
    content = path.read_bytes()
    if stream.random() < 0.4:
        return change_bytes(content, stream)
    if path.suffix == ".gz":
        return gzip.compress(change_content(path.stem, gzip.decompress(content), stream, scratch), mtime=0)
    if path.suffix != ".qza":
        return change_content(path.name, content, stream, scratch)
    with zipfile.ZipFile(path) as archive:
        files = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    inside = next(name for name in files if name.startswith("data/"))
    values = dict(line.split(": ") for line in files["metadata.yaml"].decode().splitlines())
    payload = {inside.removeprefix("data/"): files[inside]}
    changes = None
    if stream.random() < 0.7:
        payload = {name: change_content(name, data, stream, scratch) for name, data in payload.items()}
    else:
        name = stream.choice(["metadata.yaml", "VERSION", "checksums.md5"])
        changes = {name: stream.choice([change_text, change_bytes])(files[name], stream)}
    return artifact(scratch, values["type"], values["format"], payload, changes=changes).read_bytes()


def run_case(files: list[tuple[str, Path]], case: str, folder: Path) -> tuple[str, str | None]:
    """Build a case and read it; return what happened, and a traceback if it is a finding."""
    stream = random.Random(case)
    option, path = stream.choice(files)
    target = folder / f"case{''.join(path.suffixes)}"
    target.write_bytes(change_file(path, stream, folder / "scratch"))
    (folder / "case.ids").write_text((path.parent / "distances.ids").read_text())
    (folder / "case.txt").write_text(f"{case} {option} {target.name}")
    if stream.random() < 0.05:
        option = stream.choice(list(READERS))  # a file of another option
    start = time.perf_counter()
    outcome, finding = f"{option} read", None
    try:
        READERS[option](target)
    except AamError as error:
        outcome = f"{option} refused"
        if "\n" in str(error) or len(str(error)) > 1500:
            finding = f"the message has {len(str(error))} letters:\n{error}"
    except BaseException:  # whatever it is, it is what this script looks for
        finding = traceback.format_exc()
    seconds = time.perf_counter() - start
    if seconds > MOST_SECONDS:
        finding = f"took {seconds:.0f} s"
    return outcome, finding and f"case {case}: {option} from {path.name}\n{finding}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case", help="seed:number of one case to run again")
    parser.add_argument("--keep", type=Path, help="where to keep the file of that case")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "valid").mkdir()
        files = [(option, path) for option, named in valid_files(folder / "valid").items() for path in named.values()]
        for option, path in files:
            READERS[option](path)
        print(f"seed {options.seed}, {len(files)} valid files, in {folder}", flush=True)
        if options.case:
            print(*run_case(files, options.case, folder), sep="\n")
            if options.keep:
                made = next(path for path in folder.glob("case.*") if path.suffix not in (".ids", ".txt"))
                options.keep.write_bytes(made.read_bytes())
            return
        outcomes: Counter[str] = Counter()
        stop = time.monotonic() + 60 * options.minutes
        while time.monotonic() < stop:
            outcome, finding = run_case(files, f"{options.seed}:{outcomes.total()}", folder)
            outcomes[outcome] += 1
            if finding:
                outcomes["findings"] += 1
                print(finding, flush=True)
        print(*(f"{n:8,} {outcome}" for outcome, n in sorted(outcomes.items())), sep="\n")


if __name__ == "__main__":
    main()
