"""The model card: a page that describes a model, in its directory."""

from typing import Any

import aam
from aam.inference.description import ModelDescription
from aam.inference.metrics import without_nan
from aam.kernels.fitting import MEANINGS
from aam.labels.covariates import Covariates
from aam.labels.target import AnyTarget, JointTarget, parts_of


def model_card(description: ModelDescription) -> str:
    """Return the text of a model's card, in Markdown."""
    target, model = description.target, description.model
    kind = "pre-trained encoder" if target is None else f"{target.task} of `{target.column}`"
    depth = "all reads of each sample" if description.depth is None else f"{description.depth:,} reads of each sample"
    lines = [f"# aam {aam.__version__}: {kind}", ""]
    if description.head is not None:
        lines += kernel_lines(description.head)
    else:
        lines += [
            f"- Reads the first {model.max_bp} nucleotides of up to {description.token_limit:,} ASVs per sample, and {depth}.",
            f"- Width {model.embedding_dim}, {model.attention_layers} layers, {model.attention_heads} heads.",
        ]
    if description.ensemble is not None:
        lines += ensemble_lines(description.ensemble)
    lines += [f"- Trained on a study with digest `{description.study_digest}`, seed {description.seed}."]
    if target is not None:
        lines += [*_target_lines(target), *covariate_lines(description.covariates)]
    else:
        lines += [f"- Learned from: {', '.join(description.objectives)}."]
    if description.metrics:
        lines += ["", "## On the validation samples", "", "| metric | value |", "|---|---|"]
        lines += [
            f"| {name} | {value if isinstance(value, int) else f'{value:.4g}'} |"
            for name, value in without_nan(description.metrics).items()
            if isinstance(value, int | float)
        ]
    command = "embed" if target is None else "predict"
    flags = "--model DIRECTORY --table table.biom --sequences rep-seqs.fasta --output results.tsv"
    flags += " --metadata metadata.tsv" if description.covariates.columns else ""
    lines += ["", "## Use", "", f"    aam {command} {flags}", ""]
    return "\n".join(lines)


def kernel_lines(info: dict[str, Any]) -> list[str]:
    """Return the lines of a card about a kernel head: its samples, members with weights, penalties and losses, and coverage."""
    arrays, calibration = info["arrays"], info["calibration"]
    n_samples, n_asvs = arrays["count_offsets"][1] - 1, arrays["sequence_offsets"][1] - 1
    rows = [
        f"| {member['name']}: {MEANINGS[member['name']]} | {member['weight']:.3f} | {_penalty(member)} "
        f"| {member['loss']:.4g} |"
        for member in info["members"]
    ]
    lines = [
        f"- Kernel head: compares samples with its {n_samples:,} training samples, whose counts it holds, by {n_asvs:,} ASVs "
        f"that it knows by their first {info['nucleotides']} nucleotides; {_depth(info)} of each sample.",
        coverage_line(calibration["coverage"]),
    ]
    if calibration["classes"]:
        lines.append(
            f"- Probabilities are as if all classes were equally frequent; temperature {calibration['temperature']:.3g}."
        )
    lines += ["", "| member | weight | penalty | loss on groups left out |", "|---|---|---|---|", *rows, ""]
    return lines


def _depth(info: dict[str, Any]) -> str:
    fixed_rarefaction = info.get("equal_depth")
    return "all reads" if fixed_rarefaction is None else f"{fixed_rarefaction['depth']:,} reads, drawn at random,"


def _penalty(member: dict[str, Any]) -> str:
    return "–" if member["penalty"] is None else f"{member['penalty']:.3g}"


def ensemble_lines(info: dict[str, Any]) -> list[str]:
    """Return the lines of a card about an ensemble of networks: its members, coverage and temperature."""
    n_members, calibration = len(info["vectors"]), info["calibration"]
    temperature = calibration["temperature"]
    return [
        f"- Ensemble: the mean of {n_members} networks (members/), each trained without one of {n_members} parts of the training "
        "samples.",
        coverage_line(calibration["coverage"]),
        *([] if temperature == 1 else [f"- Probabilities of each network are at temperature {temperature:.3g}."]),
    ]


def coverage_line(coverage: float) -> str:
    """Return the line of a card about the coverage of intervals or sets."""
    return (
        f"- Intervals or sets hold the truth for {coverage:.0%} of the samples of a new subject (group), if subjects are like "
        "those of the training samples."
    )


def _target_lines(target: AnyTarget) -> list[str]:
    lines = []
    if target.classes:
        lines += [f"- Classes{', lowest first' if target.task == 'ordinal' else ''}: {', '.join(target.classes)}."]
    for part in parts_of(target):
        of_column = f" of {part.column}" if isinstance(target, JointTarget) else ""
        lines += [f"- Without looking at the sample one would guess {part.guess}{of_column}."]
    optional = [categories for part in parts_of(target) for categories in (part.normalized_by, part.scaled_by)]
    lines += [
        f"- Reads the {read.column} of a sample ({', '.join(read.names)}): give 'aam predict' that column by --metadata."
        for read in dict.fromkeys(categories for categories in optional if categories is not None)
    ]
    return lines


def covariate_lines(covariates: Covariates) -> list[str]:
    """Return the lines of a card about the covariates, one for each."""
    needed = "'aam predict' needs that column, by --metadata"
    lines = [
        f"- Reads the {column.column} of a sample ({', '.join(column.known.names)}): {needed}."
        for column in covariates.categories
    ]
    return lines + [
        f"- Reads the {column.column} of a sample (mean {column.mean:.4g}, standard deviation {column.std:.4g}): {needed}."
        for column in covariates.numbers
    ]
