"""Random streams that depend on what they are for, not on when they are drawn."""

import hashlib

import numpy as np


def generator(seed: int, purpose: str, *keys: object) -> np.random.Generator:
    """Make the random stream for one purpose, such as the rarefaction of one sample in one epoch.

    Streams of different keys are independent, so worker count, batch composition and restarts do not change a draw.
    """
    name = "\0".join([str(seed), purpose, *map(str, keys)])
    digest = hashlib.blake2b(name.encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))
