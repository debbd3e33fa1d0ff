/*
 * Packets: what is in a socket. The contract is in net/packet.h.
 *
 * Receiving works as reading a pipe does (fs/pipe.c): user memory is copied with `consumer` held
 * and page faults off; where a page is not there the mutex is given back, the page is brought in,
 * and the operation starts over. Bytes leave the queue when they have been copied, not before. A
 * sender copies before it has anything to hold.
 */
#include "net/packet.h"
#include "mm/kmap.h"

#define PACKET_PAGES 16u /* of a stream's packet, at most: a reader is not to wait for more */
#define AT_END	     1	 /* nothing is there, and nothing will come */

static void arrived(struct page_waiter *waiter)
{
	wake_all(&container_of(waiter, struct packet_queue, arrival)->readable);
}

void packet_queue_init(struct packet_queue *queue, bool datagrams)
{
	mutex_init(&queue->consumer, "packet consumer");
	mutex_init(&queue->producer, "packet producer");
	spin_init(&queue->lock, "packets");
	list_init(&queue->packets);
	queue->datagrams = datagrams;
	wait_queue_init(&queue->readable, "packets readable");
	wait_queue_init(&queue->room, "room for packets");
	queue->writable = &queue->room;
	list_init(&queue->arrival.link);
	queue->arrival.wake = arrived;
}

static struct packet *packet_alloc(unsigned int nr)
{
	struct packet *packet = kmalloc(sizeof(*packet) + nr * sizeof(packet->fragments[0]), 0);

	if (!packet)
		return NULL;
	list_init(&packet->link);
	packet->from = NULL;
	packet->first = packet->nr = 0;
	return packet;
}

void packet_free(struct packet *packet)
{
	while (packet->first < packet->nr)
		slot_release(&packet->fragments[packet->first++]);
	socket_name_put(packet->from);
	kfree(packet);
}

static struct packet *first_packet(struct packet_queue *queue)
{
	lockdep_held(&queue->lock);
	if (list_empty(&queue->packets))
		return NULL;
	return list_first(&queue->packets, struct packet, link);
}

/* The memory that a fragment keeps, in whole pages. */
static unsigned int charge(const struct pipe_slot *fragment)
{
	return PAGE_ALIGN((fragment->offset & (PAGE_SIZE - 1)) + fragment->len);
}

static unsigned int packet_charge(const struct packet *packet)
{
	unsigned int bytes = 0;

	for (unsigned int i = packet->first; i < packet->nr; i++)
		bytes += charge(&packet->fragments[i]);
	return bytes;
}

static void unlink_packet(struct packet_queue *queue, struct packet *packet)
{
	lockdep_held(&queue->lock);
	queue->charged -= packet_charge(packet);
	queue->nr_packets--;
	list_del(&packet->link);
}

void packet_queue_end(struct packet_queue *queue, int error)
{
	spin_lock(&queue->lock);
	queue->ended = true;
	if (error)
		queue->error = error;
	spin_unlock(&queue->lock);
	wake_all(&queue->readable);
	wake_all(queue->writable);
}

bool packet_queue_close(struct packet_queue *queue)
{
	struct packet *packet;
	bool any = false;

	packet_queue_end(queue, 0);
	page_waiter_disarm(&queue->arrival);
	for (;;) {
		spin_lock(&queue->lock);
		queue->closed = true;
		packet = first_packet(queue);
		if (packet)
			unlink_packet(queue, packet);
		spin_unlock(&queue->lock);
		if (!packet)
			break;
		packet_free(packet);
		any = true;
	}
	wake_all(queue->writable);
	return any;
}

/* ---- waiting ---- */

/*
 * What keeps a receiver from the first bytes, or from the first datagram: 0 nothing, else what
 * confirm says of *fragment. The queue is not empty.
 */
static int first_state(struct packet_queue *queue, struct pipe_slot **fragment)
{
	struct packet *packet = list_first(&queue->packets, struct packet, link);
	unsigned int end = queue->datagrams ? packet->nr : packet->first + 1;

	for (unsigned int i = packet->first; i < end; i++) {
		int error = slot_confirm(&packet->fragments[i]);

		*fragment = &packet->fragments[i];
		if (unlikely(error))
			return error;
	}
	return 0;
}

/*
 * Are the first bytes on their way? If so, the arrival of those that are asked for first will wake
 * `readable`. The page is asked once more after the waiter was armed: see fs/pipe_wait.c.
 */
static bool on_their_way(struct packet_queue *queue)
{
	struct pipe_slot *fragment, *armed = NULL;

	lockdep_held(&queue->lock);
	while (first_state(queue, &fragment) == -EAGAIN) {
		if (fragment == armed)
			return true;
		page_waiter_arm(&queue->arrival, fragment->page);
		armed = fragment;
	}
	return false;
}

bool packet_readable(struct packet_queue *queue, bool *on_its_way)
{
	bool ready;

	spin_lock(&queue->lock);
	*on_its_way = first_packet(queue) && on_their_way(queue);
	ready = first_packet(queue) ? !*on_its_way : queue->ended || queue->error;
	spin_unlock(&queue->lock);
	return ready;
}

static bool can_receive(struct packet_queue *queue, enum pipe_need need)
{
	bool on_its_way, ready = packet_readable(queue, &on_its_way);

	return ready || (on_its_way && need == PIPE_NEED_SLOT);
}

/* Nothing could be taken: sleep. 0: start over; AT_END, -EAGAIN, -ERESTARTSYS; the queue's error. */
static int wait_readable(struct packet_queue *queue, enum pipe_need need, bool nonblock)
{
	int error = 0;

	spin_lock(&queue->lock);
	if (!first_packet(queue) && (queue->ended || queue->error)) {
		error = queue->error ? queue->error : AT_END;
		queue->error = 0;
	}
	spin_unlock(&queue->lock);
	if (error)
		return error;
	if (nonblock)
		return -EAGAIN;
	return wait_event_interruptible(&queue->readable, can_receive(queue, need));
}

/* Bytes of memory that the queue would still take; -EPIPE, -ECONNREFUSED. */
static int room_left(struct packet_queue *queue, unsigned int limit, unsigned int most)
{
	lockdep_held(&queue->lock);
	if (unlikely(queue->ended))
		return queue->datagrams && queue->closed ? -ECONNREFUSED : -EPIPE;
	if (queue->charged >= limit || (queue->datagrams && queue->nr_packets > most))
		return 0;
	return limit - queue->charged;
}

static int ask_room(struct packet_queue *queue, unsigned int limit, unsigned int most)
{
	int room;

	spin_lock(&queue->lock);
	room = room_left(queue, limit, most);
	spin_unlock(&queue->lock);
	return room;
}

bool packet_has_room(struct packet_queue *queue, unsigned int limit, unsigned int most)
{
	return ask_room(queue, limit, most) != 0;
}

int packet_wait_room(struct packet_queue *queue, unsigned int limit, unsigned int most,
		     bool nonblock)
{
	if (nonblock)
		return packet_has_room(queue, limit, most) ? 0 : -EAGAIN;
	return wait_event_interruptible(queue->writable, packet_has_room(queue, limit, most));
}

/* ---- sending ---- */

struct packet *packet_build(struct iter *from, size_t n, bool merge)
{
	struct packet *packet = packet_alloc(DIV_ROUND_UP(n, PAGE_SIZE));
	int error = -ENOMEM;

	if (!packet)
		return ERR_PTR(-ENOMEM);
	while (n > 0) {
		unsigned int chunk = MIN(n, (size_t)PAGE_SIZE), copied;
		struct page *page = page_alloc(0, ALLOC_HIGH);
		char *to;

		if (!page)
			break;
		to = kmap_local(page);
		copied = iter_copy_from_nofault(from, to, chunk);
		if (unlikely(copied < chunk))
			copied += iter_copy_from(from, to + copied, chunk - copied);
		kunmap_local(to);
		if (unlikely(copied == 0)) {
			page_put(page);
			error = -EFAULT;
			break;
		}
		atomic_set(&page->lent, 1);
		packet->fragments[packet->nr++] =
			(struct pipe_slot){ page, 0, copied, &skb_slot_ops, merge ? SLOT_MERGE : 0,
					    0 };
		n -= copied;
		/* User memory has ended; what there was is the packet. */
		if (unlikely(copied < chunk))
			break;
	}
	if (likely(packet->nr > 0 || n == 0))
		return packet;
	packet_free(packet);
	return ERR_PTR(error);
}

/* 0, or what room_left says, -EAGAIN for no room. */
static int queue_packet(struct packet_queue *queue, struct packet *packet, unsigned int limit,
			unsigned int most)
{
	unsigned int bytes = packet_charge(packet);
	int room;

	spin_lock(&queue->lock);
	room = room_left(queue, limit, most);
	if (likely(room > 0)) {
		list_add_tail(&queue->packets, &packet->link);
		queue->nr_packets++;
		queue->charged += bytes;
	}
	spin_unlock(&queue->lock);
	if (unlikely(room <= 0))
		return room ? room : -EAGAIN;
	wake_all(&queue->readable);
	return 0;
}

/* The last fragment, if `n` bytes more may be appended to it; NULL. */
static struct pipe_slot *last_fragment(struct packet_queue *queue, size_t n)
{
	struct packet *packet;
	struct pipe_slot *last;

	lockdep_held(&queue->lock);
	if (list_empty(&queue->packets) || queue->ended)
		return NULL;
	packet = list_last(&queue->packets, struct packet, link);
	last = &packet->fragments[packet->nr - 1];
	return last->flags & SLOT_MERGE && last->offset + last->len + n <= PAGE_SIZE ? last : NULL;
}

/*
 * Append a small write behind the last byte: bytes; 0: it needs a packet of its own. As in a pipe
 * the bytes there are nobody's, and only the queue that the page was made for may append: the one
 * at a time that has `producer`. Meanwhile the fragment may be taken, or another packet queued.
 */
static ssize_t send_merged(struct packet_queue *queue, struct iter *from)
{
	struct page *page = NULL;
	struct pipe_slot *last;
	unsigned int end = 0;
	size_t copied = 0;
	char *to;
	int error = mutex_lock_killable(&queue->producer);

	if (error)
		return error;
	spin_lock(&queue->lock);
	last = last_fragment(queue, from->left);
	if (last && page_get(last->page)) {
		page = last->page;
		end = last->offset + last->len;
	}
	spin_unlock(&queue->lock);
	if (!page)
		goto unlock;
	to = kmap_local(page);
	copied = iter_copy_from_nofault(from, to + end, from->left);
	kunmap_local(to);
	spin_lock(&queue->lock);
	last = last_fragment(queue, copied);
	if (likely(last && last->page == page)) {
		last->len += copied;
	} else {
		iter_rewind(from, copied);
		copied = 0;
	}
	spin_unlock(&queue->lock);
	wake_all(&queue->readable);
	page_put(page);
unlock:
	mutex_unlock(&queue->producer);
	return copied;
}

/* Bytes; 0: somebody else took the room. */
static ssize_t send_packet(struct packet_queue *queue, struct iter *from, unsigned int limit)
{
	int room = ask_room(queue, limit, 0), error;
	struct packet *packet;
	size_t left = from->left, n;

	if (room <= 0)
		return room;
	n = MIN(left, MIN((size_t)PAGE_ALIGN(room), (size_t)PACKET_PAGES * PAGE_SIZE));
	packet = packet_build(from, n, true);
	if (IS_ERR(packet))
		return PTR_ERR(packet);
	n = left - from->left;
	error = queue_packet(queue, packet, limit, 0);
	if (likely(!error))
		return n;
	iter_rewind(from, n);
	packet_free(packet);
	return error == -EAGAIN ? 0 : error;
}

ssize_t packet_send(struct packet_queue *queue, struct iter *from, unsigned int limit,
		    bool nonblock)
{
	size_t wanted = from->left;
	ssize_t n = 0;

	while (from->left > 0 && n >= 0) {
		n = from->left < PAGE_SIZE ? send_merged(queue, from) : 0;
		if (n == 0)
			n = send_packet(queue, from, limit);
		if (n == 0)
			n = packet_wait_room(queue, limit, 0, nonblock);
	}
	return from->left < wanted ? wanted - from->left : n;
}

int packet_send_datagram(struct packet_queue *queue, struct packet *packet, unsigned int limit,
			 unsigned int most, bool nonblock)
{
	int error;

	while ((error = queue_packet(queue, packet, limit, most)) == -EAGAIN) {
		error = packet_wait_room(queue, limit, most, nonblock);
		if (error)
			break;
	}
	return error;
}

/*
 * The right to append stays behind, and the pages keep their holders: nothing of a slot changes but
 * its place.
 */
ssize_t packet_splice_in(struct packet_queue *queue, struct slot_list *slots, unsigned int limit,
			 unsigned int most, struct socket_name *from)
{
	int room = ask_room(queue, limit, most);
	struct packet *packet;
	size_t bytes = 0;
	int error;

	if (room <= 0)
		return room ? room : -EAGAIN;
	packet = packet_alloc(slots->nr);
	if (!packet)
		return -ENOMEM;
	while (packet->nr < slots->nr && (queue->datagrams || room > 0)) {
		struct pipe_slot *fragment = &packet->fragments[packet->nr];

		*fragment = slots->slots[packet->nr++];
		fragment->flags = 0;
		bytes += fragment->len;
		room -= charge(fragment);
	}
	error = queue->datagrams && bytes > limit ? -EMSGSIZE : 0;
	packet->from = socket_name_get(from);
	if (!error)
		error = queue_packet(queue, packet, limit, most);
	if (error) {
		packet->nr = 0; /* the slots stay where they are */
		packet_free(packet);
		return error;
	}
	slots->slots += packet->nr;
	slots->nr -= packet->nr;
	return bytes;
}

/* ---- receiving ---- */

/* The packet and its fragment that have byte *at of the stream, which then counts from there. */
static struct packet *packet_at(struct packet_queue *queue, unsigned int *at,
				unsigned int *fragment)
{
	struct packet *packet;

	lockdep_held(&queue->lock);
	list_for_each(packet, &queue->packets, link) {
		for (*fragment = packet->first; *fragment < packet->nr; ++*fragment) {
			if (*at < packet->fragments[*fragment].len)
				return packet;
			*at -= packet->fragments[*fragment].len;
		}
	}
	return NULL;
}

/*
 * n bytes of the stream's first packet are taken; `consumer` is held, so that fragments that are
 * behind packet->first are ours.
 */
static void advance(struct packet_queue *queue, unsigned int n)
{
	unsigned int at, end;
	struct packet *packet;
	bool empty;

	spin_lock(&queue->lock);
	packet = first_packet(queue);
	at = packet->first;
	while (n > 0) {
		struct pipe_slot *fragment = &packet->fragments[packet->first];
		unsigned int part = MIN(n, fragment->len);

		queue->charged -= charge(fragment);
		fragment->offset += part;
		fragment->len -= part;
		n -= part;
		/* A sender may just have made it longer. */
		if (fragment->len > 0)
			queue->charged += charge(fragment);
		else
			packet->first++;
	}
	end = packet->first;
	empty = end == packet->nr;
	if (empty)
		unlink_packet(queue, packet);
	spin_unlock(&queue->lock);
	if (at == end)
		return;
	wake_all(queue->writable);
	wake_all(&queue->readable);
	while (at < end)
		slot_release(&packet->fragments[at++]);
	if (empty)
		packet_free(packet);
}

/* The first packet is dropped; `consumer` is held. */
static void drop_first(struct packet_queue *queue)
{
	struct packet *packet;

	spin_lock(&queue->lock);
	packet = first_packet(queue);
	unlink_packet(queue, packet);
	spin_unlock(&queue->lock);
	wake_all(queue->writable);
	wake_all(&queue->readable);
	packet_free(packet);
}

/* Copy from byte `at` of that fragment on to the packet's end: 0; what confirm says; -EFAULT. */
static int copy_fragments(struct packet *packet, unsigned int fragment, unsigned int at,
			  struct iter *to)
{
	/* Others may be queued meanwhile, but not in this packet; its last one may grow. */
	for (; fragment < packet->nr && to->left > 0; fragment++, at = 0) {
		struct pipe_slot *slot = &packet->fragments[fragment];
		size_t n = MIN(READ_ONCE(slot->len) - at, to->left);
		int error = slot_confirm(slot);

		if (unlikely(error))
			return error;
		if (unlikely(slot_copy_to(slot, at, n, to) < n))
			return -EFAULT;
	}
	return 0;
}

/*
 * Copy what is there; `consumer` is held, so that fragments stay where they are. 0: the iterator is
 * full; -EAGAIN there is no more; -EIO, -ENODATA; -EFAULT user memory to be brought in.
 */
static int take_stream(struct packet_queue *queue, struct iter *to, bool peek)
{
	unsigned int peeked = 0;
	int error = 0;

	while (to->left > 0 && !error) {
		unsigned int at = peeked, fragment;
		size_t left = to->left;
		struct packet *packet;

		spin_lock(&queue->lock);
		packet = packet_at(queue, &at, &fragment);
		spin_unlock(&queue->lock);
		if (!packet)
			return -EAGAIN;
		error = copy_fragments(packet, fragment, at, to);
		left -= to->left;
		if (peek)
			peeked += left;
		else if (left > 0)
			advance(queue, left);
	}
	return error;
}

/* The same of the first datagram. What the iterator has no room for is dropped. */
static int take_datagram(struct packet_queue *queue, struct iter *to, bool peek,
			 struct socket_name **from, size_t *full)
{
	struct pipe_slot *fragment;
	struct packet *packet;
	size_t bytes = 0;
	int error;

	spin_lock(&queue->lock);
	packet = first_packet(queue);
	spin_unlock(&queue->lock);
	if (!packet)
		return -EAGAIN;
	error = first_state(queue, &fragment);
	if (error)
		return error;
	for (unsigned int i = packet->first; i < packet->nr; i++) {
		size_t n;

		fragment = &packet->fragments[i];
		n = MIN(fragment->len, to->left);
		bytes += fragment->len;
		if (n > 0 && slot_copy_to(fragment, 0, n, to) < n)
			return -EFAULT;
	}
	if (from)
		*from = socket_name_get(packet->from);
	if (full)
		*full = bytes;
	if (!peek)
		drop_first(queue);
	return 0;
}

/* As pipe_report_failed: start the read again, or drop what will never come. */
static int report_failed(struct packet_queue *queue, int error)
{
	struct pipe_slot *first, failed;
	bool held = false;

	spin_lock(&queue->lock);
	first_state(queue, &first);
	failed = *first;
	if (error == -EIO)
		held = slot_get(&failed);
	spin_unlock(&queue->lock);
	if (error == -ENODATA && queue->datagrams)
		drop_first(queue);
	else if (error == -ENODATA)
		advance(queue, failed.len);
	mutex_unlock(&queue->consumer);
	if (held) {
		slot_retry(&failed);
		slot_release(&failed);
	}
	return error;
}

ssize_t packet_receive(struct packet_queue *queue, struct iter *to, unsigned int flags,
		       struct socket_name **from, size_t *full)
{
	bool peek = flags & MSG_PEEK, all = flags & MSG_WAITALL && !peek;
	size_t wanted = to->left;
	struct iter start = *to;
	int error = mutex_lock_killable(&queue->consumer);

	while (!error) {
		error = queue->datagrams ? take_datagram(queue, to, peek, from, full)
					 : take_stream(queue, to, peek);
		if (error == -EFAULT) {
			mutex_unlock(&queue->consumer);
			error = iter_fault_in(to, to->left, true);
			if (peek || queue->datagrams)
				iter_restore(to, &start);
		} else if (error == -EAGAIN && (to->left == wanted || all)) {
			mutex_unlock(&queue->consumer);
			error = wait_readable(queue, PIPE_NEED_BYTES, flags & MSG_DONTWAIT);
		} else if (error && to->left == wanted) {
			return report_failed(queue, error);
		} else {
			mutex_unlock(&queue->consumer);
			break;
		}
		if (!error)
			error = mutex_lock_killable(&queue->consumer);
	}
	if (to->left < wanted)
		return wanted - to->left;
	return error == AT_END ? 0 : error;
}

/* Move the fragments of a stream to the list; of the last one perhaps only a part. Bytes. */
static size_t move_out(struct packet_queue *queue, size_t len, struct slot_list *slots,
		       struct list *empty)
{
	struct packet *packet;
	size_t left = len;

	lockdep_held(&queue->lock);
	while (slots->nr < slots->max && left > 0 && (packet = first_packet(queue))) {
		struct pipe_slot *fragment = &packet->fragments[packet->first];
		struct pipe_slot *slot = &slots->slots[slots->nr];

		*slot = *fragment;
		slot->flags = 0;
		if (fragment->len > left) {
			if (!slot_get(slot))
				break;
			slot->len = left;
		}
		queue->charged -= charge(fragment);
		fragment->offset += slot->len;
		fragment->len -= slot->len;
		if (fragment->len > 0) {
			queue->charged += charge(fragment);
		} else if (++packet->first == packet->nr) {
			unlink_packet(queue, packet);
			list_add(empty, &packet->link);
		}
		left -= slot->len;
		slots->nr++;
	}
	return len - left;
}

/* The same of a datagram, which has left the queue. */
static size_t move_datagram(struct packet *packet, size_t len, struct slot_list *slots)
{
	size_t left = len;

	while (slots->nr < slots->max && left > 0 && packet->first < packet->nr) {
		struct pipe_slot *slot = &slots->slots[slots->nr++];

		*slot = packet->fragments[packet->first++];
		slot->len = MIN(slot->len, left);
		left -= slot->len;
	}
	return len - left;
}

ssize_t packet_splice_out(struct packet_queue *queue, size_t len, struct slot_list *slots,
			  bool nonblock)
{
	int error = mutex_lock_killable(&queue->consumer);
	struct list empty = LIST_INIT(empty);
	struct packet *packet, *next;
	size_t n = 0;
	bool some = false;

	while (!error && !some) {
		spin_lock(&queue->lock);
		packet = first_packet(queue);
		some = packet;
		if (some && queue->datagrams) {
			unlink_packet(queue, packet);
			list_add(&empty, &packet->link);
			n = move_datagram(packet, len, slots);
		} else if (some) {
			n = move_out(queue, len, slots, &empty);
		}
		spin_unlock(&queue->lock);
		mutex_unlock(&queue->consumer);
		if (!some)
			error = wait_readable(queue, PIPE_NEED_SLOT, nonblock);
		if (!some && !error)
			error = mutex_lock_killable(&queue->consumer);
	}
	wake_all(queue->writable);
	wake_all(&queue->readable);
	list_for_each_safe(packet, next, &empty, link)
		packet_free(packet);
	return error == AT_END ? 0 : error ? error : (ssize_t)n;
}

unsigned int packet_bytes(struct packet_queue *queue)
{
	struct packet *packet;
	unsigned int bytes = 0;

	spin_lock(&queue->lock);
	list_for_each(packet, &queue->packets, link) {
		for (unsigned int i = packet->first; i < packet->nr; i++) {
			if (slot_confirm(&packet->fragments[i])) {
				bytes = queue->datagrams ? 0 : bytes;
				goto out;
			}
			bytes += packet->fragments[i].len;
		}
		if (queue->datagrams)
			break;
	}
out:
	spin_unlock(&queue->lock);
	return bytes;
}
