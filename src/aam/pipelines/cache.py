"""``aam cache``: list, limit or clear what is kept on disk between runs."""

import sys
from datetime import datetime

from aam.config.commands import CacheConfig
from aam.errors import OutputError
from aam.io.cache import ENVIRONMENT_VARIABLE, Cache, default_directory, holds_cache


def cache(config: CacheConfig) -> None:
    """Run the command.

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
    found = Cache(directory)
    if config.limit_gb is not None:
        found.limit_gb = config.limit_gb
    before = found.entries()
    found.shrink(0.0 if config.clear else found.limit_gb)
    entries = found.entries()
    if len(entries) < len(before):
        removed = sum(entry.n_bytes for entry in before) - sum(entry.n_bytes for entry in entries)
        sys.stdout.write(f"Removed {len(before) - len(entries):,} entries, {removed / 1e9:.2f} GB.\n")
    rows = [
        f"{datetime.fromtimestamp(entry.last_used):%Y-%m-%d %H:%M}  {entry.n_bytes / 1e6:>10,.1f} MB  {entry.kind:<12} {entry.key}"
        for entry in entries
    ]
    total = sum(entry.n_bytes for entry in entries) / 1e9
    summary = f"{found.directory}: {len(entries):,} entries, {total:.2f} GB of at most {found.limit_gb:g} GB"
    sys.stdout.write("\n".join([*rows, summary]) + "\n")
