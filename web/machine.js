/*
 * The machine: the emulator with Sluice's kernel and a disk in memory.
 *
 * The kernel and the disk's image are compressed with gzip, and the browser decompresses them. The terminal is the
 * first serial line. On the second one the guest runs a shell, which the switch of the gate uses.
 */
import { V86 } from "./vendor/libv86.mjs";

const MEMORY = 64 << 20;
const COMMAND_LINE = "root=/dev/sda init=/sbin/console-init console=ttyS0 quiet";

/* Returns an ArrayBuffer. A server may have decompressed the file already, if it takes .gz for an encoding. */
async function fetchCompressed(url) {
	const response = await fetch(url);
	if (!response.ok)
		throw new Error(`${url} could not be loaded (${response.status})`);
	const bytes = new Uint8Array(await response.arrayBuffer());
	if (bytes[0] !== 0x1f || bytes[1] !== 0x8b)
		return bytes.buffer;
	const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
	return new Response(plain).arrayBuffer();
}

/*
 * Starts the machine. `onOutput` gets an array of the bytes that the guest writes to its terminal. `onHalt` is called
 * when the CPU halts for ever: the guest has been switched off, or its kernel has panicked. Returns
 * { memorySize, read(physical, length), type(text), command(text) }. command() is for the second serial line.
 */
export async function startMachine(onOutput, onHalt) {
	const [kernel, disk] = await Promise.all(["sluice.elf.gz", "root.ext2.gz"].map(fetchCompressed));
	const emulator = new V86({
		wasm_path: "vendor/v86.wasm",
		memory_size: MEMORY,
		vga_memory_size: 8 << 20,
		multiboot: { buffer: kernel },
		hda: { buffer: disk },
		cmdline: COMMAND_LINE,
		uart1: true,
		autostart: true,
		disable_keyboard: true,
		disable_mouse: true,
		disable_speaker: true,
	});
	const encoder = new TextEncoder();
	let pending = [];
	emulator.add_listener("serial0-output-byte", (byte) => {
		if (pending.push(byte) === 1)
			setTimeout(() => {
				onOutput(pending);
				pending = [];
			}, 10);
	});
	emulator.add_listener("cpu-event-halt", onHalt);
	await new Promise((resolve) => emulator.add_listener("emulator-started", resolve));
	return {
		memorySize: MEMORY,
		read: (physical, length) => emulator.read_memory(physical, length),
		type: (text) => emulator.serial_send_bytes(0, encoder.encode(text)),
		command: (text) => emulator.serial_send_bytes(1, encoder.encode(text + "\n")),
	};
}
