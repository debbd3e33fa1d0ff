/*
 * The page: it starts the machine, and connects the terminal, the rings, the gate and the tour with it.
 */
import { Announcer } from "./announcer.js";
import { Tour } from "./tour.js";

const page = Object.fromEntries([...document.querySelectorAll("[id]")].map((element) => [element.id, element]));

function say(sentence) {
	page["status"].textContent = sentence;
}

function giveUp(sentence) {
	say(sentence);
	page["status"].classList.add("wrong");
}

/* Returns the name of something that the page needs and this browser lacks, or null. */
function missing() {
	return ["WebAssembly", "DecompressionStream"].find((name) => !(name in globalThis)) ?? null;
}

async function start() {
	const tour = new Tour(page, say);
	const lack = missing();
	if (lack)
		return giveUp(`This browser cannot run the machine, because it has no ${lack}.`);
	const [{ startMachine }, { openTerminal }, { Memory }, { Rings }, { Gate }] = await Promise.all(
		["machine", "terminal", "memory", "rings", "gate"].map((name) => import(`./${name}.js`)),
	);
	const layout = await (await fetch("layout.json")).json();
	let machine = null, atPrompt = false;
	const tellSize = (columns, rows) => atPrompt && machine.command(`stty cols ${columns} rows ${rows} </dev/ttyS0`);
	const terminal = openTerminal(page["terminal"], (text) => machine?.type(text), tellSize);
	const connect = () => {
		atPrompt = true;
		tellSize(terminal.size().columns, terminal.size().rows);
		tour.start(machine);
		const memory = new Memory(machine.read, machine.memorySize, layout);
		if (!memory.fitsLayout())
			return giveUp("The pipes cannot be shown, because layout.json belongs to another build of the kernel. Reload the page.");
		const gate = new Gate(page["gate"], page["gate-state"], machine, memory, say);
		const announcer = new Announcer(page["rings-said"]);
		new Rings(page["rings"], page["detail"], memory, (pipes) => {
			announcer.look(pipes);
			gate.look();
			tour.look(pipes);
		});
		say("The machine is ready.");
		/* The copies for use without a network are made now, when the machine no longer needs the network. */
		navigator.serviceWorker?.register("service-worker.js").catch((error) => say(`The page will not work without a network: ${error.message}`));
	};
	const onOutput = (bytes) => {
		terminal.write(bytes);
		tour.output(bytes);
		if (!atPrompt && String.fromCharCode(...bytes).includes("# "))
			connect();
	};
	const onHalt = () => {
		tour.stop();
		page["gate"].disabled = true;
		say("The machine has halted. Reload the page to start it again.");
	};
	machine = await startMachine(onOutput, onHalt);
	globalThis.sluice = { machine, terminal }; /* for the browser's console, and for tests */
}

start().catch((error) => {
	console.error(error);
	giveUp(`The machine could not be started: ${error.message}.`);
});
