"""The table of what a model can learn without labels: names as the user types them, and where each is written."""

from dataclasses import dataclass

_DISTANCE = "aam.objectives.sample_distance:SampleDistance"
_VALUE = "aam.objectives.sample_value:SampleValue"

FLAG_OF_RESOURCE = {"tree": "--tree", "taxonomy": "--taxonomy", "distances": "--distances"}
"""What an objective may need beside the study, and the option that gives it."""


@dataclass(frozen=True)
class ObjectiveRow:
    """One row of the table. Code is named, not imported, so that ``aam --help`` answers at once.

    Attributes
    ----------
    path
        The class, ``module:Class``.
    summary
        A line of help.
    needs
        Keys of `FLAG_OF_RESOURCE`.
    measure
        The function ``module:function`` that a distance or a value of a sample is computed by; None for other objectives.
    needs_pairs
        It compares the samples of a batch with each other.
    weight_option
        The option that is its weight; None for an objective that ``--encoder-type`` chooses.
    options
        Options that it alone reads, by the names of their fields.
    """

    path: str
    summary: str
    needs: tuple[str, ...] = ()
    measure: str | None = None
    needs_pairs: bool = False
    weight_option: str | None = None
    options: tuple[str, ...] = ()


def _distance(measure: str, summary: str, *needs: str, options: tuple[str, ...] = ()) -> ObjectiveRow:
    return ObjectiveRow(_DISTANCE, summary, needs, measure, needs_pairs=True, options=options)


def _value(measure: str, summary: str, *needs: str) -> ObjectiveRow:
    return ObjectiveRow(_VALUE, summary, needs, measure)


OBJECTIVES: dict[str, ObjectiveRow] = {
    "unweighted-unifrac": _distance("aam.ecology.unifrac:unweighted", "share of branches not shared", "tree"),
    "weighted-unifrac": _distance("aam.ecology.weighted_unifrac:weighted", "branches by difference of abundance", "tree"),
    "normalized-weighted-unifrac": _distance("aam.ecology.weighted_unifrac:normalized", "the same, in 0 to 1", "tree"),
    "generalized-unifrac": _distance(
        "aam.ecology.weighted_unifrac:generalized", "between both; --unifrac-alpha", "tree", options=("unifrac_alpha",)
    ),
    "bray-curtis": _distance("aam.ecology.bray_curtis:bray_curtis", "share of reads not shared"),
    "jaccard": _distance("aam.ecology.jaccard:jaccard", "share of ASVs not shared"),
    "aitchison": _distance("aam.ecology.aitchison:aitchison", "log-ratios, pseudo-count 1"),
    "robust-aitchison": _distance("aam.ecology.aitchison:robust_aitchison", "log-ratios of the ASVs present"),
    "distance": _distance("aam.ecology.given_matrix:given_matrix", "your own matrix", "distances"),
    "faith-pd": _value("aam.ecology.diversity:faith_pd", "Faith's phylogenetic diversity", "tree"),
    "observed-asvs": _value("aam.ecology.diversity:observed_asvs", "number of ASVs"),
    "shannon": _value("aam.ecology.diversity:shannon", "Shannon entropy, natural logarithm"),
    "taxonomy": ObjectiveRow("aam.objectives.taxonomy:Taxonomy", "lineage of each ASV", ("taxonomy",)),
    "composition": ObjectiveRow(
        "aam.objectives.composition:Composition", "taxa of each sample; --taxonomy-rank", ("taxonomy",), options=("taxonomy_rank",)
    ),
    "masked-asvs": ObjectiveRow(
        "aam.objectives.masked_asvs:MaskedASVs", "which ASV a hidden one is, from the rest of its sample",
        options=("asv_mask_ratio",),
    ),
    "nucleotides": ObjectiveRow(
        "aam.objectives.masked_nucleotides:MaskedNucleotides", "masked nucleotides", weight_option="nuc_penalty",
        options=("nuc_mask_ratio", "nuc_asv_fraction", "nuc_mask_strategy"),
    ),
    "counts": ObjectiveRow(
        "aam.objectives.hidden_abundance:HiddenAbundance", "hidden abundances", weight_option="count_penalty",
        options=("count_mask_ratio", "count_loss"),
    ),
}  # fmt: skip
"""By the name that ``--encoder-type``, logs and ``config.json`` use. A new distance or value of a sample is a function and a row, a
new kind of objective a class and a row."""


def encoder_types() -> dict[str, ObjectiveRow]:
    """Give the rows that ``--encoder-type`` chooses from."""
    return {name: row for name, row in OBJECTIVES.items() if row.weight_option is None}
