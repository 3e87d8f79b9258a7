"""What tables and figures show, each in one sentence, computed of the numbers that are shown.

A sentence says how large something is and of how many seeds and images. That one method is above another it says by
the verdicts of ``metrics.statistics`` alone; of one seed, and of a profile that gives no verdicts, it says so. Where
there is nothing to tell it says that, and never a number.
"""
