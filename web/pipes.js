/*
 * All pipes of the guest, read from its memory: the list all_pipes, the rings and their slots. See
 * fs/pipe/pipe.h, ring.h and slot.h for the structures.
 *
 * The page runs between two instructions of the guest. If the guest is changing a ring just then, the lock of
 * the ring is held, and readPipes() returns null: the caller tries again a moment later.
 */
const PAGE = 4096;

/*
 * Returns an array of pipes, or null. A pipe is
 *
 *	{ number, head, tail, places, bytes, readers, writers, asleepReading, asleepWriting, slots }
 *
 * asleepReading and asleepWriting are arrays of { name, tid }. A slot is
 *
 *	{ place, kind, frame, offset, length, state, merge, device, refs, lent, mapped }
 *
 * whose state is "here", "on its way", "failed" or "gone", as in /proc/pipes.
 */
export function readPipes(memory) {
	try {
		if (memory.u32(memory.symbols.pipes_lock + memory.structs.spinlock.owner))
			return null;
		const pipes = memory.list(memory.symbols.all_pipes, memory.structs.pipe.link).map((at) => readPipe(memory, at));
		return pipes.includes(null) ? null : pipes;
	} catch (error) {
		if (error instanceof RangeError)
			return null; /* before the kernel has set up its lists, or while it changes one */
		throw error;
	}
}

function readPipe(memory, pipe) {
	const get = (name) => memory.member(pipe, "pipe", name);
	if (get("ring.lock.owner"))
		return null;
	const head = get("ring.head"), tail = get("ring.tail"), places = get("ring.nr_slots");
	const used = (head - tail) >>> 0;
	if (places === 0 || used > places)
		return null;
	const slots = [];
	for (let i = 0; i < used; i++) {
		const place = ((tail + i) >>> 0) % places;
		slots.push(readSlot(memory, get("ring.slots") + place * memory.structs.pipe_slot.size, place));
	}
	return {
		number: memory.member(get("inode"), "inode", "number"),
		head: head % places,
		tail: tail % places,
		places,
		bytes: get("ring.bytes"),
		readers: get("ring.readers"),
		writers: get("ring.writers"),
		asleepReading: sleepers(memory, pipe + memory.structs.pipe["ring.readable.waiters"]),
		asleepWriting: sleepers(memory, pipe + memory.structs.pipe["ring.writable.waiters"]),
		slots,
	};
}

/* Returns the tasks that sleep on a wait queue. Waiters of poll and the like have a function, and no task sleeps in the pipe. */
function sleepers(memory, queue) {
	const tasks = [];
	for (const waiter of memory.list(queue, memory.structs.waiter.link)) {
		const task = memory.member(waiter, "waiter", "task");
		if (!task || memory.member(waiter, "waiter", "wake"))
			continue;
		tasks.push({ name: memory.string(task + memory.structs.task.name, 16), tid: memory.member(task, "task", "tid") });
	}
	return tasks;
}

function readSlot(memory, slot, place) {
	const get = (name) => memory.member(slot, "pipe_slot", name);
	const { structs, symbols, constants } = memory;
	const page = get("page"), ops = get("ops");
	const flags = memory.member(page, "page", "flags");
	const device = (flags & constants.PG_DEVICE) !== 0;
	return {
		place,
		kind: memory.string(memory.member(ops, "pipe_slot_ops", "kind"), 8),
		frame: device
			? memory.member(page, "page", "private")
			: (page - memory.u32(symbols.mem_map)) / structs.page.size,
		offset: get("offset"),
		length: get("len"),
		state: ops === symbols.coming_slot_ops ? arrival(memory, page, flags) : "here",
		merge: (get("flags") & constants.SLOT_MERGE) !== 0,
		device,
		refs: memory.member(page, "page", "refs"),
		lent: memory.member(page, "page", "lent"),
		mapped: device ? 0 : memory.member(page, "page", "mapped"),
	};
}

/* What coming_confirm() in fs/pipe/slot.c would say. */
function arrival(memory, page, flags) {
	if (flags & memory.constants.PG_UPTODATE)
		return "here";
	if (flags & memory.constants.PG_LOCKED)
		return "on its way";
	return memory.member(page, "page", "mapping") ? "failed" : "gone";
}

/* Returns at most `max` of the first bytes of a slot, or null if they are not in memory yet. */
export function slotBytes(memory, slot, max) {
	if (slot.device || slot.state !== "here")
		return null;
	const length = Math.min(slot.length, max, memory.size - slot.frame * PAGE - slot.offset);
	return memory.physical(slot.frame * PAGE + slot.offset, length).slice();
}

/* Is the gate of /dev/gate0 closed? See drivers/disk/gate.c. */
export function gateClosed(memory) {
	return memory.u8(memory.symbols.gate + memory.structs.gate.closed) !== 0;
}
