"""A USB device in Python, which QEMU's usb-redir passes on to the guest. It may be as bad as a test wants.

The messages are those of the USB network redirection protocol, version 0.7. Each begins with its kind, its length and a number.
"""

import socket
import struct
import threading

HELLO, CONNECT, RESET, INTERFACES, ENDPOINTS = 0, 1, 3, 4, 5
SET_CONFIGURATION, CONFIGURATION_STATUS = 6, 8
START_INTERRUPTS, STOP_INTERRUPTS, INTERRUPT_STATUS = 15, 16, 17
CONTROL, INTERRUPT = 100, 103
# CONNECT tells the release, ENDPOINTS the packets' sizes, numbers have 64 bits, and so on: QEMU wants these for xHCI.
CAPABILITIES = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 6
OK, ERROR, STALL = 0, 3, 4  # status of an answer
FULL_SPEED = 1
GET_DESCRIPTOR, SET_REPORT, SET_IDLE, SET_PROTOCOL = 6, 9, 10, 11

DEVICE = struct.pack("<BBHBBBBHHHBBBB", 18, 1, 0x200, 0, 0, 0, 8, 0x1234, 0x5678, 0x100, 0, 0, 0, 1)
INTERFACE = struct.pack("<BBBBBBBBB", 9, 4, 0, 0, 1, 3, 1, 1, 0)
HID = struct.pack("<BBHBBBH", 9, 0x21, 0x111, 0, 1, 0x22, 63)
ENDPOINT = struct.pack("<BBBBHB", 7, 5, 0x81, 3, 8, 10)


def configuration(*pieces):
    rest = b"".join(pieces)
    return struct.pack("<BBHBBBBB", 9, 2, 9 + len(rest), 1, 1, 0, 0xA0, 50) + rest


KEYBOARD = configuration(INTERFACE, HID, ENDPOINT)


class Device(threading.Thread):
    """A keyboard, unless its descriptors say something else. It is plugged in by connect(), and out by close()."""

    def __init__(self, path, device=DEVICE, config=KEYBOARD, answer=None):
        super().__init__(daemon=True)
        self.descriptors = {1: device, 2: config}
        self.answer = answer  # is called with (type, request, value), and returns (status, data), None: no answer, or NotImplemented
        self.lights = []
        self.asked = threading.Semaphore(0)  # is raised when the guest asks for reports, at first and after an error
        self.requests = []
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.start()

    def send(self, kind, data, number=0):
        head = "<III" if kind == HELLO else "<IIQ"
        self.socket.sendall(struct.pack(head, kind, len(data), number) + data)

    def receive(self, length):
        data = b""
        while len(data) < length:
            piece = self.socket.recv(length - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def run(self):
        try:
            self.send(HELLO, b"a bad device".ljust(64, b"\0") + struct.pack("<I", CAPABILITIES))
            head = "<III"
            while True:
                kind, length, number = struct.unpack(head, self.receive(struct.calcsize(head)))
                self.handle(kind, number, self.receive(length))
                head = "<IIQ"
        except (OSError, EOFError):
            pass

    def handle(self, kind, number, data):
        if kind == HELLO:
            kinds, packets = [255] * 32, [0] * 32
            kinds[0] = kinds[16] = 0
            kinds[17] = 3
            packets[0] = packets[16] = packets[17] = 8
            self.send(ENDPOINTS, bytes(kinds) + bytes([10] * 32) + bytes(32) + struct.pack("<32H", *packets))
            self.send(INTERFACES, struct.pack("<I", 1) + bytes(32) + b"\3".ljust(32, b"\0") + b"\1".ljust(32, b"\0") * 2)
            self.send(CONNECT, struct.pack("<BBBBHHH", FULL_SPEED, 0, 0, 0, 0x1234, 0x5678, 0x100))
        elif kind == SET_CONFIGURATION:
            self.send(CONFIGURATION_STATUS, bytes([OK, data[0]]), number)
        elif kind == START_INTERRUPTS:
            self.send(INTERRUPT_STATUS, bytes([OK, data[0]]), number)
            self.asked.release()
        elif kind == STOP_INTERRUPTS:
            self.send(INTERRUPT_STATUS, bytes([OK, data[0]]), number)
        elif kind == CONTROL:
            self.control(number, data)

    def control(self, number, data):
        endpoint, request, request_type, _, value, index, length = struct.unpack("<BBBBHHH", data[:10])
        self.requests.append((request_type, request, value))
        answer = self.answer(request_type, request, value) if self.answer else NotImplemented
        if answer is NotImplemented:
            answer = self.usual(request_type, request, value, data[10:])
        if answer is None:
            return
        status, back = answer
        back = back[:length] if request_type & 0x80 else b""
        sent = len(back) if request_type & 0x80 else length
        self.send(CONTROL, struct.pack("<BBBBHHH", endpoint, request, request_type, status, value, index, sent) + back, number)

    def usual(self, request_type, request, value, data):
        if request_type == 0x80 and request == GET_DESCRIPTOR:
            return (OK, self.descriptors[value >> 8]) if value >> 8 in self.descriptors else (STALL, b"")
        if request_type == 0x21 and request == SET_REPORT:
            self.lights.append(data[0])
        return OK, b""

    def wait_until_asked(self):
        """Waits until the guest wants reports, after it has been plugged in and after each error."""
        if not self.asked.acquire(timeout=30):
            raise AssertionError("the guest does not ask for reports")

    def report(self, data, status=OK):
        self.send(INTERRUPT, struct.pack("<BBH", 0x81, status, len(data)) + data)

    def press(self, *usages, modifiers=0):
        """Presses keys, and releases them."""
        self.report(bytes([modifiers, 0, *usages]).ljust(8, b"\0"))
        self.report(bytes(8))

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
