"""Tasks of libcoro in gdb.

    (gdb) source conf/build/gdb/coro.py
    (gdb) co-list          every task of every loop
    (gdb) co-bt 7          backtrace of the task with id 7 (co-bt 7 LOOP when there are several)
    (gdb) co-gcore FILE    a core file that holds the tasks' stacks

A core file that the kernel wrote has them too; gdb's own generate-core-file gives a
mapping up at the first guard that it cannot read.
"""

import gdb

STATES = ("free", "ready", "running", "parked", "ended")


def loops():
    head = gdb.parse_and_eval("&'loops.c'::loops")
    loop_type = gdb.lookup_type("struct co_loop")
    offset = next(f.bitpos // 8 for f in loop_type.fields() if f.name == "all")
    link = head["next"]
    while int(link) != int(head):
        yield gdb.Value(int(link) - offset).cast(loop_type.pointer())
        link = link["next"]


def tasks(loop):
    arena = loop["arena"]
    task_type = gdb.lookup_type("struct co_task")
    room = (task_type.sizeof + 63) & ~63
    chunk = arena["chunks"]
    while int(chunk):
        for i in range(int(chunk["cut"])):
            top = int(chunk["base"]) + (i + 1) * int(arena["stride_bytes"])
            yield gdb.Value(top - room).cast(task_type.pointer())
        chunk = chunk["next"]


def text(pointer):
    return pointer.string() if int(pointer) else ""


def name(task):
    return text(task["name"]) or text(task["site"]["function"])


def wait(task):
    if int(task["state"]) != STATES.index("parked"):
        return ""
    kind = str(task["wait"].cast(gdb.lookup_type("enum co_wait")))
    return kind.replace("CO_WAIT_", "").lower() + " " + hex(int(task["wait_on"]))


class CoList(gdb.Command):
    """co-list: every task of every loop."""

    def __init__(self):
        super().__init__("co-list", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        found = list(loops())
        if not found:
            print("no loop runs")
        for loop in found:
            print(f"loop {text(loop['name'])} ({int(loop['live'])} alive)")
            for task in tasks(loop):
                state = STATES[int(task["state"])]
                if state == "free":
                    continue
                site = task["site"]
                print(f"  {int(task['id']):6} {state:8} {wait(task):24} {name(task):24} "
                      f"spawned at {text(site['file'])}:{int(site['line'])}")


class CoBt(gdb.Command):
    """co-bt ID [LOOP]: the backtrace of a task."""

    def __init__(self):
        super().__init__("co-bt", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        words = gdb.string_to_argv(argument)
        if not words:
            raise gdb.GdbError("co-bt ID [LOOP]")
        for loop in loops():
            if len(words) > 1 and text(loop["name"]) != words[1]:
                continue
            for task in tasks(loop):
                if int(task["id"]) == int(words[0]) and STATES[int(task["state"])] != "free":
                    return self.show(task)
        raise gdb.GdbError(f"no task {words[0]}")

    def show(self, task):
        print(f"task {int(task['id'])} {name(task)}: {STATES[int(task['state'])]} {wait(task)}")
        if STATES[int(task["state"])] == "running":
            gdb.execute("bt")
            return
        context = task["context"]
        fields = [f.name for f in context.type.fields()]
        frame = int(context["bp"] if "bp" in fields else context["frame"])
        word = gdb.lookup_type("unsigned long")
        low = int(task["stack_low"])
        high = int(task)
        number = 0
        if "pc" in fields:
            self.line(number, int(context["pc"]), 0)
            number += 1
        while low <= frame < high - 16:
            words = gdb.Value(frame).cast(word.pointer())
            caller, pc = int(words[0]), int(words[1])
            if pc == 0:
                break
            self.line(number, pc, 1)
            number += 1
            if caller <= frame:
                break
            frame = caller

    @staticmethod
    def line(number, pc, is_return):
        at = gdb.find_pc_line(pc - is_return)
        block = gdb.block_for_pc(pc - is_return)
        while block and not block.function:
            block = block.superblock
        function = block.function.name if block else "??"
        where = f" at {at.symtab.filename}:{at.line}" if at.symtab else ""
        print(f"#{number} {pc:#x} in {function}{where}")


class CoGcore(gdb.Command):
    """co-gcore FILE: generate-core-file with the guards of the stacks out of its way."""

    GUARD_INSTALL, GUARD_REMOVE = 102, 103

    def __init__(self):
        super().__init__("co-gcore", gdb.COMMAND_FILES)

    def invoke(self, argument, from_tty):
        self.advise(self.GUARD_REMOVE)
        try:
            gdb.execute(f"generate-core-file {argument}")
        finally:
            self.advise(self.GUARD_INSTALL)

    @staticmethod
    def advise(advice):
        """Where guards are mappings of their own this fails, and is not needed."""
        for loop in loops():
            arena = loop["arena"]
            stride = int(arena["stride_bytes"])
            guard = stride - int(arena["stack_bytes"])
            chunk = arena["chunks"]
            while int(chunk):
                for i in range(int(chunk["cut"])):
                    at = int(chunk["base"]) + i * stride
                    gdb.parse_and_eval(f"((int (*)(void *, unsigned long, int))madvise)({at}, {guard}, {advice})")
                chunk = chunk["next"]


CoList()
CoBt()
CoGcore()
