/*
 * Makes a screenshot's PNG small: at most 256 colours, in a palette, and compressed as well as deflate can. See
 * "Portable Network Graphics (PNG) Specification", W3C, chapters 9 (filters) and 11 (chunks).
 *
 * Colours that differ little share an entry of the palette, which is the commonest of them, so that areas of one
 * colour keep theirs.
 */
import zlib from "node:zlib";

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const COLOUR = 2, COLOUR_ALPHA = 6; /* colour types of 8 bits a channel */
const PALETTE = 3;

/* Takes and returns the bytes of a PNG file. */
export function smallPng(file) {
	const { width, height, channels, rows } = decode(file);
	const colours = new Map();
	for (let i = 0; i < rows.length; i += channels) {
		const colour = rows.readUIntBE(i, 3);
		colours.set(colour, (colours.get(colour) ?? 0) + 1);
	}
	const { palette, entry } = makePalette(colours);
	const raw = Buffer.alloc(height * (width + 1)); /* each row begins with its filter, 0 */
	for (let y = 0; y < height; y++) {
		for (let x = 0; x < width; x++)
			raw[y * (width + 1) + 1 + x] = entry(rows.readUIntBE((y * width + x) * channels, 3));
	}
	const header = Buffer.alloc(13);
	header.writeUInt32BE(width, 0);
	header.writeUInt32BE(height, 4);
	header.set([8, PALETTE, 0, 0, 0], 8);
	const entries = Buffer.alloc(palette.length * 3);
	palette.forEach((colour, i) => entries.writeUIntBE(colour, i * 3, 3));
	const data = zlib.deflateSync(raw, { level: 9, memLevel: 9 });
	return Buffer.concat([SIGNATURE, chunk("IHDR", header), chunk("PLTE", entries), chunk("IDAT", data), chunk("IEND", Buffer.alloc(0))]);
}

/* Drops low bits of the colours until no more than 256 are left. */
function makePalette(colours) {
	for (let bits = 8; ; bits--) {
		const coarse = (colour) => colour & (((0xff << (8 - bits)) & 0xff) * 0x10101);
		const commonest = new Map(); /* of each coarse colour */
		for (const [colour, count] of colours) {
			const key = coarse(colour);
			if (count > (colours.get(commonest.get(key)) ?? 0))
				commonest.set(key, colour);
		}
		if (commonest.size > 256)
			continue;
		const index = new Map([...commonest.keys()].map((key, i) => [key, i]));
		return { palette: [...commonest.values()], entry: (colour) => index.get(coarse(colour)) };
	}
}

function decode(file) {
	const parts = [];
	let header = null;
	for (let at = SIGNATURE.length; at < file.length; at += 12 + file.readUInt32BE(at)) {
		const type = file.toString("latin1", at + 4, at + 8);
		const body = file.subarray(at + 8, at + 8 + file.readUInt32BE(at));
		if (type === "IHDR")
			header = body;
		else if (type === "IDAT")
			parts.push(body);
	}
	const [width, height, type] = [header.readUInt32BE(0), header.readUInt32BE(4), header[9]];
	if (header[8] !== 8 || ![COLOUR, COLOUR_ALPHA].includes(type) || header[12] !== 0)
		throw new Error("this kind of PNG is not known");
	const channels = type === COLOUR ? 3 : 4;
	return { width, height, channels, rows: unfilter(zlib.inflateSync(Buffer.concat(parts)), width * channels, channels) };
}

/* Undoes the filters. A filter predicts a byte from those at its left, above it, and at the left of that. */
function unfilter(raw, length, channels) {
	const rows = Buffer.alloc((raw.length / (length + 1)) * length);
	for (let from = 0, to = 0; from < raw.length; from += length + 1) {
		for (let x = 0; x < length; x++, to++) {
			const left = x >= channels ? rows[to - channels] : 0;
			const up = to >= length ? rows[to - length] : 0;
			const corner = x >= channels && to >= length ? rows[to - length - channels] : 0;
			const guess = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][raw[from]];
			rows[to] = raw[from + 1 + x] + guess;
		}
	}
	return rows;
}

function paeth(left, up, corner) {
	const [a, b, c] = [left, up, corner].map((each) => Math.abs(left + up - corner - each));
	return a <= b && a <= c ? left : b <= c ? up : corner;
}

function chunk(type, body) {
	const named = Buffer.concat([Buffer.from(type, "latin1"), body]);
	const whole = Buffer.alloc(named.length + 8);
	whole.writeUInt32BE(body.length, 0);
	named.copy(whole, 4);
	whole.writeUInt32BE(crc(named), whole.length - 4);
	return whole;
}

/* The CRC of the specification's annex D. */
function crc(bytes) {
	let value = 0xffffffff;
	for (const byte of bytes) {
		value ^= byte;
		for (let bit = 0; bit < 8; bit++)
			value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
	}
	return (value ^ 0xffffffff) >>> 0;
}
