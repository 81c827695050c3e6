#include "channel/channel.h"

#include "base/futex.h"

#include <string.h>

static uint32_t claim_next(uint64_t claim)
{
    return (uint32_t)claim;
}

static uint32_t claim_limit(uint64_t claim)
{
    return (uint32_t)(claim >> 32);
}

static uint64_t claim_make(uint32_t limit, uint32_t next)
{
    return (uint64_t)limit << 32 | next;
}

void ppi_channel_init(struct ppi_channel *channel, struct ppi_requests *requests, struct ppi_answers *answers,
                      struct ppi_job *kept)
{
    memset(channel, 0, sizeof *channel);
    channel->requests = requests;
    channel->answers = answers;
    channel->kept = kept;
    atomic_store(&requests->stop, 0);
    atomic_store(&requests->readings, 0);
    atomic_store(&requests->returned, 0);
}

int ppi_channel_publish(struct ppi_channel *channel)
{
    uint32_t more = channel->reserved - channel->published;
    if (more == 0) return 0;
    for (uint32_t i = channel->published; i != channel->reserved; i++)
        channel->requests->jobs[i & (PPI_CHANNEL_DEPTH - 1)] = *ppi_channel_job(channel, i);
    channel->published = channel->reserved;
    /* The carry out of the limit falls off the top. seq_cst: before the look at `asleep`. */
    atomic_fetch_add(&channel->answers->claim, (uint64_t)more << 32);
    return atomic_load(&channel->answers->asleep) != 0;
}

void ppi_channel_wake(struct ppi_channel *channel)
{
    if (atomic_exchange(&channel->answers->asleep, 0)) ppi_futex_wake(&channel->answers->asleep, 1);
}

int ppi_channel_has_outcome(const struct ppi_channel *channel)
{
    return atomic_load(&channel->answers->finished) != channel->taken;
}

static const struct ppi_outcome *outcome_at(const struct ppi_channel *channel, uint32_t index)
{
    return &channel->answers->outcomes[index & (PPI_CHANNEL_DEPTH - 1)];
}

int ppi_channel_take(struct ppi_channel *channel, struct ppi_outcome *outcome, const struct ppi_job **job)
{
    uint32_t given = channel->published - channel->taken;
    if (channel->seen - channel->taken - 1 >= given) { /* all that was seen is taken */
        uint32_t finished = atomic_load_explicit(&channel->answers->finished, memory_order_acquire);
        if (finished == channel->taken) return 0;
        if (finished - channel->taken > given) return -1;
        channel->seen = finished;
        for (uint32_t i = 1; i < PPI_CHANNEL_AHEAD && i < finished - channel->taken; i++)
            ppi_will_read(outcome_at(channel, channel->taken + i));
    }
    *outcome = *outcome_at(channel, channel->taken); /* copied before it is checked: the worker could still write */
    if (channel->seen - channel->taken > PPI_CHANNEL_AHEAD) /* else the worker may be about to write it */
        ppi_will_read(outcome_at(channel, channel->taken + PPI_CHANNEL_AHEAD));
    *job = ppi_channel_job(channel, channel->taken);
    channel->taken++;
    return 1;
}

uint32_t ppi_channel_take_back(struct ppi_channel *channel, uint32_t most)
{
    uint64_t claim = atomic_load(&channel->answers->claim);
    uint32_t back;
    do {
        /* Computed from our own counters, so that nonsense in the word cannot take back what was never given. */
        back = channel->published - claim_next(claim);
        if (claim_limit(claim) != channel->published || back > channel->published - channel->taken) return 0;
        if (back > most) back = most;
        if (back == 0) return 0;
    } while (!atomic_compare_exchange_weak(&channel->answers->claim, &claim,
                                           claim_make(channel->published - back, claim_next(claim))));
    channel->published -= back;
    channel->reserved = channel->published;
    return back;
}

const struct ppi_job *ppi_channel_running(const struct ppi_channel *channel)
{
    uint32_t next = claim_next(atomic_load(&channel->answers->claim));
    if (channel->published == channel->taken) return NULL;
    return next - channel->taken == 1 ? ppi_channel_job(channel, channel->taken) : NULL;
}

int ppi_channel_is_sane(const struct ppi_channel *channel)
{
    uint64_t claim = atomic_load(&channel->answers->claim);
    return claim_limit(claim) == channel->published &&
           claim_next(claim) - channel->taken <= channel->published - channel->taken;
}

uint32_t ppi_channel_waiting(const struct ppi_channel *channel)
{
    uint32_t waiting = channel->published - claim_next(atomic_load(&channel->answers->claim));
    return waiting <= channel->published - channel->taken ? waiting : 0;
}

void ppi_channel_return_block(struct ppi_channel *channel, uint32_t block)
{
    channel->requests->blocks[channel->returned++ & (PPI_CHANNEL_BLOCKS - 1)] = block;
    atomic_store_explicit(&channel->requests->returned, channel->returned, memory_order_release);
}

const struct ppi_job *ppi_channel_begin(const struct ppi_requests *requests, struct ppi_answers *answers)
{
    uint64_t claim = atomic_load(&answers->claim);
    do {
        if (claim_next(claim) == claim_limit(claim)) return NULL;
    } while (!atomic_compare_exchange_weak(&answers->claim, &claim,
                                           claim_make(claim_limit(claim), claim_next(claim) + 1)));
    return &requests->jobs[claim_next(claim) & (PPI_CHANNEL_DEPTH - 1)];
}

int ppi_channel_is_at(const struct ppi_answers *answers, uint32_t begun)
{
    uint64_t claim = atomic_load(&answers->claim);
    return claim_next(claim) == begun && claim_limit(claim) - begun < PPI_CHANNEL_DEPTH &&
           atomic_load_explicit(&answers->finished, memory_order_relaxed) == begun - 1;
}
