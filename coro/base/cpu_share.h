/* coro/base/cpu_share.h - which thread waits for which, where they share a CPU.
 *
 * A loop computes for microseconds at a time and somebody waits for each of them;
 * a report computes for as long as it takes.  With equal shares a loop that is woken
 * behind a report waits for the rest of the report's slice, some milliseconds.
 *
 *   context  the calling thread alone; threads that it starts later inherit it
 *   returns  nothing, unless said otherwise: where the kernel does not know slices
 *            (before Linux 6.12), or a sandbox forbids the call, all stays as it was
 *   source   sched_setattr(2): sched_runtime of SCHED_OTHER is the slice asked for */
#pragma once

/* Slices as short as there are: run soon after being woken. */
void cpu_share_prompt(void);

/* Ordinary slices and a somewhat smaller share (nice 5, never less nice than
 * before): a quarter of a CPU that one other thread keeps busy, so nothing starves. */
void cpu_share_background(void);

/* A larger share, for who looks after many that are busy: nice 10 less, where that is
 * allowed (CAP_SYS_NICE, RLIMIT_NICE).  Returns by how much: what a child of the
 * process gives back. */
int cpu_share_ahead(void);
void cpu_share_give_back(int steps);
