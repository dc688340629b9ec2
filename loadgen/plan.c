#include "loadgen/plan.h"

#include <math.h>

#include "coro/base/clock.h"

/* splitmix64: full period, any seed. */
static double random_exponential(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    z ^= z >> 31;
    double uniform = ((double)(z >> 11) + 0.5) / 9007199254740992.0; /* (0, 1), 53 bits */
    return -log(uniform);
}

void lg_plan_init(struct lg_plan *p, int64_t start_ns, double rate_per_s, int64_t ramp_ns)
{
    *p = (struct lg_plan){
        .start_ns = start_ns, .rate_per_s = rate_per_s, .ramp_ns = ramp_ns, .shares = 1};
}

void lg_plan_share(struct lg_plan *p, unsigned share, unsigned shares, bool poisson, uint64_t seed)
{
    p->share = share;
    p->shares = shares;
    p->poisson = poisson;
    p->random = seed + share;
    p->position = poisson ? shares * random_exponential(&p->random) : share;
}

int64_t lg_plan_due_ns(const struct lg_plan *p)
{
    double ramp_s = (double)p->ramp_ns / 1e9;
    double in_ramp = p->rate_per_s * ramp_s / 2; /* requests due while the rate grows */
    double at_s = p->position < in_ramp ? sqrt(2 * p->position * ramp_s / p->rate_per_s)
                                        : ramp_s + (p->position - in_ramp) / p->rate_per_s;
    return clock_add_ns(p->start_ns, at_s < 9e9 ? (int64_t)(at_s * 1e9) : CLOCK_NEVER);
}

void lg_plan_take(struct lg_plan *p)
{
    p->position += p->shares * (p->poisson ? random_exponential(&p->random) : 1);
}
