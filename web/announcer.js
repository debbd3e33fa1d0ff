/*
 * Describes the pipes to a screen reader, once they have not changed for a while. So a pipe that fills is announced once,
 * and not slot by slot.
 */
import { summary } from "./ring.js";

const SETTLED = 1500; /* ms */

export class Announcer {
	/* `element` is a live region that cannot be seen. */
	constructor(element) {
		this.element = element;
		this.sentence = "";
	}

	look(pipes) {
		const sentence = pipes.length ? pipes.map(summary).join(". ") + "." : "No pipe is open.";
		if (sentence === this.sentence)
			return;
		this.sentence = sentence;
		clearTimeout(this.timer);
		this.timer = setTimeout(() => (this.element.textContent = sentence), SETTLED);
	}
}
