/*
 * Packets: what is in a socket. The contract is in net/packet.h.
 *
 * Receiving works as reading a pipe does (fs/pipe/pipe.c): user memory is copied with `consumer` held
 * and page faults off; where a page is not there the mutex is given back, the page is brought in,
 * and the operation starts over. Bytes leave the queue when they have been copied, not before. A
 * sender copies before it has anything to hold.
 */
#include "net/packet.h"
#include "mm/kmap.h"

#define PACKET_PAGES 16u /* of a stream's packet, at most: a reader is not to wait for more */
#define DATAGRAM_MAX (QUEUE_BYTES - 32)
#define ALL	     UINT32_MAX
#define AT_END	     1 /* nothing is there, and nothing will come */

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
	packet->charge = packet->first = packet->nr = 0;
	return packet;
}

static void packet_free(struct packet *packet)
{
	while (packet->first < packet->nr)
		slot_release(&packet->fragments[packet->first++]);
	socket_name_put(packet->from);
	kfree(packet);
}

/* Free the packets of a list. Returns whether there was any. */
static bool free_packets(struct list *packets)
{
	bool any = !list_empty(packets);
	struct packet *packet, *next;

	list_for_each_safe(packet, next, packets, link)
		packet_free(packet);
	return any;
}

static struct packet *first_packet(struct packet_queue *queue)
{
	lockdep_held(&queue->lock);
	if (list_empty(&queue->packets))
		return NULL;
	return list_first(&queue->packets, struct packet, link);
}

static void unlink_packet(struct packet_queue *queue, struct packet *packet)
{
	lockdep_held(&queue->lock);
	queue->charged -= packet->charge;
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
	struct list left = LIST_INIT(left);

	WRITE_ONCE(queue->closed, true);
	packet_queue_end(queue, 0);
	page_waiter_disarm(&queue->arrival);
	spin_lock(&queue->lock);
	list_splice_tail(&left, &queue->packets);
	queue->charged = queue->nr_packets = 0;
	spin_unlock(&queue->lock);
	return free_packets(&left);
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
 * `readable`. The page is asked once more after the waiter was armed: see fs/pipe/wait.c.
 */
//BOOK: packet-arrival
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

/* See packet_room(). */
//BOOK: packet-room
static int room_left(struct packet_queue *queue, unsigned int most)
{
	lockdep_held(&queue->lock);
	if (unlikely(queue->ended))
		return queue->datagrams && queue->closed ? -ECONNREFUSED : -EPIPE;
	if (queue->charged >= QUEUE_BYTES || (queue->datagrams && queue->nr_packets > most))
		return 0;
	return QUEUE_BYTES - queue->charged;
}

int packet_room(struct packet_queue *queue, unsigned int most)
{
	int room;

	spin_lock(&queue->lock);
	room = room_left(queue, most);
	spin_unlock(&queue->lock);
	return room;
}

int packet_wait_room(struct packet_queue *queue, unsigned int most, bool nonblock)
{
	if (nonblock)
		return packet_room(queue, most) ? 0 : -EAGAIN;
	return wait_event_interruptible(queue->writable, packet_room(queue, most));
}

/* ---- sending ---- */

/*
 * A packet of the iterator's first n bytes, copied: ERR_PTR(-ENOMEM, -EFAULT). A stream's packet
 * ends where user memory ends, or ours.
 */
//BOOK: packet-build
static struct packet *packet_build(struct iter *from, size_t n, bool stream)
{
	struct packet *packet = packet_alloc(DIV_ROUND_UP(n, PAGE_SIZE));
	int error = packet ? 0 : -ENOMEM;

	while (n > 0 && !error) {
		unsigned int chunk = MIN(n, (size_t)PAGE_SIZE), copied;
		struct page *page = page_alloc(0, ALLOC_HIGH);
		char *to;

		if (!page) {
			error = -ENOMEM;
			break;
		}
		to = kmap_local(page);
		copied = iter_copy_from_nofault(from, to, chunk);
		if (unlikely(copied < chunk))
			copied += iter_copy_from(from, to + copied, chunk - copied);
		kunmap_local(to);
		error = likely(copied == chunk) ? 0 : -EFAULT;
		atomic_set(&page->lent, 1);
		packet->fragments[packet->nr++] =
			(struct pipe_slot){ page, 0, copied, &skb_slot_ops, stream ? SLOT_MERGE : 0,
					    0 };
		packet->charge += PAGE_SIZE;
		n -= copied;
	}
	if (likely(!error) || (stream && packet && packet->nr > 0 && packet->fragments[0].len > 0))
		return packet;
	if (packet)
		packet_free(packet);
	return ERR_PTR(error);
}

/* 0, or what room_left says, -EAGAIN for no room. */
//BOOK: packet-queue
static int queue_packet(struct packet_queue *queue, struct packet *packet, unsigned int most)
{
	int room;

	spin_lock(&queue->lock);
	room = room_left(queue, most);
	if (likely(room > 0)) {
		list_add_tail(&queue->packets, &packet->link);
		queue->nr_packets++;
		queue->charged += packet->charge;
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
//BOOK: send-merged
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

/* A packet of its own: bytes; -EAGAIN no room. */
static ssize_t send_packet(struct packet_queue *queue, struct iter *from, unsigned int most,
			   struct socket_name *name)
{
	int room = packet_room(queue, most), error;
	size_t left = from->left, n = left;
	struct packet *packet;

	if (room <= 0)
		return room ? room : -EAGAIN;
	if (!queue->datagrams)
		n = MIN(left, MIN((size_t)PAGE_ALIGN(room), (size_t)PACKET_PAGES * PAGE_SIZE));
	packet = packet_build(from, n, !queue->datagrams);
	if (IS_ERR(packet))
		return PTR_ERR(packet);
	packet->from = socket_name_get(name);
	n = left - from->left;
	error = queue_packet(queue, packet, most);
	if (likely(!error))
		return n;
	iter_rewind(from, n);
	packet_free(packet);
	return error;
}

ssize_t packet_send(struct packet_queue *queue, struct iter *from, unsigned int most,
		    struct socket_name *name, bool nonblock)
{
	bool stream = !queue->datagrams;
	size_t wanted = from->left;
	ssize_t n = 0;

	if (stream ? wanted == 0 : wanted > DATAGRAM_MAX)
		return stream ? 0 : -EMSGSIZE;
	for (;;) {
		n = stream && from->left < PAGE_SIZE ? send_merged(queue, from) : 0;
		if (n == 0)
			n = send_packet(queue, from, most, name);
		if (n >= 0 && from->left == 0)
			return wanted;
		if (n == -EAGAIN)
			n = packet_wait_room(queue, most, nonblock);
		if (n < 0)
			return stream && from->left < wanted ? (ssize_t)(wanted - from->left) : n;
	}
}

/*
 * The right to append stays behind, and the pages keep their holders: nothing of a slot changes but
 * its place.
 */
//BOOK: packet-in
ssize_t packet_splice_in(struct packet_queue *queue, struct slot_list *slots, unsigned int most,
			 struct socket_name *name)
{
	int room = packet_room(queue, most), error = 0;
	struct packet *packet;
	size_t bytes = 0;

	if (room <= 0)
		return room ? room : -EAGAIN;
	packet = packet_alloc(slots->nr);
	if (!packet)
		return -ENOMEM;
	while (packet->nr < slots->nr &&
	       (queue->datagrams || packet->charge < (unsigned int)room)) {
		struct pipe_slot *fragment = &packet->fragments[packet->nr];

		*fragment = slots->slots[packet->nr++];
		fragment->flags = 0;
		bytes += fragment->len;
		packet->charge += PAGE_ALIGN((fragment->offset & (PAGE_SIZE - 1)) + fragment->len);
	}
	if (queue->datagrams && bytes > DATAGRAM_MAX)
		error = -EMSGSIZE;
	packet->from = socket_name_get(name);
	if (!error)
		error = queue_packet(queue, packet, most);
	if (error) {
		packet->nr = 0; /* the slots stay where they are */
		packet_free(packet);
		return error;
	}
	slots->slots += packet->nr;
	slots->nr -= packet->nr;
	slots->bytes -= bytes;
	return bytes;
}

/* ---- receiving ---- */

/*
 * n bytes of the first packet are taken (ALL of a datagram); `consumer` is held, so that fragments
 * that are behind packet->first are ours.
 */
static void advance(struct packet_queue *queue, struct packet *packet, unsigned int n)
{
	unsigned int at = packet->first, end;
	bool empty;

	spin_lock(&queue->lock);
	for (; packet->first < packet->nr; packet->first++) {
		struct pipe_slot *fragment = &packet->fragments[packet->first];
		unsigned int part = MIN(n, fragment->len);

		fragment->offset += part;
		fragment->len -= part;
		n -= part;
		/* A sender may just have made it longer. */
		if (fragment->len > 0)
			break;
	}
	end = packet->first;
	empty = end == packet->nr;
	if (empty)
		unlink_packet(queue, packet);
	spin_unlock(&queue->lock);
	if (at == end && !empty)
		return;
	if (empty)
		wake_all(queue->writable);
	wake_all(&queue->readable);
	while (at < end)
		slot_release(&packet->fragments[at++]);
	if (empty)
		packet_free(packet);
}

/* Copy from the packet's first byte on: 0; what confirm says; -EFAULT. */
static int copy_fragments(struct packet *packet, struct iter *to)
{
	/* Others may be queued meanwhile, but not in this packet; its last one may grow. */
	for (unsigned int i = packet->first; i < packet->nr && to->left > 0; i++) {
		struct pipe_slot *slot = &packet->fragments[i];
		size_t n = MIN((size_t)READ_ONCE(slot->len), to->left);
		int error = slot_confirm(slot);

		if (unlikely(error))
			return error;
		if (unlikely(slot_copy_to(slot, 0, n, to) < n))
			return -EFAULT;
	}
	return 0;
}

/*
 * Copy what is there; `consumer` is held, so that fragments stay where they are. 0: the iterator is
 * full, or has the first datagram, whose rest is dropped; -EAGAIN there is no more; -EIO, -ENODATA;
 * -EFAULT user memory to be brought in.
 */
static int take(struct packet_queue *queue, struct iter *to, bool peek, struct socket_name **from,
		size_t *full)
{
	bool datagram = queue->datagrams;
	struct pipe_slot *fragment;
	int error;

	do {
		size_t left = to->left;
		struct packet *packet;

		spin_lock(&queue->lock);
		packet = first_packet(queue);
		spin_unlock(&queue->lock);
		if (!packet)
			return -EAGAIN;
		error = datagram ? first_state(queue, &fragment) : 0;
		if (!error)
			error = copy_fragments(packet, to);
		if (error && datagram)
			return error;
		if (datagram && from) {
			*from = socket_name_get(packet->from);
			*full = packet_bytes(queue);
		}
		if (!peek)
			advance(queue, packet, datagram ? ALL : left - to->left);
	} while (!error && to->left > 0 && !datagram && !peek);
	return error;
}

/* As pipe_report_failed: start the read again, or drop what will never come. */
static int report_failed(struct packet_queue *queue, int error)
{
	struct pipe_slot *first, failed;
	struct packet *packet;
	bool held = false;

	spin_lock(&queue->lock);
	packet = first_packet(queue);
	first_state(queue, &first);
	failed = *first;
	if (error == -EIO)
		held = slot_get(&failed);
	spin_unlock(&queue->lock);
	if (error == -ENODATA)
		advance(queue, packet, queue->datagrams ? ALL : failed.len);
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
	int error;

	do {
		error = mutex_lock_killable(&queue->consumer);
		if (error)
			break;
		error = take(queue, to, peek, from, full);
		if (error && error != -EFAULT && error != -EAGAIN && to->left == wanted)
			return report_failed(queue, error);
		mutex_unlock(&queue->consumer);
		if (error == -EFAULT) {
			error = iter_fault_in(to, to->left, false, true);
			if (peek || queue->datagrams)
				*to = start;
		} else if (error == -EAGAIN && (to->left == wanted || all)) {
			error = wait_readable(queue, PIPE_NEED_BYTES, flags & MSG_DONTWAIT);
		} else {
			break;
		}
	} while (!error);
	if (to->left < wanted)
		return wanted - to->left;
	return error == AT_END ? 0 : error;
}

/* Move a packet's fragments to the list; of the last one perhaps only a part. Bytes. */
static size_t move_out(struct packet *packet, size_t len, struct slot_list *slots)
{
	size_t left = len;

	while (packet->first < packet->nr && slots->nr < slots->max && left > 0) {
		struct pipe_slot *fragment = &packet->fragments[packet->first];
		struct pipe_slot *slot = &slots->slots[slots->nr];

		*slot = *fragment;
		slot->flags = 0;
		if (fragment->len > left) {
			if (!slot_get(slot))
				break;
			slot->len = left;
		}
		fragment->offset += slot->len;
		fragment->len -= slot->len;
		if (fragment->len == 0)
			packet->first++;
		left -= slot->len;
		slots->nr++;
	}
	return len - left;
}

/*
 * The same of what is in the queue: a stream, or a datagram, whose rest is dropped. *some: was there
 * any?
 */
static size_t move_packets(struct packet_queue *queue, size_t len, struct slot_list *slots,
			   struct list *done, bool *some)
{
	struct packet *packet;
	bool over = true;
	size_t n = 0;

	spin_lock(&queue->lock);
	*some = first_packet(queue);
	while (over && n < len && (packet = first_packet(queue))) {
		n += move_out(packet, len - n, slots);
		over = packet->first == packet->nr;
		if (over || queue->datagrams) {
			unlink_packet(queue, packet);
			list_add(done, &packet->link);
		}
		if (queue->datagrams)
			break;
	}
	spin_unlock(&queue->lock);
	return n;
}

//BOOK: packet-out
ssize_t packet_splice_out(struct packet_queue *queue, size_t len, struct slot_list *slots,
			  bool nonblock)
{
	struct list done = LIST_INIT(done);
	size_t n;
	bool some;

	for (;;) {
		int error = mutex_lock_killable(&queue->consumer);

		if (error)
			return error;
		n = move_packets(queue, len, slots, &done, &some);
		mutex_unlock(&queue->consumer);
		if (some)
			break;
		error = wait_readable(queue, PIPE_NEED_SLOT, nonblock);
		if (error)
			return error == AT_END ? 0 : error;
	}
	wake_all(queue->writable);
	wake_all(&queue->readable);
	free_packets(&done);
	return n;
}

unsigned int packet_bytes(struct packet_queue *queue)
{
	struct packet *packet;
	unsigned int bytes = 0, i;

	spin_lock(&queue->lock);
	list_for_each(packet, &queue->packets, link) {
		for (i = packet->first; i < packet->nr; i++) {
			if (slot_confirm(&packet->fragments[i]))
				break;
			bytes += packet->fragments[i].len;
		}
		if (queue->datagrams && i < packet->nr)
			bytes = 0;
		if (queue->datagrams || i < packet->nr)
			break;
	}
	spin_unlock(&queue->lock);
	return bytes;
}
