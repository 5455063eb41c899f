/* Lead I from an AD8232 board on an ESP32: 500 Hz over UART1 (TX 17, RX 16) at 460800 baud.
 * Wires: OUTPUT to GPIO 34, LO+ to GPIO 32, LO- to GPIO 33. One task samples and speaks, another one sends. */
#include "driver/gpio.h"
#include "driver/uart.h"
#include "ecglink.h"
#include "esp_adc/adc_oneshot.h"
#include "esp_random.h"
#include "esp_timer.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"

enum { PORT = UART_NUM_1, TX = 17, RX = 16, LO_PLUS = 32, LO_MINUS = 33, PER_FRAME = 5, PERIOD_US = 2000 };

/* About 3.1 V / 4096 counts / gain 1100 = 688 nV: measure yours. The board passes 0.5 to 40 Hz in about 6 ms. */
static const ecglink_channel channel = {
    .lsb_fv = 688032670, .offset = 2180, .bits = 12, .positive = ECGLINK_LA, .negative = ECGLINK_RA,
    .highpass_mhz = 500, .lowpass_mhz = 40000, .delay_us = 5600,
};
static const ecglink_description description = {
    .name = "AD8232 on ESP32", .firmware = "1.0", .fs_num = 500, .fs_den = 1, .tick_num = 1000000, .tick_den = 1,
    .sensed = (1U << ECGLINK_LA) | (1U << ECGLINK_RA),
    .samples_per_frame = PER_FRAME, .n_channels = 1, .channels = &channel,
};
static ecglink_device ecg;
static uint8_t ring[2048];
static TaskHandle_t sampler;

static void on_timer(void *unused) {
    (void)unused;
    xTaskNotifyGive(sampler);
}

static void send_task(void *unused) {
    (void)unused;
    for (;;) {
        size_t n;
        const uint8_t *waiting = ecglink_peek(&ecg, &n);
        if (n == 0U) {
            vTaskDelay(1);
        } else {
            const int sent = uart_write_bytes(PORT, waiting, n);
            ecglink_consume(&ecg, (sent > 0) ? (size_t)sent : 0U);
        }
    }
}

static void set_up_hardware(adc_oneshot_unit_handle_t *adc) {
    const adc_oneshot_unit_init_cfg_t unit = {.unit_id = ADC_UNIT_1};
    const adc_oneshot_chan_cfg_t input = {.atten = ADC_ATTEN_DB_12, .bitwidth = ADC_BITWIDTH_12};
    const uart_config_t uart = {
        .baud_rate = 460800, .data_bits = UART_DATA_8_BITS, .parity = UART_PARITY_DISABLE,
        .stop_bits = UART_STOP_BITS_1, .flow_ctrl = UART_HW_FLOWCTRL_DISABLE,
    };
    ESP_ERROR_CHECK(adc_oneshot_new_unit(&unit, adc));
    ESP_ERROR_CHECK(adc_oneshot_config_channel(*adc, ADC_CHANNEL_6, &input));
    ESP_ERROR_CHECK(gpio_set_direction(LO_PLUS, GPIO_MODE_INPUT));
    ESP_ERROR_CHECK(gpio_set_direction(LO_MINUS, GPIO_MODE_INPUT));
    ESP_ERROR_CHECK(uart_param_config(PORT, &uart));
    ESP_ERROR_CHECK(uart_set_pin(PORT, TX, RX, UART_PIN_NO_CHANGE, UART_PIN_NO_CHANGE));
    ESP_ERROR_CHECK(uart_driver_install(PORT, 256, 0, 0, NULL, 0));
}

void app_main(void) {
    const esp_timer_create_args_t every = {.callback = on_timer, .name = "sample"};
    adc_oneshot_unit_handle_t adc;
    esp_timer_handle_t timer;
    int32_t counts[PER_FRAME];
    uint32_t first_us = 0;
    uint8_t n = 0;

    sampler = xTaskGetCurrentTaskHandle();
    set_up_hardware(&adc);
    if (ecglink_init(&ecg, &description, esp_random(), ring, sizeof ring) != ECGLINK_OK) {
        return;
    }
    xTaskCreate(send_task, "send", 3072, NULL, 5, NULL);
    ESP_ERROR_CHECK(esp_timer_create(&every, &timer));
    ESP_ERROR_CHECK(esp_timer_start_periodic(timer, PERIOD_US));
    for (;;) {
        const uint32_t periods = ulTaskNotifyTake(pdTRUE, portMAX_DELAY);
        const int64_t now_us = esp_timer_get_time();
        uint8_t heard[64];
        int value = 0;
        if (periods > 1U) { /* we came too late: say so, and begin a new frame after the gap */
            ecg.index += n + periods - 1U;
            ecg.dropped += n + periods - 1U;
            n = 0;
        }
        if (n == 0U) {
            first_us = (uint32_t)now_us;
        }
        counts[n++] = (adc_oneshot_read(adc, ADC_CHANNEL_6, &value) == ESP_OK) ? value : ECGLINK_STALE;
        if (n == PER_FRAME) {
            const unsigned off = ((unsigned)gpio_get_level(LO_PLUS) << ECGLINK_LA) |
                                 ((unsigned)gpio_get_level(LO_MINUS) << ECGLINK_RA);
            ecglink_samples(&ecg, counts, n, first_us, (uint16_t)off, 0xFFFF);
            n = 0;
        }
        const int length = uart_read_bytes(PORT, heard, sizeof heard, 0);
        ecglink_receive(&ecg, heard, (length > 0) ? (size_t)length : 0U);
        ecglink_poll(&ecg, (uint32_t)(now_us / 1000), 255);
    }
}
