"""What a head is made of, by name."""

from aam.kernels.gram import MeanKernel, Similarity, Term, linear, radial, shared_branches
from aam.kernels.phylogeny import Phylogeny
from aam.kernels.views import Samples, View, clade_log_ratios, log_ratios, model_vectors, scaled, touched_branches

FEATURES, CLADES, DEEP, FOREST, BOOSTED = "features", "clades", "deep", "forest", "boosted"
MEANINGS = {
    FEATURES: "ASVs: log ratios (linear and radial), and UniFrac where there is a tree",
    CLADES: "log ratios of all clades of the tree",
    FOREST: "random forest on shares",
    BOOSTED: "gradient-boosted trees on shares",
    DEEP: "sample vectors of the pre-trained model (linear and radial)",
}

TREES: tuple[str, ...] = (FOREST, BOOSTED)
"""Members that are trees."""


def member_kernels(training: Samples, phylogeny: Phylogeny | None) -> dict[str, MeanKernel]:
    """Fit the kernels of all members that the training samples allow; no label is seen."""
    parts: dict[str, list[tuple[View, Similarity]]] = {
        FEATURES: [
            (scaled(log_ratios, training, 0.5), linear),
            (log_ratios, radial(log_ratios(training))),
        ]
    }
    if phylogeny is not None:
        parts[FEATURES].append((touched_branches(phylogeny), shared_branches))
        if phylogeny.is_clade.any():
            parts[CLADES] = [(scaled(clade_log_ratios(phylogeny), training, 0.5), linear)]
    if training.vectors is not None:
        vectors = scaled(model_vectors, training, 1.0)
        parts[DEEP] = [(vectors, linear), (vectors, radial(vectors(training)))]
    return {
        name: MeanKernel([Term.fit(view, similarity, training) for view, similarity in terms])
        for name, terms in parts.items()
    }
