"""A measurement in words and plain values: what ``sadanet angles`` and ``sadanet predict`` write."""

import json
from collections.abc import Iterable
from typing import Any

from sadanet_lab.spine.curve_angles import Measurement
from sadanet_lab.spine.levels import SMALLEST_ANGLE

FLAG = " (flagged: a sharp bend or a wrong level, look at the levels)"
"""What a line says where the raw angle differs; see ``curve_angles.Measurement``."""


def describe(file: str, found: Measurement) -> dict[str, Any]:
    """Plain values of one file. Levels are named by their index from the top; angles in degrees, lengths in pixels.

    Levels, and angles but the raw ones, are smoothed; flagged: see ``curve_angles.Measurement``.
    """
    return {
        "file": file,
        "measurable": found.measurable,
        "reason": found.reason,
        "largest_angle_degrees": _rounded(found.largest_angle_degrees),
        "raw_angle_degrees": _rounded(found.raw_angle_degrees),
        "flagged": found.flagged,
        "severity": found.severity,
        "confidence": found.confidence,
        "curves": [
            {
                "angle_degrees": _rounded(curve.angle_degrees),
                "raw_angle_degrees": _rounded(curve.raw_angle_degrees),
                "side": curve.side,
                "apex": curve.apex,
                "upper_end": curve.upper_end,
                "lower_end": curve.lower_end,
            }
            for curve in found.curves
        ],
        "levels": [
            {
                "region": level.region,
                "left": [_rounded(value) for value in level.left],
                "right": [_rounded(value) for value in level.right],
                "tilt_degrees": _rounded(level.tilt),
            }
            for level in found.levels
        ],
    }


def as_json(entries: Iterable[dict[str, Any]]) -> str:
    """A JSON list, an entry a file."""
    return json.dumps(list(entries), indent=2)


def as_table(entries: Iterable[dict[str, Any]]) -> str:
    """One line per file: largest angle, severity, confidence, raw angle, and every curve from top to bottom."""
    lines = []
    for found in entries:
        if not found["measurable"]:
            lines.append(f"{found['file']}: not measurable: {found['reason']}")
            continue
        curves = ", ".join(
            f"{c['angle_degrees']:.1f}° {c['side']} (levels {c['upper_end']}-{c['lower_end']}, apex {c['apex']})"
            for c in found["curves"]
        )
        lines.append(
            f"{found['file']}: {found['largest_angle_degrees']:.1f}° {found['severity']}, "
            f"confidence {found['confidence']:.2f}, raw {found['raw_angle_degrees']:.1f}°{FLAG * found['flagged']}; "
            f"{curves or f'no curve of {SMALLEST_ANGLE:g}° or more'}"
        )
    return "\n".join(lines)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
