"""One graph for everything: a job a training run, then a job a notebook. See README.md.

    snakemake -n                                          the plan
    snakemake --cores all                                 profile quick, phantom data, one seed
    snakemake --cores all --config seeds=3 profile=gpu    seeds 0, 1 and 2; another profile

A job is one command of `sadanet`, which trains nothing that is stored already: killed anywhere, the same command goes on.
"""

import hashlib
import shlex
import shutil
import sys
import tomllib
from pathlib import Path

from sadanet_core.experiment.recipe import VERSION as RECIPE_VERSION
from sadanet_core.images.phantom import VERSION as PHANTOM_VERSION

PROFILE = str(config.get("profile", "quick"))
DATA = str(config.get("data", "phantom"))
RESULTS = str(config.get("results", "results"))
SEEDS = list(range(int(config.get("seeds", 1))))
WEIGHTS = str(config.get("backbone_weights", ""))

PROFILES = tomllib.loads(Path("sadanet_core/experiment/profiles.toml").read_text())
if PROFILE not in PROFILES:
    sys.exit(f"error: profile {PROFILE!r} is unknown; expected one of {', '.join(PROFILES)}")
if DATA != "phantom" and not Path(DATA).is_dir():
    sys.exit(f"error: {DATA}: no such folder; expected a dataset in the published layout, see data/README.md")
if not SEEDS:
    sys.exit("error: seeds: found none; expected a number of seeds, 1 or more")

# What the tables compare. The notebooks are given these lists, whatever stands in their own parameter cells.
METHODS = ["unet", "fpn", "rsnu", "seam", "psanet", "ccnet", "danet", "sadanet", "sa2net"]
ABLATION = ["danet", "sadanet-without-sca", "sadanet-without-saa", "sadanet"]
ALL_METHODS = list(dict.fromkeys(METHODS + ABLATION))
LAMBDAS = ["0.0", "1.0", "2.0", "2.5", "3.0", "4.0", "5.0"]
NORMALISATIONS = ["softmax", "max-minus"]

# Job -> options of `sadanet train`. Lambda 3 and softmax are SADANet's own: one run serves every table.
SWEEP = {value: "sadanet" if value == "3.0" else f"sadanet_lambda-{value}" for value in LAMBDAS}
FORMS = {form: "sadanet" if form == "softmax" else f"sadanet_{form}" for form in NORMALISATIONS}
TRAIN = {job: f"--method sadanet --lambda-dice {value}" for value, job in SWEEP.items()}
TRAIN |= {job: f"--method sadanet --normalisation {form}" for form, job in FORMS.items()}
TRAIN |= {method: f"--method {method}" for method in ALL_METHODS}

# Notebook -> the jobs it needs, and its parameters beyond profile, data and results.
WITH_WEIGHTS = {"backbone_weights": WEIGHTS} if WEIGHTS else {}
NOTEBOOKS = {
    "00_data_tour": ([], {}),
    "01_table1_comparison": (METHODS, {"methods": METHODS, "seeds": SEEDS} | WITH_WEIGHTS),
    "02_table2_ablation": (ABLATION, {"methods": ABLATION, "seeds": SEEDS} | WITH_WEIGHTS),
    "03_table3_complexity": ([], {}),
    "04_table4_lambda_sweep": (SWEEP.values(), {"lambdas": LAMBDAS, "seeds": SEEDS} | WITH_WEIGHTS),
    "05_fig6_segmentations": (METHODS, {"methods": METHODS} | WITH_WEIGHTS),
    "06_attention_explorer": (["sadanet", "danet"], WITH_WEIGHTS),
    "07_scoliosis_angles": (METHODS, {"methods": METHODS} | WITH_WEIGHTS),
    "08_paper_audit": (FORMS.values(), {"normalisations": NORMALISATIONS, "seeds": SEEDS} | WITH_WEIGHTS),
    "09_speed": (ALL_METHODS, {"methods": ALL_METHODS} | WITH_WEIGHTS),
    "10_robustness": (["sadanet", "sadanet-without-saa"], WITH_WEIGHTS),
    "11_your_image": ([], {}),
}

OUT = f"{RESULTS}/{Path(DATA).name}-{PROFILE}"
SADANET = f"{shlex.quote(sys.executable)} -m sadanet_core"
# Other code, profiles, shipped model or published tables: the notebooks run again.
SOURCES = [path for path in Path("sadanet_core").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
SOURCES += Path("data/published").glob("*.csv")
CODE = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(SOURCES))).hexdigest()
# Other recipes or phantoms: the trainings run again, each as a job of its own.
VERSIONS = [RECIPE_VERSION, PHANTOM_VERSION, PROFILES[PROFILE]]
IMAGES = [] if DATA == "phantom" else [str(path) for path in Path(DATA).rglob("*") if path.is_file()]
HAS_GPU = shutil.which("nvidia-smi") is not None


wildcard_constraints:
    notebook="|".join(NOTEBOOKS),
    job="|".join(TRAIN),
    seed=r"\d+",


rule all:
    input:
        [f"{OUT}/{notebook}.json" for notebook in NOTEBOOKS],


# On a CPU, trainings of one thread each side by side beat one that uses all cores. A GPU is lent to one at a time.
rule train:
    input:
        IMAGES,
    output:
        touch(f"{OUT}/trained/{{job}}-seed{{seed}}"),
    params:
        options=lambda wildcards: TRAIN[wildcards.job].split(),
        where=["--profile", PROFILE, "--data", DATA, "--results", RESULTS],
        weights=["--backbone-weights", WEIGHTS] if WEIGHTS else [],
        versions=VERSIONS,
    threads: 4 if HAS_GPU else 1
    resources:
        gpu=int(HAS_GPU),
    shell:
        "{SADANET} train {params.options:q} {params.where:q} --seed {wildcards.seed} {params.weights:q}"


def trained(wildcards):
    jobs, given = NOTEBOOKS[wildcards.notebook]
    seeds = SEEDS if "seeds" in given else [0]
    return [f"{OUT}/trained/{job}-seed{seed}" for job in jobs for seed in seeds]


def parameters(wildcards):
    given = {"profile": PROFILE, "data": DATA, "results": RESULTS} | NOTEBOOKS[wildcards.notebook][1]
    texts = {name: ",".join(map(str, value)) if isinstance(value, list) else value for name, value in given.items()}
    return [word for name, text in texts.items() for word in ("-p", name, text)]


rule notebook:
    input:
        "notebooks/{notebook}.ipynb",
        trained,
        IMAGES,
    output:
        f"{OUT}/{{notebook}}.json",
    params:
        given=parameters,
        code=CODE,
    shell:
        "{SADANET} run notebooks/{wildcards.notebook}.ipynb {params.given:q}"
