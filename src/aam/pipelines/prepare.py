"""``aam prepare``: build the study on disk ahead of time."""

import logging

from aam.config.commands import PrepareConfig
from aam.config.model import ModelConfig
from aam.io.cache import Cache
from aam.pipelines.reading import read_study, read_tree

logger = logging.getLogger(__name__)


def prepare(config: PrepareConfig) -> None:
    """Run the command."""
    cache = Cache(config.study.cache_dir)
    study = read_study(config.study, ModelConfig().max_bp)
    if config.tree is not None:
        n_missing = len(read_tree(config.tree, study, cache).missing())
        logger.info("%s: %d of %d features are tips.", config.tree, study.n_features - n_missing, study.n_features)
    gigabytes = sum(entry.n_bytes for entry in cache.entries()) / 1e9
    logger.info("Ready in %s, which holds %.2f GB of at most %g GB.", cache.directory, gigabytes, cache.limit_gb)
