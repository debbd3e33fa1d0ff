"""Where the checks of one grading run: a tree with the student's kernel, a folder for logs, limits and seeds.

There are two kinds of places. A grader's place is a copy of the reference tree with the student's files,
and every program with student code runs in a guest: unit tests and explorers in one of the reference
kernel. A student's own place is the student's tree itself. It has no reference kernel, so there the same
programs run on the student's machine.
"""

import hashlib
import hmac
import platform
import secrets
import shlex
import threading
from pathlib import Path

from . import build, guests

CANARY_CPU = 0.5  # CPU seconds of the reference to boot and run `true`, unless the manifest says more exactly
LEAST_CPU = 5.0
LOST_CPU = 3.0
SLOWEST = 10.0  # a machine is at most so many times slower than the one of the manifest


class Place:
    def __init__(self, lab, tree, texts, logs, key=None, seed=None, home=False, patch=None):
        self.lab, self.tree, self.texts, self.logs = lab, Path(tree), texts, Path(logs)
        self.key, self.given_seed, self.home, self.patch = key, seed, home, patch
        self.kernel, self.root = self.tree / "build/sluice.elf", lab.top / "build/root.ext2"
        self.slowness, self.lock, self.made = 1.0, threading.Lock(), {}
        self.logs.mkdir(parents=True, exist_ok=True)

    # Limits and seeds.

    def cpu_limit(self, check):
        if check.get("lost"):  # it cannot give points any more
            return max(LOST_CPU, 3 * check["cpu"]) * self.slowness
        return max(LEAST_CPU, 10 * check["cpu"] * self.slowness)

    def seed(self, check):
        """Returns the first seed of a check. With a key it is known only after the submission."""
        if self.given_seed is not None:
            return self.given_seed
        if self.key is None:
            return 1
        whole = hashlib.sha256()
        for name, text in sorted(self.texts.items()):
            whole.update(name.encode() + b"\0" + hashlib.sha256(text.encode()).digest())
        mac = hmac.new(self.key, whole.hexdigest().encode() + self.lab.name.encode() + check["id"].encode(), hashlib.sha256)
        return int.from_bytes(mac.digest()[:4], "big")

    # Files.

    def relative(self, text):
        for folder in (self.tree, self.logs.parent / "explore", self.lab.top / "build/lab/explore", self.lab.top):
            text = text.replace(str(folder) + "/", "")
        return text

    def keep(self, check, text, ending=".txt"):
        path = self.logs / (check["id"] + ending)
        path.write_text(text)
        return path

    # Running.

    def guest(self, check, argv, ending, more=()):
        log = self.logs / f"{check['id']}{ending}.log"
        options = [*self.lab.guest, *check["guest"], *more]
        run = guests.guest(self.lab.top, self.kernel, self.root, options, argv, self.cpu_limit(check), log)
        # A kernel that cannot run on the machine of the reference is at fault, and not the machine.
        why = guests.gave_up(log) if run.end == "cannot-start" else ""
        if why:
            run.end, run.text = "gave-up", why
        (self.logs / f"{check['id']}{ending}.out").write_text(run.output + run.text + "\n")
        return run

    def on_this_machine(self):
        """Do programs with student code that are no kernel run here, and not in a guest?"""
        return self.home and platform.machine() in ("x86_64", "i686")

    def program(self, check, program, argv, ending):
        """Runs a program with student code that is not a kernel."""
        if self.on_this_machine():
            run = guests.host([program, *argv], self.cpu_limit(check))
        else:
            run = self.reference_guest(check, program, [f"/test/{program.name}", *argv], ending)
        return self.note_run(check, run, ending)

    def in_turn(self, check, program, commands):
        """Runs a program once for each list of arguments, up to the first run that does not end with status 0,
        in one guest. Returns the runs. The last one has the CPU seconds of all."""
        if self.on_this_machine():
            runs, cpu = [], 0.0
            for argv in commands:
                runs.append(self.program(check, program, argv, f"-{argv[0]}"))
                runs[-1].cpu = cpu = cpu + runs[-1].cpu
                if runs[-1].end != "exit" or runs[-1].status:
                    break
            return runs
        mark = secrets.token_hex(8)
        lines = [f"/test/{program.name} {shlex.join(argv)}; s=$?; echo {mark} $s; [ $s = 0 ] || exit" for argv in commands]
        whole = self.reference_guest(check, program, ["/bin/sh", "-c", "\n".join(lines)], "")
        return guests.parts(self.note_run(check, whole, ""), mark)

    def reference_guest(self, check, program, argv, ending):
        """Runs a command in a guest of the reference kernel that has the program."""
        kernel = self.kernel if self.home else self.lab.top / "build/sluice.elf"
        log = self.logs / f"{check['id']}{ending}.log"
        add = ["--add", f"{program}:/test/{program.name}"]
        return guests.guest(self.lab.top, kernel, self.root, add, argv, self.cpu_limit(check), log)

    def note_run(self, check, run, ending):
        (self.logs / f"{check['id']}{ending}.out").write_text(run.output + run.text + "\n")
        return run

    # Programs that contain student code. Several checks share one, so each is made once.

    def once(self, name, make):
        with self.lock:
            if name not in self.made:
                try:
                    self.made[name] = (make(), None)
                except build.BuildFailed as failed:
                    self.made[name] = (None, failed)
            value, failed = self.made[name]
        if failed:
            raise failed
        return value

    def unit_program(self, source):
        def make():
            folder = self.logs.parent / "programs"
            folder.mkdir(exist_ok=True)
            return build.unit_program(source, self.tree, self.lab.top / "build", folder / Path(source).stem)

        return self.once(source, make)

    def explorer(self):
        def make():
            module = build.explorer_module(self.lab.top)
            if self.on_this_machine():
                return module, build.explorer_here(self.lab)
            return module, build.explorer_for_guests(self.lab, self.texts, self.logs.parent / "explore", self.patch)

        return self.once("explorer", make)
