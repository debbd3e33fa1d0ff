/*
 * One pipe, drawn as a ring of slots (SVG). Places are numbered clockwise from the top. A full place has a slot:
 * its colour is its kind, its arc is as long as its bytes (a whole place for a page or more), and it is dashed
 * while its bytes are on their way. The marks at the outside show where bytes come in and go out.
 *
 * Tab comes to one slot of each ring, and the arrow keys go from slot to slot. Enter or a click chooses a slot.
 */
const PAGE = 4096;
const CENTRE = 110;
const INNER = 58, OUTER = 90, MARK = 96;
const SHORTEST = 0.08; /* the least part of a place that a slot covers, so that it can be seen */

export class Ring {
	/* `onChoose(pipe number, place)` is called when a slot is chosen. */
	constructor(number, onChoose) {
		this.number = number;
		this.onChoose = onChoose;
		this.paths = new Map(); /* by place */
		this.element = document.createElement("article");
		this.element.className = "pipe";
		this.svg = this.element.appendChild(svg("svg", { viewBox: "0 0 220 220", role: "group" }));
		this.track = this.svg.appendChild(svg("g", { "aria-hidden": "true" }));
		this.slots = this.svg.appendChild(svg("g"));
		this.pointers = this.svg.appendChild(svg("g", { "aria-hidden": "true" }));
		this.ends = this.element.appendChild(document.createElement("p"));
		/* An SVG element that listens to these events would be a stop of Tab. */
		this.element.addEventListener("keydown", (event) => this.key(event));
		this.element.addEventListener("click", (event) => this.choose(event.target));
		this.element.addEventListener("focusin", (event) => this.moveTabStop(event.target));
	}

	/* Shows the pipe as it is now. `chosen` is the place of the chosen slot, or null. */
	show(pipe, chosen) {
		const said = JSON.stringify([pipe, chosen]);
		if (said === this.said)
			return;
		this.said = said;
		this.svg.setAttribute("aria-label", summary(pipe));
		this.drawTrack(pipe);
		this.drawSlots(pipe, chosen);
		this.drawPointers(pipe);
		this.ends.textContent = endsText(pipe);
	}

	drawTrack(pipe) {
		if (this.places === pipe.places)
			return;
		this.places = pipe.places;
		this.paths.forEach((path) => path.remove());
		this.paths.clear();
		this.track.replaceChildren();
		for (let place = 0; place < pipe.places; place++)
			this.track.append(svg("path", { class: "place", d: sector(place, pipe.places, 1) }));
	}

	drawSlots(pipe, chosen) {
		const present = new Set(pipe.slots.map((slot) => slot.place));
		for (const [place, path] of this.paths) {
			if (!present.has(place)) {
				path.remove();
				this.paths.delete(place);
			}
		}
		for (const slot of pipe.slots) {
			const path = this.paths.get(slot.place) ?? this.newPath(slot.place);
			const state = { "on its way": " way", failed: " failed", gone: " gone", here: "" }[slot.state];
			path.setAttribute("class", `slot kind-${slot.kind}${state}${slot.place === chosen ? " chosen" : ""}`);
			path.setAttribute("d", sector(slot.place, pipe.places, Math.max(SHORTEST, Math.min(1, slot.length / PAGE))));
			path.setAttribute("aria-label", slotText(slot));
			path.setAttribute("aria-pressed", String(slot.place === chosen));
		}
		this.order = pipe.slots.map((slot) => slot.place);
		if (![...this.paths.values()].some((path) => path.getAttribute("tabindex") === "0"))
			this.paths.get(this.order[0])?.setAttribute("tabindex", "0");
	}

	newPath(place) {
		const path = this.slots.appendChild(svg("path", { role: "button", tabindex: "-1", "data-place": place }));
		this.paths.set(place, path);
		return path;
	}

	drawPointers(pipe) {
		const used = pipe.slots.length;
		const word = (at, text) => svg("text", { class: "mark", x: at.x, y: at.y + 3 }, text);
		const out = around(pipe.tail / pipe.places, MARK + 7), into = around(pipe.head / pipe.places, MARK + 7);
		const marks = pipe.head === pipe.tail ? [word(out, used ? "out/in" : "in/out")] : [word(out, "out"), word(into, "in")];
		this.pointers.replaceChildren(
			...marks,
			svg("text", { class: "number", x: CENTRE, y: CENTRE - 8 }, `pipe ${pipe.number}`),
			svg("text", { x: CENTRE, y: CENTRE + 10 }, `${used} of ${pipe.places} slots`),
			svg("text", { class: "soft", x: CENTRE, y: CENTRE + 27 }, `${pipe.bytes} bytes`),
		);
	}

	choose(path) {
		if (path.dataset.place !== undefined)
			this.onChoose(this.number, Number(path.dataset.place));
	}

	moveTabStop(path) {
		this.paths.forEach((other) => other.setAttribute("tabindex", other === path ? "0" : "-1"));
	}

	key(event) {
		const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
		if (event.key === "Enter" || event.key === " ") {
			this.choose(event.target);
		} else if (event.key in steps) {
			const at = this.order.indexOf(Number(event.target.dataset.place)) + steps[event.key];
			this.paths.get(this.order[(at + this.order.length) % this.order.length])?.focus();
		} else {
			return;
		}
		event.preventDefault();
	}
}

function svg(name, attributes = {}, text = "") {
	const element = document.createElementNS("http://www.w3.org/2000/svg", name);
	for (const [key, value] of Object.entries(attributes))
		element.setAttribute(key, value);
	element.textContent = text;
	return element;
}

/* Returns the point at a part of a turn, clockwise from the top. */
function around(turn, radius) {
	const angle = turn * 2 * Math.PI - Math.PI / 2;
	return { x: CENTRE + radius * Math.cos(angle), y: CENTRE + radius * Math.sin(angle) };
}

/* Returns the outline of the first `part` of a place. */
function sector(place, places, part) {
	const gap = Math.min(0.15, places / 400);
	const from = (place + gap / 2) / places;
	const to = from + Math.min(((1 - gap) * part) / places, 0.9999);
	const far = to - from > 0.5 ? 1 : 0;
	const point = (turn, radius) => {
		const { x, y } = around(turn, radius);
		return `${x.toFixed(2)} ${y.toFixed(2)}`;
	};
	return `M${point(from, INNER)} L${point(from, OUTER)} A${OUTER} ${OUTER} 0 ${far} 1 ${point(to, OUTER)} ` +
		`L${point(to, INNER)} A${INNER} ${INNER} 0 ${far} 0 ${point(from, INNER)} Z`;
}

/* ---- the same in words ---- */

export function slotText(slot) {
	return `Place ${slot.place}: ${slot.kind}, ${slot.length} bytes, ${slot.state}`;
}

export function summary(pipe) {
	const coming = pipe.slots.filter((slot) => slot.state === "on its way").length;
	const late = coming ? `, ${coming} on their way` : "";
	return `Pipe ${pipe.number}: ${pipe.slots.length} of ${pipe.places} slots${late}, ${pipe.bytes} bytes`;
}

function endsText(pipe) {
	const one = (count, word, tasks) => {
		const names = tasks.map((task) => `${task.name} (${task.tid})`).join(", ");
		const text = `${count} ${word}${count === 1 ? "" : "s"}`;
		return names ? `${text}, asleep: ${names}` : text;
	};
	return `${one(pipe.writers, "writer", pipe.asleepWriting)} → ${one(pipe.readers, "reader", pipe.asleepReading)}`;
}
