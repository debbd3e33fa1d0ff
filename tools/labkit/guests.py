"""Runs one command under limits, in a guest or on this machine, and says how it ended.

A guest that runs student code may hang, print for ever or eat all its memory. The limits are CPU
seconds of QEMU, so a busy machine does not change a verdict. There is a limit on the wall clock too, but
it is no verdict: it only says that the run must be repeated.
"""

import os
import re
import resource
import selectors
import signal
import subprocess
import time

OUTPUT_MAX = 1 << 20
LOG_MAX = 4 << 20
ASLEEP, TIMEOUT, PANIC, CANNOT_START = 123, 124, 125, 126
ASLEEP_SECONDS = 5
WALL_LEAST = 60.0


class Run:
    """How a command ended. `end` is exit, panic, gave-up, asleep, spins, floods, wall or cannot-start; `text` says more."""

    def __init__(self, end, status, output, text, seconds, cpu):
        self.end, self.status, self.output, self.text = end, status, output, text
        self.seconds, self.cpu = seconds, cpu


def guest(tree, kernel, root, options, argv, cpu, log):
    """Runs a command in a guest. `cpu` is its limit in CPU seconds of QEMU."""
    wall = max(WALL_LEAST, 20 * cpu)
    limits = ["--direct", "--cpu-limit", f"{cpu:.1f}", "--asleep", ASLEEP_SECONDS, "--timeout", f"{wall:.0f}"]
    words = [tree / "tools/guest", "--kernel", kernel, "--root", root, "--log", log, *limits, *options, "--", *argv]
    output, errors, status, seconds, used, flood = capture([str(word) for word in words], wall + 30, watched=log)
    end, text = how_it_ended(status, errors)
    if flood:
        end, text = "floods", flood
    return Run(end, status, output, text, seconds, used)


def gave_up(log):
    """Returns the end of a kernel log if the kernel itself has said there that it cannot start, and an empty text if not."""
    lines = log.read_text(errors="replace").splitlines() if log.is_file() else []
    last = next((number for number, line in enumerate(lines) if "Sluice cannot start: " in line), None)
    return "" if last is None else "\n".join([lines[last].partition("Sluice cannot start: ")[2], *lines[max(0, last - 4) : last]])


def parts(whole, mark):
    """Returns the runs of several commands in one guest. Behind the output of each is a line with the mark and its status."""
    runs, output = [], whole.output
    while found := re.search(rf"^{mark} (\d+)\n", output, re.M):
        runs.append(Run("exit", int(found[1]), output[: found.start()], "", whole.seconds, whole.cpu))
        output = output[found.end() :]
    if whole.end != "exit" or not runs:
        runs.append(Run(whole.end, whole.status, output, whole.text, whole.seconds, whole.cpu))
    return runs


def how_it_ended(status, errors):
    """Returns the kind of end, and the lines of tools/guest that explain it."""
    found = re.search(r"^guest: ([a-z ]+): ?(.*)", errors, re.M | re.S)
    text = found[2].strip() if found else errors.strip()
    if status == ASLEEP:
        return "asleep", text
    if status == TIMEOUT:
        return ("spins" if "CPU" in text.split("\n")[0] else "wall"), text
    if status == PANIC:
        return "panic", text
    if status in (CANNOT_START, -signal.SIGKILL) and found or status < 0:
        return "cannot-start", text or f"ended by signal {-status}"
    return "exit", text


def host(argv, cpu, folder=None, memory=1 << 30):
    """Runs a program on this machine. Only a student's own tool does this, with the student's own code."""

    def limit():
        resource.setrlimit(resource.RLIMIT_CPU, (int(cpu) + 1, int(cpu) + 2))
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_FSIZE, (256 << 20, 256 << 20))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    output, errors, status, seconds, used, flood = capture([str(word) for word in argv], max(WALL_LEAST, 20 * cpu), cwd=folder, limit=limit)
    end = "spins" if status == -signal.SIGXCPU or used > cpu else "exit"
    if flood:
        end, errors = "floods", flood
    elif end == "spins":
        errors = f"it used {used:.0f} s of CPU time, more than {cpu:.0f} s\n" + errors
    return Run(end, status, output, errors, seconds, used)


def capture(argv, wall, cwd=None, limit=None, watched=None):
    """Runs a program. Returns its output, its errors, its status, its seconds, its CPU seconds, and what it flooded."""
    start, flood, data = time.monotonic(), None, {}
    try:
        process = subprocess.Popen(
            argv, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            preexec_fn=limit, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        return "", f"{argv[0]}: {error.strerror}", -1, 0.0, 0.0, None
    try:
        with selectors.DefaultSelector() as waiting:
            for stream in (process.stdout, process.stderr):
                waiting.register(stream, selectors.EVENT_READ)
                data[stream] = bytearray()
            while waiting.get_map() and not flood:
                for key, _ in waiting.select(0.5):
                    piece = os.read(key.fd, 1 << 16)
                    data[key.fileobj] += piece
                    if not piece:
                        waiting.unregister(key.fileobj)
                    elif len(data[key.fileobj]) > OUTPUT_MAX:
                        flood = f"it printed more than {OUTPUT_MAX >> 20} MiB"
                if watched and os.path.exists(watched) and os.path.getsize(watched) > LOG_MAX:
                    flood = f"the kernel log grew to more than {LOG_MAX >> 20} MiB"
                if time.monotonic() - start > wall:
                    break
        if flood or waiting_too_long(process, start + wall):
            os.killpg(process.pid, signal.SIGTERM)
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    status, used = reap(process)
    for stream in (process.stdout, process.stderr):
        stream.close()
    output, errors = (bytes(data[stream]).decode(errors="replace") for stream in (process.stdout, process.stderr))
    return output, errors, status, time.monotonic() - start, used, flood


def waiting_too_long(process, deadline):
    """Its streams are closed or its time is over. Waits a little for its end. Returns true if it does not end."""
    deadline = min(deadline, time.monotonic() + 20)
    while time.monotonic() < deadline:
        # Its entry must stay, because wait4 reads the CPU time there.
        if os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return False
        time.sleep(0.02)
    return True


def reap(process):
    """Returns the exit status and the CPU seconds, with those of all processes that it waited for."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        time.sleep(0.02)
    else:
        os.killpg(process.pid, signal.SIGKILL)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_utime + usage.ru_stime
