/* A producer and a consumer that know of each other only through the ring. What comes out goes to stdout;
 * the index and the dropped samples to stderr. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "ecglink.h"

static const ecglink_channel channels[] = {
    {500000000, 0, 24, ECGLINK_LA, ECGLINK_RA, 0, 0, 0, NULL},
    {500000000, 0, 24, ECGLINK_LL, ECGLINK_RA, 0, 0, 0, NULL},
};
static const ecglink_description description = {
    .name = "hammer", .fs_num = 500, .fs_den = 1, .tick_den = 1, .samples_per_frame = 9, .n_channels = 2,
    .channels = channels,
};
static uint8_t ring[331]; /* no power of two, and full most of the time */
static ecglink_device dev;
static int done;

static bool send(uint8_t n) {
    int32_t counts[18];
    for (uint8_t i = 0; i < n; i++) {
        counts[2U * i] = (int32_t)(dev.index + i);
        counts[2U * i + 1U] = -(int32_t)(dev.index + i);
    }
    return ecglink_samples(&dev, counts, n, 0, 0, 3);
}

static void *produce(void *frames) {
    for (int k = 0; k < *(const int *)frames; k++) {
        if (!send((uint8_t)(1 + k % 9)) && k % 3 != 0) {
            sched_yield();
        }
        ecglink_poll(&dev, (uint32_t)k, 255U);
    }
    while (!send(1)) { /* the last frame tells the receiver what was lost before it */
        sched_yield();
    }
    __atomic_store_n(&done, 1, __ATOMIC_RELEASE);
    return NULL;
}

int main(int argc, char **argv) {
    int frames = argc > 1 ? atoi(argv[1]) : 1000;
    pthread_t producer;
    size_t n, step = 1;
    if (ecglink_init(&dev, &description, 1U, ring, sizeof ring) != ECGLINK_OK) {
        return 1;
    }
    dev.streaming = true;
    if (pthread_create(&producer, NULL, produce, &frames) != 0) {
        return 1;
    }
    for (;;) {
        const int last = __atomic_load_n(&done, __ATOMIC_ACQUIRE);
        const uint8_t *piece = ecglink_peek(&dev, &n);
        if (n == 0U) {
            if (last != 0) {
                break;
            }
            sched_yield();
            continue;
        }
        step = step % 61U + 1U;
        n = n < step ? n : step;
        fwrite(piece, 1, n, stdout);
        ecglink_consume(&dev, n);
    }
    pthread_join(producer, NULL);
    fprintf(stderr, "%lu %lu\n", (unsigned long)dev.index, (unsigned long)dev.dropped);
    return 0;
}
