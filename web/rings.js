/*
 * The live rings: all pipes of the guest, looked at several times a second while the page is visible.
 */
import { readPipes } from "./pipes.js";
import { Ring } from "./ring.js";
import { showDetail } from "./detail.js";

const PERIOD = 50; /* ms */

export class Rings {
	/* `onLook(pipes)` is called after each look. */
	constructor(box, detail, memory, onLook) {
		Object.assign(this, { box, detail, memory, onLook });
		this.rings = new Map(); /* by the pipe's number */
		this.chosen = null; /* { number, place } */
		this.pipes = [];
		this.last = 0;
		const frame = (now) => {
			if (now - this.last >= PERIOD)
				this.look(now);
			requestAnimationFrame(frame);
		};
		requestAnimationFrame(frame);
	}

	look(now) {
		const pipes = readPipes(this.memory);
		if (!pipes)
			return; /* the guest is changing them: look again at the next frame */
		this.last = now;
		this.pipes = pipes;
		this.draw();
		this.onLook(pipes);
	}

	draw() {
		const numbers = new Set(this.pipes.map((pipe) => pipe.number));
		for (const [number, ring] of this.rings) {
			if (!numbers.has(number)) {
				ring.element.remove();
				this.rings.delete(number);
			}
		}
		for (const pipe of this.pipes) {
			const ring = this.rings.get(pipe.number) ?? this.newRing(pipe.number);
			ring.show(pipe, this.chosen?.number === pipe.number ? this.chosen.place : null);
		}
		this.box.querySelector("#no-rings").hidden = this.pipes.length > 0;
		if (this.chosen)
			showDetail(this.detail, this.memory, this.pipes, this.chosen.number, this.chosen.place);
	}

	newRing(number) {
		const ring = new Ring(number, (chosen, place) => {
			this.chosen = { number: chosen, place };
			this.draw();
		});
		this.rings.set(number, ring);
		this.box.append(ring.element);
		return ring;
	}
}
