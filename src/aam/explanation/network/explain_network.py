"""What is asked of a network beyond its predictions, written to files: attention, and integrated gradients."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from aam.config.explain import NetworkExplanationConfig
from aam.data.study import Study
from aam.explanation.network.attention import (
    MEAN,
    POOLING,
    ROLLOUT,
    TARGET_POOLING,
    asv_attention,
    attention_table,
    mean_attention,
    sample_attention,
)
from aam.explanation.network.attention_figures import MOST_ASVS_OF_FLOW, draw_flow, draw_layers, draw_pooling
from aam.explanation.network.gradients import SequenceGradients, sample_gradients, sequence_gradients
from aam.explanation.network.members import differentiable_networks, networks_of
from aam.explanation.network.output import output_of
from aam.explanation.network.sequence_figure import draw_sequences
from aam.explanation.results.figures import save_picture
from aam.inference.predictor import Predictor
from aam.io.metadata import Metadata, write_tsv
from aam.labels.target import TargetState

ATTENTION, ATTENTION_OF_SAMPLES, GRADIENTS, NUCLEOTIDES = (
    "attention.tsv", "attention-of-samples.tsv", "gradients.tsv", "nucleotides.tsv",
)  # fmt: skip

NETWORK_RESULTS = (ATTENTION, ATTENTION_OF_SAMPLES, GRADIENTS, NUCLEOTIDES)
"""Files of `explain_network`."""

BY_ATTENTION, BY_GRADIENTS = "attention", "integrated gradients"
"""Names of the methods."""

SEQUENCES = 10
"""Number of ASVs whose nucleotides are explained."""


def check_network(predictor: Predictor, options: NetworkExplanationConfig) -> None:
    """Refuse what a model cannot be asked.

    Raises
    ------
    ModelError
        The model has no attention, or no gradients.
    """
    if options.attention:
        networks_of(predictor, "attention")
    if options.gradients:
        differentiable_networks(predictor)


def explain_network(
    predictor: Predictor,
    study: Study,
    metadata: Metadata | None,
    options: NetworkExplanationConfig,
    directory: Path,
    plots: Path,
) -> dict[str, pd.Series]:
    """Write attention and integrated gradients of samples.

    Parameters
    ----------
    predictor
        A network, an ensemble, or a kernel head with a pre-trained encoder, which has attention alone.
    study, metadata
        The samples, and the metadata that the model reads of them, if it reads any.
    options
        What is asked.
    directory, plots
        Directories of tables and of pictures, which exist.

    Returns
    -------
    dict of pd.Series
        Mean weight, and mean absolute gradient, of each ASV, by method; the index is the feature id.
    """
    scores = {}
    if options.gradients:
        scores[BY_GRADIENTS] = _write_gradients(predictor, study, metadata, directory)
        if options.nucleotides:
            top = scores[BY_GRADIENTS].sort_values(ascending=False, kind="stable").index[:SEQUENCES]
            _write_nucleotides(predictor, study, metadata, list(top), directory, plots)
    if options.attention:
        scores[BY_ATTENTION] = _write_attention(predictor, study, directory, plots)
    return scores


def _outputs(predictor: Predictor) -> list[str | None]:
    """Return the outputs that are explained: of two classes the second, of more each, of numbers the only one."""
    target = predictor.description.target
    assert isinstance(target, TargetState), "one column is explained at a time"
    return list(target.classes) if len(target.classes) > 2 else [None]


def _write_gradients(predictor: Predictor, study: Study, metadata: Metadata | None, directory: Path) -> pd.Series:
    """Write what each ASV of each sample adds to each output, mean over the members of an ensemble."""
    tables = []
    for name in _outputs(predictor):
        of_members = []
        for network in differentiable_networks(predictor):
            drawn, inputs = network.drawn(study), network.head_inputs(study, metadata)
            output = output_of(network, name)
            of_members.append(sample_gradients(network, drawn, inputs, output).table(drawn))
        table = of_members[0].assign(attribution=np.mean([one["attribution"] for one in of_members], axis=0))
        if name is not None:
            table.insert(0, "class", name)
        tables.append(table)
    table = pd.concat(tables, ignore_index=True)
    _write(directory / GRADIENTS, table)
    return _mean_of_features(table["feature-id"], table["attribution"].abs(), study.n_samples)


def _write_nucleotides(
    predictor: Predictor, study: Study, metadata: Metadata | None, features: list[str], directory: Path, plots: Path
) -> None:
    network, *_ = differentiable_networks(predictor)
    drawn, inputs = network.drawn(study), network.head_inputs(study, metadata)
    place = {name: row for row, name in enumerate(drawn.feature_ids)}
    rows = np.array([place[name] for name in features])
    tables = []
    for name in _outputs(predictor):
        output = output_of(network, name)
        found = sequence_gradients(network, drawn, inputs, output, rows)
        table = pd.concat([_of_sequence(one, drawn.feature_ids[one.feature]) for one in found], ignore_index=True)
        if name is not None:
            table.insert(0, "class", name)
        tables.append(table)
        suffix = "" if name is None else f"-{output.name}"
        named = [(drawn.feature_ids[one.feature], one) for one in found]
        save_picture(draw_sequences(named, output.name), plots, f"nucleotides{suffix}")
    _write(directory / NUCLEOTIDES, pd.concat(tables, ignore_index=True))


def _of_sequence(found: SequenceGradients, name: str) -> pd.DataFrame:
    lengths = [len(patch) for patch in found.patches]
    first = 1 + np.cumsum([0, *lengths[:-1]])
    return pd.DataFrame(
        {
            "feature-id": name,
            "first-position": first,
            "nucleotides": found.patches,
            "attribution": found.values,
            "n-samples": found.n_samples,
        }
    )


def _write_attention(predictor: Predictor, study: Study, directory: Path, plots: Path) -> pd.Series:
    """Write and draw the weights of the ASVs; return the mean rollout of each, whose weights add up to 1 in a sample."""
    table = attention_table(predictor, study)
    _write(directory / ATTENTION, mean_attention(table))
    pooled = table["layer"].isin([POOLING, TARGET_POOLING, ROLLOUT]) & (table["head"] == MEAN)
    _write(directory / ATTENTION_OF_SAMPLES, table.loc[pooled].drop(columns="head"))
    for layer in (POOLING, ROLLOUT):
        save_picture(draw_pooling(table, layer), plots, f"attention-{layer}")
    network = networks_of(predictor, "attention")[0]
    drawn = network.drawn(study)
    sizes = np.array([len(drawn.sample(row)[0]) for row in range(drawn.n_samples)])
    middle = int(np.argsort(sizes, kind="stable")[len(sizes) // 2])  # a sample of as many ASVs as most
    (sample,) = sample_attention(network, drawn.select_samples(np.array([middle])))
    place = {name: row for row, name in enumerate(drawn.feature_ids)}
    top = np.argsort(-sample.rollout(), kind="stable")[:MOST_ASVS_OF_FLOW]
    asvs = asv_attention(network, drawn, np.array([place[str(sample.positions[k])] for k in top.tolist()]))
    save_picture(draw_layers(sample), plots, "attention-layers")
    save_picture(draw_flow(sample, asvs), plots, "attention-flow")
    rollout = table.loc[table["layer"] == ROLLOUT]
    n_members = rollout["member"].nunique() if "member" in rollout else 1
    return _mean_of_features(rollout["feature-id"], rollout["weight"], study.n_samples * n_members)


def _mean_of_features(features: Iterable[str], values: Iterable[float], n: int) -> pd.Series:
    """Return the sum of the values of each feature, divided by a number."""
    table = pd.DataFrame({"feature": list(features), "value": np.array(list(values)) / n})
    return pd.Series(table.groupby("feature")["value"].sum())


def _write(path: Path, table: pd.DataFrame) -> None:
    columns: Mapping[str, list] = {str(name): table[name].tolist() for name in table}
    write_tsv(path, columns)
