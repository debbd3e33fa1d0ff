/*
 * The ACPI tables that describe the CPUs, the interrupt lines, the power switch and virtio devices
 * (ACPI 6.3: 5.2.5 RSDP, 5.2.7 RSDT, 5.2.8 XSDT, 5.2.9 FADT, 5.2.12 MADT). The length and checksum
 * of each table are checked, and a damaged table is ignored.
 */
#include "boot/machine.h"
#include "kernel/cpu/apic.h"
#include "lib/string.h"
#include "mm/direct_map.h"
#include "mm/page.h"
#include "mm/vmalloc.h"

struct acpi_machine acpi;

struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem[6];
	uint8_t revision;
	uint32_t rsdt;
	/* From revision 2 on: */
	uint32_t length;
	uint64_t xsdt;
} __packed;
#define RSDP_1 20u /* bytes of revision 0, which the checksum covers */

struct table {
	char signature[4];
	uint32_t length;
	uint8_t revision, checksum;
	char oem[6], oem_table[8];
	uint32_t oem_revision, creator, creator_revision;
} __packed;

#define FADT_DSDT     40 /* offsets in the FADT */
#define FADT_PM1A_CNT 64
#define FADT_FLAGS    112
#define FADT_SLEEP    244	 /* SLEEP_CONTROL_REG: space, three bytes, address */
#define FADT_REDUCED  (1u << 20) /* HW_REDUCED_ACPI: there is no PM1a_CNT */
#define SPACE_MEMORY  0
#define SPACE_IO      1
#define MADT_LAPIC    36
#define MADT_ENTRIES  44
enum { MADT_CPU = 0, MADT_IO_APIC = 1, MADT_OVERRIDE = 2 };
#define CPU_ENABLED 1
#define TABLE_MAX   (1u << 20)

static bool checksum_ok(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint8_t sum = 0;

	while (len--)
		sum += *p++;
	return sum == 0;
}

static bool is_rsdp(const struct rsdp *rsdp)
{
	return memcmp(rsdp->signature, "RSD PTR ", 8) == 0 && checksum_ok(rsdp, RSDP_1);
}

static const struct rsdp *find_rsdp(uint32_t start, uint32_t end)
{
	for (uint32_t at = start; at + sizeof(struct rsdp) <= end; at += 16)
		if (is_rsdp(phys_to_virt(at)))
			return phys_to_virt(at);
	return NULL;
}

/* Map a whole table. vfree() unmaps it. Returns NULL if it is damaged or there is no memory. */
static struct table *map_table(uint32_t phys)
{
	struct table *table = ioremap(phys, TABLE_MAX);

	if (table && table->length >= sizeof(*table) && table->length <= TABLE_MAX &&
	    checksum_ok(table, table->length))
		return table;
	vfree(table);
	return NULL;
}

static uint32_t field(const struct table *table, unsigned int offset)
{
	uint32_t value = 0;

	if (offset + 4 <= table->length)
		memcpy(&value, (const char *)table + offset, 4);
	return value;
}

static void add_cpu(uint8_t apic_id)
{
	for (unsigned int i = 0; i < acpi.nr_cpus; i++)
		if (acpi.apic_ids[i] == apic_id)
			return;
	if (acpi.nr_cpus < MAX_CPUS)
		acpi.apic_ids[acpi.nr_cpus++] = apic_id;
}

static void read_madt_entry(const uint8_t *entry)
{
	uint32_t word;

	memcpy(&word, entry + 4, 4);
	if (entry[0] == MADT_CPU && entry[1] >= 8 && (word & CPU_ENABLED)) {
		add_cpu(entry[3]);
	} else if (entry[0] == MADT_IO_APIC && entry[1] >= 12 && acpi.nr_io_apics < MAX_IO_APICS) {
		acpi.io_apics[acpi.nr_io_apics].phys = word;
		memcpy(&acpi.io_apics[acpi.nr_io_apics++].base, entry + 8, 4);
	} else if (entry[0] == MADT_OVERRIDE && entry[1] >= 10 && entry[3] < 16) {
		acpi.isa_gsi[entry[3]] = entry[4];
		acpi.isa_flags[entry[3]] = entry[8];
	}
}

static void read_madt(const struct table *madt)
{
	const uint8_t *at = (const uint8_t *)madt + MADT_ENTRIES,
		      *end = (const uint8_t *)madt + madt->length;

	acpi.lapic = field(madt, MADT_LAPIC);
	for (; at + 8 <= end && at[1] >= 2 && at + at[1] <= end; at += at[1])
		read_madt_entry(at);
}

/*
 * Find SLP_TYPa in the \_S5 package of the DSDT's byte code. The package consists of its name,
 * PackageOp (0x12), its length, a count, and then SLP_TYPa. That is 0, 1, or BytePrefix (0x0a) and
 * a byte (ACPI 6.3, 7.4.2 and 20.2).
 */
static void read_sleep_type(const struct table *dsdt)
{
	const uint8_t *body = (const uint8_t *)dsdt, *end = body + dsdt->length;

	for (const uint8_t *at = body + sizeof(*dsdt); at + 9 < end; at++) {
		if (memcmp(at, "_S5_", 4) != 0 || at[4] != 0x12)
			continue;
		at += 5;
		at += (at[0] >> 6) + 2;
		if (at + 1 < end)
			acpi.sleep_type = at[0] == 0x0a ? at[1] : at[0];
		return;
	}
}

/* Resources of a device: memory (ACPI 6.3, 6.4.3.4) and an interrupt (6.4.3.6). */
#define RESOURCE_MEMORY	   0x86
#define RESOURCE_INTERRUPT 0x89
struct resources {
	uint8_t memory;
	uint16_t memory_length;
	uint8_t writable;
	uint32_t phys, size;
	uint8_t interrupt;
	uint16_t interrupt_length;
	uint8_t flags, nr_interrupts;
	uint32_t gsi;
} __packed;

/*
 * Add a virtio device, whose resources are the first ones in [at, end). The byte code around them
 * is not interpreted.
 */
static void add_virtio(const uint8_t *at, const uint8_t *end)
{
	struct resources found;

	for (; at + sizeof(found) <= end && acpi.nr_virtio < MAX_VIRTIO_PLACES; at++) {
		memcpy(&found, at, sizeof(found));
		if (found.memory != RESOURCE_MEMORY || found.memory_length != 9 ||
		    found.interrupt != RESOURCE_INTERRUPT || found.interrupt_length != 6 ||
		    found.nr_interrupts != 1)
			continue;
		acpi.virtio[acpi.nr_virtio].phys = found.phys;
		acpi.virtio[acpi.nr_virtio].size = found.size;
		acpi.virtio[acpi.nr_virtio++].gsi = found.gsi;
		return;
	}
}

/*
 * Find the devices in the DSDT whose _HID is that of a virtio device. The resources of each come
 * before the next _HID.
 */
static void read_virtio(const struct table *dsdt)
{
	static const char hid[] = "LNRO0005";
	const uint8_t *body = (const uint8_t *)dsdt, *end = body + dsdt->length, *device = NULL;

	for (const uint8_t *at = body + sizeof(*dsdt); at + sizeof(hid) <= end; at++) {
		if (memcmp(at, hid, sizeof(hid)) != 0)
			continue;
		if (device)
			add_virtio(device, at);
		device = at;
	}
	if (device)
		add_virtio(device, end);
}

static void read_sleep_control(const struct table *fadt)
{
	unsigned int space = field(fadt, FADT_SLEEP) & 0xff;

	if (space != SPACE_MEMORY && space != SPACE_IO)
		return;
	acpi.sleep_in_memory = space == SPACE_MEMORY;
	acpi.sleep_control = field(fadt, FADT_SLEEP + 4) | (uint64_t)field(fadt, FADT_SLEEP + 8)
								   << 32;
}

static void read_fadt(const struct table *fadt)
{
	struct table *dsdt = map_table(field(fadt, FADT_DSDT));

	if (!dsdt)
		return;
	if (field(fadt, FADT_FLAGS) & FADT_REDUCED)
		read_sleep_control(fadt);
	else
		acpi.pm1a_control = field(fadt, FADT_PM1A_CNT);
	read_sleep_type(dsdt);
	read_virtio(dsdt);
	vfree(dsdt);
}

/* The loader's copy comes first: with UEFI there is no other. */
static const struct rsdp *get_rsdp(void)
{
	const struct rsdp *rsdp = (const struct rsdp *)boot_rsdp;

	if (is_rsdp(rsdp))
		return rsdp;
	rsdp = find_rsdp(0xe0000, 0x100000);
	return rsdp ? rsdp : find_rsdp(0x80000, 0xa0000);
}

static void read_table(uint64_t phys)
{
	struct table *table = phys < UINT32_MAX ? map_table(phys) : NULL;

	if (!table)
		return;
	if (memcmp(table->signature, "APIC", 4) == 0)
		read_madt(table);
	else if (memcmp(table->signature, "FACP", 4) == 0)
		read_fadt(table);
	vfree(table);
}

void acpi_init(void)
{
	const struct rsdp *rsdp = get_rsdp();
	unsigned int entry = 4; /* bytes of an address in the list: 4 in the RSDT, 8 in the XSDT */
	struct table *list;

	for (unsigned int i = 0; i < 16; i++)
		acpi.isa_gsi[i] = i;
	list = rsdp && rsdp->rsdt ? map_table(rsdp->rsdt) : NULL;
	if (!list && rsdp && rsdp->revision >= 2 && rsdp->xsdt < UINT32_MAX) {
		list = map_table(rsdp->xsdt);
		entry = 8;
	}
	if (!list) {
		log_info("no ACPI tables");
		return;
	}
	for (unsigned int at = sizeof(*list); at + entry <= list->length; at += entry)
		read_table(field(list, at) |
			   (entry == 8 ? (uint64_t)field(list, at + 4) << 32 : 0));
	vfree(list);
}
