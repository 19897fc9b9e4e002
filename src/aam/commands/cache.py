"""``aam prepare`` and ``aam cache``: fill the cache ahead of time; list, limit or clear it."""

import logging
import sys
from datetime import datetime

from aam.config.model import ModelConfig
from aam.config.tools import CacheConfig, PrepareConfig
from aam.data.study_build import read_study
from aam.errors import OutputError
from aam.runs.resources import read_tree
from aam.storage.cache import ENVIRONMENT_VARIABLE, Cache, default_directory, holds_cache

logger = logging.getLogger(__name__)


def prepare(config: PrepareConfig) -> None:
    """Run ``aam prepare``: build the study, and the tree if there is one, into the cache.

    Raises
    ------
    InputError
        A file is missing or malformed, or the table and the sequences do not fit together.
    TreeError
        The tree is malformed, or no feature of the table is a tip of it.
    OutputError
        The cache cannot be written to.
    """
    cache = Cache(config.study.cache_dir)
    study = read_study(config.study, ModelConfig().max_bp)
    if config.tree is not None:
        n_missing = len(read_tree(config.tree, study, cache, config.root).missing())
        logger.info("%s: %d of %d features are tips.", config.tree, study.n_features - n_missing, study.n_features)
    gigabytes = sum(entry.n_bytes for entry in cache.entries()) / 1e9
    logger.info("Ready in %s, which holds %.2f GB of at most %g GB.", cache.directory, gigabytes, cache.limit_gb)


def cache(config: CacheConfig) -> None:
    """Run ``aam cache``: list the entries of the cache, after removing those beyond the limit.

    Raises
    ------
    OutputError
        There is no cache.
    """
    directory = config.cache_dir or default_directory()
    if not holds_cache(directory):
        raise OutputError(
            f"There is no cache in {directory}: check --cache-dir and ${ENVIRONMENT_VARIABLE}. The first command that reads a "
            "study makes one, such as aam prepare."
        )
    disk_cache = Cache(directory)
    if config.limit_gb is not None:
        disk_cache.limit_gb = config.limit_gb
    before = disk_cache.entries()
    disk_cache.shrink(0.0 if config.clear else disk_cache.limit_gb)
    entries = disk_cache.entries()
    if len(entries) < len(before):
        removed = sum(entry.n_bytes for entry in before) - sum(entry.n_bytes for entry in entries)
        sys.stdout.write(f"Removed {len(before) - len(entries):,} entries, {removed / 1e9:.2f} GB.\n")
    rows = [
        f"{datetime.fromtimestamp(entry.last_used):%Y-%m-%d %H:%M}  {entry.n_bytes / 1e6:>10,.1f} MB  {entry.kind:<12} {entry.key}"
        for entry in entries
    ]
    total = sum(entry.n_bytes for entry in entries) / 1e9
    summary = f"{disk_cache.directory}: {len(entries):,} entries, {total:.2f} GB of at most {disk_cache.limit_gb:g} GB"
    sys.stdout.write("\n".join([*rows, summary]) + "\n")
