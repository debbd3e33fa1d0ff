"""Writes what a platform needs to grade a lab: a few files, which an instructor puts where the platform wants them."""

import json

from . import engines
from .manifest import BadManifest

SETUP = """#!/bin/sh
# Runs once, while the image is made. The network may be used here. Nothing of this counts as grading time.
set -eu
apt-get update
apt-get install -y --no-install-recommends e2fsprogs gcc gcc-i686-linux-gnu libc6-dev make nasm patch python3 qemu-system-x86
cd /autograder/source
tar -xzf reference.tar.gz --strip-components=1
tools/lab doctor
make -s -j"$(nproc)" all
"""

README = """# Lab {name} on {platform}

Made by `tools/lab platform {platform} {name}`. The grader is the reference tree itself, built with `make all`.
`tools/lab pack -o reference.tar.gz` makes an archive of it with everything that is not in a system's own
packages. Keep it where students cannot read it. `key` is a file with a secret of 16 bytes or more, from which
the random checks get their seeds: `head -c 32 /dev/urandom | base64 >key`.

{text}
"""


def gradescope(lab):
    run = f"""#!/bin/sh
# Runs for each submission, in /autograder, without a need for the network. The submission is in /autograder/submission.
cd /autograder/source || exit 1
mkdir -p /autograder/results
tools/lab grade {lab.name} /autograder/submission --key key --format gradescope >/autograder/results/results.new
status=$?
if [ "$status" = 3 ] || [ ! -s /autograder/results/results.new ]; then
	# A fault of this machine is no verdict. Gradescope shows the text, and the submission can be graded again.
	printf '{{"score": 0, "visibility": "after_published", "output": "This machine could not grade it (status %s). Please run the autograder again."}}\\n' "$status" >/autograder/results/results.new
fi
mv /autograder/results/results.new /autograder/results/results.json
"""
    text = (
        "Zip `setup.sh`, `run_autograder`, `reference.tar.gz` and `key`, and upload the zip as the autograder. Choose at least 2 CPUs,\n"
        "and a base image with Python 3.11 or later."
    )
    return {"setup.sh": SETUP, "run_autograder": run}, text


def autolab(lab):
    makefile = f"""# Autolab runs this in a folder with autograde.tar and the student's file.
all:
	tar -xf autograde.tar
	cd sluice && tools/lab grade {lab.name} ../handin.tar --key ../key --format autolab
"""
    problems = "".join(f"- name: {check['id']}\n  max_score: {float(check['points'])}\n" for check in lab.checks)
    config = f"---\ngeneral:\n  name: {lab.name}\n  display_name: '{lab.title}'\n  handin_filename: handin.tar\nproblems:\n{problems}"
    text = "`autograde.tar` holds the built reference tree as `sluice/`, and `key`. Autolab sets its own time limit: choose 300 seconds."
    return {"autograde-Makefile": makefile, f"{lab.name}.yml": config}, text


def github(lab):
    stages = sorted({check["stage"] for check in lab.checks})
    steps, env = [], []
    for stage in stages:
        points = sum(check["points"] for check in lab.checks if check["stage"] == stage)
        steps.append(
            f"      - name: stage {stage}\n        id: stage-{stage.lower()}\n        uses: classroom-resources/autograding-command-grader@v1\n"
            f"        with:\n          test-name: stage {stage}\n          command: ./run lab {lab.name} --stage {stage}\n"
            f"          timeout: 10\n          max-score: {points}\n"
        )
        env.append(f"          STAGE-{stage}_RESULTS: ${{{{steps.stage-{stage.lower()}.outputs.result}}}}\n")
    runners = ",".join(f"stage-{stage.lower()}" for stage in stages)
    workflow = (
        "name: lab\non: [push, workflow_dispatch]\npermissions:\n  checks: write\n  actions: read\n  contents: read\njobs:\n  lab:\n"
        "    runs-on: ubuntu-24.04\n    steps:\n      - uses: actions/checkout@v4\n      - name: prepare\n        run: tools/setup programs && tools/setup packages\n"
        + "".join(steps)
        + "      - name: report\n        uses: classroom-resources/autograding-grading-reporter@v1\n        env:\n"
        + "".join(env)
        + f"        with:\n          runners: {runners}\n"
    )
    text = "Put `classroom.yml` into `.github/workflows/` of the starter. It runs the student's own tool, so its points are advice: grade again with `tools/lab batch`."
    return {"classroom.yml": workflow}, text


def prairielearn(lab):
    info = {"gradingMethod": "External", "externalGradingOptions": {"enabled": True, "image": f"YOUR-REGISTRY/sluice-{lab.name}", "entrypoint": "/grade/tests/run.sh", "timeout": 300}}
    run = f"""#!/bin/sh
mkdir -p /grade/results
cd /sluice && tools/lab grade {lab.name} /grade/student --key /sluice/key --format prairielearn >/grade/results/results.new
[ -s /grade/results/results.new ] || echo '{{"gradable": false, "message": "this machine could not grade it"}}' >/grade/results/results.new
mv /grade/results/results.new /grade/results/results.json
"""
    return {"info-part.json": json.dumps(info, indent=1) + "\n", "tests/run.sh": run}, "The image has the built reference tree in `/sluice`. Merge `info-part.json` into the question's `info.json`."


def vpl(lab):
    run = f"""#!/bin/bash
# VPL runs what is called vpl_execution. The submitted files are in this folder.
here=$PWD
cat >vpl_execution <<END
#!/bin/bash
cd /opt/sluice && tools/lab grade {lab.name} "$here" --key /opt/sluice/key --format vpl
END
chmod +x vpl_execution
"""
    return {"vpl_evaluate.sh": run}, "The jail server has the built reference tree in `/opt/sluice`."


def codegrade(lab):
    run = f"""#!/bin/sh
# A custom test step: the last line is the part of the points.
cd /opt/sluice && tools/lab grade {lab.name} "$1" --key key --json /tmp/result.json --format codegrade
"""
    return {"custom-test": run}, "Give the step the command `./custom-test $STUDENT`. A unit-test step can read JUnit instead: `--format junit`."


PLATFORMS = {
    "gradescope": gradescope, "autolab": autolab, "github": github, "prairielearn": prairielearn, "vpl": vpl, "codegrade": codegrade,
    "parallel": engines.parallel, "slurm": engines.slurm, "docker": engines.docker, "kubernetes": engines.kubernetes,
}  # fmt: skip


def write(name, lab, folder):
    if name not in PLATFORMS:
        raise BadManifest(f"there is no platform {name}; the platforms are: {' '.join(PLATFORMS)}")
    files, text = PLATFORMS[name](lab)
    files["README.md"] = README.format(name=lab.name, platform=name, text=text)
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)
        if content.startswith("#!"):
            target.chmod(0o755)
    return sorted(files)
