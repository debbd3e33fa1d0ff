/*
 * Registers and structures of eXtensible Host Controller Interface 1.2. The chapters are named.
 */
#ifndef DRIVERS_USB_XHCI_REGISTERS_H
#define DRIVERS_USB_XHCI_REGISTERS_H

#include "lib/types.h"

/* 5.3: capability registers */
#define CAP_LENGTH	    0x00 /* 8 bits */
#define CAP_STRUCTURE1	    0x04
#define STRUCTURE1_SLOTS    0xffu
#define STRUCTURE1_PORTS(r) ((r) >> 24)
#define CAP_STRUCTURE2	    0x08
/* The pages that the controller wants for itself: five upper bits, and five lower ones. */
#define STRUCTURE2_SCRATCH(r)	(((r) >> 21 & 0x1f) << 5 | (r) >> 27)
#define CAP_PARAMETERS1		0x10
#define PARAMETERS1_CONTEXT64	(1u << 2)
#define PARAMETERS1_EXTENDED(r) (((r) >> 16) * 4) /* 0: there are no extended capabilities */
#define CAP_DOORBELLS		0x14
#define CAP_RUNTIME		0x18

/* 7: extended capabilities. 7.1: the firmware's hold on the controller. */
#define EXTENDED_ID	 0xffu
#define EXTENDED_NEXT(r) (((r) >> 8 & 0xff) * 4)
#define EXTENDED_LEGACY	 1u
#define LEGACY_BIOS	 (1u << 16)
#define LEGACY_SYSTEM	 (1u << 24)
#define LEGACY_CONTROL	 4u				/* behind the register above */
#define LEGACY_SMI	 (1u << 0 | 1u << 4 | 7u << 13) /* what may cause an SMI */
#define LEGACY_EVENTS	 (7u << 29)			/* writing 1 clears it */

/* 5.4: operational registers */
#define OP_COMMAND	  0x00
#define COMMAND_RUN	  (1u << 0)
#define COMMAND_RESET	  (1u << 1)
#define COMMAND_INTERRUPT (1u << 2)
#define OP_STATUS	  0x04
#define STATUS_HALTED	  (1u << 0)
#define STATUS_MEMORY	  (1u << 2) /* an access to memory has failed */
#define STATUS_EVENT	  (1u << 3)
#define STATUS_NOT_READY  (1u << 11)
#define STATUS_FAILED	  (1u << 12)
#define OP_PAGE_SIZE	  0x08
#define PAGE_SIZE_4K	  1u
#define OP_COMMANDS	  0x18 /* 64 bits: the command ring */
#define OP_CONTEXTS	  0x30 /* 64 bits */
#define OP_CONFIG	  0x38
#define OP_PORT(n)	  (0x400 + 16 * ((n)-1))
#define OP_SIZE(ports)	  (0x400 + 16 * (ports))
/* 5.4.8: of a port */
#define PORT_CONNECTED	     (1u << 0)
#define PORT_ENABLED	     (1u << 1) /* writing 1 disables the port */
#define PORT_RESET	     (1u << 4)
#define PORT_POWER	     (1u << 9)
#define PORT_SPEED(r)	     ((r) >> 10 & 15)
#define PORT_KEEP	     (PORT_POWER | 3u << 14 | 7u << 25) /* to be written as they are read */
#define PORT_CONNECT_CHANGED (1u << 17)
#define PORT_CHANGES	     (0x7fu << 17) /* writing 1 clears them */

/* 5.5: runtime registers; those of interrupter 0 */
#define RUN_INTERRUPT	  0x20
#define INTERRUPT_PENDING (1u << 0) /* writing 1 clears it */
#define INTERRUPT_ENABLE  (1u << 1)
#define RUN_MODERATION	  0x24
#define RUN_SEGMENTS	  0x28
#define RUN_SEGMENT_TABLE 0x30	    /* 64 bits */
#define RUN_DEQUEUE	  0x38	    /* 64 bits */
#define DEQUEUE_BUSY	  (1u << 3) /* writing 1 clears it */
#define RUN_SIZE	  0x40

#define DOORBELLS_SIZE	  (256 * 4u)

/* 6.4: transfer request blocks, of which everything on rings consists */
struct xhci_trb {
	uint32_t address, high, status, control;
};
#define TRBS_IN_PAGE	  (PAGE_SIZE / sizeof(struct xhci_trb))
#define TRB_CYCLE	  (1u << 0)
#define TRB_TOGGLE	  (1u << 1) /* of a link: the cycle bit changes */
#define TRB_SHORT	  (1u << 2) /* report a short packet */
#define TRB_REPORT	  (1u << 5) /* report that it is done */
#define TRB_IMMEDIATE	  (1u << 6) /* the data is in the TRB */
#define TRB_IN		  (1u << 16)
#define TRB_TYPE(r)	  ((r) >> 10 & 63)
#define TRB_PORT(address) ((address) >> 24)
#define TRB_SLOT(r)	  ((r) >> 24)
#define TRB_ENDPOINT(r)	  ((r) >> 16 & 31)
#define TRB_CODE(status)  ((status) >> 24)
#define TRB_LEFT(status)  ((status)&0xffffffu) /* bytes that were not transferred */
#define TRB_HAS_DATA_OUT  (2u << 16)	       /* of a setup stage */
#define TRB_HAS_DATA_IN	  (3u << 16)
/* 6.4.6 */
#define TRB_IS(type)	       (TRB_##type << 10)
#define TRB_NORMAL	       1u
#define TRB_SETUP	       2u
#define TRB_DATA	       3u
#define TRB_STATUS	       4u
#define TRB_LINK	       6u
#define TRB_ENABLE_SLOT	       9u
#define TRB_DISABLE_SLOT       10u
#define TRB_ADDRESS_DEVICE     11u
#define TRB_CONFIGURE_ENDPOINT 12u
#define TRB_EVALUATE_CONTEXT   13u
#define TRB_RESET_ENDPOINT     14u
#define TRB_SET_DEQUEUE	       16u
#define TRB_TRANSFER_EVENT     32u
#define TRB_COMMAND_EVENT      33u
#define TRB_PORT_EVENT	       34u
#define TRB_CONTROLLER_EVENT   37u
#define TRB_FOR_SLOT(n)	       ((uint32_t)(n) << 24)
#define TRB_FOR_ENDPOINT(n)    ((uint32_t)(n) << 16)
/* 6.4.5 */
#define CODE_NONE	  0u
#define CODE_SUCCESS	  1u
#define CODE_STALL	  6u
#define CODE_SHORT_PACKET 13u

/* 6.5: the table of the event ring's segments */
struct xhci_segment {
	uint32_t address, high, trbs, reserved;
};

/* 6.2: contexts. Each has 8 words that are used. */
#define INPUT_ADD 1 /* the word of an input control context that names the contexts to add */
/* 6.2.2: of a slot */
#define SLOT_ROUTE		   0
#define SLOT_SPEED_SHIFT	   20
#define SLOT_HUB		   (1u << 26)
#define SLOT_ENTRIES_SHIFT	   27
#define SLOT_PORTS		   1
#define SLOT_ROOT_SHIFT		   16
#define SLOT_HUB_PORTS_SHIFT	   24
#define SLOT_TRANSLATOR		   2
#define SLOT_TRANSLATOR_PORT_SHIFT 8
#define SLOT_THINK_TIME_SHIFT	   16 /* of a hub */
/* 6.2.3: of an endpoint */
#define ENDPOINT_INTERVAL	0
#define ENDPOINT_INTERVAL_SHIFT 16
#define ENDPOINT_KIND		1
#define KIND_RETRIES		(3u << 1)
#define KIND_CONTROL		(4u << 3)
#define KIND_INTERRUPT_IN	(7u << 3)
#define KIND_BURST_SHIFT	8
#define KIND_PACKET_SHIFT	16
#define ENDPOINT_DEQUEUE	2  /* 64 bits */
#define ENDPOINT_LENGTH		4  /* the usual bytes of a transfer */
#define LENGTH_PERIOD_SHIFT	16 /* the most bytes in one period */

#endif
