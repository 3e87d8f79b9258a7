"""A measurement in words and plain values: what ``sadanet angles`` and ``sadanet predict`` write."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from sadanet_lab.errors import one_line
from sadanet_lab.spine.curve_angles import Measurement, trusted
from sadanet_lab.spine.judgement import Interval, Judgement
from sadanet_lab.spine.levels import SMALLEST_ANGLE
from sadanet_lab.spine.names import USUAL, Convention, name_spine

ANGLE = "largest_angle_degrees"
FLAG = " (flagged: a sharp bend or a wrong level, look at the levels)"
"""What a line says where the raw angle differs; see ``curve_angles.Measurement``."""
UNKNOWN = " (unlike the pictures that the model knows: the interval may not hold)"
"""What it says of a strange picture; see ``judgement.Judgement``."""


def describe(
    file: str, found: Measurement, convention: Convention = USUAL, judgement: Judgement | None = None
) -> dict[str, Any]:
    """Plain values of one file; angles in degrees, lengths in pixels. Told is what can be ``trusted``.

    An interval is [low, high], None where nothing is known of it; strange: whether the picture is unlike those that the
    model was trained on, None where nobody asked; see ``judgement.Judgement``.

    Levels, and angles but the raw ones, are smoothed; flagged: see ``curve_angles.Measurement``. A curve's apex and
    ends are indices of levels, 0 on top, and its side is the image's; their names and the patient's side follow from
    the convention. names_reason: why names_doubtful, or None; see ``names``.
    """
    found = trusted(found)
    names = name_spine(found.levels, found.curves, convention, found.left_out, found.lumps_above)
    angle = found.largest_angle_degrees
    measured = judgement if found.measurable else None
    intervals = measured.curves if measured else [None] * len(found.curves)
    return {
        "file": file,
        "measurable": found.measurable,
        "reason": found.reason,
        "largest_angle_degrees": _rounded(found.largest_angle_degrees),
        "interval_degrees": _interval(measured.largest if measured else None),
        "raw_angle_degrees": _rounded(found.raw_angle_degrees),
        "flagged": found.flagged,
        # Of the angle as it is read: a table that says 10.0 does not say "none".
        "severity": None if angle is None else convention.severity_of(round(angle, 1)),
        "confidence": found.confidence,
        "curves": [
            {
                "angle_degrees": _rounded(curve.angle_degrees),
                "interval_degrees": _interval(interval),
                "raw_angle_degrees": _rounded(curve.raw_angle_degrees),
                "side": curve.side,
                "apex": curve.apex,
                "upper_end": curve.upper_end,
                "lower_end": curve.lower_end,
                "region": name.region,
                "patient_side": name.side,
                "apex_name": name.apex,
                "upper_end_name": name.upper_end,
                "lower_end_name": name.lower_end,
            }
            for curve, name, interval in zip(found.curves, names.curves, intervals, strict=True)
        ],
        "levels": [
            {
                "region": level.region,
                "left": [_rounded(value) for value in level.left],
                "right": [_rounded(value) for value in level.right],
                "tilt_degrees": _rounded(level.tilt),
                "name": name,
            }
            for level, name in zip(found.levels, names.levels, strict=True)
        ],
        "names_doubtful": names.doubt is not None,
        "names_reason": names.doubt,
        "lowest": convention.lowest,
        "viewed_from": convention.viewed_from,
        "severity_limits_degrees": list(convention.severities),
        "strange": judgement.strange if judgement else None,
        "strange_reasons": list(judgement.reasons) if judgement else [],
    }


def as_json(entries: Iterable[dict[str, Any]]) -> str:
    """A JSON list, an entry a file."""
    return json.dumps(list(entries), indent=2)


def as_table(entries: Iterable[dict[str, Any]]) -> str:
    """One line per file: largest angle, severity, confidence, raw angle, and every curve from top to bottom.

    Curves are named as ``describe`` was told; the line says by which rule, and why the names are doubtful if they are.
    """
    lines = []
    for found in entries:
        file = one_line(found["file"])
        if not found["measurable"]:
            lines.append(f"{file}: not measurable: {found['reason']}")
            continue
        lines.append(
            f"{file}: {angle_in_words(found)}, severity {found['severity']}{UNKNOWN * bool(found['strange'])}, "
            f"confidence {found['confidence']:.2f}, raw {found['raw_angle_degrees']:.1f}°{FLAG * found['flagged']}; "
            f"{_told(found)}"
        )
    return "\n".join(lines)


def curves_in_words(found: Mapping[str, Any]) -> list[str]:
    """Of one of ``describe``'s entries: "right thoracic curve, 34.2° (31.0° to 37.4°), T5 to T12, apex T8 (raw 35.0°)".

    What stands in brackets first is the interval, where there is one.
    """
    return [
        f"{c['patient_side']} {c['region']} curve, {angle_in_words(c)}, "
        f"{c['upper_end_name']} to {c['lower_end_name']}, apex {c['apex_name']} (raw {c['raw_angle_degrees']:.1f}°)"
        for c in found["curves"]
    ]


def _told(found: Mapping[str, Any]) -> str:
    if not found["curves"]:
        return f"no curve of {SMALLEST_ANGLE:g}° or more"
    rule = f"sides are the patient's, seen from the {found['viewed_from']}; levels counted up from {found['lowest']}"
    doubt = [f"names doubtful: {found['names_reason']}"] if found["names_doubtful"] else []
    return "; ".join([*curves_in_words(found), rule, *doubt])


def angle_in_words(found: Mapping[str, Any]) -> str:
    """Of an entry or one of its curves: "34.2° (31.0° to 37.4°)", without the brackets where that is not known."""
    in_words = "{:.1f}°".format
    angle = in_words(found[ANGLE] if ANGLE in found else found["angle_degrees"])
    if found["interval_degrees"] is None:
        return angle
    low, high = map(in_words, found["interval_degrees"])
    return f"{angle} ({low} to {high})"


def _interval(interval: Interval | None) -> list[float | None] | None:
    return None if interval is None else [_rounded(interval.low), _rounded(interval.high)]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
