"""The known angles of phantoms, read back."""

import pandas as pd
import pytest

from sadanet_lab.errors import BadInput
from sadanet_lab.images.folder_check import open_folder
from sadanet_lab.phantom import write_folder
from sadanet_lab.studies.selection import phantom_truth


@pytest.fixture
def folder(tmp_path):
    write_folder(tmp_path / "phantoms", 1, 2, 0, 64, 256)
    return open_folder(tmp_path / "phantoms")


def test_each_image_has_its_angle(folder):
    truth = phantom_truth(folder)
    assert truth is not None
    assert set(truth.stem) == {sample.stem for sample in (*folder.train, *folder.test)}
    assert truth.largest_angle_degrees.between(0, 120).all()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda text: "", "damaged"),
        (lambda text: text.splitlines()[0], "no angle of"),
        (lambda text: "\n".join(text.splitlines()[:-1]), "no angle of 'phantom_100002'"),
        (lambda text: text.replace("largest_angle_degrees", "angle"), "damaged"),
        (lambda text: text.replace("stem", "name"), "damaged"),
        (lambda text: text.rstrip().rpartition("\n")[0] + "\nphantom_100002,test", "damaged"),
        (lambda text: "\x00\x01", "damaged"),
    ],
)
def test_a_damaged_table_is_one_line_that_names_it(damage, said, folder):
    path = folder.root / "truth.csv"
    assert "largest_angle_degrees" in pd.read_csv(path).columns
    path.write_text(damage(path.read_text()))
    with pytest.raises(BadInput, match=said) as refused:
        phantom_truth(folder)
    assert str(refused.value).startswith(f"{path}: ")
    assert "expected a table with a largest angle for each image" in str(refused.value)
