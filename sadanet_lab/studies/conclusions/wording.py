"""How conclusions put numbers into words."""

import pandas as pd

from sadanet_lab.training.profiles import gives_verdicts


def no_runs(what: str) -> str:
    """What is said where a profile gives no verdicts and no runs of another are kept."""
    return f"Of {what} nothing can be said: there are no runs from which a verdict may be drawn."


def not_measured(what: str) -> str:
    """What is said where every number is missing."""
    return f"Of {what} nothing can be said: nothing could be measured."


def extremes(values: pd.Series, form: str) -> str:
    """ "71.60 % (SEAM) to 76.54 % (SIU-Net)": the lowest and the highest, and their names (the index).

    form: such as "{:.2f} %". NaN is left out; one value is "76.54 % (SIU-Net)", none "not measurable", and several that
    read alike "0.00 % (all 4)".
    """
    told = [(form.format(value), name) for name, value in values.dropna().sort_values(kind="stable").items()]
    if len({number for number, _ in told}) == 1:
        return f"{told[0][0]} ({told[0][1] if len(told) == 1 else f'all {len(told)}'})"
    return " to ".join(f"{number} ({name})" for number, name in (told[0], told[-1])) if told else "not measurable"


def span(values: pd.Series, form: str) -> str:
    """The same without names: "4 to 11 %" for the form "{:.0f}" and what follows it; "not measurable" of none."""
    values = values.dropna()
    if values.empty:
        return "not measurable"
    number, _, unit = form.partition("}")
    low, high = ((number + "}").format(value) for value in (values.min(), values.max()))
    return low + unit if low == high else f"{low} to {high}{unit}"


def caution(seeds: int, profile: str) -> str:
    """Why numbers of several methods do not judge them; "" where the differences may be asked."""
    if not gives_verdicts(profile):
        return f"profile `{profile}` gives no verdict on methods"
    return "one seed cannot tell a method from chance" if seeds == 1 else ""


def sentence(*clauses: str) -> str:
    """Clauses, those that are not empty, as one sentence."""
    text = "; ".join(clause for clause in clauses if clause)
    return f"{text[:1].upper()}{text[1:]}."
