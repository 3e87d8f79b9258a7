"""A cohort in two files: ``cohort.csv`` for a spreadsheet, ``report.html`` for a person, the doubtful pictures first.

Both are written from what each picture's JSON says, one picture after the other.
"""

import base64
import csv
import html
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sadanet_lab.errors import one_line
from sadanet_lab.files import open_atomically, sum_of, write_atomically
from sadanet_lab.reporting.cohort_pictures import ANGLES, Entry
from sadanet_lab.spine.classes import BONES, PALETTES
from sadanet_lab.spine.description import angle_in_words, as_table, curves_in_words
from sadanet_lab.spine.judgement import SHARE
from sadanet_lab.words import counted, join

COLUMNS: tuple[str, ...] = (
    "name", "file", "status", "reason", "largest_angle_degrees", "interval_low_degrees", "interval_high_degrees",
    "raw_angle_degrees", "severity", "confidence", "flagged", "strange", "names_doubtful", "curves", "warnings",
    "width", "height", "row_spacing_mm", "column_spacing_mm",
)  # fmt: skip
"""Of ``cohort.csv``. status: measured, not measurable, or failed; reason: of the last two."""
MOST_LINES = 20
MOST_SHOWN = 1000
"""Pictures that ``report.html`` shows, some 10 MB: a browser has to hold them. ``cohort.csv`` has them all."""
LOW_CONFIDENCE = 0.8
"""Below it a person is asked to look; see ``curve_angles.Measurement``."""
NO_DEVICE = (
    "Made by a research program whose network was trained on phantoms alone. It is no medical device, and no diagnosis "
    "may rest on it."
)
ARTICLE_STYLE = """
.found{display:flex;gap:1.2rem;break-inside:avoid}
.found img{height:260px;max-width:50%;object-fit:contain;background:#000}
.found h2{font-size:1.05rem;margin:0;overflow-wrap:anywhere}.found p{margin:.3rem 0}
.found .angle{font-size:1.6rem;margin:.2rem 0}.found .angle small{font-size:.95rem;color:#57606a}
.found ul{margin:.3rem 0;padding-left:1.1rem;list-style:disc}.found .warn li{color:#9a3b00}
"""
"""Of ``article``, wherever it stands."""
STYLE = (
    ARTICLE_STYLE
    + """
body{font:15px/1.45 system-ui,sans-serif;color:#1b1f24;margin:2rem auto;max-width:72rem;padding:0 1rem}
h1{font-size:1.5rem;margin:0 0 .3rem}p{margin:.3rem 0}.note{color:#57606a}
main{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(30rem,100%),1fr));gap:0 2rem}
.found{border-top:1px solid #d0d7de;padding:1rem 0}
.one{display:block}.one .found{border:0}.one .found img{height:50rem;max-height:80vh}
@media print{.one .found img{height:20cm;max-height:none}}
table{border-collapse:collapse;margin:1rem 0}td,th{border:1px solid #d0d7de;padding:.25rem .6rem;text-align:left;
vertical-align:top;overflow-wrap:anywhere}th{white-space:nowrap}
"""
)


def write_summary(
    entries: Sequence[Entry],
    failed: Mapping[str, str],
    out: Path,
    model: str,
    shard: str = "",
    colours: str = "safe",
) -> None:
    """``cohort.csv`` in the order of ``entries``, and ``report.html``. failed: name -> why it was not segmented.

    shard: what their names end in, where others of the same folder are made elsewhere. colours: of the overlays, one
    of ``spine.classes.PALETTES``.
    """
    rows, doubts, rule = [], [], ""
    for entry in entries:
        if (reason := failed.get(entry.name)) is not None:
            rows.append({"name": entry.name, "file": entry.path, "status": "failed", "reason": reason})
            continue
        found = _angles(entry, out)
        rows.append(_row(entry, found))
        doubts.append((_doubt(found), entry))
        rule = max(rule, _naming_rule(found), key=len)  # of those that have one, with what an interval is
    write_atomically(out / f"cohort{shard}.csv", _encoded(cohort_csv(rows)))
    doubts.sort(key=lambda pair: pair[0])
    with open_atomically(out / f"report{shard}.html") as file:
        for part in _report([entry for _, entry in doubts], failed, out, model, _key(rule, colours)):
            file.write(_encoded(part))


def cohort_csv(rows: Iterable[Mapping[str, Any]]) -> str:
    """The table of rows with ``COLUMNS``, each in one line: of texts, what is not printable is escaped.

    A name that a spreadsheet would take for a formula begins with an apostrophe there.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    texts = ("name", "file", "reason", "warnings")
    for row in rows:
        writer.writerow({**row, **{key: _cell(str(row[key])) for key in texts if row.get(key) is not None}})
    return text.getvalue()


def _cell(text: str) -> str:
    return one_line(f"'{text}" if text.startswith(("=", "+", "-", "@")) else text)


def _encoded(text: str) -> bytes:
    """UTF-8; a file's name may hold bytes that are no text, which are written as Python shows them."""
    return text.encode(errors="backslashreplace")


def summary_lines(entries: Sequence[Entry], failed: Mapping[str, str], out: Path, shard: str = "") -> Iterator[str]:
    """For a terminal: a line for each picture, if they are few, and where the report of all is."""
    done = [entry for entry in entries if entry.name not in failed]
    if len(done) <= MOST_LINES:
        for entry in done:
            yield as_table([_angles(entry, out)])
    if len(entries) > 1:
        yield f"{len(done)} of {len(entries)} pictures segmented: {out / f'report{shard}.html'}"


def warnings_of(found: Mapping[str, Any]) -> list[str]:
    """What a person should look at in a picture, of ``SegmentedImage.angles``."""
    told = []
    if found["strange"]:
        why = "; ".join(found["strange_reasons"])
        told.append(f"unlike the pictures that the model knows{f' ({why})' if why else ''}: intervals may not hold")
    if found["measurable"]:
        if found["flagged"]:
            told.append(
                f"raw angle {found['raw_angle_degrees']:.1f}°, {found['largest_angle_degrees']:.1f}° smoothed: a sharp "
                "bend or a wrong level"
            )
        if found["confidence"] < LOW_CONFIDENCE:
            told.append(f"confidence {found['confidence']:.2f}: bones out of line, or gaps between levels")
        if found["names_doubtful"]:
            told.append(f"names of levels doubtful: {found['names_reason']}")
    if found["file_viewed_from"] not in (None, found["viewed_from"]):
        told.append(
            f"sides are told as seen from the {found['viewed_from']}, but the file's {found['file_orientation_from']} "
            f"says from the {found['file_viewed_from']}: see --viewed-from"
        )
    if found["file_upside_down"]:
        told.append(
            f"upside-down, as the file's {found['file_orientation_from']} says: levels are named from the wrong end; "
            "turn the picture so that the head is on top"
        )
    if found.get("corrected"):
        told.append(
            f"{' and '.join(found['corrected'])} changed since: what is said here is the network's; `sadanet angles` "
            "measures what is there now"
        )
    if "no_dicom_segmentation" in found:
        told.append(f"no DICOM segmentation: {found['no_dicom_segmentation']}")
    return told


def _doubt(found: Mapping[str, Any]) -> tuple:
    """Sorts the doubtful first: not measurable, strange, flagged, then what else has warnings, by confidence."""
    sound = found["measurable"], not found["strange"], not found["flagged"], not warnings_of(found)
    return *sound, found["confidence"] or 0.0


def _angles(entry: Entry, out: Path) -> dict[str, Any]:
    """What a picture's JSON says, and which of its files a person has corrected since: under "corrected"."""
    path = out / f"{entry.name}{ANGLES}"
    (found,) = json.loads(path.read_text(encoding="utf-8"))
    sums = found.get("sums", {})  # earlier versions kept none
    changed = [name for name, sum_ in sums.items() if sum_of(path.with_name(name).read_bytes()) != sum_]
    return found | {"corrected": changed}


def _row(entry: Entry, found: Mapping[str, Any]) -> dict[str, Any]:
    same = {name: found[name] for name in COLUMNS if name in found and name not in ("curves", "file")}
    rows, columns = found["spacing_mm"] or (None, None)
    low, high = found["interval_degrees"] or (None, None)
    return same | {
        "name": entry.name,
        "file": entry.path,
        "status": "measured" if found["measurable"] else "not measurable",
        "curves": "; ".join(curves_in_words(found)) if found["measurable"] else "",
        "warnings": "; ".join(warnings_of(found)),
        "interval_low_degrees": low,
        "interval_high_degrees": high,
        "row_spacing_mm": rows,
        "column_spacing_mm": columns,
    }


def picture_report(name: str, found: Mapping[str, Any], picture: bytes, model: str) -> str:
    """The report of one picture, an HTML page that needs no other file; see ``article``."""
    start = _head("Spine curves in an ultrasound picture", f"Model: {model}. {NO_DEVICE}")
    return f'{start}<main class="one">\n{article(name, found, picture)}{key(found)}</main></body></html>\n'


def key(found: Mapping[str, Any]) -> str:
    """How a picture and its text in ``article`` are read, as an HTML paragraph; colours: the safe palette."""
    return _key(_naming_rule(found))


def _key(rule: str, colours: str = "safe") -> str:
    bones = (
        f'<span style="color:rgb{tuple(map(int, colour))}">&#9632;</span> {name.replace("_", " ")}'
        for name, colour in zip(BONES, PALETTES[colours][1:], strict=True)
    )
    lines = "White lines end a curve, yellow ones are the other levels."
    return f'<p class="note">{" &nbsp; ".join(bones)}. {lines} {html.escape(rule, quote=False)}</p>\n'


def _naming_rule(found: Mapping[str, Any]) -> str:
    """How a picture's sides and levels are named, and what its intervals are, of ``SegmentedImage.angles``."""
    rule = f"Sides are the patient's, seen from the {found['viewed_from']}; levels counted up from {found['lowest']}."
    rule += f" Severity begins at {join(f'{limit:g}' for limit in found['severity_limits_degrees'])} degrees; raw is an"
    rule += " angle before levels are smoothed."
    known = found["interval_degrees"] is not None
    interval = f"the interval that is to hold {10 * SHARE:g} of 10 true angles of phantoms."
    return rule + f" In brackets after an angle: {interval}" * known


def _report(entries: Sequence[Entry], failed: Mapping[str, str], out: Path, model: str, legend: str) -> Iterator[str]:
    title = f"{counted(len(entries), 'picture')} segmented"
    more = f" {counted(len(failed), 'picture')} could not be segmented." if failed else ""
    more += f" Of so many the {MOST_SHOWN:,} most doubtful are shown here." if len(entries) > MOST_SHOWN else ""
    yield _head(title, f"Model: {model}.{more} The doubtful come first. {NO_DEVICE}") + legend
    if failed:
        yield "<table><tr><th>Not segmented</th><th>Why</th></tr>\n"
        for name, reason in list(failed.items())[:MOST_SHOWN]:
            yield f"<tr><td>{html.escape(name)}</td><td>{html.escape(reason)}</td></tr>\n"
        yield "</table>\n"
    yield "<main>\n"
    for entry in entries[:MOST_SHOWN]:
        yield article(entry.name, _angles(entry, out), (out / f"{entry.name}_thumbnail.jpg").read_bytes())
    yield "</main></body></html>\n"


def article(name: str, found: Mapping[str, Any], picture: bytes) -> str:
    """What was found in one picture, as HTML. found: ``SegmentedImage.angles``; picture: its overlay, a JPEG file."""
    name, code = html.escape(name), base64.b64encode(picture).decode()
    parts = [f'<article class="found"><img alt="{name}" src="data:image/jpeg;base64,{code}"><div><h2>{name}</h2>']
    if found["measurable"]:
        angle = angle_in_words(found)
        parts.append(f'<p class="angle">{angle} <small>severity: {html.escape(found["severity"])}</small></p>')
        parts.append(_list(curves_in_words(found)))
    else:
        parts.append(f'<p class="angle">not measurable</p><p>{html.escape(found["reason"])}</p>')
    parts.append(_list(warnings_of(found), "warn"))
    return "".join([*parts, "</div></article>\n"])


def _head(title: str, *notes: str) -> str:
    """A page's HTML until below its title and notes, one paragraph each."""
    title = html.escape(title)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body>\n<h1>{title}</h1>\n'
        + "".join(f'<p class="note">{html.escape(note, quote=False)}</p>\n' for note in notes)
    )


def _list(lines: Sequence[str], kind: str = "curves") -> str:
    return f'<ul class="{kind}">{"".join(f"<li>{html.escape(line)}</li>" for line in lines)}</ul>' if lines else ""
