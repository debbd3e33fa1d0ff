/*
 * The steps of the tour: a title, one sentence, the command that is typed, and how the page sees that it has happened.
 * done(pipes, lines) gets all pipes (pipes.js), and what the guest has printed since the command was typed.
 */
const some = (pipes, test) => pipes.some((pipe) => pipe.slots.length > 0 && test(pipe));
const all = (pipe, state, kind) => pipe.slots.every((slot) => slot.state === state && slot.kind === kind);
let coming = false;

export const STEPS = [
	{
		title: "A pipe fills",
		text: "yes writes until all 16 slots are full, and then it sleeps, because sleep never reads.",
		command: "yes | sleep 1000",
		happened: "All 16 slots are full, and the writer is asleep.",
		done: (pipes) => some(pipes, (pipe) => pipe.slots.length === pipe.places && pipe.asleepWriting.length > 0),
	},
	{
		title: "A small write merges",
		text: "Two seconds later, a second small write takes no new slot but lengthens the one that is there.",
		command: "(echo one; sleep 2; echo two; sleep 1000) | sleep 1000",
		happened: "One slot has the bytes of both writes.",
		done: (pipes) => some(pipes, (pipe) => pipe.slots.length === 1 && pipe.slots[0].length === 8),
	},
	{
		title: "tee shares a page",
		text: "tee(2) makes a second pipe hold the same page: two slots, one page, and no byte is copied.",
		command: "echo shared | splice -t | sleep 1000",
		happened: "Two pipes hold the same page.",
		done: (pipes) => {
			const frames = pipes.flatMap((pipe) => pipe.slots.map((slot) => slot.frame));
			return new Set(frames).size < frames.length;
		},
	},
	{
		title: "A cold splice",
		text: "The gate is closed, so the disk does not answer, and yet splice hands over 16 slots; open the gate to see their bytes arrive.",
		command: "echo close >/proc/gate; splice -c /dev/gate0 | sleep 1000",
		happened: "The bytes have arrived in slots that were there before.",
		done: (pipes) => {
			coming ||= some(pipes, (pipe) => all(pipe, "on its way", "cache"));
			const arrived = coming && some(pipes, (pipe) => all(pipe, "here", "cache"));
			coming &&= !arrived;
			return arrived;
		},
	},
	{
		title: "A snapshot",
		text: "The file is changed while a pipe holds its page: the file says new, and the pipe still says old.",
		command: "echo old >/tmp/f; splice /tmp/f | (sleep 2; echo new >/tmp/f; cat /tmp/f -)",
		happened: "The file says new, the pipe said old.",
		done: (pipes, printed) => /\nnew\r*\nold\r*\n/.test(printed),
	},
	{
		title: "Device memory",
		text: "A slot can also hold memory of the graphics card, which is not RAM: each slot here stands for 64 KiB of the screen.",
		command: "splice /dev/fb0 | sleep 1000",
		happened: "The slots stand for the memory of a device.",
		done: (pipes) => some(pipes, (pipe) => pipe.slots.some((slot) => slot.device)),
	},
];
