/* loadgen/load.h - a load, as asked for: what every worker reads and nobody writes. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct lg_target;
struct lg_requests;

#define LG_PIPELINE_MAX 256

struct lg_load {
    const struct lg_target *target;     /* borrowed; reached */
    const struct lg_requests *requests; /* borrowed; sent in turn */
    unsigned connections;
    unsigned threads; /* <= connections */
    unsigned pipeline;
    bool keepalive;        /* false: a new connection for each request */
    double rate_per_s;     /* 0: closed loop */
    bool poisson;          /* open loop: random gaps */
    int64_t duration_ns;   /* measured; 0: until requests_max */
    uint64_t requests_max; /* 0: until duration_ns */
    int64_t warmup_ns;     /* before measuring */
    int64_t ramp_ns;       /* before that: rate or connections grow */
    int64_t timeout_ns;    /* from sending to the last byte */
    unsigned idle;         /* connections that ask once and then only stay open */
    int64_t trickle_ns;    /* send in pieces, with this pause between; 0: at once */
    int core;              /* run on this CPU only; -1: wherever */
};
