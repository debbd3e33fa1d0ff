"""Commands of gdb for Sluice's pipes, pages and tasks. The tree's .gdbinit loads this file.

  pipe [ADDR]     show the slots of a pipe, as /proc/pipes does; without ADDR, of every pipe
  page ADDR       show a struct page
  task            list the tasks of all processes, and the idle tasks
  bt-all          show the call chain of each of these tasks

The guest must be stopped. The commands only read its memory. They call no function and take no lock.
"""

import gdb

KERNEL_BASE = 0xC0000000
KERNEL_STACK_SIZE = 8192


# --- the kernel's types ---


def value(expression):
    return gdb.parse_and_eval(expression)


def in_list(head, type_name, member):
    """Yields the objects in a struct list. `member` is the name of their link."""
    kind = gdb.lookup_type(type_name)
    offset = next(field for field in kind.fields() if field.name == member).bitpos // 8
    link = head["next"]
    while link != head.address:
        yield gdb.Value(int(link) - offset).cast(kind.pointer()).dereference()
        link = link["next"]


def flag_names(flags, enum):
    fields = gdb.lookup_type(enum).fields()
    return " ".join(field.name for field in fields if flags & field.enumval) or "no flags"


def function_at(address):
    """
    Returns the function with the call before `address`, and the functions that were inlined there; for
    assembly, the line.
    """
    if address < KERNEL_BASE:
        return "user code"
    block, place = gdb.block_for_pc(address - 1), gdb.find_pc_line(address - 1)
    names = []
    while block:
        if block.function:
            names.insert(0, block.function.name)
        block = block.superblock
    if names:
        return ": ".join(names)
    return f"{place.symtab.filename}:{place.line}" if place.symtab else "?"


# --- pages and pipes ---


def page_name(page):
    if int(page["flags"]) & int(value("PG_DEVICE")):
        return f"device {int(page['private']):x}"
    return f"{(int(page.address) - int(value('mem_map'))) // page.type.sizeof:x}"


def slot_state(slot):
    """Returns the state of a slot, as cache_confirm() would find it."""
    page = slot["page"].dereference()
    flags = int(page["flags"])
    if slot["ops"]["confirm"] == 0 or flags & int(value("PG_UPTODATE")):
        return "here"
    if flags & int(value("PG_LOCKED")):
        return "on its way"
    return "failed" if page["mapping"] else "gone"


def show_pipe(pipe):
    ring = pipe["ring"]
    head, tail, nr = (int(ring[name]) for name in ("head", "tail", "nr_slots"))
    used = (head - tail) & 0xFFFFFFFF
    print(
        f"pipe {int(pipe.address):#x}: {used} of {nr} slots, first at {tail & (nr - 1)}, "
        f"{int(ring['readers'])} readers, {int(ring['writers'])} writers"
    )
    for at in range(tail, tail + used):
        slot = ring["slots"][at & (nr - 1)]
        print(
            f"  {slot['ops']['kind'].string()} page {page_name(slot['page'].dereference())} "
            f"({int(slot['page']):#x}) offset {int(slot['offset'])} length {int(slot['len'])} {slot_state(slot)}"
        )


def pipes():
    return in_list(value("all_pipes"), "struct pipe", "link")


def show_page(page):
    flags = int(page["flags"])
    counts = " ".join(f"{name} {int(page[name]['value'])}" for name in ("refs", "lent", "mapped"))
    print(f"page {page_name(page)}: {counts} index {int(page['index'])} {flag_names(flags, 'enum page_flags')}")


# --- tasks ---


def tasks():
    """Yields the idle tasks, then those of every process."""
    for cpu in range(int(value("nr_cpus"))):
        yield value(f"cpus[{cpu}].idle").dereference()
    for process in in_list(value("all_processes"), "struct process", "all_link"):
        yield from in_list(process["threads"], "struct task", "thread_link")


def cpu_of(task):
    """Returns the number of the CPU that runs the task, or None."""
    for cpu in range(int(value("nr_cpus"))):
        if int(value(f"cpus[{cpu}].task")) == int(task.address):
            return cpu
    return None


def show_task(task):
    cpu = cpu_of(task)
    state = str(task["state"]).replace("TASK_", "").lower()
    where = f"{state} on CPU {cpu}" if cpu is not None else state
    print(f"task {int(task.address):#x}: {int(task['tid'])} ({task['name'].string()}) {where}")


def running_chain(cpu):
    """Yields the addresses of a running task's call chain. gdb unwinds it, and shows each CPU as a thread."""
    before = gdb.selected_thread()
    next(thread for thread in gdb.selected_inferior().threads() if thread.num == cpu + 1).switch()
    frame = gdb.newest_frame()
    yield frame.pc() + 1  # function_at() expects return addresses, and this is none
    while frame.older() and frame.older().pc() >= KERNEL_BASE:
        frame = frame.older()
        yield frame.pc()
    before.switch()


def call_chain(task):
    """Yields the return addresses of a task's call chain, the innermost first."""
    cpu = cpu_of(task)
    if cpu is not None:
        yield from running_chain(cpu)
        return
    # switch_context pushed edi, esi, ebx, ebp and the return address.
    word = gdb.lookup_type("unsigned int").pointer()
    saved = gdb.Value(int(task["kernel_esp"])).cast(word)
    frame, address, stack = int(saved[3]), int(saved[4]), int(task["stack"])
    yield address
    while stack <= frame < stack + KERNEL_STACK_SIZE - 8:
        frame, address = int(gdb.Value(frame).cast(word)[0]), int(gdb.Value(frame).cast(word)[1])
        if not address:
            return
        yield address


# --- the commands ---


class Command(gdb.Command):
    def __init__(self, name, function, help_text):
        self.__doc__ = help_text
        self.function = function
        super().__init__(name, gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        self.function(argument)


def at_address(argument, type_name):
    if not argument:
        raise gdb.GdbError(f"give the address of a {type_name}")
    return gdb.Value(int(value(argument))).cast(gdb.lookup_type(type_name).pointer()).dereference()


def pipe_command(argument):
    for pipe in [at_address(argument, "struct pipe")] if argument else pipes():
        show_pipe(pipe)


def bt_all_command(_):
    for task in tasks():
        show_task(task)
        for address in call_chain(task):
            print(f"  [{address:08x}] {function_at(address)}")


def task_command(_):
    for task in tasks():
        show_task(task)


Command("pipe", pipe_command, "pipe [ADDR]: show the slots of a pipe, or of every pipe.")
Command("page", lambda argument: show_page(at_address(argument, "struct page")), "page ADDR: show a struct page.")
Command("task", task_command, "task: list the tasks of all processes, and the idle tasks.")
Command("bt-all", bt_all_command, "bt-all: show the call chain of every task.")
