/* One device driven by lines on stdin; every line is answered by one line. Heap blocks are exactly as large as
 * what they hold, so that the address sanitizer sees every byte too many. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ecglink.h"

static char line[1 << 17];
static ecglink_device dev;
static ecglink_description description;
static ecglink_channel channels[17];
static ecglink_parser parser;
static uint8_t *ring;
static char *texts[3 + 17];

static char *word(void) {
    char *found = strtok(NULL, " \n");
    if (found == NULL) {
        fprintf(stderr, "line too short\n");
        exit(2);
    }
    return found;
}

static int64_t number(void) { return strtoll(word(), NULL, 10); }

/* Hex to bytes, "-" for none; one more byte is allocated where `end` is a terminator. */
static uint8_t *bytes(size_t *n, size_t end) {
    const char *hex = word();
    *n = (hex[0] == '-') ? 0U : strlen(hex) / 2U;
    uint8_t *out = calloc((*n + end == 0U) ? 1U : *n + end, 1U);
    for (size_t i = 0; i < *n; i++) {
        unsigned value;
        sscanf(&hex[2U * i], "%2x", &value);
        out[i] = (uint8_t)value;
    }
    return out;
}

static const char *text(size_t k) {
    size_t n;
    free(texts[k]);
    texts[k] = (char *)bytes(&n, 1U);
    return (n == 0U && k % 2U == 0U) ? NULL : texts[k]; /* none and empty are the same to the library */
}

static void hex(const uint8_t *data, size_t n) {
    for (size_t i = 0; i < n; i++) {
        printf("%02x", data[i]);
    }
}

static int init(void) {
    const uint16_t size = (uint16_t)number();
    const uint32_t boot = (uint32_t)number();
    description.fs_num = (uint32_t)number();
    description.fs_den = (uint32_t)number();
    description.tick_num = (uint32_t)number();
    description.tick_den = (uint32_t)number();
    description.sensed = (uint16_t)number();
    description.samples_per_frame = (uint8_t)number();
    description.n_channels = (uint8_t)number();
    description.name = text(0U);
    description.serial = text(1U);
    description.firmware = text(2U);
    description.channels = channels;
    for (size_t k = 0; k < description.n_channels; k++) {
        channels[k].lsb_fv = number();
        channels[k].offset = (int32_t)number();
        channels[k].bits = (uint8_t)number();
        channels[k].positive = (uint8_t)number();
        channels[k].negative = (uint8_t)number();
        channels[k].highpass_mhz = (uint32_t)number();
        channels[k].lowpass_mhz = (uint32_t)number();
        channels[k].delay_us = (uint32_t)number();
        channels[k].label = text(3U + k);
    }
    free(ring);
    ring = malloc((size == 0U) ? 1U : size);
    return (int)ecglink_init(&dev, &description, boot, ring, size);
}

static int samples(void) {
    const uint8_t n = (uint8_t)number();
    const uint32_t ticks = (uint32_t)number();
    const uint16_t lead_off = (uint16_t)number();
    const uint16_t valid = (uint16_t)number();
    const size_t n_values = (size_t)n * description.n_channels;
    int32_t *counts = malloc((n_values == 0U) ? 1U : n_values * sizeof *counts);
    for (size_t i = 0; i < n_values; i++) {
        counts[i] = (int32_t)number();
    }
    const bool sent = ecglink_samples(&dev, counts, n, ticks, lead_off, valid);
    free(counts);
    return sent;
}

static void receive(void) {
    size_t n;
    uint8_t *data = bytes(&n, 0U);
    ecglink_receive(&dev, data, n);
    free(data);
}

static void parse(void) {
    size_t n;
    uint8_t *data = bytes(&n, 0U);
    for (size_t i = 0; i < n; i++) {
        ecglink_command found;
        if (ecglink_parse(&parser, data[i], &found)) {
            printf("%u %u ", found.code, found.sequence);
            hex(found.data, found.length);
            printf(";");
        }
    }
    free(data);
}

static int ack(void) {
    ecglink_command command = {NULL, 0U, 0U, 0U};
    size_t n;
    command.code = (uint8_t)number();
    command.sequence = (uint8_t)number();
    const uint8_t result = (uint8_t)number();
    uint8_t *data = bytes(&n, 0U);
    const bool sent = ecglink_ack(&dev, &command, result, data, (uint8_t)n);
    free(data);
    return sent;
}

static void get(void) {
    size_t most = (size_t)number(), n;
    for (const uint8_t *piece = ecglink_peek(&dev, &n); (n > 0U) && (most > 0U); piece = ecglink_peek(&dev, &n)) {
        n = (n < most) ? n : most;
        hex(piece, n);
        ecglink_consume(&dev, n);
        most -= n;
    }
}

static void answer(char command) {
    size_t k;
    switch (command) {
    case 'I': printf("%d", init()); break;
    case 'D': printf("%d", (int)ecglink_describe(&dev)); break;
    case 'L': k = (size_t)number(), channels[k].lsb_fv = number(); break;
    case 'T': dev.streaming = number() != 0; break;
    case 'X': dev.index = (uint32_t)number(); break;
    case 'S': printf("%d", samples()); break;
    case 'R': receive(); break;
    case 'K': parse(); break;
    case 'A': printf("%d", ack()); break;
    case 'P': k = (size_t)number(), ecglink_poll(&dev, (uint32_t)k, (uint8_t)number()); break;
    case 'G': get(); break;
    case 'Q': printf("%" PRIu32 " %" PRIu32 " %" PRIu32 " %d", dev.index, dev.dropped, dev.boot, dev.streaming); break;
    default: fprintf(stderr, "unknown line %c\n", command); exit(2);
    }
}

int main(void) {
    while (fgets(line, sizeof line, stdin) != NULL) {
        answer(strtok(line, " \n")[0]);
        printf("\n");
        fflush(stdout);
    }
    for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
        free(texts[k]);
    }
    free(ring);
    return 0;
}
