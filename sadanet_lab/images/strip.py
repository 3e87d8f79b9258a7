"""The scanned strip of a VPI image; around it lies the black frame, in which there is nothing to find."""

import numpy as np
from scipy.ndimage import gaussian_filter


def scanned_strip(image: np.ndarray) -> np.ndarray:
    """True in the strip (H, W) of a grey image (H, W): in each row all between the first and the last pixel lit.

    Single lit pixels are noise of the frame: a little blur takes them away.
    """
    lit = gaussian_filter((image > 0).astype(np.float32), 1.5) > 0.5
    return (lit.cumsum(1) > 0) & (lit[:, ::-1].cumsum(1)[:, ::-1] > 0)
