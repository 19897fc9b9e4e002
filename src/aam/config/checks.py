"""Whether the options of a run fit together."""

from typing import TYPE_CHECKING

from aam.config.devices import check_devices
from aam.config.objective_table import FLAG_OF_RESOURCE
from aam.config.objectives import refuse_idle_options, rows_of
from aam.config.saving import check_saving
from aam.config.split import DRAWN
from aam.config.training import TrainingConfig

if TYPE_CHECKING:
    from aam.config.commands import PretrainConfig, TrainConfig


def check_run(config: "PretrainConfig | TrainConfig") -> None:
    """Check what all training has in common."""
    check_objectives(config)
    check_validation(config)
    check_saving(config.saving, config.output.overwrite)
    check_devices(config.devices, config.training, config.saving)


def check_validation(config: "PretrainConfig | TrainConfig") -> None:
    """Check that the share of samples to hold out is asked for where it says how many are."""
    given = config.training.validation_fraction
    if config.split.split not in DRAWN and given != TrainingConfig().validation_fraction:
        raise ValueError(
            f"--validation-fraction has no effect on --split {config.split.split}, which says what is held out: leave it out."
        )


def check_target(config: "TrainConfig") -> None:
    """Check that what is learned of the target fits together."""
    activation, transform = config.network_head.numbers.output_activation, config.target.target_transform
    if activation != "none" and transform.removeprefix("log-").startswith("zscore"):
        raise ValueError(
            f"--output-activation {activation} keeps outputs above 0 in the units of --target-transform, and those of {transform} "
            "lie around 0: pass --target-transform none, minmax or log-minmax as well."
        )
    by_category = {flag: name for flag, name in config.category_columns.items() if flag != "--sample-weights" and name}
    if config.augmentation.mixup_alpha is not None and by_category:
        raise ValueError(
            f"--mixup-alpha mixes samples of different categories, which {' and '.join(by_category)} scales apart: leave one of "
            "them out."
        )


def check_objectives(config: "PretrainConfig | TrainConfig") -> None:
    """Check that what each objective needs is given, and that the batches suit it."""
    objectives, distance, rows = config.objectives, config.distance, rows_of(config.weights)
    if distance.tree and distance.distances and objectives.penalty and not objectives.encoder_type:
        raise ValueError(
            "--tree and --distances exclude each other unless --encoder-type says what is learned from them: pass one of them, or "
            "--encoder-type distance unweighted-unifrac."
        )
    given = {"tree": distance.tree, "distances": distance.distances, "taxonomy": config.taxonomy.taxonomy}
    refuse_idle_options(config.weights, objectives, config.taxonomy)
    for name, row in rows.items():
        missing = [FLAG_OF_RESOURCE[need] for need in row.needs if given[need] is None]
        if missing:
            raise ValueError(f"--encoder-type {name} needs {' and '.join(missing)}.")
    if any(row.needs_pairs for row in rows.values()) and config.training.batch_size == 1:
        raise ValueError("--batch-size 1 leaves no pair of samples to learn distances from: use at least 2.")
    if config.augmentation.mixup_alpha is not None and any("distances" in row.needs for row in rows.values()):
        raise ValueError(
            "--mixup-alpha makes samples whose distances are not in --distances: pass --tree instead, or leave --mixup-alpha out."
        )
