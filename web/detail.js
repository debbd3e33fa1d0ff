/*
 * What is known of the chosen slot: its page, offset and length, who else holds the page, and its first bytes.
 */
import { slotBytes } from "./pipes.js";

const SHOWN = 16; /* bytes */

/* Shows slot `place` of a pipe, or that it has left the pipe. `pipes` are all pipes. Changes the page only if needed. */
export function showDetail(box, memory, pipes, number, place) {
	const slot = pipes.find((pipe) => pipe.number === number)?.slots.find((each) => each.place === place);
	const rows = slot ? describe(memory, pipes, number, slot) : [];
	const title = slot ? `Pipe ${number}, place ${place}` : `The slot at place ${place} has left pipe ${number}.`;
	const said = JSON.stringify([title, rows]);
	if (box.dataset.said === said)
		return;
	box.dataset.said = said;
	box.hidden = false;
	const heading = document.createElement("h3");
	heading.textContent = title;
	const list = document.createElement("dl");
	for (const [name, value] of rows) {
		list.append(Object.assign(document.createElement("dt"), { textContent: name }));
		list.append(Object.assign(document.createElement("dd"), { textContent: value }));
	}
	box.replaceChildren(heading, list);
}

function describe(memory, pipes, number, slot) {
	const bytes = slotBytes(memory, slot, SHOWN);
	const rows = [
		["Kind", slot.kind + (slot.merge ? ", a small write may append" : "")],
		["Bytes are", slot.state],
		["Page", slot.frame.toString(16)],
		["Offset", String(slot.offset)],
		["Length", `${slot.length} bytes`],
		["Holders", holders(pipes, number, slot)],
	];
	if (bytes)
		rows.push(["Begins with", printable(bytes)]);
	return rows;
}

function holders(pipes, number, slot) {
	const same = (other) => other.frame === slot.frame && other.device === slot.device;
	const others = pipes.filter((pipe) => pipe.number !== number && pipe.slots.some(same)).map((pipe) => `pipe ${pipe.number}`);
	const counts = [`${slot.refs} reference${slot.refs === 1 ? "" : "s"}`];
	if (slot.lent)
		counts.push(`lent ${slot.lent} time${slot.lent === 1 ? "" : "s"}`);
	if (slot.mapped)
		counts.push(`mapped ${slot.mapped} time${slot.mapped === 1 ? "" : "s"}`);
	if (others.length)
		counts.push(`also in ${others.join(", ")}`);
	return counts.join(", ");
}

function printable(bytes) {
	const names = { 0: "\\0", 10: "\\n", 13: "\\r", 9: "\\t" };
	return Array.from(bytes, (byte) => names[byte] ?? (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : ".")).join("");
}
