"""The command line, one module per kind of command. Heavy imports wait for their command."""

from sadanet_lab.cli import data, graph, runs, segmentation, store, studies
from sadanet_lab.cli.options import METHODS, main

__all__ = ["METHODS", "data", "graph", "main", "runs", "segmentation", "store", "studies"]
