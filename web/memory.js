/*
 * The guest's memory, read from outside. The guest is not asked and does not notice.
 *
 * An address is one of the kernel's. Most of them are in the direct map, where the physical address is the
 * address minus 3 GiB (mm/direct_map.h). Kernel stacks are elsewhere, so their addresses are looked up in
 * the kernel's page tables (mm/pgtable.h).
 */
const DIRECT_MAP = 0xc0000000;
const PAGE = 4096;
const LARGE_PAGE = 2 << 20;
const PRESENT = 1;
const LARGE = 1 << 7;

export class Memory {
	/* `read(physical, length)` returns a Uint8Array. `size` is that of the guest's memory in bytes. */
	constructor(read, size, layout) {
		this.read = read;
		this.size = size;
		this.symbols = layout.symbols;
		this.structs = layout.structs;
		this.constants = layout.constants;
		this.code = layout.code;
	}

	/* Is the kernel in memory the one from which the layout was made? Computes the checksum of tools/layout. */
	fitsLayout() {
		let checksum = 0;
		for (const byte of this.physical(this.translate(this.code.start), this.code.length))
			checksum = (Math.imul(checksum, 31) + byte) >>> 0;
		return checksum === this.code.checksum;
	}

	/* Returns bytes of physical memory, or throws if there is no such memory. */
	physical(address, length) {
		if (address + length > this.size)
			throw new RangeError(`no memory at ${address.toString(16)}`);
		return this.read(address, length);
	}

	/* Returns the physical address of a kernel address, or throws if nothing is mapped there. */
	translate(address) {
		if (address >= DIRECT_MAP && address - DIRECT_MAP < this.size)
			return address - DIRECT_MAP;
		const directory = this.u32(this.symbols.kernel_directory_phys);
		const large = this.entry(directory, Math.floor((address % 0x40000000) / LARGE_PAGE));
		if (large & LARGE)
			return ((large & ~(LARGE_PAGE - 1)) >>> 0) + (address % LARGE_PAGE);
		const small = this.entry((large & ~(PAGE - 1)) >>> 0, Math.floor((address % LARGE_PAGE) / PAGE));
		return ((small & ~(PAGE - 1)) >>> 0) + (address % PAGE);
	}

	/* Returns the low half of an entry of a page table. The guest has less than 4 GiB, so the rest is not needed. */
	entry(table, index) {
		const value = word(this.physical(table + index * 8, 4));
		if (!(value & PRESENT))
			throw new RangeError("nothing is mapped there");
		return value;
	}

	u8(address) {
		return this.physical(this.translate(address), 1)[0];
	}

	/* The address is a multiple of 4, so the word does not cross a page. */
	u32(address) {
		return word(this.physical(this.translate(address), 4));
	}

	/* Returns the member of a structure, which is a 32-bit word: member(pipe, "pipe", "ring.head"). */
	member(address, struct, name) {
		return this.u32(address + this.structs[struct][name]);
	}

	/* Returns a C string of at most `max` bytes, all on one page or in the direct map. */
	string(address, max) {
		const bytes = this.physical(this.translate(address), max);
		const end = bytes.indexOf(0);
		return new TextDecoder("latin1").decode(bytes.slice(0, end < 0 ? max : end));
	}

	/* Returns the addresses of a list's items. `link` is the offset of the link in an item. */
	list(head, link) {
		const items = [];
		for (let at = this.u32(head); at !== head; at = this.u32(at)) {
			if (items.push(at - link) > 10000)
				throw new RangeError("a list without end");
		}
		return items;
	}
}

function word(bytes) {
	return (bytes[0] | (bytes[1] << 8) | (bytes[2] << 16) | (bytes[3] << 24)) >>> 0;
}
