/*
 * One page of a file: it is read from the disk, lent to pipes, written to by write(2) and through a
 * shared mapping, and cut off by truncate: fs/cache/lend.c, mm/vm/fault.c, mm/vm/rmap.c and fs/cache/truncate.c.
 *
 * BOOK: lend-model
 *
 * 1. A page frame has no contents here, but who stored to it: bit 0 by write(2), bit 1 through the
 *    mapping. TOUCH is a store to it, which must not be seen by who was promised the bytes.
 * 2. A page's lock, its flags, the entry of the mapping (with its table_lock) and `lent` are looked at
 *    in steps of their own.
 * 3. What is checked: no published page that is uptodate is stored to; no store is lost, wherever
 *    the file's page has gone meanwhile; nobody maps a page that its file has given up.
 *
 * The scenarios of tests/explore that run the real code in the same situations:
 *
 * EXPLORED lending and writing: lend_write lend_two_writers lend_twice
 * EXPLORED a mapping: store_lend store_lend_fault store_two store_lend_write vmsplice_shared
 * EXPLORED truncate: lend_truncate_tail lend_truncate store_truncate store_truncate_lent load_truncate
 * EXPLORED a stolen page in place of a lent one: steal_replace steal_lend steal_truncate
 * EXPLORED write-back, which is not in the model: lend_writeback writeback_write sync_twice store_writeback
 *
 * Who runs (-D): WRITERS=n write(2); MAPPERS=n a mapping that is stored to; SPLICERS=n; TRUNCATE.
 *
 * HOLDS all: WRITERS=1 MAPPERS=1 SPLICERS=1
 * HOLDS two-splices: WRITERS=1 MAPPERS=1 SPLICERS=2
 * HOLDS two-writes: WRITERS=2 MAPPERS=0 SPLICERS=2
 * HOLDS truncate: WRITERS=1 MAPPERS=1 SPLICERS=1 TRUNCATE
 *
 * FAILS no-lock-waited-for: WRITERS=1 MAPPERS=0 SPLICERS=1 NOWAIT
 * FAILS uptodate-before-lent: WRITERS=1 MAPPERS=0 SPLICERS=1 TESTFIRST
 * FAILS mapped-without-the-lock: WRITERS=0 MAPPERS=1 SPLICERS=1 MAPUNLOCKED
 * FAILS mapped-though-lent: WRITERS=0 MAPPERS=1 SPLICERS=1 MAPLENT
 * FAILS mapping-stays-writable: WRITERS=0 MAPPERS=1 SPLICERS=1 NOPROTECT
 * FAILS mapped-before-lent: WRITERS=0 MAPPERS=1 SPLICERS=1 MAPPEDFIRST
 * FAILS copy-before-unmapping: WRITERS=1 MAPPERS=1 SPLICERS=1 COPYFIRST
 * FAILS written-in-place: WRITERS=1 MAPPERS=0 SPLICERS=1 INPLACE
 */
#define FRAMES	7
#define NONE	255

typedef Frame { bit locked; bit uptodate; byte lent; byte published; bit in_file; byte stores };

Frame fr[FRAMES];
byte current;			/* the file's page, NONE: cut off */
byte next_frame = 1;
byte entry = NONE;		/* what the mapping shows */
bit entry_writable;
bit table_lock;
byte written;			/* stores that were made and must be in the file */

#define LOCK_PAGE(p)	atomic { !fr[p].locked -> fr[p].locked = 1 }
#define UNLOCK_PAGE(p)	fr[p].locked = 0
#define TABLE_LOCK	atomic { !table_lock -> table_lock = 1 }
#define TABLE_UNLOCK	table_lock = 0
#define TOUCH(p, bits)	d_step { \
	assert(!(fr[p].published > 0 && fr[p].uptodate)); \
	fr[p].stores = fr[p].stores | bits; written = written | bits }

/* The read of the page that is in the file at the beginning. */
proctype io() {
	fr[0].uptodate = 1;
	UNLOCK_PAGE(0)
}

/* fs/cache/lend.c, find_locked: a page that left its file while we waited is looked up again. */
inline lock_current(p) {
	do
	:: p = current;
		if
		:: p == NONE -> break
		:: p != NONE ->
			LOCK_PAGE(p);
			if
			:: fr[p].in_file && fr[p].uptodate -> break
			:: else -> UNLOCK_PAGE(p)
			fi
		fi
	od
}

/* mm/vm/rmap.c */
inline unmap(p) {
	TABLE_LOCK;
	d_step { if :: entry == p -> entry = NONE; entry_writable = 0 :: else fi };
	TABLE_UNLOCK
}

/* fs/cache/lend.c, replace: p is locked; the copy is, afterwards. */
inline replace(p, old) {
	d_step { old = p; p = next_frame; next_frame++; fr[p].locked = 1 };
#ifdef COPYFIRST
	d_step { fr[p].stores = fr[old].stores; fr[p].uptodate = 1 };
	unmap(old);
#else
	unmap(old);
	d_step { fr[p].stores = fr[old].stores; fr[p].uptodate = 1 };
#endif
	d_step { current = p; fr[p].in_file = 1; fr[old].in_file = 0 };
	unmap(old);
	UNLOCK_PAGE(old);
	old = 0
}

proctype writer() {
	byte p, old;
	lock_current(p);
	if
	:: p != NONE ->
#ifndef INPLACE
		if :: fr[p].lent > 0 -> replace(p, old) :: else fi;
#endif
		TOUCH(p, 1);
		UNLOCK_PAGE(p)
	:: else
	fi
}

/* mm/vm/fault.c: map_writable, map_page. */
inline write_fault(p, old) {
	lock_current(p);
	if
	:: p != NONE ->
#ifndef MAPLENT
		if :: fr[p].lent > 0 -> replace(p, old) :: else fi;
#endif
#ifdef MAPUNLOCKED
		UNLOCK_PAGE(p);
#endif
		TABLE_LOCK;
		d_step { entry = p; entry_writable = 1 };
		TABLE_UNLOCK;
#ifndef MAPUNLOCKED
		UNLOCK_PAGE(p)
#endif
	:: else
	fi
}

proctype mapper() {
	byte p, old, n;
	do
	:: n < 2 ->
		if
		:: atomic { entry != NONE && entry_writable -> TOUCH(entry, 2) }; n++
		:: entry == NONE || !entry_writable ->
			write_fault(p, old);
			if :: p == NONE -> break :: else -> p = 0 fi
		fi
	:: else -> break
	od
}

/* fs/cache/lend.c, page_lend. */
proctype splicer() {
	byte p;
	bit uptodate, locked, mapped, given_up;
	p = current;
	if :: p == NONE -> goto out :: else fi;
#ifdef MAPPEDFIRST
	d_step { mapped = (entry == p); uptodate = fr[p].uptodate; locked = fr[p].locked };
	fr[p].lent++;
#else
#ifdef TESTFIRST
	d_step { uptodate = fr[p].uptodate; locked = fr[p].locked };
	fr[p].lent++;
#else
	fr[p].lent++;
	d_step { uptodate = fr[p].uptodate; locked = fr[p].locked };
#endif
	if :: uptodate -> mapped = (entry == p) :: else fi;
#endif
#ifdef NOWAIT
	locked = 0;
#endif
	if
	:: uptodate && (locked || mapped) ->
		LOCK_PAGE(p);
		given_up = !fr[p].in_file;
#ifndef NOPROTECT
		if
		:: !given_up ->
			TABLE_LOCK;
			d_step { if :: entry == p -> entry_writable = 0 :: else fi };
			TABLE_UNLOCK
		:: else
		fi;
#endif
		UNLOCK_PAGE(p)
	:: uptodate && !locked && !mapped -> given_up = !fr[p].in_file
	:: !uptodate && !locked -> given_up = !fr[p].in_file
	:: else
	fi;
	if
	:: given_up -> fr[p].lent--
	:: else ->
		fr[p].published++;
		d_step { fr[p].published--; fr[p].lent-- }
	fi;
out:	skip
}

#ifdef TRUNCATE
/* fs/cache/truncate.c, remove_pages: after the end of the read. */
proctype truncate() {
	byte p;
	lock_current(p);
	unmap(p);
	d_step { current = NONE; fr[p].in_file = 0; written = 0 };
	UNLOCK_PAGE(p)
}
#endif

init {
	byte i;
	atomic {
		fr[0].locked = 1; fr[0].in_file = 1;
		run io();
#ifdef TRUNCATE
		run truncate();
#endif
		i = 0;
		do :: i < WRITERS -> run writer(); i++ :: else -> break od;
		i = 0;
		do :: i < MAPPERS -> run mapper(); i++ :: else -> break od;
		i = 0;
		do :: i < SPLICERS -> run splicer(); i++ :: else -> break od
	}
	atomic {
		timeout ->
		assert(_nr_pr == 1);	/* nobody hangs */
		if
		:: current != NONE -> assert((fr[current].stores & written) == written);
			assert(entry == NONE || entry == current)
		:: else -> assert(entry == NONE)
		fi;
		i = 0;
		do
		:: i < FRAMES -> assert(!fr[i].locked && fr[i].lent == 0); i++
		:: else -> break
		od
	}
}
