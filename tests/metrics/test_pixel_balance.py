"""The pixel balance: counts that are counts balance, by hand and drawn; a row that is spoilt is found."""

import numpy as np
import pytest

from sadanet_lab.metrics import pixel_balance


def draw(random, rows=6, classes=4, shares=None):
    """(shares, recall / Dice (rows, classes)) of random confusion matrices over one truth."""
    shares = random.dirichlet(np.ones(classes) * 3) if shares is None else shares
    ratios = []
    for _ in range(rows):
        right = random.uniform(0.5, 0.95, classes)
        wrong = random.dirichlet(np.ones(classes), classes) * (1 - right)[:, None]
        confusion = (wrong + np.diag(right)) * shares[:, None]
        tp, true, predicted = confusion.diagonal(), confusion.sum(1), confusion.sum(0)
        ratios.append((tp / true) / (2 * tp / (true + predicted)))
    return shares, np.array(ratios)


def rounded(ratios, half=1e-4):
    return ratios - half, ratios + half


def test_the_imbalance_by_hand():
    """Shares 0.2 and 0.8, predicted 0.3 and 0.6: x = (P / T + 1) / 2 = 1.25 and 0.875, a tenth of the pixels short."""
    e = pixel_balance.imbalance_at(np.array([0.2, 0.8]), np.array([[1.25, 0.875], [1.0, 1.0]]))
    assert e == pytest.approx([-0.1, 0.0])


def test_the_least_of_two_classes_and_two_rows_by_hand():
    """e_1 = 2 (0.1 s - 0.1 (1 - s)) = 0.4 s - 0.2, e_2 = 2 (0.1 s - 0.3 (1 - s)) = 0.8 s - 0.6: no shares balance both;
    |e_1| = |e_2| at 0.4 s - 0.2 = 0.6 - 0.8 s, s = 2 / 3, where each is 1 / 15."""
    ratios = np.array([[1.1, 0.9], [1.1, 0.7]])
    assert pixel_balance.smallest_imbalance(ratios, ratios) == pytest.approx(1 / 15)
    off, is_only = pixel_balance.fewest_off(ratios, ratios)
    assert (len(off), is_only) == (1, False)


def test_one_row_alone_that_predicts_too_many_of_every_class():
    ratios = np.array([[1.1, 1.2]])
    assert pixel_balance.smallest_imbalance(ratios, ratios) == pytest.approx(0.2)
    assert pixel_balance.fewest_off(ratios, ratios) == ([0], True)


def test_counts_balance_and_their_shares_lie_in_the_ranges():
    random = np.random.default_rng(1)
    for _ in range(60):
        shares, ratios = draw(random, classes=int(random.integers(2, 6)))
        low, high = rounded(ratios)
        assert pixel_balance.smallest_imbalance(low, high) <= pixel_balance.TOLERANCE
        assert pixel_balance.imbalance_at(shares, ratios) == pytest.approx(np.zeros(len(ratios)), abs=1e-12)
        ranges = pixel_balance.share_ranges(low, high)
        assert (ranges[:, 0] <= shares + 1e-5).all()
        assert (shares <= ranges[:, 1] + 1e-5).all()


def test_a_spoilt_row_is_found_and_how_far_it_is_off():
    random = np.random.default_rng(2)
    for _ in range(10):
        _, ratios = draw(random, rows=9)
        spoilt = int(random.integers(9))
        ratios[spoilt] += 0.02  # 4 % of the pixels too many
        low, high = rounded(ratios)
        assert pixel_balance.smallest_imbalance(low, high) > pixel_balance.TOLERANCE
        assert pixel_balance.fewest_off(low, high) == ([spoilt], True)
        kept = [row for row in range(9) if row != spoilt]
        least, most = pixel_balance.imbalance_ranges(low, high, kept)[spoilt]
        assert least <= 0.04 <= most
        assert least > 0.03
        assert np.isnan(pixel_balance.share_ranges(low, high)).all()


def test_larger_tables_are_not_asked_for_the_fewest():
    _, ratios = draw(np.random.default_rng(3), rows=pixel_balance.MOST_ROWS + 1)
    assert pixel_balance.fewest_off(ratios, ratios) is None
    assert pixel_balance.smallest_imbalance(*rounded(ratios)) <= pixel_balance.TOLERANCE
