"""What a network reads of a sample beside its microbes, from what was fitted: the part of the model, and that of its card."""

from aam.config.conditioning import ConditioningConfig
from aam.config.model import ModelConfig
from aam.data.conditions import Conditions
from aam.models.build import build_conditioning
from aam.nn.condition_vectors import ConditionShape
from aam.nn.conditioning import Conditioning


def conditioning_of(config: ModelConfig, conditions: Conditions, options: ConditioningConfig) -> Conditioning | None:
    """Build what brings columns of the metadata to the network's head; None without any."""
    place = {one.column: number for number, one in enumerate(conditions.categories)}
    shape = ConditionShape(
        sizes=[len(one.known.names) for one in conditions.categories],
        parents=[-1 if one.parent is None else place[one.parent] for one in conditions.categories],
        n_numbers=len(conditions.numbers),
    )
    return build_conditioning(config, shape, options)


def condition_lines(conditions: Conditions) -> list[str]:
    """Say in a model's card which columns it reads."""
    needed = "'aam predict' needs that column, by --metadata"
    lines = [
        f"- Reads the {one.column} of a sample ({', '.join(one.known.names)}): {needed}."
        for one in conditions.categories
    ]
    return lines + [
        f"- Reads the {one.column} of a sample (mean {one.mean:.4g}, standard deviation {one.std:.4g}): {needed}."
        for one in conditions.numbers
    ]
