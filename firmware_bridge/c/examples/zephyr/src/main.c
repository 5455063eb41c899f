/* Lead I from an AD8232 board under Zephyr: 512 Hz over the UART of the console.
 * The main thread samples and speaks (producer), the UART interrupt sends (consumer). */
#include <zephyr/device.h>
#include <zephyr/drivers/adc.h>
#include <zephyr/drivers/uart.h>
#include <zephyr/kernel.h>
#include <zephyr/random/random.h>

#include "ecglink.h"

enum { PER_FRAME = 5, TICKS_PER_SAMPLE = 64 }; /* of 32768 Hz, the crystal that also drives the kernel's clock */

/* 3.6 V / 4096 counts / gain 1100 = 799 nV. The board passes 0.5 to 40 Hz in about 6 ms. */
static const ecglink_channel channel = {
    .lsb_fv = 799005682, .offset = 1877, .bits = 12, .positive = ECGLINK_LA, .negative = ECGLINK_RA,
    .highpass_mhz = 500, .lowpass_mhz = 40000, .delay_us = 5600,
};
static const ecglink_description description = {
    .name = "AD8232 under Zephyr", .firmware = "1.0", .fs_num = 512, .fs_den = 1, .tick_num = 32768, .tick_den = 1,
    .samples_per_frame = PER_FRAME, .n_channels = 1, .channels = &channel,
};
static const struct device *const uart = DEVICE_DT_GET(DT_CHOSEN(zephyr_console));
static const struct adc_dt_spec input = ADC_DT_SPEC_GET(DT_PATH(zephyr_user));
static ecglink_device ecg;
static uint8_t ring[1024];

K_MSGQ_DEFINE(heard, 1, 128, 1);
K_TIMER_DEFINE(sampling, NULL, NULL);

static void on_uart(const struct device *port, void *unused) {
    (void)unused;
    while (uart_irq_update(port) && uart_irq_is_pending(port)) {
        uint8_t byte;
        size_t n;
        while (uart_irq_rx_ready(port) && (uart_fifo_read(port, &byte, 1) == 1)) {
            (void)k_msgq_put(&heard, &byte, K_NO_WAIT);
        }
        if (uart_irq_tx_ready(port)) {
            const uint8_t *waiting = ecglink_peek(&ecg, &n);
            if (n == 0U) {
                uart_irq_tx_disable(port);
            } else {
                const int sent = uart_fifo_fill(port, waiting, (int)n);
                ecglink_consume(&ecg, (sent > 0) ? (size_t)sent : 0U);
            }
        }
    }
}

int main(void) {
    int32_t counts[PER_FRAME];
    uint32_t first = 0;
    uint8_t n = 0, byte;
    int16_t value = 0;
    struct adc_sequence sequence = {.buffer = &value, .buffer_size = sizeof value};

    if (!device_is_ready(uart) || !adc_is_ready_dt(&input) || (adc_channel_setup_dt(&input) != 0) ||
        (adc_sequence_init_dt(&input, &sequence) != 0) ||
        (ecglink_init(&ecg, &description, sys_rand32_get(), ring, sizeof ring) != ECGLINK_OK)) {
        return 1;
    }
    (void)uart_irq_callback_user_data_set(uart, on_uart, NULL);
    uart_irq_rx_enable(uart);
    k_timer_start(&sampling, K_TICKS(TICKS_PER_SAMPLE), K_TICKS(TICKS_PER_SAMPLE));
    for (;;) {
        const uint32_t periods = k_timer_status_sync(&sampling);
        if (periods > 1U) { /* we came too late: say so, and begin a new frame after the gap */
            ecg.index += n + periods - 1U;
            ecg.dropped += n + periods - 1U;
            n = 0;
        }
        if (n == 0U) {
            first = (uint32_t)k_uptime_ticks();
        }
        counts[n++] = (adc_read_dt(&input, &sequence) == 0) ? value : ECGLINK_STALE;
        if (n == PER_FRAME) {
            (void)ecglink_samples(&ecg, counts, n, first, 0, 0xFFFF);
            n = 0;
        }
        while (k_msgq_get(&heard, &byte, K_NO_WAIT) == 0) {
            ecglink_receive(&ecg, &byte, 1);
        }
        ecglink_poll(&ecg, k_uptime_get_32(), 255);
        uart_irq_tx_enable(uart);
    }
}
