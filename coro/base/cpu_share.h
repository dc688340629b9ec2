/* coro/base/cpu_share.h - which thread waits for which, where they share a CPU.
 *
 * A loop computes for microseconds at a time and somebody waits for each of them;
 * a report computes for as long as it takes.  With equal shares a loop that is woken
 * behind a report waits for the rest of the report's slice, some milliseconds.
 *
 *   context  the calling thread alone; threads that it starts later inherit it
 *   returns  nothing: where the kernel does not know slices (before Linux 6.12),
 *            or a sandbox forbids the call, all stays as it was
 *   source   sched_setattr(2): sched_runtime of SCHED_OTHER is the slice asked for */
#pragma once

/* Slices as short as there are: run soon after being woken. */
void cpu_share_prompt(void);

/* Ordinary slices and a somewhat smaller share (nice 5, never less nice than
 * before): a quarter of a CPU that one other thread keeps busy, so nothing starves. */
void cpu_share_background(void);
