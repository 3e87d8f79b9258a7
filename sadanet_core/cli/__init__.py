"""The command line, a module a kind of command. Heavy imports wait for their command."""

from sadanet_core.cli import data, runs, segmentation, studies
from sadanet_core.cli.base import METHODS, main

__all__ = ["METHODS", "data", "main", "runs", "segmentation", "studies"]
