"""The part of a model card that says what a kernel head is."""

from typing import Any

from aam.kernels.members import MEANINGS


def kernel_lines(facts: dict[str, Any]) -> list[str]:
    """Say which members were chosen, with which weights, penalties and losses, and how sure the head may be."""
    arrays, calibration = facts["arrays"], facts["calibration"]
    n_samples, n_asvs = arrays["count_offsets"][1] - 1, arrays["sequence_offsets"][1] - 1
    rows = [
        f"| {member['name']}: {MEANINGS[member['name']]} | {member['weight']:.3f} | {_penalty(member)} "
        f"| {member['loss']:.4g} |"
        for member in facts["members"]
    ]
    lines = [
        f"- Kernel head: compares samples with its {n_samples:,} training samples, whose counts it holds, by {n_asvs:,} ASVs "
        f"that it knows by their first {facts['nucleotides']} nucleotides; {_depth(facts)} of each sample.",
        coverage_line(calibration["coverage"]),
    ]
    if calibration["classes"]:
        lines.append(
            f"- Probabilities are as if all classes were equally frequent; temperature {calibration['temperature']:.3g}."
        )
    lines += ["", "| member | weight | penalty | loss on groups left out |", "|---|---|---|---|", *rows, ""]
    return lines


def coverage_line(coverage: float) -> str:
    """Say how far intervals or sets may be relied on."""
    return (
        f"- Intervals or sets hold the truth for {coverage:.0%} of the samples of a new subject (group), if subjects are like "
        "those of the training samples."
    )


def _depth(facts: dict[str, Any]) -> str:
    equal_depth = facts.get("equal_depth")
    return "all reads" if equal_depth is None else f"{equal_depth['depth']:,} reads, drawn at random,"


def _penalty(member: dict[str, Any]) -> str:
    return "–" if member["penalty"] is None else f"{member['penalty']:.3g}"
