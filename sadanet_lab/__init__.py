"""All that notebooks and the command line need around ``sadanet_core``: data, methods, training, studies, views."""

import os

__version__ = "0.3.0"

# Idle OpenMP threads sleep instead of spinning. On a machine that other work shares, spinning threads of two
# processes starve each other: a training step was measured 3 to 13 times slower. Must be set before torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
