"""`make parity`: our networks beside the released ones of MMSegmentation 0.30.0 and mmcv 1.7.2, with the same weights.

Not part of the package, of its tests or of its locked environment: the released packages are installed, without their
compiled operators, into ``.parity/``, which git ignores, and are found after the project's own packages.
"""
