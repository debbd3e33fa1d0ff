/*
 * The terminal, with xterm.js. It is always as wide as its box.
 *
 * Every key goes to the guest, even Tab. Only Shift+Tab leaves the terminal, so that it is no trap for somebody without
 * a mouse.
 */
import { Terminal } from "./vendor/xterm.mjs";

const ROWS = 18;
const FONT_SIZE = 13;
const SCROLLBAR = 16;

/*
 * Returns { write(bytes), size(), text() }. `onTyped` gets what the user types, and `onResize` is called with the
 * columns and rows after each change.
 */
export function openTerminal(box, onTyped, onResize) {
	const family = getComputedStyle(box).fontFamily;
	const terminal = new Terminal({
		cols: columns(box, family),
		rows: ROWS,
		fontFamily: family,
		fontSize: FONT_SIZE,
		cursorBlink: false,
		screenReaderMode: true,
		theme: { background: "#10151a", foreground: "#dfe5ea" },
	});
	terminal.attachCustomKeyEventHandler((event) => !(event.key === "Tab" && event.shiftKey));
	terminal.open(box);
	terminal.textarea.setAttribute("aria-label", "Terminal of the guest. Shift and Tab leave it.");
	terminal.onData(onTyped);
	terminal.onResize(({ cols, rows }) => onResize(cols, rows));
	new ResizeObserver(() => terminal.resize(columns(box, family), ROWS)).observe(box);
	return {
		write: (bytes) => terminal.write(Uint8Array.from(bytes)),
		size: () => ({ columns: terminal.cols, rows: terminal.rows }),
		text: () => text(terminal.buffer.active),
	};
}

/* Returns how many columns fit into the box. */
function columns(box, family) {
	const style = getComputedStyle(box);
	const width = box.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight) - SCROLLBAR;
	return Math.max(24, Math.min(100, Math.floor(width / characterWidth(family))));
}

function characterWidth(family) {
	const context = document.createElement("canvas").getContext("2d");
	context.font = `${FONT_SIZE}px ${family}`;
	return context.measureText("m".repeat(100)).width / 100;
}

/* Returns what the terminal shows, and has shown, one line for each of its rows. */
function text(buffer) {
	const lines = [];
	for (let i = 0; i < buffer.length; i++)
		lines.push(buffer.getLine(i).translateToString(true));
	return lines.join("\n").trimEnd();
}
