/*
 * The ring of a pipe, with its two mutexes, its two queues and its arrival waiter: fs/pipe/read.c,
 * fs/pipe/write.c, fs/pipe/wait.c, fs/splice/splice.c and fs/pipe/ring.h, checked in every interleaving.
 *
 * BOOK: ring-model
 *
 * 1. A cell stands for a few bytes; a page has PSZ cells, and PIPE_BUF is one page. A pipe has two
 *    slots; head and tail run freely, modulo 4.
 * 2. One atomic step is one section under ring->lock, or one look at a page's flags. Copies of
 *    cells, mutexes, wakeups, reference counts outside the lock and each half of a completion are
 *    steps of their own. Sleepers look at the ring without the lock in the real code, which the
 *    explorer checks.
 *    ARMING makes the one section that a completion may fall into several steps: a reader that arms
 *    the arrival waiter holds the lock from its first look to the second; only the disk goes on.
 * 3. What is checked: the stream has every cell once and in order, small writes whole; no cell that
 *    somebody can see is written to; no page is used after its release, and each has as many
 *    references as holders at the end; when nothing can run any more, nobody sleeps for what is
 *    there, and no mutex is held.
 *
 * The scenarios of tests/explore that run the real code in the same situations:
 *
 * EXPLORED write and read: bytes_1_1 bytes_2_2 packets_1_1 packets_1_2 packets_2_1 packets_2_2 mixed_2_2_two_slots
 * EXPLORED merging: bytes_2_1_two_slots mixed_2_1_two_slots packets_2_1_two_slots resize_merge
 * EXPLORED faults in user memory: fault_read fault_write
 * EXPLORED closing: close_1_1 close_1_2 close_packets broken kill_reader cold_close
 * EXPLORED resizing: resize_grows resize_1_1 resize_wrapped resize_shrinks resize_move
 * EXPLORED arrival: cold_read cold_two_readers cold_and_write cold_nonblock cold_error cold_error_two cold_lost
 * EXPLORED arrival and a second pipe: cold_move_first cold_moved_away cold_two_pipes_one_page cold_thrown_away
 * EXPLORED poll: poll_read poll_read_packets poll_write poll_close cold_poll cold_poll_close
 * EXPLORED splice between pipes: move_packets move_bytes both_directions append_at_home divide divide_and_merge
 * EXPLORED tee: tee_copies tee_and_append
 * EXPLORED splice and files: sink_refuses sink_frees_room sink_and_merge sink_part splice_in splice_in_alone
 * EXPLORED the owner of a page, and stealing: vmsplice_store vmsplice_fork gift_fork steal_tee steal_fork
 *
 * Who runs (-D):
 *	WR=n RD=n	writers and readers of pipe 0, WB and RB of pipe 1
 *	NMSG=n		messages of each writer; ONES: of one cell each; BIG: of more than a page
 *	MOVE01=n TEE01=n and 10: splice or tee between the pipes, n times
 *	LAZY=n		splice from a file: n slots whose reads end later, in any order
 *	FAIL		the first read fails; NEVER: one never ends
 *	SINK		splice from pipe 0 into a file that may stop early; SINKB from pipe 1
 *	OWNER		vmsplice of a page that its owner writes to afterwards
 *	RESIZE		F_SETPIPE_SZ of pipe 0 to one slot and back; RESIZEB of pipe 1
 *	HOLDER		the pipes are open to somebody who does not read
 *	POLL		a poller of pipe 0
 *	KILLR		readers close at any time
 *	FAULT		one copy from user memory meets a page that is not there
 *	ARMING		a read may end between the two looks of a reader, see 2
 *	SHARED		several take from a pipe: the order of the cells is not looked at
 *	WHOLE		everything must have been read at the end
 *
 * Deviations, each of which must be found (-D): see FAILS below.
 *
 * HOLDS write-read: WR=2 RD=2 NMSG=1 WHOLE TORN
 * HOLDS write-fault: WR=2 RD=1 NMSG=1 FAULT WHOLE TORN
 * HOLDS large-write: WR=2 RD=1 NMSG=1 BIG WHOLE
 * HOLDS reader-closes: WR=2 RD=2 NMSG=1 KILLR
 * HOLDS resize: WR=2 RD=1 NMSG=1 RESIZE WHOLE
 * HOLDS arrival: WR=0 RD=2 LAZY=2 WHOLE
 * HOLDS arrival-poll: WR=1 RD=1 NMSG=1 ONES LAZY=1 POLL WHOLE
 * HOLDS arrival-fails: WR=0 RD=2 LAZY=1 FAIL WHOLE
 * HOLDS arrival-never: RD=1 LAZY=2 NEVER POLL
 * HOLDS arrival-arming: WR=0 RD=2 LAZY=1 ARMING WHOLE
 * HOLDS arrival-taken: WR=0 RD=1 LAZY=2 MOVE01=1 NEVER HOLDER SHARED
 * HOLDS tee: WR=1 RD=1 RB NMSG=2 TEE01=1 ONES
 * HOLDS splice: WR=2 RD=0 RB NMSG=1 MOVE01=2
 * HOLDS splice-lazy: WR=0 RD=0 RB LAZY=2 MOVE01=2
 * HOLDS circle: WR=1 RD=0 NMSG=2 ONES MOVE01=2 TEE10=2 KILLR
 * HOLDS circle-resized: MOVE01=1 MOVE10=1 RESIZE RESIZEB
 * HOLDS into-file: WR=2 RD=0 NMSG=1 SINK WHOLE
 * HOLDS into-file-merge: WR=1 RD=0 NMSG=3 ONES SINK POLL WHOLE
 * HOLDS into-file-lazy: WR=0 RD=0 LAZY=2 SINK WHOLE
 * HOLDS tee-into-file: WR=1 RD=1 NMSG=1 TEE01=1 SINKB
 * HOLDS vmsplice: WR=0 RD=1 OWNER SINK WHOLE
 *
 * FAILS split-small-write: WR=2 RD=1 NMSG=2 SPLIT
 * FAILS merge-flag-travels: WR=1 NMSG=2 ONES HOLDER WB TEE01=1 KEEPMERGE
 * FAILS merge-without-reference: WR=1 RD=1 NMSG=2 ONES NOEXTRAREF
 * FAILS merge-trusts-the-slot: WR=1 RD=1 NMSG=2 ONES MERGEBLIND WHOLE
 * FAILS merge-ignores-taken: WR=1 RD=0 NMSG=3 ONES SINK MERGEFULL
 * FAILS room-ignores-taken: WR=1 RD=0 NMSG=3 SINK ROOMTAKEN
 * FAILS hangup-ignores-taken: WR=1 RD=0 NMSG=1 SINK POLL HUPTAKEN
 * FAILS confirm-with-mutex-held: WR=1 RD=2 NMSG=1 LAZY=1 NEVER CONFIRMHELD
 * FAILS pop-wakes-no-reader: WR=0 RD=1 LAZY=2 MOVE01=1 NEVER HOLDER SHARED POPNOWAKE
 * FAILS look-before-joining: WR=1 RD=1 NMSG=1 LOOKFIRST
 * FAILS arm-without-second-look: WR=0 RD=1 LAZY=1 ARMING ARMONCE
 * FAILS wake-only-one: WR=1 RD=2 NMSG=1 WAKEONE
 * FAILS settle-wakes-nobody: WR=1 RD=0 NMSG=3 SINK SETTLENOWAKE
 * FAILS resize-wakes-nobody: WR=1 NMSG=2 HOLDER RESIZE RESIZENOWAKE
 * FAILS close-wakes-nobody: WR=1 RD=1 NMSG=1 CLOSENOWAKE
 * FAILS producer-before-consumer: MOVE01=1 MOVE10=1 RESIZE RESIZEB PRODUCERFIRST
 * FAILS steal-shared: WR=1 RD=1 NMSG=2 TEE01=2 SINKB STEALANY
 * FAILS steal-by-lent: WR=0 RD=0 OWNER SINK STEALLENT
 * FAILS owner-writes-in-place: WR=0 RD=1 OWNER INPLACE
 */
#ifndef WR
#define WR	0
#endif
#ifndef RD
#define RD	0
#endif
#ifndef NMSG
#define NMSG	1
#endif
#ifndef LAZY
#define LAZY	0
#endif
#define PSZ	2
#define NS	2
#ifndef NPG
#define NPG	7
#endif
#define NOPG	255
#define RDSZ	2	/* cells that a read(2) asks for */
#ifdef SHARED
#define TEED(q)	true
#else
#ifdef TEE01
#define TEED(q)	(q == 1)	/* a copy of the stream may begin anywhere */
#else
#define TEED(q)	false
#endif
#endif
#define SCRIBBLE 250	/* what a page's new owner writes to it */

#ifdef ONES
#define MLEN(w, m)	1
#else
#ifdef BIG
#define MLEN(w, m)	(w == 0 -> PSZ + 1 : 1)
#else
#define MLEN(w, m)	((w + m) % 2 == 0 -> PSZ : 1)
#endif
#endif
#ifdef OWNER
#define THIRD	PSZ	/* cells in a message of writer 2, the splicer or the owner */
#else
#define THIRD	1
#endif
#define LENGTH(w, m)	(w == 2 -> THIRD : MLEN(w, m))
#define CELL(w, m, k)	(1 + (w) * 16 + (m) * 4 + (k))

typedef Page { byte ref; byte lent; byte c[PSZ]; bit uptodate; bit locked; bit waiters; bit file };
typedef Slot { byte pg; byte off; byte ln; bit merge };
typedef Pipe { Slot s[NS]; byte head; byte tail; byte taken; byte nr; byte readers; byte writers; byte armed };

Page pg[NPG];
Pipe pp[2];
byte consumer[2], producer[2];	/* 0 free, else the owner's pid */
byte readable[2], writable[2];	/* a bit for each process that sleeps there */
bit moving[2];			/* who waits for the next slot, not for bytes, of pipe q */
bit polls;			/* the poller sleeps */
bit hangup;			/* poll has said so */
bit faulted, failed, cut_short;	/* what happens once has happened */
bit io_held;			/* CONFIRMHELD: a reader waits for the disk with the mutex */
byte arming;			/* who holds ring->lock between his two looks at the first page */
byte finished;

/* How far each of three writers has been read, in each pipe; 255 or whose message is begun. */
typedef Stream { byte m[3]; byte k[3]; byte open };
Stream seen[2];

hidden byte ci, cj, cw, cm, ck;

#define USED(q)		((pp[q].head - pp[q].tail) & 3)
#define PLACE(q, at)	((at) & (pp[q].nr - 1))
#define FIRST(q)	pp[q].s[PLACE(q, pp[q].tail)]
#define LAST(q)		pp[q].s[PLACE(q, pp[q].head - 1)]
#define FULL(q)		(USED(q) + pp[q].taken >= pp[q].nr)
#ifdef ROOMTAKEN
#define ROOM(q)		(pp[q].nr - USED(q))
#else
#define ROOM(q)		(pp[q].nr - pp[q].taken - USED(q))
#endif
#define ON_ITS_WAY(p)	(!pg[p].uptodate && pg[p].locked)
#define ARRIVED(q)	(USED(q) > 0 && !ON_ITS_WAY(FIRST(q).pg))
#ifdef HUPTAKEN
#define HUNG_UP(q)	(USED(q) == 0 && pp[q].writers == 0)
#else
#define HUNG_UP(q)	(USED(q) == 0 && pp[q].writers == 0 && pp[q].taken == 0)
#endif
#define CAN_WRITE(q)	(ROOM(q) > 0 || pp[q].readers == 0)

/* Whoever takes ring->lock waits while another arms; completions do not take it. */
#ifdef ARMING
#define LOCKS		provided (arming == 0 || arming == _pid)
#else
#define LOCKS
#endif

#define ME		(1 << _pid)
#define LOCK(m)		atomic { m == 0 -> m = _pid }
#define UNLOCK(m)	atomic { assert(m == _pid); m = 0 }
#define COPY(to, from)	to.pg = from.pg; to.off = from.off; to.ln = from.ln; to.merge = from.merge
#define SET(to, p, o, l, m) to.pg = p; to.off = o; to.ln = l; to.merge = m

#ifdef WAKEONE
inline wake(queue) { d_step { queue = queue & (queue - (queue > 0 -> 1 : 0)) } }
#else
inline wake(queue) { d_step { queue = 0 } }
#endif

inline page_put(p) { d_step {
	assert(pg[p].ref > 0);
	pg[p].ref--;
	if
	:: pg[p].ref == 0 ->
		assert(!pg[p].file && pg[p].lent == 0 && !pg[p].locked);
		pg[p].c[0] = 0; pg[p].c[1] = 0; pg[p].uptodate = 0; pg[p].waiters = 0
	:: else
	fi }
}

inline page_alloc(p) { d_step {
	p = 0;
	do
	:: p < NPG && pg[p].ref > 0 -> p++
	:: else -> break
	od;
	assert(p < NPG);
	pg[p].ref = 1; pg[p].uptodate = 1 }
}

/* Nobody can see the cell that is going to be written. */
inline write_cell(p, at, what) { d_step {
	assert(pg[p].ref > 0 && !pg[p].file);
	ci = 0;
	do
	:: ci < 2 ->
		cj = (pp[ci].tail - pp[ci].taken) & 3;
		do
		:: cj != pp[ci].head ->
			assert(!(pp[ci].s[PLACE(ci, cj)].pg == p && pp[ci].s[PLACE(ci, cj)].off <= at &&
				 at < pp[ci].s[PLACE(ci, cj)].off + pp[ci].s[PLACE(ci, cj)].ln));
			cj = (cj + 1) & 3
		:: else -> break
		od;
		ci++
	:: else -> break
	od;
	pg[p].c[at] = what; ci = 0; cj = 0 }
}

/* A cell leaves pipe q for good: it is the next one of its message, and no other begins before it ends. */
inline check_cell(q, p, at) { d_step {
	assert(pg[p].ref > 0 && pg[p].c[at] > 0 && pg[p].c[at] < SCRIBBLE);
	cw = (pg[p].c[at] - 1) / 16; cm = ((pg[p].c[at] - 1) % 16) / 4; ck = (pg[p].c[at] - 1) % 4;
	assert(TEED(q) || (cm == seen[q].m[cw] && ck == seen[q].k[cw]));
	assert(TEED(q) || seen[q].open == 255 || seen[q].open == cw);
	if
	:: TEED(q)
	:: !TEED(q) && ck + 1 == LENGTH(cw, cm) -> seen[q].k[cw] = 0; seen[q].m[cw]++; seen[q].open = 255
	:: else -> seen[q].k[cw]++;
		if :: LENGTH(cw, cm) <= PSZ -> seen[q].open = cw :: else fi
	fi;
	cw = 0; cm = 0; ck = 0
	}
}

/* ---- waiting: fs/pipe/wait.c ---- */

inline wait_writable(q) {
	do
	::
#ifdef LOOKFIRST
		if :: CAN_WRITE(q) -> break :: else fi;
		d_step { writable[q] = writable[q] | ME };
		(writable[q] & ME) == 0
#else
		d_step { writable[q] = writable[q] | ME };
		if
		:: atomic { CAN_WRITE(q) -> writable[q] = writable[q] & ~ME; break }
		:: !CAN_WRITE(q) -> (writable[q] & ME) == 0
		fi
#endif
	od
}

/* Arm, then look again: the read may end before the one and before the other. */
inline arm(q, p) {
	d_step { p = FIRST(q).pg; pp[q].armed = p; pg[p].waiters = 1 }
}

inline wait_readable(q, p) {
	do
	::
#ifdef LOOKFIRST
		if :: ARRIVED(q) || HUNG_UP(q) -> break :: else fi;
		d_step { readable[q] = readable[q] | ME };
		(readable[q] & ME) == 0
#else
		d_step { readable[q] = readable[q] | ME };
		if
		:: atomic { ARRIVED(q) || HUNG_UP(q) -> readable[q] = readable[q] & ~ME; break }
		:: USED(q) == 0 && !HUNG_UP(q) -> (readable[q] & ME) == 0
#ifdef ARMING
		:: atomic { USED(q) > 0 && !ARRIVED(q) -> arming = _pid };
			arm(q, p);
#else
		:: atomic { USED(q) > 0 && !ARRIVED(q) -> arm(q, p) };
#endif
#ifndef ARMONCE
			if
			:: atomic { !ON_ITS_WAY(p) -> arming = 0; readable[q] = readable[q] & ~ME; break }
			:: atomic { ON_ITS_WAY(p) -> arming = 0 }
			fi;
#else
			arming = 0;
#endif
			(readable[q] & ME) == 0
		fi
#endif
	od;
	p = 0
}

inline wait_slot(q) {
	do
	:: d_step { readable[q] = readable[q] | ME };
		if
		:: atomic { USED(q) > 0 || HUNG_UP(q) -> readable[q] = readable[q] & ~ME; break }
		:: atomic { USED(q) == 0 && !HUNG_UP(q) -> moving[q] = 1 };
			atomic { (readable[q] & ME) == 0 -> moving[q] = 0 }
		fi
	od
}

/* ---- putting: fs/pipe/write.c ---- */

mtype = { PIPE_GONE, NO_ROOM, MERGE, APPEND, END, EMPTY, HAVE, FAILED, FAULTED };

#if WR > 0 || defined(WB)
proctype writer(byte q; byte w) LOCKS {
	byte m, k0, n, k, p, end;
	mtype what;
	do
	:: m < NMSG ->
again:		LOCK(producer[q]);
more:		atomic { what = (pp[q].readers == 0 -> PIPE_GONE : APPEND); n = MLEN(w, m) - k0 };
		if
		/* A look at the consumers' end of the ring; the lock comes after it. */
		:: what == APPEND && USED(q) > 0 -> atomic {
			end = PSZ;
			if :: USED(q) > 0 && LAST(q).merge -> end = LAST(q).off + LAST(q).ln :: else fi;
			if
			:: end < PSZ &&
#ifdef SPLIT
			   true ->
#else
			   (end + n <= PSZ || MLEN(w, m) > PSZ) ->
#endif
				what = MERGE; p = LAST(q).pg; n = (n < PSZ - end -> n : PSZ - end)
#ifndef NOEXTRAREF
				; pg[p].ref++
#endif
			:: else
			fi }
		:: else
		fi;
		if
		:: what == APPEND ->
			atomic { what = (ROOM(q) > 0 -> APPEND : NO_ROOM); n = (n < PSZ -> n : PSZ) }
		:: else
		fi;
		if
		:: what == PIPE_GONE -> UNLOCK(producer[q]); break
		:: what == NO_ROOM ->
wait:			UNLOCK(producer[q]);
			wait_writable(q);
			goto again
		:: what == MERGE || what == APPEND ->
			if :: what == APPEND -> page_alloc(p); end = 0 :: else fi;
			k = 0;
			do
			:: k < n -> write_cell(p, end + k, CELL(w, m, k0 + k)); k++
#ifdef FAULT
			:: k < n && !faulted ->
				faulted = 1;
				page_put(p);
				UNLOCK(producer[q]);
				goto again
#endif
			:: else -> break
			od;
			atomic {
				k = 0;
				if
#ifdef MERGEBLIND
				:: what == MERGE -> LAST(q).ln = LAST(q).ln + n; k = 1
#else
				:: what == MERGE && USED(q) > 0 ->
					assert(LAST(q).pg == p && LAST(q).off + LAST(q).ln == end);
					LAST(q).ln = LAST(q).ln + n; k = 1
#endif
#ifndef MERGEFULL
				:: what == MERGE && USED(q) == 0 && FULL(q) -> k = 2
#endif
				:: else ->
#ifdef NOEXTRAREF
					if :: what == MERGE -> pg[p].ref++ :: else fi;
#endif
					pg[p].lent++;
					pp[q].head = (pp[q].head + 1) & 3;
					SET(LAST(q), p, end, n, 1)
				fi };
#ifndef NOEXTRAREF
			if :: k > 0 -> page_put(p) :: else fi;
#endif
			if :: k == 2 -> goto wait :: else fi
		fi;
		wake(readable[q]);
		d_step { k0 = k0 + n; k = 0; p = 0; end = 0; n = 0 };
		if
		:: k0 < MLEN(w, m) -> goto more
		:: else -> UNLOCK(producer[q])
		fi;
		d_step { m++; k0 = 0; what = 0 }
	:: else -> break
	od;
	atomic { pp[q].writers--; finished++ };
#ifndef CLOSENOWAKE
	wake(readable[q])
#endif
}
#endif

/* A source publishes one slot that it holds a reference and a promise for: splice_publish. */
inline publish(q, p, l, what) {
	LOCK(producer[q]);
	atomic {
		if
		:: pp[q].readers == 0 -> what = PIPE_GONE
		:: pp[q].readers > 0 && ROOM(q) == 0 -> what = NO_ROOM
		:: else ->
			what = APPEND;
			pp[q].head = (pp[q].head + 1) & 3;
			SET(LAST(q), p, 0, l, 0)
		fi };
	wake(readable[q]);
	UNLOCK(producer[q])
}

/* A lent slot that found no room is given back. */
inline give_back(p) { d_step { pg[p].lent-- }; page_put(p) }

/* Splice from a file: writer 2. A page has the file's reference and ours. */
#if LAZY > 0
proctype splicer(byte q) LOCKS {
	byte i, p;
	mtype what;
	do
	:: i < LAZY ->
		page_alloc(p);
		atomic { pg[p].ref = 2; pg[p].uptodate = 0; pg[p].locked = 1; pg[p].c[1] = CELL(2, i, 0); run io(p) };
		do
		:: wait_writable(q);
			atomic { pg[p].ref++; pg[p].lent++ };
			publish(q, p, 1, what);
			if
			:: what == APPEND -> break
			:: what == NO_ROOM -> give_back(p)
			:: what == PIPE_GONE -> give_back(p); break
			fi
		od;
		page_put(p);
		atomic { i++; p = 0 };
		if :: what == PIPE_GONE -> break :: else -> what = 0 fi
	:: else -> break
	od;
	atomic { pp[q].writers--; finished++ };
	wake(readable[q])
}
#endif


/*
 * A read of the disk ends: fs/cache/pagewait.c, page_read_done and page_unlock. The second
 * cell stands for what the disk has.
 */
#if LAZY > 0
proctype io(byte p) {
	bit woken, good;
#ifdef NEVER
	if :: !failed -> failed = 1; goto lost :: skip fi;
#endif
#ifdef FAIL
	if
	:: !failed -> failed = 1
	:: failed -> d_step { pg[p].c[0] = pg[p].c[1]; pg[p].uptodate = 1; good = 1 }
	fi;
#else
	d_step { pg[p].c[0] = pg[p].c[1]; pg[p].uptodate = 1; good = 1 };
#endif
	d_step { pg[p].locked = 0; woken = pg[p].waiters };
	if
	:: woken ->
		d_step {
			pg[p].waiters = 0;
			if :: pp[0].armed == p -> pp[0].armed = NOPG; readable[0] = 0 :: else fi;
			if :: pp[1].armed == p -> pp[1].armed = NOPG; readable[1] = 0 :: else fi }
	:: else
	fi;
	/* What a file has not dirtied may leave it: then only the slots hold the page. */
	if :: good -> page_put(p) :: else fi;
lost:	skip
}
#endif

/* vmsplice of a private page, then a store to it: mm/vm/fault.c, take_mapped and write_private. */
#if defined(OWNER)
proctype owner(byte q) LOCKS {
	byte p, copy;
	mtype what;
	page_alloc(p);
	d_step { pg[p].c[0] = CELL(2, 0, 0); pg[p].c[1] = CELL(2, 0, 1) };
	do
	:: wait_writable(q);
		atomic { pg[p].ref++; pg[p].lent++ };
		publish(q, p, PSZ, what);
		if
		:: what == APPEND -> break
		:: what == NO_ROOM -> give_back(p)
		:: what == PIPE_GONE -> give_back(p); break
		fi
	od;
	atomic { pp[q].writers-- };
	wake(readable[q]);
#ifndef INPLACE
	if
	:: pg[p].ref == 1
	:: pg[p].ref > 1 ->
		page_alloc(copy);
		d_step { pg[copy].c[0] = pg[p].c[0]; pg[copy].c[1] = pg[p].c[1] };
		page_put(p);
		p = copy
	fi;
#endif
	d_step { assert(!pg[p].file && pg[p].c[1] == CELL(2, 0, 1)); pg[p].c[0] = SCRIBBLE };
	page_put(p);
	finished++
}
#endif

/* ---- taking: fs/pipe/read.c ---- */

/* n cells of the first slot have been taken. */
inline advance(q, n, p) {
	atomic {
		FIRST(q).off = FIRST(q).off + n; FIRST(q).ln = FIRST(q).ln - n;
		p = NOPG;
		if
		:: FIRST(q).ln == 0 ->
			p = FIRST(q).pg;
			SET(FIRST(q), 0, 0, 0, 0);
			pp[q].tail = (pp[q].tail + 1) & 3
		:: else
		fi };
	if
	:: p != NOPG ->
		wake(writable[q]);
#ifndef POPNOWAKE
		wake(readable[q]);
#endif
		d_step { pg[p].lent-- };
		page_put(p)
	:: else
	fi
}

#if LAZY > 0
#define RUN_IO(p)	run io(p)
#else
#define RUN_IO(p)	assert(false)
#endif

#if RD > 0 || defined(RB)
proctype reader(byte q) LOCKS {
	byte n, k, p, off, size;
	mtype what;
	do
#ifdef KILLR
	:: break
#endif
	:: n = 0;
again:
#ifdef CONFIRMHELD
		if
		:: atomic { consumer[q] == 0 -> consumer[q] = _pid }
		/* An O_NONBLOCK reader would hang here. */
		:: atomic { consumer[q] != 0 && io_held -> assert(false) }
		fi;
#else
		LOCK(consumer[q]);
#endif
next:		if
		/* A look at the head; the end of file is told under the lock. */
		:: USED(q) == 0 -> atomic {
			if
			:: USED(q) > 0 -> what = HAVE
			:: else -> what = (pp[q].writers == 0 -> END : EMPTY)
			fi }
		:: USED(q) > 0 -> what = HAVE
		fi;
		if
		:: what == HAVE -> d_step {
			p = FIRST(q).pg; off = FIRST(q).off;
			size = (FIRST(q).ln < RDSZ - n -> FIRST(q).ln : RDSZ - n);
			if
			:: pg[p].uptodate
			:: !pg[p].uptodate && pg[p].locked -> what = EMPTY
			:: else -> what = FAILED
			fi }
		:: else
		fi;
		if
		:: what == HAVE ->
			k = 0;
			do
			:: k < size -> check_cell(q, p, off + k); k++
			:: else -> break
			od;
			n = n + size;
			advance(q, size, p);
			d_step { p = 0; off = 0; size = 0; k = 0 };
			if :: n < RDSZ -> goto next :: else -> UNLOCK(consumer[q]) fi
		:: what != HAVE && n > 0 ->
			/* The read returns what it has. */
#ifdef TORN
			assert(seen[q].open == 255);
#endif
			UNLOCK(consumer[q])
		:: what == END && n == 0 -> UNLOCK(consumer[q]); break
		:: what == FAILED && n == 0 ->
			atomic { pg[p].ref++; pg[p].lent++ };
			UNLOCK(consumer[q]);
			atomic {
				if
				:: !pg[p].locked && !pg[p].uptodate ->
					pg[p].locked = 1; RUN_IO(p)
				:: else
				fi };
			give_back(p)
		:: what == EMPTY && n == 0 ->
#ifdef CONFIRMHELD
			if
			:: USED(q) > 0 -> io_held = 1; !ON_ITS_WAY(p); io_held = 0; goto next
			:: else
			fi;
#endif
			UNLOCK(consumer[q]);
			d_step { p = 0; off = 0; size = 0; what = 0 };
			wait_readable(q, p);
			goto again
		fi;
		d_step { p = 0; off = 0; size = 0; what = 0 }
	od;
	atomic { pp[q].readers--; finished++ };
#ifndef CLOSENOWAKE
	wake(writable[q])
#endif
}
#endif

/* ---- pipe to pipe: fs/splice/splice.c, splice_between; fs/splice/tee.c ---- */

#if defined(MOVE01) || defined(MOVE10) || defined(TEE01) || defined(TEE10)
proctype mover(byte a; byte b; bit tee; byte times) LOCKS {
	byte n, left, room, at;
	bit part;
	mtype what;
	do
	:: times > 0 ->
#ifdef PRODUCERFIRST
		LOCK(producer[b]);
		LOCK(consumer[a]);
#else
		LOCK(consumer[a]);
		LOCK(producer[b]);
#endif
		atomic {
			room = ROOM(b); what = HAVE;
			if :: pp[b].readers == 0 -> what = PIPE_GONE :: else fi
		};
		atomic {
			if :: left = 1 :: left = 9 fi;
			n = 0;
			if
			:: what == PIPE_GONE
			:: what == HAVE && USED(a) == 0 -> what = (pp[a].writers > 0 -> EMPTY : END)
			:: what == HAVE && USED(a) > 0 && room == 0 -> what = NO_ROOM
			:: else ->
				at = pp[a].tail;
				do
				:: at != pp[a].head && n < room && left > 0 && pp[a].s[PLACE(a, at)].ln <= left ->
					COPY(pp[b].s[PLACE(b, pp[b].head + n)], pp[a].s[PLACE(a, at)]);
					left = left - pp[a].s[PLACE(a, at)].ln;
					if
					:: tee -> pg[pp[a].s[PLACE(a, at)].pg].ref++; pg[pp[a].s[PLACE(a, at)].pg].lent++
					:: else -> SET(pp[a].s[PLACE(a, at)], 0, 0, 0, 0)
					fi;
					n++; at = (at + 1) & 3
				:: else -> break
				od;
				if :: !tee -> pp[a].tail = at :: else fi;
#ifndef KEEPMERGE
				/* Only a ring's last slot can be appended to. */
				if :: n > 0 -> pp[b].s[PLACE(b, pp[b].head + n - 1)].merge = 0 :: else fi;
#endif
				if
				:: at != pp[a].head && n < room && left > 0 ->
					COPY(pp[b].s[PLACE(b, pp[b].head + n)], pp[a].s[PLACE(a, at)]);
					pp[b].s[PLACE(b, pp[b].head + n)].ln = left;
#ifndef KEEPMERGE
					pp[b].s[PLACE(b, pp[b].head + n)].merge = 0;
#endif
					pg[pp[a].s[PLACE(a, at)].pg].ref++; pg[pp[a].s[PLACE(a, at)].pg].lent++;
					if
					:: !tee ->
						pp[a].s[PLACE(a, at)].off = pp[a].s[PLACE(a, at)].off + left;
						pp[a].s[PLACE(a, at)].ln = pp[a].s[PLACE(a, at)].ln - left
					:: else
					fi;
					n++
				:: else
				fi
			fi;
			at = 0; left = 0; room = 0 };
		if
		:: what == HAVE ->
			atomic { pp[b].head = (pp[b].head + n) & 3; n = 0 };
			wake(readable[b])
		:: else
		fi;
		UNLOCK(producer[b]);
		UNLOCK(consumer[a]);
		if
		:: what == HAVE ->
			times--;
			if
			:: !tee ->
				wake(writable[a]);
#ifndef POPNOWAKE
				wake(readable[a])
#endif
			:: else
			fi
		:: what == EMPTY -> wait_slot(a)
		:: what == NO_ROOM -> wait_writable(b)
		:: else -> break
		fi;
		what = 0
	:: else -> break
	od;
	/* It had an end of each. */
	atomic { pp[a].readers--; pp[b].writers--; finished++ };
	wake(writable[a]);
	wake(readable[b])
}
#endif

/* ---- pipe to file: fs/splice/splice.c, drain_ring ---- */

#if defined(SINK) || defined(SINKB)
proctype sink(byte q) LOCKS {
	byte n, i, k, start, left, p, size;
	bit part, mine;
	mtype what;
	do
	::	LOCK(consumer[q]);
drain:		atomic {
			what = HAVE; n = 0; part = 0;
			if :: left = 1 :: left = 9 fi;
			if
			:: USED(q) == 0 -> what = (pp[q].writers == 0 -> END : EMPTY)
			:: else ->
				start = pp[q].tail;
				do
				:: n < USED(q) && PLACE(q, start) + n < pp[q].nr && left > 0 ->
					i = PLACE(q, start) + n;
					if
					:: !pg[pp[q].s[i].pg].uptodate -> what = (n == 0 -> EMPTY : HAVE); break
					:: else
					fi;
					if :: pp[q].s[i].ln > left -> break :: else fi;
					left = left - pp[q].s[i].ln; n++
				:: else -> break
				od;
				i = 0;
				if
				:: n > 0 -> pp[q].tail = (pp[q].tail + n) & 3; pp[q].taken = n
				:: n == 0 && what == HAVE ->
					part = 1; p = FIRST(q).pg; pg[p].ref++; pg[p].lent++
				:: else
				fi
			fi;
			left = 0 };
		if
		:: what == HAVE && part ->
			check_cell(q, p, FIRST(q).off);
			give_back(p);
			p = 0;
			advance(q, 1, p);
			d_step { p = 0; part = 0; start = 0 };
			goto drain
		:: what == HAVE && !part ->
			i = 0;
			do
			:: i < n && !cut_short -> cut_short = 1; break	/* no room on the disk */
			:: i < n ->
				d_step {
					p = pp[q].s[PLACE(q, start + i)].pg; size = pp[q].s[PLACE(q, start + i)].ln;
					k = pp[q].s[PLACE(q, start + i)].off; mine = 0 };
				if
				:: size == PSZ -> d_step {
#ifdef STEALANY
					mine = 1;
#else
#ifdef STEALLENT
					mine = (pg[p].lent == 1);
#else
					mine = (pg[p].ref == 1);
#endif
#endif
					if :: mine -> pg[p].lent-- :: else fi }
				:: else
				fi;
				size = size + k;
				do
				:: k < size -> check_cell(q, p, k); k++
				:: else -> break
				od;
				atomic { k = 0; size = 0; SET(pp[q].s[PLACE(q, start + i)], 0, 0, 0, 0) };
				if
				:: mine -> d_step { pg[p].file = 1; pg[p].c[0] = SCRIBBLE; pg[p].c[1] = SCRIBBLE }
				:: else -> give_back(p)
				fi;
				d_step { i++; p = 0; mine = 0 }
			:: i == n -> break
			od;
			atomic {
				assert(!(hangup && n > i));
				pp[q].tail = (pp[q].tail - (n - i)) & 3; pp[q].taken = 0;
				what = (n > i -> END : HAVE); n = 0; i = 0; start = 0 };
#ifndef SETTLENOWAKE
			wake(writable[q]);
			wake(readable[q]);
#endif
			if
			:: what == HAVE -> goto drain
			:: else -> UNLOCK(consumer[q])
			fi
		:: what == END -> UNLOCK(consumer[q]); break
		:: what == EMPTY ->
			UNLOCK(consumer[q]);
			start = 0;
			wait_readable(q, p)
		fi;
		what = 0
	od;
	atomic { pp[q].readers--; finished++ };
	wake(writable[q])
}
#endif

/* ---- the rest ---- */

/* F_SETPIPE_SZ: fs/pipe/limits.c. Positions keep their numbers; what they mean is another place. */
#if defined(RESIZE)
proctype resizer(byte q) LOCKS {
	byte i;
	do
	:: i < 2 ->
		LOCK(consumer[q]);
		LOCK(producer[q]);
		atomic {
			assert(pp[q].taken == 0);
			if
			:: i == 0 && USED(q) <= 1 ->
				if
				:: USED(q) == 1 && PLACE(q, pp[q].tail) == 1 -> COPY(pp[q].s[0], pp[q].s[1]); SET(pp[q].s[1], 0, 0, 0, 0)
				:: else
				fi;
				pp[q].nr = 1
			:: i == 1 && pp[q].nr == 1 ->
				pp[q].nr = 2;
				if
				:: USED(q) == 1 && PLACE(q, pp[q].tail) == 1 -> COPY(pp[q].s[1], pp[q].s[0]); SET(pp[q].s[0], 0, 0, 0, 0)
				:: else
				fi
			:: else
			fi };
		UNLOCK(producer[q]);
		UNLOCK(consumer[q]);
#ifndef RESIZENOWAKE
		wake(writable[q]);
		wake(readable[q]);
#endif
		i++
	:: else -> break
	od;
	finished++
}
#endif

#if defined(POLL)
proctype poller(byte q) LOCKS {
	byte p;
	do
	:: d_step { readable[q] = readable[q] | ME };
		if
		:: atomic { ARRIVED(q) -> break }
		:: atomic { HUNG_UP(q) -> hangup = 1; break }
		:: atomic { USED(q) == 0 && !HUNG_UP(q) -> polls = 1 }
		:: atomic { USED(q) > 0 && !ARRIVED(q) -> arm(q, p) };
			if
			:: atomic { !ON_ITS_WAY(p) -> break }
			:: atomic { ON_ITS_WAY(p) -> polls = 1 }
			fi
		fi;
		atomic { (readable[q] & ME) == 0 -> polls = 0; p = 0 }
	od;
	atomic { readable[q] = readable[q] & ~ME; finished++ }
}
#endif

inline start_all() {
	pp[0].nr = NS; pp[1].nr = NS; pp[0].armed = NOPG; pp[1].armed = NOPG;
	seen[0].open = 255; seen[1].open = 255;
	i = 0;
#if WR > 0
	do :: i < WR -> pp[0].writers++; run writer(0, i); i++; want++ :: else -> break od;
#endif
	i = 0;
#if RD > 0
	do :: i < RD -> pp[0].readers++; run reader(0); i++; want++ :: else -> break od;
#endif
#ifdef WB
	pp[1].writers++; run writer(1, 1); want++;
#endif
#ifdef RB
	pp[1].readers++; run reader(1); want++;
#endif
#ifdef MOVE01
	pp[0].readers++; pp[1].writers++; run mover(0, 1, 0, MOVE01); want++;
#endif
#ifdef MOVE10
	pp[1].readers++; pp[0].writers++; run mover(1, 0, 0, MOVE10); want++;
#endif
#ifdef TEE01
	pp[0].readers++; pp[1].writers++; run mover(0, 1, 1, TEE01); want++;
#endif
#ifdef TEE10
	pp[1].readers++; pp[0].writers++; run mover(1, 0, 1, TEE10); want++;
#endif
#ifdef SINK
	pp[0].readers++; run sink(0); want++;
#endif
#ifdef SINKB
	pp[1].readers++; run sink(1); want++;
#endif
#ifdef OWNER
	pp[0].writers++; run owner(0); want++;
#endif
#ifdef HOLDER
	pp[0].readers++; pp[1].readers++;
#endif
#ifdef RESIZE
	run resizer(0); want++;
#endif
#ifdef RESIZEB
	run resizer(1); want++;
#endif
#ifdef POLL
	run poller(0); want++;
#endif
	/* Last, since the reads that it starts need no bit of a queue. */
#if LAZY > 0
	pp[0].writers++; run splicer(0); want++;
#endif
	i = 0
}

/* Nothing can run any more: whoever sleeps must have a reason, and every page its holders. */
inline check_end() {
	assert(consumer[0] == 0 && consumer[1] == 0 && producer[0] == 0 && producer[1] == 0);
	assert(!(polls && ARRIVED(0)) && !(polls && HUNG_UP(0)));
	i = 0;
	do
	:: i < 2 ->
		assert(!(ARRIVED(i) && readable[i] != 0) && !(moving[i] && USED(i) > 0));
		assert(!(HUNG_UP(i) && readable[i] != 0));
		assert(!(writable[i] != 0 && CAN_WRITE(i)));
		at = pp[i].tail;
		do
		:: at != pp[i].head ->
			pg[pp[i].s[PLACE(i, at)].pg].ref--; pg[pp[i].s[PLACE(i, at)].pg].lent--; at = (at + 1) & 3
		:: else -> break
		od;
		i++
	:: else -> break
	od;
	i = 0;
	do
	:: i < NPG ->
		assert(pg[i].lent == 0);
#ifndef NEVER
		assert(pg[i].ref == pg[i].file);
#endif
		i++
	:: else -> break
	od;
#ifdef WHOLE
	assert(finished == want);
	i = 0;
	do :: i < WR -> assert(seen[0].m[i] == NMSG && seen[0].k[i] == 0); i++ :: else -> break od;
#ifdef OWNER
	assert(seen[0].m[2] == 1);
#else
	assert(seen[0].m[2] == LAZY);
#endif
#endif
	i = 0
}

init {
	byte i, at, want;
	atomic { start_all() };
	atomic { timeout -> check_end() }
}
