"""Check that what aam reads of files that other programs write is what they were made from.

    python benchmarks/round_trips.py                # all programs that are installed
    python benchmarks/round_trips.py --only mothur  # one of them

Debian has them: apt-get install vsearch mothur r-bioc-phyloseq r-bioc-biomformat r-cran-ape. A simulated study goes through each
program, aam reads what it wrote, and counts and distances are compared with those that went in. The table that is printed is in
benchmarks/results. A difference gives exit code 1; a program that is not installed is left out, and named.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from aam.errors import InputError
from aam.io.detect import detect_format
from aam.io.distances import read_distances
from aam.io.metadata import read_metadata
from aam.io.tables import read_table

SAMPLES = [f"S{number:02d}" for number in range(1, 9)]
FEATURES = [f"ASV{number:02d}" for number in range(1, 13)]

Row = tuple[str, str, str]
"""File, what it is for aam, and the verdict."""

R = """
suppressMessages({library(phyloseq); library(biomformat)})
t <- as.matrix(read.table("table.tsv", header = TRUE, sep = "\\t", comment.char = "", check.names = FALSE, row.names = 1))
fasta <- readLines("asv.fasta"); s <- t(t); colnames(s) <- fasta[c(FALSE, TRUE)]
ps <- phyloseq(otu_table(t, taxa_are_rows = TRUE))
write.csv(t, "write.csv"); write.csv2(t, "write.csv2"); write.table(t, "write.table"); write.csv(t(t), "transposed.csv")
write.table(t, "col.names-NA.tsv", sep = "\\t", quote = FALSE, col.names = NA)
write.csv(otu_table(ps), "phyloseq.csv"); write_biom(make_biom(t), "biomformat.biom")
write.csv(s, "seqtab.csv"); write.table(s, "seqtab.txt")
d <- as.matrix(dist(t(t))); write.csv(d, "d.csv"); write.csv2(d, "d.csv2"); write.table(d, "d.table")
m <- data.frame(age = seq(0.5, by = 1.25, length.out = ncol(t)), row.names = colnames(t))
write.csv(m, "m.csv"); write.csv2(m, "m.csv2")
saveRDS(t, "t.rds"); saveRDS(t, "t.xz.rds", compress = "xz"); save(t, file = "t.RData")
"""

MOTHUR = (
    "unique.seqs(fasta=reads.fasta, format=name); count.seqs(name=reads.names, group=reads.groups); "
    "make.shared(count=reads.count_table); rename.file(shared=current, new=asv.shared); "
    "count.seqs(count=reads.count_table, compress=f); "
    "make.biom(shared=asv.shared); "
    "dist.shared(shared=asv.shared, calc=braycurtis, output=lt, subsample=f); "
    "rename.file(input=asv.braycurtis.ASV.lt.dist, new=lower.dist); "
    "dist.shared(shared=asv.shared, calc=braycurtis, output=square, subsample=f)"
)


class Study:
    """Counts, sequences and reads that go into the programs, written to a folder."""

    def __init__(self, folder: Path, seed: int) -> None:
        draw = np.random.default_rng(seed)
        self.folder = folder
        self.counts = draw.poisson(draw.gamma(0.5, 12, size=(len(SAMPLES), len(FEATURES)))) + np.eye(8, 12, dtype=int)
        self.sequences = ["".join(draw.choice(list("ACGT"), 80)) for _ in FEATURES]
        rows = ["\t".join(["#OTU ID", *SAMPLES])]
        rows += ["\t".join([name, *map(str, row)]) for name, row in zip(FEATURES, self.counts.T, strict=True)]
        (folder / "table.tsv").write_text("\n".join(rows) + "\n")
        (folder / "asv.fasta").write_text(
            "".join(f">{name}\n{sequence}\n" for name, sequence in zip(FEATURES, self.sequences, strict=True))
        )
        reads, groups = [], []
        for (sample, feature), count in np.ndenumerate(self.counts):
            for number in range(count):
                name = f"{SAMPLES[sample]}.{FEATURES[feature]}.r{number}"
                reads.append(f">{name};sample={SAMPLES[sample]};\n{self.sequences[feature]}\n")
                groups.append(f"{name}\t{SAMPLES[sample]}\n")
        (folder / "samples.fasta").write_text("".join(reads))
        (folder / "reads.fasta").write_text("".join(reads).replace(";sample=", " sample="))
        (folder / "reads.groups").write_text("".join(groups))

    def table(self, name: str, *, has_names: bool = True) -> Row:
        """Compare the counts of a file, by the names of its features or, where the program chose those, by their totals."""
        found = read_table(self.folder / name)
        counts = found.counts.toarray()[[found.sample_ids.index(sample) for sample in SAMPLES]]
        if has_names:
            names = FEATURES if FEATURES[0] in found.feature_ids else self.sequences
            same = np.array_equal(counts[:, [found.feature_ids.index(feature) for feature in names]], self.counts)
        else:
            same = sorted(counts.T.tolist()) == sorted(self.counts.T.tolist())
        return name, f"table, {counts.sum():,} reads", "same counts" if same else "DIFFERENT"

    def distances(self, name: str, expected: np.ndarray) -> Row:
        """Compare a matrix."""
        found = read_distances(self.folder / name)
        same = found.ids == SAMPLES and np.allclose(found.values, expected, atol=1e-6)
        return name, f"distances, {len(found.ids)} samples", "same distances" if same else "DIFFERENT"

    def metadata(self, name: str) -> Row:
        """Compare a column of numbers."""
        found = read_metadata(self.folder / name)
        same = found.sample_ids == SAMPLES and found.column("age").tolist() == [0.5 + 1.25 * k for k in range(8)]
        return name, "metadata", "same values" if same else "DIFFERENT"

    def named(self, name: str, words: str) -> Row:
        """Check that a file that is not read is named for what it is."""
        try:
            detect_format(self.folder / name)
        except InputError as error:
            return name, words, "named" if words in str(error) else "DIFFERENT"
        return name, words, "DIFFERENT"


def of_vsearch(study: Study) -> Iterator[Row]:
    """Map the reads to their sequences."""
    run(study, "vsearch", "--usearch_global", "samples.fasta", "--db", "asv.fasta", "--id", "0.97", "--otutabout", "otutab.txt",
        "--biomout", "vsearch.biom", "--mothur_shared_out", "vsearch.shared")  # fmt: skip
    for name in ("otutab.txt", "vsearch.biom", "vsearch.shared"):
        yield study.table(name)


def of_mothur(study: Study) -> Iterator[Row]:
    """Count the reads, and make tables and distances of them."""
    run(study, "mothur", f"#{MOTHUR}")
    difference = np.abs(study.counts[:, None] - study.counts[None]).sum(axis=2)
    total = study.counts.sum(axis=1)
    bray_curtis = difference / (total[:, None] + total[None])
    for pattern in ("reads.count_table", "reads.full.count_table", "asv.shared", "asv*.biom"):
        yield study.table(only(study, pattern), has_names=False)
    for pattern in ("lower.dist", "asv*.square.dist"):
        yield study.distances(only(study, pattern), bray_curtis)
    yield study.named("reads.names", ".names file of mothur")
    yield study.named("reads.groups", ".groups")
    yield study.named(only(study, "*.list"), ".list file of mothur")


def of_r(study: Study) -> Iterator[Row]:
    """Write a matrix, a phyloseq object, metadata and distances."""
    (study.folder / "r.R").write_text(R)
    run(study, "Rscript", "r.R")
    for name in ("write.csv", "write.csv2", "write.table", "transposed.csv", "col.names-NA.tsv", "phyloseq.csv", "seqtab.csv",
                 "seqtab.txt", "biomformat.biom"):  # fmt: skip
        yield study.table(name)
    square = ((study.counts[:, None] - study.counts[None]) ** 2).sum(axis=2)
    for name in ("d.csv", "d.csv2", "d.table"):
        yield study.distances(name, np.sqrt(square))
    for name in ("m.csv", "m.csv2"):
        yield study.metadata(name)
    for name in ("t.rds", "t.xz.rds", "t.RData"):
        yield study.named(name, "data of R")


def of_biom(study: Study) -> Iterator[Row]:
    """Convert the table to JSON, to HDF5 and back to text."""
    for name, option in (("biom.json", "--to-json"), ("biom.hdf5", "--to-hdf5")):
        run(study, "biom", "convert", "-i", "table.tsv", "-o", name, option, "--table-type", "OTU table")
        yield study.table(name)
    run(study, "biom", "convert", "-i", "biom.hdf5", "-o", "biom.tsv", "--to-tsv")
    yield study.table("biom.tsv")


PROGRAMS: dict[str, tuple[str, Callable[[Study], Iterator[Row]]]] = {
    "vsearch": ("vsearch", of_vsearch),
    "mothur": ("mothur", of_mothur),
    "R": ("Rscript", of_r),
    "biom-format": ("biom", of_biom),
}
"""Programs by name, with their command and what is tried of them."""


def run(study: Study, *command: str) -> None:
    """Run a program in the folder of the study; what it prints is shown if it fails."""
    done = subprocess.run(command, cwd=study.folder, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def only(study: Study, pattern: str) -> str:
    """Return the name of the newest file of a pattern."""
    return max(study.folder.glob(pattern), key=lambda path: path.stat().st_mtime).name


def main() -> None:
    """Print the table, and end with 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=PROGRAMS, help="the only program to try")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print("| program | file | read as | verdict |\n|---|---|---|---|")
    n_different = 0
    for program, (command, tried) in PROGRAMS.items():
        if options.only not in (None, program):
            continue
        if shutil.which(command, path=f"{Path(sys.executable).parent}:/usr/bin:/usr/local/bin") is None:
            print(f"| {program} | | | not installed |")
            continue
        with tempfile.TemporaryDirectory() as folder:
            for name, what, verdict in tried(Study(Path(folder), options.seed)):
                print(f"| {program} | `{name}` | {what} | {verdict} |", flush=True)
                n_different += verdict == "DIFFERENT"
    sys.exit(n_different > 0)


if __name__ == "__main__":
    main()
