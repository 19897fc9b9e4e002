"""Conversion of a kernel head to plain arrays and values, and back."""

import dataclasses
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from aam.data.rarefaction import FixedRarefaction
from aam.kernels.features import Phylogeny, Samples
from aam.kernels.fitting import TREE_MEMBERS, member_kernels
from aam.kernels.head import KernelCalibration, KernelHead, KernelMember
from aam.kernels.known_asvs import KnownASVs
from aam.kernels.machines import KernelMachine
from aam.kernels.trees import Trees
from aam.labels.target import TargetState
from aam.stored import read_stored

_PHYLOGENY = ("order", "start", "stop", "length")

_TREE_FIELDS = tuple(field.name for field in dataclasses.fields(Trees))


def head_arrays(head: KernelHead) -> dict[str, np.ndarray]:
    """Return a head's arrays by name: the known sequences, the training samples' counts of them, and the coefficients."""
    counts = csr_array(head.training.counts)
    arrays = {
        "sequence_letters": head.known.letters,
        "sequence_offsets": head.known.offsets,
        "count_offsets": counts.indptr.astype(np.int64),
        "count_asvs": counts.indices.astype(np.int64),
        "counts": counts.data,
    }
    for member in head.members:
        machine = member.machine
        if isinstance(machine, KernelMachine):
            arrays[f"dual_{member.name}"] = machine.dual
        else:
            arrays |= {f"{member.name}_{name}": getattr(machine, name) for name in _TREE_FIELDS}
    if head.phylogeny is not None:
        arrays |= {f"branch_{name}": getattr(head.phylogeny, name) for name in _PHYLOGENY}
    if head.training.vectors is not None:
        arrays["training_vectors"] = head.training.vectors
    return arrays


def head_info(head: KernelHead) -> dict[str, Any]:
    """Return the parts of a head that are no arrays, as plain values for JSON."""
    members = [
        {"name": member.name, "penalty": member.penalty, "loss": member.loss, "weight": member.weight}
        for member in head.members
    ]
    calibration = dataclasses.asdict(head.calibration)
    return {
        "nucleotides": head.known.length,
        "equal_depth": None if head.fixed_rarefaction is None else dataclasses.asdict(head.fixed_rarefaction),
        "members": members,
        "calibration": {**calibration, "classes": list(calibration["classes"])},
    }


def rebuild_head(target: TargetState, arrays: dict[str, np.ndarray], info: dict[str, Any]) -> KernelHead:
    """Return the head that `head_arrays` and `head_info` describe; the function that computes sample vectors is not set yet.

    Raises
    ------
    KeyError, ValueError
        An entry is missing, or parts do not fit together.
    """
    known_asvs = KnownASVs(arrays["sequence_letters"], arrays["sequence_offsets"], info["nucleotides"])
    pointers = arrays["count_offsets"]
    sparse = (arrays["counts"], arrays["count_asvs"], pointers)
    counts = csr_array(sparse, shape=(len(pointers) - 1, len(known_asvs))).toarray()
    phylogeny = None
    if "branch_order" in arrays:
        phylogeny = Phylogeny(**{name: arrays[f"branch_{name}"] for name in _PHYLOGENY})
    training = Samples(counts, arrays.get("training_vectors"))
    machines: dict[str, KernelMachine | Trees] = {
        name: KernelMachine(kernel, arrays[f"dual_{name}"])
        for name, kernel in member_kernels(training, phylogeny).items()
    }
    for name in TREE_MEMBERS:
        if f"{name}_roots" in arrays:
            machines[name] = Trees(**{part: arrays[f"{name}_{part}"] for part in _TREE_FIELDS})
    if list(machines) != [values["name"] for values in info["members"]]:
        raise ValueError("members and coefficients do not fit together")
    members = tuple(KernelMember(**values, machine=machines[values["name"]]) for values in info["members"])
    fixed_rarefaction = info.get("equal_depth")
    return KernelHead(
        target=target,
        known=known_asvs,
        phylogeny=phylogeny,
        training=training,
        members=members,
        calibration=read_stored(KernelCalibration, info["calibration"]),
        fixed_rarefaction=None
        if fixed_rarefaction is None
        else FixedRarefaction(int(fixed_rarefaction["depth"]), int(fixed_rarefaction["seed"])),
    )
