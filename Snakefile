"""One graph for everything: one job per training, then one per notebook. See README.md.

    snakemake -n                                          the plan, and the hours expected
    snakemake --cores all                                 profile quick, phantom data, one seed
    snakemake --cores all --config seeds=3 profile=gpu    seeds 0, 1 and 2; another profile
    snakemake --workflow-profile profiles/slurm           on a cluster: docs/scaling.md

What there is to do is read off the notebooks (``sadanet_lab.reporting.plan``). A job is one command of `sadanet`, which
trains nothing that is stored already: killed anywhere, the same command goes on.
"""

import atexit
import shlex
import sys

from sadanet_lab.errors import BadInput
from sadanet_lab.paths import PHANTOM
from sadanet_lab.reporting.costs import Costs, memory_to_ask, minutes_to_ask, tell_hours
from sadanet_lab.reporting.plan import check_settings, data_digest, graph_folder
from sadanet_lab.reporting.stored_plan import read_plan
from sadanet_lab.training.devices import planned_devices
from sadanet_lab.training.profiles import DEFAULT_PROFILE, find_profile

PROFILE = str(config.get("profile", DEFAULT_PROFILE))
DATA = str(config.get("data", PHANTOM))
RESULTS = str(config.get("results", "results"))
SEEDS = list(range(int(config.get("seeds", 1))))
WEIGHTS = str(config.get("backbone_weights", ""))
BACKBONE = str(config.get("backbone", ""))
GPUS = int(config["gpus"] if "gpus" in config else planned_devices())
CHECKPOINT_SECONDS = str(config.get("checkpoint_seconds", ""))

try:
    check_settings(RESULTS, DATA, PROFILE, len(SEEDS))
except BadInput as error:
    sys.exit(f"error: {error}")

PLAN = read_plan(PROFILE, len(SEEDS))
COSTS = Costs(PROFILE, RESULTS, BACKBONE)
GIVEN = {"profile": PROFILE, "data": DATA, "results": RESULTS, "seeds": ",".join(map(str, SEEDS))}
GIVEN |= {"backbone_weights": WEIGHTS, "backbone": BACKBONE}
SADANET = f"{shlex.quote(sys.executable)} -m sadanet_lab"
FOLDER = graph_folder(RESULTS, DATA, PROFILE)
TRAINED = f"{FOLDER}/trained/{{training}}-seed{{seed}}"
DATA_DIGEST = data_digest(DATA)


def cost_of(wildcards):
    if "training" in wildcards.keys():
        return COSTS.of_training(PLAN.trainings[wildcards.training])
    return COSTS.of_notebook(wildcards.notebook)


def minutes(wildcards, attempt):
    return minutes_to_ask(cost_of(wildcards), attempt)


def memory(wildcards, attempt):
    return memory_to_ask(cost_of(wildcards), attempt)


def train_options(wildcards):
    given = {"profile": PROFILE, "data": DATA, "results": RESULTS, "seed": wildcards.seed}
    given |= {"backbone-weights": WEIGHTS, "backbone": BACKBONE, "checkpoint-seconds": CHECKPOINT_SECONDS}
    words = [word for name, value in given.items() if value for word in (f"--{name}", value)]
    return PLAN.trainings[wildcards.training].options + words


@atexit.register
def tell_the_hours():
    """Of what a dry run would do; Snakemake calls no handler of ours after one."""
    jobs = [job for job in workflow.dag.finished_jobs if job.wildcards] if workflow.dryrun and workflow.dag else []
    if jobs:
        print(*tell_hours([(job.wildcards[0], cost_of(job.wildcards)) for job in jobs]), sep="\n")


wildcard_constraints:
    notebook="|".join(PLAN.jobs),
    training="|".join(PLAN.trainings),
    seed=r"\d+",


rule all:
    input:
        [f"{FOLDER}/{notebook}.json" for notebook in PLAN.jobs],


# On a CPU, trainings of one thread each side by side beat one that uses all cores. On GPUs, each takes a free one
# (sadanet_lab.training.devices). Other data, recipes, phantoms or evaluations: the job runs again, and does what of it is
# not stored.
rule train:
    output:
        touch(TRAINED),
    params:
        options=train_options, # a function: braces in its words are no wildcards
        versions=[*PLAN.versions, find_profile(PROFILE), DATA_DIGEST],
    threads: 4 if GPUS else 1
    resources:
        gpu=1 if GPUS else 0,
        runtime=minutes,
        mem_mb=memory,
    shell:
        "{SADANET} train {params.options:q}"


def trained(wildcards):
    return [
        TRAINED.format(training=training, seed=seed)
        for training, seed in PLAN.jobs[wildcards.notebook]
    ]


rule notebook:
    input:
        "notebooks/{notebook}.ipynb",
        trained,
    output:
        f"{FOLDER}/{{notebook}}.json",
    params:
        given=lambda wildcards: PLAN.options(wildcards.notebook, GIVEN),
        code=[PLAN.code, DATA_DIGEST],
    resources:
        runtime=minutes,
        mem_mb=memory,
    shell:
        "{SADANET} run notebooks/{wildcards.notebook}.ipynb {params.given:q}"
