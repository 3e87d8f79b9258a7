"""SADANet (spine segmentation in ultrasound volume projection images): network, experiments, views."""

__version__ = "0.1.0"
