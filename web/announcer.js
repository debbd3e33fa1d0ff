/*
 * Tells a screen reader how the pipes are, once they have stayed the same for a while. A pipe that fills is thus told once,
 * and not slot by slot.
 */
import { summary } from "./ring.js";

const SETTLED = 1500; /* ms */

export class Announcer {
	/* `element` is a live region that nobody sees. */
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
