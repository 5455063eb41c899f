/** @file ecglink.c
 *  See ecglink.h for use and ../PROTOCOL.md for the format. SPDX-License-Identifier: Apache-2.0 */
#include "ecglink.h"
#include <string.h>

/* Acquire and release of a ring index. Define them yourself for a compiler that has other names for it. */
#if defined(__AVR__) && !defined(ECGLINK_LOAD) /* two bytes are two instructions there: see ecglink.h */
#define ECGLINK_LOAD(from) (*(from))
#define ECGLINK_STORE(to, value) (*(to) = (value))
#elif !defined(ECGLINK_LOAD)
#define ECGLINK_LOAD(from) __atomic_load_n((from), __ATOMIC_ACQUIRE)
#define ECGLINK_STORE(to, value) __atomic_store_n((to), (value), __ATOMIC_RELEASE)
#endif

enum { SAMPLES = 0x11, DESCRIPTION = 0x21, STATUS = 0x31, ACK = 0x41, COMMAND = 0x81 };
enum { TAG_TEXT = 1, TAG_BOOT = 4, TAG_SENSED = 5, TAG_CHANNEL = 16 };
#define CRC_START 0xFFFFU
#define FULL_RUN 255U /* code byte of 254 bytes without a zero after them */
#define COUNT_LIMIT 8388607

typedef struct { /* a frame on its way into the ring, byte by byte; without a device it is only measured */
    ecglink_device *dev;
    uint16_t at, code_at; /* where the next byte goes; where the code byte of this run is */
    uint16_t run;         /* what that code byte will be */
    uint16_t crc, length; /* before stuffing */
} writer;

/* CRC-16/CCITT-FALSE of one more byte: the eight shifts at once, without a table. */
static uint16_t crc_step(uint16_t crc, uint8_t byte) {
    uint32_t x = ((uint32_t)crc >> 8) ^ byte;
    x ^= x >> 4;
    return (uint16_t)((((uint32_t)crc << 8) ^ (x << 12) ^ (x << 5) ^ x) & 0xFFFFU);
}

static uint8_t hash_of(uint16_t crc) { return (uint8_t)(((uint32_t)crc >> 8) ^ (crc & 0xFFU)); }
static size_t length_of(const char *text) { return (text == NULL) ? 0U : strlen(text); }

static void store(writer *w, uint8_t byte) {
    w->dev->ring[w->at] = byte;
    w->at = ((w->at + 1U) < w->dev->size) ? (uint16_t)(w->at + 1U) : 0U;
}

static void put(writer *w, uint8_t byte) {
    w->crc = crc_step(w->crc, byte);
    w->length++;
    if (w->dev != NULL) {
        if (byte != 0U) { store(w, byte); w->run++; }
        if ((byte == 0U) || (w->run == FULL_RUN)) {
            w->dev->ring[w->code_at] = (uint8_t)w->run;
            w->code_at = w->at;
            w->run = 1U;
            store(w, 0U);
        }
    }
}

static void put_bytes(writer *w, const uint8_t *bytes, size_t n) {
    for (size_t i = 0U; i < n; i++) { put(w, bytes[i]); }
}

static void put_le(writer *w, uint32_t value, uint8_t n_bytes) {
    for (uint32_t bit = 0U; bit < (8U * (uint32_t)n_bytes); bit += 8U) { put(w, (uint8_t)((value >> bit) & 0xFFU)); }
}

static void put_words(writer *w, const uint32_t *words, uint8_t n) {
    for (uint8_t i = 0U; i < n; i++) { put_le(w, words[i], 4U); }
}

static void put_tag(writer *w, uint8_t tag, size_t length) {
    put(w, tag);
    put(w, (uint8_t)length);
}

/* Room for the worst case is asked for beforehand: a frame that was begun always fits. */
static bool begin(writer *w, ecglink_device *dev, uint8_t kind, uint32_t length, uint32_t reserve) {
    const uint16_t tail = ECGLINK_LOAD(&dev->tail);
    const uint32_t used = (uint32_t)dev->head + ((dev->head < tail) ? dev->size : 0U) - tail;
    const bool room = (ECGLINK_WIRE_SIZE(length) + reserve + used) < dev->size;
    *w = (writer){dev, dev->head, dev->head, 1U, CRC_START, 0U};
    if (room) { store(w, 0U); put(w, kind); }
    return room;
}

static void finish(writer *w) {
    const uint8_t high = (uint8_t)(w->crc >> 8), low = (uint8_t)(w->crc & 0xFFU);
    put(w, high);
    put(w, low);
    w->dev->ring[w->code_at] = (uint8_t)w->run;
    if ((w->run == 1U) && (low != 0U)) { w->at = w->code_at; } /* no empty run after a full one at the end */
    store(w, 0U);
    ECGLINK_STORE(&w->dev->head, w->at);
}

static void put_channel(writer *w, const ecglink_channel *c) {
    const uint64_t lsb = (uint64_t)c->lsb_fv;
    const uint32_t scale[] = {(uint32_t)(lsb & 0xFFFFFFFFU), (uint32_t)(lsb >> 32), (uint32_t)c->offset};
    const uint8_t kind[] = {c->bits, c->positive, c->negative};
    const uint32_t filters[] = {c->highpass_mhz, c->lowpass_mhz, c->delay_us};
    put_tag(w, TAG_CHANNEL, 27U + length_of(c->label));
    put_words(w, scale, 3U);
    put_bytes(w, kind, sizeof kind);
    put_words(w, filters, 3U);
    put_bytes(w, (const uint8_t *)c->label, length_of(c->label));
}

static void put_description(writer *w, const ecglink_description *d, uint32_t boot) {
    const uint8_t head[] = {0U, d->n_channels, d->samples_per_frame}; /* minor version first */
    const uint32_t rates[] = {d->fs_num, d->fs_den, d->tick_num, d->tick_den};
    const char *const texts[] = {d->name, d->serial, d->firmware};
    put_bytes(w, head, sizeof head);
    put_words(w, rates, 4U);
    for (uint8_t i = 0U; i < 3U; i++) {
        const size_t n = length_of(texts[i]);
        if (n != 0U) { put_tag(w, (uint8_t)(TAG_TEXT + i), n); }
        put_bytes(w, (const uint8_t *)texts[i], n);
    }
    if (boot != 0U) { put_tag(w, TAG_BOOT, 4U); put_le(w, boot, 4U); }
    if (d->sensed != 0U) { put_tag(w, TAG_SENSED, 2U); put_le(w, d->sensed, 2U); }
    for (uint8_t k = 0U; k < d->n_channels; k++) { put_channel(w, &d->channels[k]); }
}

static bool is_good(const ecglink_description *d) {
    bool good = (d->fs_num != 0U) && (((d->fs_num - 1U) / 100000U) < d->fs_den) && (d->tick_den != 0U) &&
                (d->samples_per_frame != 0U) && (d->n_channels != 0U) && (d->n_channels <= 16U) &&
                (ECGLINK_SAMPLES_SIZE((uint32_t)d->samples_per_frame, d->n_channels) <= ECGLINK_MAX_FRAME) &&
                (length_of(d->name) <= 48U) && (length_of(d->serial) <= 48U) && (length_of(d->firmware) <= 48U);
    for (uint8_t k = 0U; good && (k < d->n_channels); k++) {
        const ecglink_channel *c = &d->channels[k];
        good = (c->lsb_fv != 0) && (c->bits != 0U) && (c->bits <= 32U) && (length_of(c->label) <= 16U);
    }
    return good;
}

ecglink_result ecglink_describe(ecglink_device *dev) {
    const ecglink_description *d = dev->description;
    ecglink_result result = ECGLINK_BAD_DESCRIPTION;
    dev->describe_due = true;
    if (is_good(d)) {
        writer w;
        bool hidden = false;
        do { /* until the hash is a new one, or samples of the old scale could be read by this one */
            dev->boot += hidden ? 1U : 0U;
            w = (writer){NULL, 0U, 0U, 0U, CRC_START, 0U};
            put(&w, DESCRIPTION);
            put_description(&w, d, dev->boot);
            hidden = dev->described && (w.crc != dev->crc) && (hash_of(w.crc) == hash_of(dev->crc));
        } while (hidden);
        dev->crc = w.crc;
        dev->described = true;
        const uint32_t length = w.length + 2U;
        const uint32_t samples = ECGLINK_SAMPLES_SIZE((uint32_t)d->samples_per_frame, d->n_channels);
        const bool fits = (ECGLINK_WIRE_SIZE(length) + ECGLINK_WIRE_SIZE(samples) + ECGLINK_RESERVE) < dev->size;
        result = fits ? ECGLINK_NO_ROOM : ECGLINK_RING_TOO_SMALL;
        if (fits && begin(&w, dev, DESCRIPTION, length, 0U)) {
            put_description(&w, d, dev->boot);
            finish(&w);
            dev->describe_due = false;
            result = ECGLINK_OK;
        }
    }
    return result;
}

ecglink_result ecglink_init(ecglink_device *dev, const ecglink_description *description, uint32_t boot,
                            uint8_t *ring, uint16_t size) {
    *dev = (ecglink_device){.description = description, .boot = boot, .ring = ring, .size = size};
    if (size > 1U) { ring[0] = 0U; dev->head = 1U; }
    return ecglink_describe(dev);
}

static uint32_t limited(int32_t count) {
    const int32_t low = (count < -COUNT_LIMIT) ? -COUNT_LIMIT : count;
    return (uint32_t)((count == ECGLINK_STALE) ? ((-COUNT_LIMIT) - 1) : ((low > COUNT_LIMIT) ? COUNT_LIMIT : low));
}

bool ecglink_samples(ecglink_device *dev, const int32_t *counts, uint8_t n, uint32_t ticks, uint16_t lead_off,
                     uint16_t valid) {
    const uint32_t n_values = (uint32_t)n * dev->description->n_channels;
    const uint32_t length = ECGLINK_SAMPLES_SIZE(n_values, 1U);
    writer w;
    bool sent = false;
    if (dev->streaming) {
        if (dev->describe_due) { (void)ecglink_describe(dev); }
        sent = !dev->describe_due && (n != 0U) && (length <= ECGLINK_MAX_FRAME) &&
               begin(&w, dev, SAMPLES, length, ECGLINK_RESERVE);
        dev->dropped += sent ? 0U : n;
    }
    if (sent) {
        put(&w, hash_of(dev->crc));
        put_le(&w, dev->index, 4U);
        put_le(&w, ticks, 4U);
        put(&w, n);
        put_le(&w, lead_off, 2U);
        put_le(&w, valid, 2U);
        for (uint32_t i = 0U; i < n_values; i++) { put_le(&w, limited(counts[i]), 3U); }
        finish(&w);
    }
    dev->index += n;
    return sent;
}

bool ecglink_ack(ecglink_device *dev, const ecglink_command *command, uint8_t result, const uint8_t *data, uint8_t n) {
    const uint8_t head[] = {command->code, command->sequence, result};
    writer w;
    const bool sent = begin(&w, dev, ACK, 6U + (uint32_t)n, 0U);
    if (sent) {
        put_bytes(&w, head, sizeof head);
        put_bytes(&w, data, n);
        finish(&w);
    }
    return sent;
}

static void keep(ecglink_parser *p, uint8_t byte) { /* one byte too many is counted, and marks the frame */
    if (p->length < ECGLINK_MAX_COMMAND) { p->frame[p->length] = byte; }
    if (p->length <= ECGLINK_MAX_COMMAND) { p->length++; }
}

bool ecglink_parse(ecglink_parser *p, uint8_t byte, ecglink_command *command) {
    bool whole = false;
    if (byte == 0U) {
        const bool fits = (p->left == 0U) && (p->length >= 5U) && (p->length <= ECGLINK_MAX_COMMAND);
        uint16_t crc = CRC_START; /* over a frame and its own CRC it is 0 */
        for (uint8_t i = 0U; fits && (i < p->length); i++) { crc = crc_step(crc, p->frame[i]); }
        whole = fits && (crc == 0U) && (p->frame[0] == (uint8_t)COMMAND);
        if (whole) { *command = (ecglink_command){&p->frame[3], p->frame[1], p->frame[2], (uint8_t)(p->length - 5U)}; }
        p->open = false; p->length = 0U; p->left = 0U;
    } else if (p->left != 0U) {
        p->left--;
        keep(p, byte);
    } else { /* a code byte; the run before it ended in a zero, since 254 bytes find no room here */
        if (p->open) { keep(p, 0U); }
        p->open = true;
        p->left = (uint8_t)(byte - 1U);
    }
    return whole;
}

void ecglink_receive(ecglink_device *dev, const uint8_t *data, size_t n) {
    for (size_t i = 0U; i < n; i++) {
        ecglink_command c;
        if (ecglink_parse(&dev->parser, data[i], &c)) {
            const uint8_t echo = (c.code == ECGLINK_PING) ? c.length : 0U;
            const bool known = (c.code >= ECGLINK_START) && (c.code <= ECGLINK_PING);
            dev->streaming = (c.code == ECGLINK_START) || (dev->streaming && (c.code != ECGLINK_STOP));
            (void)ecglink_ack(dev, &c, known ? ECGLINK_DONE : ECGLINK_UNKNOWN_COMMAND, c.data, echo);
            if ((c.code == ECGLINK_START) || (c.code == ECGLINK_DESCRIBE)) { (void)ecglink_describe(dev); }
        }
    }
}

void ecglink_poll(ecglink_device *dev, uint32_t now_ms, uint8_t battery) {
    const uint32_t tenths = (now_ms - dev->last_ms) / 100U;
    writer w;
    if (dev->describe_due || (tenths >= 10U)) { (void)ecglink_describe(dev); }
    if (tenths >= 10U) {
        dev->uptime += tenths;
        dev->last_ms += tenths * 100U;
        if (begin(&w, dev, STATUS, 12U, 0U)) {
            put_le(&w, dev->dropped, 4U);
            put(&w, battery);
            put_le(&w, dev->uptime, 4U);
            finish(&w);
        }
    }
}

const uint8_t *ecglink_peek(const ecglink_device *dev, size_t *n) {
    const uint16_t head = ECGLINK_LOAD(&dev->head);
    *n = (size_t)((head >= dev->tail) ? head : dev->size) - dev->tail;
    return &dev->ring[dev->tail];
}

void ecglink_consume(ecglink_device *dev, size_t n) {
    const size_t tail = dev->tail + n;
    ECGLINK_STORE(&dev->tail, (tail == dev->size) ? 0U : (uint16_t)tail);
}
