/** @file ecglink.h
 *  EcgLink 1.0 for firmware: ECG samples out, host commands in. The format is in ../PROTOCOL.md.
 *
 *  No heap, no libc but strlen and memset, nothing blocks. Frames are built in place in a ring buffer that the
 *  caller owns; a frame is published whole, by one store of the head index, or not at all.
 *  Two contexts may meet at the ring without a lock: the **consumer** (ecglink_peek, ecglink_consume: a UART
 *  interrupt, a DMA callback, a thread) and the **producer** (all other functions). Each side must be one
 *  context: if samples are sent from an interrupt and commands are received in the main loop, mask that
 *  interrupt around ecglink_receive and ecglink_poll. On AVR both sides must be one context, unless you define
 *  ECGLINK_LOAD and ECGLINK_STORE, see ecglink.c. SPDX-License-Identifier: Apache-2.0 */
#ifndef ECGLINK_H
#define ECGLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ECGLINK_MAX_FRAME 1024U /**< Most bytes of a frame before stuffing, CRC included; of a command: */
#define ECGLINK_MAX_COMMAND 64U
#define ECGLINK_STALE INT32_MIN /**< A count that stands for "no valid sample here". */
/** Most bytes on the wire of a frame of n bytes before stuffing, delimiter included. */
#define ECGLINK_WIRE_SIZE(n) ((n) + ((n) / 254U) + 2U)
/** Bytes of a sample frame before stuffing, CRC included. */
#define ECGLINK_SAMPLES_SIZE(n, channels) (17U + (3U * (n) * (channels)))
/** Bytes of the ring that samples leave free, so that an ack of any size finds room when samples do not. */
#define ECGLINK_RESERVE ECGLINK_WIRE_SIZE(65U)

/** Electrodes: bit numbers in lead_off and sensed, and the two ends of a channel. */
enum { ECGLINK_RA, ECGLINK_LA, ECGLINK_LL, ECGLINK_RL, ECGLINK_V1, ECGLINK_V2, ECGLINK_V3, ECGLINK_V4,
       ECGLINK_V5, ECGLINK_V6, ECGLINK_NO_ELECTRODE = 0xFF };
enum { ECGLINK_START = 1, ECGLINK_STOP, ECGLINK_DESCRIBE, ECGLINK_PING };             /**< Commands. */
enum { ECGLINK_DONE, ECGLINK_UNKNOWN_COMMAND, ECGLINK_BAD_ARGUMENT, ECGLINK_FAILED }; /**< Results in an ack. */

/** What became of a description. */
typedef enum {
    ECGLINK_OK,              /**< Queued. */
    ECGLINK_NO_ROOM,         /**< The ring is full now; the description goes out before the next samples. */
    ECGLINK_RING_TOO_SMALL,  /**< It, a frame of samples_per_frame and ECGLINK_RESERVE do not fit together. */
    ECGLINK_BAD_DESCRIPTION  /**< A zero or a value out of range, a text too long, a sample frame above 1024. */
} ecglink_result;

/** One channel: mV = (count - offset) * lsb_fv * 1e-12. */
typedef struct {
    int64_t lsb_fv;              /**< LSB in femtovolts at the electrodes, gain included; not 0. */
    int32_t offset;              /**< Count at 0 mV. */
    uint8_t bits;                /**< Resolution of the converter, 1 to 32. */
    uint8_t positive, negative;  /**< Electrodes, or ECGLINK_NO_ELECTRODE. */
    uint32_t highpass_mhz;       /**< Corner of the device's high-pass in mHz, 0 for none. */
    uint32_t lowpass_mhz;        /**< Corner of the device's low-pass in mHz, 0 for unknown. */
    uint32_t delay_us;           /**< Delay of the device's filters. */
    const char *label;           /**< "II", "V5", at most 16 bytes of UTF-8; NULL: the pair names the lead. */
} ecglink_channel;

/** What the device says of itself. Whoever changes it calls ecglink_describe() before the next samples. */
typedef struct {
    const char *name, *serial, *firmware;  /**< At most 48 bytes of UTF-8 each, or NULL. */
    uint32_t fs_num, fs_den;     /**< Sampling rate in Hz, as the crystal has it: 32768 / 131, not 250 / 1. */
    uint32_t tick_num, tick_den; /**< Ticks per second; 0 / 1: no clock, send ticks 0. */
    uint16_t sensed;             /**< Bits of the electrodes whose loss the device can notice. */
    uint8_t samples_per_frame;   /**< In normal running. */
    uint8_t n_channels;          /**< 1 to 16. */
    const ecglink_channel *channels;
} ecglink_description;

/** A command; its data stay valid until the next byte is parsed. */
typedef struct { const uint8_t *data; uint8_t code, sequence, length; } ecglink_command;
/** Parser of commands; all zero is its initial state. */
typedef struct {
    uint8_t length, left;        /**< Bytes of the frame so far; bytes until the next code byte. */
    bool open;                   /**< A code byte was seen since the last zero. */
    uint8_t frame[ECGLINK_MAX_COMMAND];
} ecglink_parser;
/** A device. From outside write streaming alone, and add to index and dropped the samples that were missed. */
typedef struct {
    const ecglink_description *description;
    uint8_t *ring;
    uint16_t size, head, tail;   /**< Of the ring. The producer alone writes head, the consumer alone tail. */
    uint16_t crc;                /**< Of the description; the hash is made of it. */
    bool described, describe_due;/**< crc is set; samples are dropped until the description has gone out. */
    bool streaming;              /**< The host wants samples. Set it yourself on a one-way link. */
    uint32_t boot;               /**< As given to ecglink_init(), or some steps later. */
    uint32_t index, dropped;     /**< Of the next sample; samples per channel that could not be sent. */
    uint32_t last_ms, uptime;    /**< Of the last status; uptime in 0.1 s. */
    ecglink_parser parser;
} ecglink_device;

/** Start: queues a delimiter, which ends whatever a boot loader said, and the description.
 *  @param boot differs at every boot (a counter in flash, a random number); 0: not said
 *  @param ring outlives the device; size - 1 of its bytes can be filled */
ecglink_result ecglink_init(ecglink_device *dev, const ecglink_description *description, uint32_t boot,
                            uint8_t *ring, uint16_t size);
/** Send one frame while streaming; false if nothing was queued. In any case the index goes on by n.
 *  @param counts n times n_channels: ECGLINK_STALE, or a count, limited to -8388607 ... 8388607
 *  @param n samples per channel, 1 to 255  @param ticks device time of the first sample
 *  @param lead_off bits of the electrodes that are off  @param valid bits of the good channels, 0xFFFF for all */
bool ecglink_samples(ecglink_device *dev, const int32_t *counts, uint8_t n, uint32_t ticks, uint16_t lead_off,
                     uint16_t valid);
/** Take bytes from the host, any cut, and answer the commands they complete. */
void ecglink_receive(ecglink_device *dev, const uint8_t *data, size_t n);
/** Send description and status when a second has passed. Call often.
 *  @param now_ms since boot, may wrap  @param battery percent, above 100: unknown */
void ecglink_poll(ecglink_device *dev, uint32_t now_ms, uint8_t battery);
/** Send the description now. If its hash would hide a change, boot is stepped until it shows. */
ecglink_result ecglink_describe(ecglink_device *dev);
/** Answer a command that you parsed yourself. False: the ring had no room. */
bool ecglink_ack(ecglink_device *dev, const ecglink_command *command, uint8_t result, const uint8_t *data, uint8_t n);
/** Take one byte from the host. @return true if it completed a command */
bool ecglink_parse(ecglink_parser *p, uint8_t byte, ecglink_command *command);
/** Consumer: the bytes that wait, as one contiguous piece (for DMA). @param n how many of them */
const uint8_t *ecglink_peek(const ecglink_device *dev, size_t *n);
/** Consumer: release the first n of the bytes that ecglink_peek() showed. */
void ecglink_consume(ecglink_device *dev, size_t n);

#ifdef __cplusplus
}
#endif
#endif
