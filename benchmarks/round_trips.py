"""Check that what aam reads of files that other programs write is what they were made from.

    python benchmarks/round_trips.py                # all programs that are installed
    python benchmarks/round_trips.py --only mothur  # one of them

Debian has them: apt-get install vsearch mothur r-bioc-phyloseq r-bioc-biomformat r-cran-ape r-bioc-dada2 fasttree iqtree
unifrac-tools. A simulated study goes through each program, aam reads what it wrote, and counts, trees and distances are compared
with those that went in. ``--document`` writes the table into that page as well. A difference gives exit code 1; a program that
is not installed is left out, and named.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from aam.ecology.rooting import MIDPOINT, root_tree
from aam.ecology.tree import FeatureTree
from aam.ecology.unifrac import unweighted_unifrac
from aam.errors import InputError
from aam.io.detect import detect_format
from aam.io.distances import read_distances
from aam.io.metadata import read_metadata
from aam.io.newick import TreeArrays, read_newick
from aam.io.tables import read_table

SAMPLES = [f"S{number:02d}" for number in range(1, 9)]
FEATURES = [f"ASV{number:02d}" for number in range(1, 13)]

BEGIN, END = "<!-- tried -->\n", "<!-- end of tried -->\n"
"""Around the table in a page."""

PLACES = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
"""Where programs are looked for: first beside the interpreter."""

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
set.seed(1); tree <- ape::rtree(nrow(t), tip.label = rownames(t)); ape::write.tree(tree, "ape.nwk")
write.csv(cophenetic(tree), "ape.paths")
rooted <- phyloseq(otu_table(t, taxa_are_rows = TRUE), phy_tree(tree))
write.csv(as.matrix(UniFrac(rooted, weighted = FALSE)), "phyloseq.unifrac")
saveRDS(t, "t.rds"); saveRDS(t, "t.xz.rds", compress = "xz"); save(t, file = "t.RData")
"""

PATHS = 'write.csv(cophenetic(ape::read.tree("{name}")), "{name}.paths")'

ROOTED = 'set.seed(1); ape::write.tree(ape::rtree(12, tip.label = sprintf("ASV%02d", 1:12)), "rooted.nwk")'

DADA2 = """
t <- as.matrix(read.table("table.tsv", header = TRUE, sep = "\\t", comment.char = "", row.names = 1))
rownames(t) <- readLines("asv.fasta")[c(FALSE, TRUE)]
uniques <- apply(t, 2, function(counts) counts[counts > 0], simplify = FALSE)
write.csv(dada2::makeSequenceTable(uniques), "seqtab_of_dada2.csv")
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

    def tree(self, name: str, paths: str, *, is_rooted: bool) -> Row:
        """Compare the lengths of the paths between the tips, which no root changes, with those that R's ape computes."""
        tree = read_newick(self.folder / name, needs_root=is_rooted)
        if not is_rooted:
            tree = root_tree(tree, [MIDPOINT], self.folder / name)
        tips = tree.names[: len(tree.names)]
        expected = pd.read_csv(self.folder / paths, index_col=0).loc[tips, tips].to_numpy()
        same = np.allclose(paths_between_tips(tree), expected, atol=1e-6)
        return name, f"tree, {len(tips)} tips", "same paths" if same else "DIFFERENT"

    def unifrac(self, name: str, newick: str) -> Row:
        """Compare unweighted UniFrac with that of another program."""
        tree = FeatureTree.from_arrays(read_newick(self.folder / newick), FEATURES)
        samples, features = np.nonzero(self.counts)
        found = unweighted_unifrac(tree, features, np.searchsorted(samples, np.arange(len(SAMPLES) + 1)))
        expected = pd.read_csv(self.folder / name, index_col=0).loc[SAMPLES, SAMPLES].to_numpy()
        same = np.allclose(found, expected, atol=1e-6)
        return name, "unweighted UniFrac", "same distances" if same else "DIFFERENT"

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
    yield study.tree("ape.nwk", "ape.paths", is_rooted=True)
    yield study.unifrac("phyloseq.unifrac", "ape.nwk")


def of_dada2(study: Study) -> Iterator[Row]:
    """Make a sequence table of the counts of each sample."""
    (study.folder / "dada2.R").write_text(DADA2)
    run(study, "Rscript", "dada2.R")
    yield study.table("seqtab_of_dada2.csv")


def of_fasttree(study: Study) -> Iterator[Row]:
    """Build a tree, which has no root, and root it at its midpoint."""
    run(study, "FastTree", "-quiet", "-nt", "-out", "fasttree.nwk", "asv.fasta")
    run(study, "Rscript", "-e", PATHS.format(name="fasttree.nwk"))
    yield study.tree("fasttree.nwk", "fasttree.nwk.paths", is_rooted=False)


def of_iqtree(study: Study) -> Iterator[Row]:
    """Build a tree with bootstrap supports, which has no root, and root it at its midpoint."""
    run(
        study,
        "iqtree2",
        "-s",
        "asv.fasta",
        "-m",
        "JC",
        "-nt",
        "1",
        "-B",
        "1000",
        "-seed",
        "1",
        "-pre",
        "iqtree",
        "-quiet",
    )
    run(study, "Rscript", "-e", PATHS.format(name="iqtree.treefile"))
    yield study.tree("iqtree.treefile", "iqtree.treefile.paths", is_rooted=False)


def of_unifrac_tools(study: Study) -> Iterator[Row]:
    """Compute unweighted UniFrac, which aam computes as well and reads."""
    run(study, "biom", "convert", "-i", "table.tsv", "-o", "ssu.biom", "--to-hdf5", "--table-type", "OTU table")
    run(study, "Rscript", "-e", ROOTED)
    run(study, "ssu", "-i", "ssu.biom", "-t", "rooted.nwk", "-m", "unweighted", "-o", "ssu.dm")
    found = read_distances(study.folder / "ssu.dm")
    pd.DataFrame(found.values, found.ids, found.ids).to_csv(study.folder / "as_read.csv")
    _, what, verdict = study.unifrac("as_read.csv", "rooted.nwk")
    yield "ssu.dm", f"distances, {what}", verdict


def paths_between_tips(tree: TreeArrays) -> np.ndarray:
    """Compute the length of the path between each two tips, float64 [T, T]."""
    n_nodes = len(tree.level)
    above = np.zeros((int(tree.is_tip.sum()), n_nodes))  # lengths of the branches between each tip and the root
    for row, tip in enumerate(np.flatnonzero(tree.is_tip)):
        node = int(tip)
        while node < n_nodes - 1:
            above[row, node] = tree.length[node]
            node += 1 + int(np.argmax(tree.level[node + 1 :] == tree.level[node] - 1))
    return np.abs(above[:, None] - above[None]).sum(axis=2)


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
    "DADA2": ("Rscript", of_dada2),
    "FastTree": ("FastTree", of_fasttree),
    "IQ-TREE": ("iqtree2", of_iqtree),
    "unifrac-tools": ("ssu", of_unifrac_tools),
    "biom-format": ("biom", of_biom),
}
"""Programs by name, with their command and what is tried of them."""


def run(study: Study, *command: str) -> None:
    """Run a program in the folder of the study; what it prints is shown if it fails."""
    places = os.environ | {"PATH": PLACES}
    done = subprocess.run(command, cwd=study.folder, capture_output=True, text=True, check=False, env=places)
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
    parser.add_argument("--document", type=Path, help="a page whose marked section takes the table")
    options = parser.parse_args()
    lines = ["| program | file | read as | verdict |", "|---|---|---|---|"]
    for program, (command, tried) in PROGRAMS.items():
        if options.only in (None, program):
            lines += rows_of(program, command, tried, options.seed)
    print("\n".join(lines))
    if options.document is not None:
        before, rest = options.document.read_text(encoding="utf-8").split(BEGIN)
        options.document.write_text(
            before + BEGIN + "\n" + "\n".join(lines) + "\n\n" + END + rest.partition(END)[2], encoding="utf-8"
        )
    sys.exit(any("DIFFERENT" in line for line in lines))


def rows_of(program: str, command: str, tried: Callable[[Study], Iterator[Row]], seed: int) -> list[str]:
    """Return the rows of one program, or that it is not installed."""
    if shutil.which(command, path=PLACES) is None:
        return [f"| {program} | | | not installed |"]
    with tempfile.TemporaryDirectory() as folder:
        return [
            f"| {program} | `{name}` | {what} | {verdict} |" for name, what, verdict in tried(Study(Path(folder), seed))
        ]


if __name__ == "__main__":
    main()
