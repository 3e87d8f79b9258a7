"""The graph through a real Slurm of one node, started on loopback as root; nothing of it is left behind."""

import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import torch

from sadanet_lab.images.folder_check import open_folder
from sadanet_lab.paths import ROOT
from sadanet_lab.reporting.plan import graph_folder
from sadanet_lab.reporting.stored_plan import write_settings
from sadanet_lab.training.recipe import make_recipe
from sadanet_lab.training.run_store import get_or_train, run_folder

BACKBONE = "resnet50"  # steps slow enough for one to be cut between two
ODD = "a {b} `touch c` $(touch d) <e> ^f 'g' h=i,j"
CONF = Path("/etc/slurm/slurm.conf")
CONF_ASIDE = CONF.with_name("slurm.conf.set-aside-by-a-test")
MEMORY_MB = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
SLURM_CONF = """
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=15
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
KillWait=5
MinJobAge=600
JobAcctGatherType=jobacct_gather/linux
AccountingStorageType=accounting_storage/none
NodeName=localhost NodeAddr=127.0.0.1 NodeHostname=localhost CPUs={cores} RealMemory={memory} State=UNKNOWN
PartitionName=main Nodes=localhost Default=YES MaxTime=60 State=UP
"""


def why_not():
    """Why no Slurm can be started here; None if one can."""
    if os.getuid() != 0:
        return "a Slurm of one node is started as root"
    missing = [name for name in ("munged", "slurmctld", "slurmd", "sbatch") if shutil.which(name) is None]
    return f"not installed: {', '.join(missing)} (apt-get install slurm-wlm munge)" if missing else None


def free_ports(number):
    with_port = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [each.getsockname()[1] for each in with_port]
    for each in with_port:
        each.close()
    return ports


@contextmanager
def daemon(*command):
    """One that stays a child of ours, so that it can be stopped by its own handle."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def linked(conf):
    """``conf`` where srun looks for it; what is there is set aside and put back."""
    CONF.parent.mkdir(exist_ok=True)
    if os.path.lexists(CONF) and not os.path.lexists(CONF_ASIDE):
        CONF.rename(CONF_ASIDE)
    CONF.unlink(missing_ok=True)
    CONF.symlink_to(conf)
    try:
        yield
    finally:
        CONF.unlink(missing_ok=True)
        if os.path.lexists(CONF_ASIDE):
            CONF_ASIDE.rename(CONF)


def slurm_says(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()


def wait_for(condition, seconds, what):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.05)


def is_idle():
    with suppress(subprocess.SubprocessError):
        return slurm_says("sinfo", "--noheader", "--format=%T") == "idle"
    return False


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    if reason := why_not():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    folder = tmp_path_factory.mktemp("slurm")
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    controller, node = free_ports(2)
    settings = {"folder": folder, "controller_port": controller, "node_port": node}
    conf = folder / "slurm.conf"
    conf.write_text(SLURM_CONF.format(**settings, cores=os.cpu_count(), memory=MEMORY_MB * 9 // 10))
    # --force: its socket lies in a folder of root's alone, as all of this
    munge = ["munged", "--foreground", "--force", f"--key-file={key}", f"--socket={folder}/munge.socket"]
    munge += [f"--{what}-file={folder}/munged.{what}" for what in ("pid", "log", "seed")]
    with daemon(*munge), linked(conf):
        wait_for((folder / "munge.socket").exists, 10, "munged")
        with daemon("slurmctld", "-D", "-i"), daemon("slurmd", "-D", "-N", "localhost"):
            wait_for(is_idle, 60, "an idle node")
            try:
                yield
            finally:
                slurm_says("scancel", "--user=root")
                wait_for(lambda: not slurm_says("squeue", "--noheader"), 60, "the end of all jobs")


def running_jobs():
    """Id -> comment, in which Snakemake writes what the job is."""
    jobs = slurm_says("squeue", "--noheader", "--states=RUNNING,COMPLETING", "--format=%i %k").splitlines()
    return dict(job.split(maxsplit=1) for job in jobs)


def job_of(method):
    (job,) = (job for job, comment in running_jobs().items() if comment.endswith(f"_{method}_0"))
    return job


def step_of(checkpoint):
    return torch.load(checkpoint, weights_only=True)["progress"]["step"]


@pytest.mark.slow
def test_trainings_through_slurm_one_cut_and_gone_on_give_the_local_counts(slurm, phantoms, tmp_path):
    """Their folder's name too goes through sbatch, srun and the shells between them unharmed."""
    data = open_folder(shutil.copytree(phantoms, tmp_path / ODD))
    cut, whole = (make_recipe(method, "smoke", data.fingerprint, backbone=BACKBONE) for method in ("sadanet", "fpn"))
    results = tmp_path / "results"
    trained = Path(graph_folder(str(results), str(data.root), "smoke")) / "trained"
    config = {"profile": "smoke", "data": str(data.root), "results": str(results), "backbone": BACKBONE, "gpus": 0}
    config |= {"checkpoint_seconds": 0}
    command = [sys.executable, "-m", "snakemake", "--workflow-profile", "profiles/slurm"]
    command += ["--configfile", str(write_settings(config))]
    command += ["--set-resources", "train:mem_mb=1500", "train:runtime=20", "--slurm-logdir", str(tmp_path / "logs")]
    command += ["--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "3"]
    command += ["--latency-wait", "5", *(str(trained / f"{recipe.method}-seed0") for recipe in (cut, whole))]
    folder = run_folder(cut, results)
    checkpoint, complete = folder / "checkpoint.pt", folder / "complete.json"
    with (tmp_path / "told").open("wb") as told:
        process = subprocess.Popen(command, cwd=ROOT, stdout=told, stderr=subprocess.STDOUT)
    try:
        wait_for(lambda: checkpoint.exists() or process.poll() is not None, 900, "a checkpoint")
        assert process.poll() is None, (tmp_path / "told").read_text()[-6000:]
        job = job_of(cut.method)
        slurm_says("scancel", job)
        wait_for(lambda: job not in running_jobs(), 60, "the end of the cut job")
        assert checkpoint.exists()
        assert not complete.exists(), "cut too late"
        step = step_of(checkpoint)
        seen, steps = None, []
        while process.poll() is None:
            with suppress(FileNotFoundError):  # gone once the run is complete
                if (now := checkpoint.stat().st_mtime_ns) != seen:
                    seen = now
                    steps.append(step_of(checkpoint))
            time.sleep(0.05)
        assert process.returncode == 0, (tmp_path / "told").read_text()[-6000:]
        assert min(steps) == step, "it began anew"
        assert not [name for name in "cd" if (ROOT / name).exists()], "a shell read the name"
    finally:
        process.kill()  # at SIGTERM it would wait for its jobs; the fixture cancels those
        process.wait()
        (ROOT / trained).parent.unlink()
    for recipe in (cut, whole):
        local = get_or_train(recipe, data, tmp_path / "local", "cpu").folder
        for name in ("counts.csv", "history.csv"):
            assert (run_folder(recipe, results) / name).read_bytes() == (local / name).read_bytes()
