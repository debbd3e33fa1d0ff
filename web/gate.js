/*
 * The switch of the gate (drivers/disk/gate.c). It types `echo close >/proc/gate`, or open, into the shell on the
 * second serial line, so it works while a command runs in the terminal. Its state is read from the guest's memory.
 */
import { gateClosed } from "./pipes.js";

export class Gate {
	constructor(button, word, machine, memory, say) {
		Object.assign(this, { button, word, memory, say });
		button.disabled = false;
		button.addEventListener("click", () => machine.command(`echo ${gateClosed(memory) ? "open" : "close"} >/proc/gate`));
	}

	look() {
		const closed = gateClosed(this.memory);
		if (closed === this.closed)
			return;
		if (this.closed !== undefined)
			this.say(closed ? "The gate is closed." : "The gate is open.");
		this.closed = closed;
		this.button.setAttribute("aria-checked", String(!closed));
		this.word.textContent = closed ? "closed" : "open";
	}
}
