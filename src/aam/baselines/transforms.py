"""What methods read in place of counts: functions of one sample alone, which learn nothing from any other."""

import numpy as np

from aam.baselines.problem import Problem

PSEUDO_COUNT = 0.5


def shares_of(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Give each feature's share of the sample's reads, of the training and the held-out samples, float32."""
    return _shares(problem.counts, problem.depths), _shares(problem.test_counts, problem.test_depths)


def centred_log_ratios(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Give log(reads + 0.5) minus its mean over the features of the sample (Aitchison 1982), float64."""
    return _centred_log_ratios(problem.counts), _centred_log_ratios(problem.test_counts)


def _shares(counts: np.ndarray, depths: np.ndarray) -> np.ndarray:
    return (counts / depths[:, None]).astype(np.float32)


def _centred_log_ratios(counts: np.ndarray) -> np.ndarray:
    logs = np.log(counts.astype(np.float64) + PSEUDO_COUNT)
    return logs - logs.mean(axis=1, keepdims=True)
