"""``aam simulate``: write a study with a known truth."""

import logging
from pathlib import Path

from aam.config.tools import SimulateConfig
from aam.io.biom_table import write_table
from aam.io.count_table import CountTable
from aam.io.metadata import write_tsv
from aam.io.newick import write_newick
from aam.io.sequences import write_fasta
from aam.simulation.study import SimulatedStudy, simulate_study
from aam.storage.output import check_output_directory, start_output_directory

logger = logging.getLogger(__name__)


FILES = (
    "table.biom",
    "sequences.fasta",
    "tree.nwk",
    "taxonomy.tsv",
    "metadata.tsv",
    "truth.tsv",
)


def simulate(config: SimulateConfig) -> None:
    """Run ``aam simulate``."""
    output = config.output.output_dir
    check_output_directory(config)
    study = simulate_study(config.simulation)
    start_output_directory(config, FILES)
    write_study(output, study)
    logger.info("Simulated %d samples and %d ASVs: %s", len(study.sample_ids), len(study.feature_ids), output)


def write_study(directory: Path, study: SimulatedStudy) -> None:
    """Write the files of a study as users have them, and ``truth.tsv``, which no real study has."""
    write_table(directory / "table.biom", CountTable(study.sample_ids, study.feature_ids, study.counts))
    write_fasta(directory / "sequences.fasta", zip(study.feature_ids, study.sequences, strict=True))
    write_newick(directory / "tree.nwk", study.tree.parent, study.tree.length, study.tree.names)
    write_tsv(directory / "taxonomy.tsv", {"Feature ID": study.feature_ids, "Taxon": study.taxonomy})
    write_tsv(directory / "metadata.tsv", {"sample-id": study.sample_ids, **study.metadata})
    write_tsv(directory / "truth.tsv", study.truth)
