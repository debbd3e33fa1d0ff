"""A machine on whose keyboard a test types. The tests in tests/guest-tool use it."""

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

# The names of keys that are not their character.
KEYS = {" ": "spc", "$": "shift-4", "(": "shift-9", ")": "shift-0", "*": "shift-8", "\n": "ret", "-": "minus", "/": "slash", "?": "shift-slash"}
PROMPT = b"~ # "
MONITOR_PROMPT = b"(qemu) "


class Machine:
    """A machine that boots to a shell, or until it has shown another text. It ends with the `with` statement."""

    def __init__(self, *options, memory=256, until=PROMPT, patience=120):
        self.patience = patience  # seconds that anything may take
        self.folder = tempfile.TemporaryDirectory()
        self.serial = Path(self.folder.name) / "serial"
        monitor = f"{self.folder.name}/monitor"
        command = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", f"{memory}", "-smp", "2", "-no-reboot", "-nodefaults"]
        command += ["-display", "none", "-serial", f"file:{self.serial}", "-monitor", f"unix:{monitor},server=on,wait=off", *options]
        self.qemu = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            self.wait_for(until)
            self.monitor = socket.socket(socket.AF_UNIX)
            self.monitor.settimeout(patience)
            self.monitor.connect(monitor)
            self.answer()
        except BaseException:  # no `with` statement will end it
            self.__exit__()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.qemu.kill()
        self.qemu.communicate()
        self.folder.cleanup()

    def wait_for(self, text, count=1):
        """Waits until the serial console, which shows the same as the screen, has had a text so many times."""
        end = time.monotonic() + self.patience
        while True:
            shown = self.serial.read_bytes() if self.serial.exists() else b""
            if shown.count(text) >= count:
                return
            if self.qemu.poll() is not None or time.monotonic() > end:
                said = self.qemu.stdout.read() if self.qemu.poll() is not None else b""
                raise AssertionError(f"not shown: {text!r} in {shown[-500:]!r} {said!r}")
            time.sleep(0.1)

    def answer(self):
        """Waits until QEMU has obeyed the last command, or has ended, and returns what it said."""
        said = b""
        while not said.endswith(MONITOR_PROMPT):
            try:
                part = self.monitor.recv(65536)
            except ConnectionResetError:
                part = b""
            if not part:
                break
            said += part
        return said

    def command(self, line):
        """Gives QEMU's monitor a command, and waits until it has been obeyed."""
        self.monitor.sendall(line.encode() + b"\n")
        said = self.answer()
        assert b"\nError: " not in said, (line, said[said.index(b"\nError: ") :])

    def press(self, text):
        for key in text:
            self.command("sendkey " + KEYS.get(key, f"shift-{key.lower()}" if key.isupper() else key))
            time.sleep(0.15)

    def type(self, text):
        """Types a line on the keyboard, and waits for the next prompt."""
        prompts = self.serial.read_bytes().count(PROMPT)
        self.press(text + "\n")
        self.wait_for(PROMPT, prompts + 1)

    def wait_in_cat(self):
        """Starts cat, and waits until it reads what is typed. Before that, the shell may still have the terminal to itself."""
        self.press("cat /proc/version -\n")
        self.wait_for(b"\nLinux version")

    def interrupt(self):
        """Presses Ctrl-C while a program runs, and waits for the next prompt."""
        prompts = self.serial.read_bytes().count(PROMPT)
        self.command("sendkey ctrl-c")
        self.wait_for(PROMPT, prompts + 1)

    def picture(self, name="screen"):
        """Returns the width, the height and the bytes of what is on the screen."""
        path, data = Path(self.folder.name) / f"{name}.ppm", b""
        self.command(f"screendump {path}")
        for _ in range(100):
            data = path.read_bytes() if path.exists() else b""
            head = re.match(rb"P6\s+(\d+)\s+(\d+)\s+255\s", data)
            if head and len(data) == head.end() + 3 * int(head[1]) * int(head[2]):
                if os.environ.get("SCREENSHOTS"):
                    shutil.copy(path, os.environ["SCREENSHOTS"])
                path.unlink()
                return int(head[1]), int(head[2]), data[head.end() :]
            time.sleep(0.1)
        raise AssertionError("QEMU makes no picture of the screen")
