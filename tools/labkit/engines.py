"""Writes what grades a class on several processors or machines: GNU parallel, Slurm, Kubernetes, and an image for Docker.

Each of them runs `tools/lab batch` for a part of the submissions. A batch leaves alone what is done, so after an
interruption the same command goes on, and an engine need not remember anything.
"""

import json

PARALLEL = """#!/bin/sh
# Grades the submissions in a folder with GNU parallel, one in each job:
#
#   sh {name}-parallel.sh SUBMISSIONS OUT KEY [OPTION OF PARALLEL...]
#
# Run it in the built reference tree. The paths are absolute. With --sshloginfile HOSTS the jobs go to other
# machines, where the tree and the folders have the same paths (add --workdir .). To go on after an interruption, run
# it again. A job that ends because of its machine is tried three times.
set -eu
[ $# -ge 3 ] || {{ echo "usage: sh {name}-parallel.sh SUBMISSIONS OUT KEY [OPTION...]" >&2; exit 2; }}
submissions=$1 out=$2 key=$3
shift 3
nr=$(ls "$submissions" | wc -l)
[ "$nr" -gt 0 ] || {{ echo "there is nothing in $submissions" >&2; exit 2; }}
make -s all
seq 0 $((nr - 1)) | parallel --retries 3 "$@" \\
	tools/lab batch {name} "$submissions" --out "$out" --key "$key" -j 1 --part "{{}}/$nr"
"""

SLURM = """#!/bin/sh
#SBATCH --job-name=lab-{name}
#SBATCH --array=0-29
#SBATCH --cpus-per-task=2
#SBATCH --mem=2G
#SBATCH --time=4:00:00
#SBATCH --requeue
# Grades the submissions in a folder, in as many parts as the array has tasks:
#
#   sbatch {name}-slurm.sh SUBMISSIONS OUT KEY
#
# Submit it in the built reference tree, which all nodes see under the same path. The paths are absolute. To go on after an
# interruption, submit it again. A part that ends because of its machine is queued again, at most three times.
[ $# = 3 ] || {{ echo "usage: sbatch {name}-slurm.sh SUBMISSIONS OUT KEY" >&2; exit 2; }}
tools/lab batch {name} "$1" --out "$2" --key "$3" -j "${{SLURM_CPUS_PER_TASK:-1}}" \\
	--part "$((SLURM_ARRAY_TASK_ID - SLURM_ARRAY_TASK_MIN))/$SLURM_ARRAY_TASK_COUNT"
status=$?
[ "$status" != 3 ] || [ "${{SLURM_RESTART_COUNT:-0}}" -ge 3 ] ||
	scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID"
exit "$status"
"""

DOCKERFILE = """# An image that grades. It is for amd64 and arm64: the kernel is made with a cross compiler, and all guests are emulated.
# Put reference.tar.gz (tools/lab pack) and the key beside this file.
FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends \\
	e2fsprogs gcc gcc-i686-linux-gnu git libc6-dev make nasm patch python3 qemu-system-x86 && rm -rf /var/lib/apt/lists/*
ADD reference.tar.gz /opt/
COPY key /opt/key
RUN useradd --create-home grader && make -s -C /opt/sluice -j"$(nproc)" all && chown -R grader /opt/sluice && chmod 444 /opt/key
USER grader
WORKDIR /opt/sluice
# No network is needed. The submissions are in /in, and the results go to /out.
ENTRYPOINT ["tools/lab"]
CMD ["batch", "{name}", "/in", "--out", "/out", "--key", "/opt/key"]
"""

PARTS = 30


def parallel(lab):
    text = "`parallel` is a package of most systems. It starts as many jobs at once as the machine has processors."
    return {f"{lab.name}-parallel.sh": PARALLEL.format(name=lab.name)}, text


def slurm(lab):
    text = "Change the array to as many parts as you like: the script takes their number from Slurm."
    return {f"{lab.name}-slurm.sh": SLURM.format(name=lab.name)}, text


def docker(lab):
    text = (
        "Build it with `docker build -t sluice-lab .`, and run it with\n\n"
        "    docker run --rm --network none -v \"$PWD/submissions:/in:ro\" -v \"$PWD/out:/out\" sluice-lab\n\n"
        "where the user 1000 may write to `out`. The project has not built this image: its tests run without Docker."
    )
    return {"Dockerfile": DOCKERFILE.format(name=lab.name)}, text


def kubernetes(lab):
    batch = f"exec tools/lab batch {lab.name} /in --out /out --key /key/key --part $JOB_COMPLETION_INDEX/{PARTS} -j 2"
    container = {
        "name": "grader", "image": "YOUR-REGISTRY/sluice-lab", "command": ["sh", "-c", batch],
        "resources": {"requests": {"cpu": "2", "memory": "2Gi"}, "limits": {"memory": "2Gi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [{"name": "in", "mountPath": "/in", "readOnly": True}, {"name": "out", "mountPath": "/out"}, {"name": "key", "mountPath": "/key", "readOnly": True}],
    }  # fmt: skip
    pod = {
        "restartPolicy": "Never", "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "fsGroup": 1000},
        "containers": [container],
        "volumes": [
            {"name": "in", "persistentVolumeClaim": {"claimName": "submissions", "readOnly": True}},
            {"name": "out", "persistentVolumeClaim": {"claimName": "results"}},
            {"name": "key", "secret": {"secretName": "lab-key"}},
        ],
    }  # fmt: skip
    labels = {"app": f"lab-{lab.name}"}
    # Exit status 3 is a fault of the machine, and does not count as a failure of the part.
    again = {"rules": [{"action": "Ignore", "onExitCodes": {"operator": "In", "values": [3]}}]}
    job = {
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": f"lab-{lab.name}"},
        "spec": {
            "completionMode": "Indexed", "completions": PARTS, "parallelism": 10, "backoffLimit": PARTS, "podFailurePolicy": again,
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }  # fmt: skip
    closed = {
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": f"lab-{lab.name}"},
        "spec": {"podSelector": {"matchLabels": labels}, "policyTypes": ["Ingress", "Egress"]},
    }  # fmt: skip
    both = {"apiVersion": "v1", "kind": "List", "items": [closed, job]}
    text = (
        "The image is that of `tools/lab platform docker`. Make the claims `submissions` and `results`, and the secret:\n"
        "`kubectl create secret generic lab-key --from-file=key`. Then `kubectl apply -f job.json`. The number of parts\n"
        "stands in `completions` and in the command. The project has not tried it on a cluster."
    )
    return {"job.json": json.dumps(both, indent=1) + "\n"}, text
