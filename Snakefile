"""One graph for everything: one job per training, then one per notebook. See README.md.

    snakemake -n                                          the plan
    snakemake --cores all                                 profile quick, phantom data, one seed
    snakemake --cores all --config seeds=3 profile=gpu    seeds 0, 1 and 2; another profile

What there is to do is read off the notebooks (``sadanet_lab.reporting.plan``). A job is one command of `sadanet`, which
trains nothing that is stored already: killed anywhere, the same command goes on.
"""

import shlex
import shutil
import sys
from pathlib import Path

from sadanet_lab.errors import BadInput
from sadanet_lab.paths import PHANTOM, result_file
from sadanet_lab.phantom import VERSION as PHANTOM_VERSION
from sadanet_lab.reporting.plan import check_settings, code_digest, plan_notebooks, plan_trainings
from sadanet_lab.training.evaluation import VERSION as EVALUATION_VERSION
from sadanet_lab.training.recipe import VERSION as RECIPE_VERSION
from sadanet_lab.training.profiles import DEFAULT_PROFILE, find_profile

PROFILE = str(config.get("profile", DEFAULT_PROFILE))
DATA = str(config.get("data", PHANTOM))
RESULTS = str(config.get("results", "results"))
SEEDS = list(range(int(config.get("seeds", 1))))
WEIGHTS = str(config.get("backbone_weights", ""))
BACKBONE = str(config.get("backbone", ""))

try:
    check_settings(PROFILE, DATA, len(SEEDS))
except BadInput as error:
    sys.exit(f"error: {error}")

NOTEBOOKS = plan_notebooks()
TRAININGS = plan_trainings(NOTEBOOKS.values(), PROFILE)
GIVEN = {"profile": PROFILE, "data": DATA, "results": RESULTS, "seeds": ",".join(map(str, SEEDS))}
GIVEN |= {"backbone_weights": WEIGHTS, "backbone": BACKBONE}
SADANET = f"{shlex.quote(sys.executable)} -m sadanet_lab"
HAS_GPU = shutil.which("nvidia-smi") is not None


def result_of(notebook):
    return str(result_file(notebook, RESULTS, DATA, PROFILE))


TRAINED = f"{Path(result_of('')).parent}/trained/{{training}}-seed{{seed}}"
IMAGES = [] if DATA == PHANTOM else [str(path) for path in Path(DATA).rglob("*") if path.is_file()]


wildcard_constraints:
    notebook="|".join(NOTEBOOKS),
    training="|".join(TRAININGS),
    seed=r"\d+",


rule all:
    input:
        [result_of(notebook) for notebook in NOTEBOOKS],


# On a CPU, trainings of one thread each side by side beat one that uses all cores. A GPU is lent to one at a time.
# Other recipes, phantoms or evaluations: the job runs again, and does what of it is not stored.
rule train:
    input:
        IMAGES,
    output:
        touch(TRAINED),
    params:
        options=lambda wildcards: TRAININGS[wildcards.training].options,
        where=["--profile", PROFILE, "--data", DATA, "--results", RESULTS],
        weights=["--backbone-weights", WEIGHTS] if WEIGHTS else [],
        backbone=["--backbone", BACKBONE] if BACKBONE else [],
        versions=[RECIPE_VERSION, PHANTOM_VERSION, EVALUATION_VERSION, find_profile(PROFILE)],
    threads: 4 if HAS_GPU else 1
    resources:
        gpu=int(HAS_GPU),
    shell:
        "{SADANET} train {params.options:q} {params.where:q} --seed {wildcards.seed}"
        " {params.weights:q} {params.backbone:q}"


def trained(wildcards):
    notebook = NOTEBOOKS[wildcards.notebook]
    return [
        TRAINED.format(training=training.name, seed=seed)
        for training, seed in notebook.jobs(PROFILE, SEEDS)
    ]


rule notebook:
    input:
        "notebooks/{notebook}.ipynb",
        trained,
        IMAGES,
    output:
        result_of("{notebook}"),
    params:
        given=lambda wildcards: NOTEBOOKS[wildcards.notebook].options(GIVEN),
        code=code_digest(),
    shell:
        "{SADANET} run notebooks/{wildcards.notebook}.ipynb {params.given:q}"
