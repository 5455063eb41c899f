#pragma once
#include <stdbool.h>
#include <stddef.h>
struct adc_sequence { void *buffer; size_t buffer_size; };
struct adc_dt_spec { int unused; };
#define ADC_DT_SPEC_GET(node) {0}
bool adc_is_ready_dt(const struct adc_dt_spec *spec);
int adc_channel_setup_dt(const struct adc_dt_spec *spec);
int adc_sequence_init_dt(const struct adc_dt_spec *spec, struct adc_sequence *seq);
int adc_read_dt(const struct adc_dt_spec *spec, const struct adc_sequence *sequence);
